#pragma once
// Scripts by which a shell completes a program's subcommands and options.

#include <CLI/App.hpp>
#include <string>

namespace pgad {

inline constexpr const char* kShells[] = {"bash", "zsh", "fish"};

// Of all that `app` has been told. Values of options are completed as file names.
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace pgad
