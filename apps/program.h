#pragma once
// What the programs' main functions share: exit codes and signals.

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <exception>
#include <functional>
#include <iostream>
#include <new>

#include "engine/check.h"
#include "engine/log.h"
#include "images/printable.h"

namespace pgad {

inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

// Set by SIGINT, SIGTERM and SIGHUP: finish what is at hand, save, and leave.
inline std::atomic<bool> stop_requested{false};

inline void stop_on_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {};
    // nohup, and a shell that starts something in the background, want a signal ignored.
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = [](int) { stop_requested = true; };
    // A second Ctrl-C ends the program at once. The others are often sent twice (by timeout, by a shell that closes).
    action.sa_flags = static_cast<int>(signal == SIGINT ? SA_RESTART | SA_RESETHAND : SA_RESTART);
    sigaction(signal, &action, nullptr);
  }
  // A reader of our messages that has gone, or a limit on file sizes, must not end the program: writing fails, and that
  // is dealt with where it matters.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

// Runs a program's body and turns its exceptions into messages and exit codes: 0, 1 for failure, 2 for usage.
inline int run_program(CLI::App& app, int argc, char** argv, const std::function<int()>& body) {
  app.set_version_flag("--version", app.get_name() + " " PGAD_VERSION);
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
