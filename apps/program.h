#pragma once
// What the programs' main functions share: exit codes, signals (signals.h), and what becomes of exceptions.

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <iostream>
#include <new>
#include <vector>

#include "apps/completion.h"
#include "apps/progress.h"
#include "apps/signals.h"
#include "engine/check.h"
#include "engine/log.h"
#include "images/printable.h"

namespace pgad {

// Runs a program's body and turns its exceptions into messages and exit codes: 0, 1 for failure, 2 for usage.
inline int run_program(CLI::App& app, int argc, char** argv, const std::function<int()>& body) {
  app.set_version_flag("--version", app.get_name() + " " PGAD_VERSION);
  std::vector<CLI::App*> all = app.get_subcommands([](const CLI::App*) { return true; });
  all.insert(all.begin(), &app);
  for (CLI::App* part : all) {
    const auto set = [](Verbosity v) { return [v](std::int64_t) { verbosity = v; }; };
    CLI::Option* quiet =
        part->add_flag_function("--quiet", set(Verbosity::kQuiet), "say nothing but warnings and errors");
    part->add_flag_function("--verbose", set(Verbosity::kVerbose),
                            "keep each line of the progress, with the time of day")
        ->excludes(quiet);
  }
  app.add_option_function<std::string>(
         "--completion",
         [&](const std::string& shell) {
           std::cout << completion_script(app, shell);
           throw CLI::Success();
         },
         "print a script by which a shell completes this program's options")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kShells), std::end(kShells))));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : kExitUsage;  // --help and --version are no errors
  }
  set_log([](const std::string& text) { std::cerr << "warning: " << printable(text) << "\n"; });
  try {
    return body();
  } catch (const UsageError& e) {
    std::cerr << app.get_name() << ": " << printable(e.what()) << "\n";
    return kExitUsage;
  } catch (const std::bad_alloc&) {
    std::cerr << app.get_name() << ": out of memory; lower the batch size or the number of feature maps\n";
    return kExitFailure;
  } catch (const std::exception& e) {
    std::cerr << app.get_name() << ": " << printable(e.what()) << "\n";
    return kExitFailure;
  }
}

}  // namespace pgad
