#include "apps/completion.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "engine/check.h"

namespace pgad {
namespace {

struct Entry {
  std::string name, help;  // with its dashes
  bool takes_value;
};

// The long names, of a flag also the one that switches it off.
std::vector<Entry> options_of(const CLI::App& app) {
  std::vector<Entry> entries;
  for (const CLI::Option* option : app.get_options()) {
    const std::string help = option->get_description();
    for (const std::string& name : option->get_lnames())
      entries.push_back({"--" + name, help.substr(0, help.find('\n')), option->get_expected_max() > 0});
  }
  return entries;
}

// Its subcommands.
std::vector<const CLI::App*> parts_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string names(const std::vector<Entry>& entries) {
  std::string all;
  for (const Entry& e : entries) all += (all.empty() ? "" : " ") + e.name;
  return all;
}

std::string identifier(std::string name) {
  std::ranges::replace(name, '-', '_');
  return name;
}

// Within single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::string bash(const CLI::App& app) {
  std::ostringstream s;
  const std::string program = app.get_name();
  s << "# bash completion of " << program << ": source this file, or put it into bash-completion's completions/.\n"
    << "_" << identifier(program) << "() {\n"
    << "  local current=${COMP_WORDS[COMP_CWORD]} word part= options=" << quoted(names(options_of(app))) << " parts=";
  std::string parts;
  for (const CLI::App* part : parts_of(app)) parts += (parts.empty() ? "" : " ") + part->get_name();
  s << quoted(parts) << "\n"
    << "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
    << "    [[ -z $part && \" $parts \" == *\" $word \"* ]] && part=$word\n"
    << "  done\n"
    << "  case $part in\n";
  for (const CLI::App* part : parts_of(app))
    s << "  " << part->get_name() << ") options=" << quoted(names(options_of(*part))) << " ;;\n";
  s << "  '') options=\"$options $parts\" ;;\n"
    << "  esac\n"
    << "  if [[ $current == -* || ( -z $part && -n $parts ) ]]; then\n"
    << "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
    << "  else\n"
    << "    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
    << "  fi\n"
    << "}\n"
    << "complete -o filenames -F _" << identifier(program) << " " << program << "\n";
  return s.str();
}

std::string zsh(const CLI::App& app) {
  // A colon ends the name of a described word, a bracket the description.
  const auto spec = [](const Entry& e) {
    std::string help;
    for (const char c : e.help)
      help += c == '[' || c == ']' || c == ':' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    return quoted(e.name + "[" + help + "]" + (e.takes_value ? ":value:_files" : ""));
  };
  const auto arguments = [&](const CLI::App& part) {
    std::string text = "_arguments -s";
    for (const Entry& e : options_of(part)) text += " \\\n        " + spec(e);
    return text;
  };
  std::ostringstream s;
  const std::string program = app.get_name(), name = "_" + identifier(program);
  s << "#compdef " << program << "\n"
    << "# zsh completion: put it as _" << program << " into a folder of $fpath.\n"
    << name << "() {\n";
  if (parts_of(app).empty()) {
    s << "  " << arguments(app) << "\n";
  } else {
    // The words behind a subcommand are completed as if it were a command of its own.
    s << "  local state\n  local -a parts=(";
    for (const CLI::App* part : parts_of(app))
      s << "\n    " << quoted(part->get_name() + ":" + part->get_description());
    s << ")\n  " << arguments(app) << " -C \\\n        '1:command:->command' '*::argument:->arguments'\n"
      << "  case $state in\n    command) _describe command parts ;;\n    arguments)\n      case $words[1] in\n";
    for (const CLI::App* part : parts_of(app))
      s << "      " << part->get_name() << ")\n      " << arguments(*part) << " ;;\n";
    s << "      esac ;;\n  esac\n";
  }
  s << "}\n" << name << " \"$@\"\n";
  return s.str();
}

std::string fish(const CLI::App& app) {
  std::ostringstream s;
  const std::string program = app.get_name();
  s << "# fish completion: put it as " << program << ".fish into a folder of $fish_complete_path.\n";
  const auto add = [&](const CLI::App& part, const std::string& condition) {
    for (const Entry& e : options_of(part))
      s << "complete -c " << program << condition << " -l " << e.name.substr(2) << (e.takes_value ? " -r" : "")
        << " -d " << quoted(e.help) << "\n";
  };
  add(app, parts_of(app).empty() ? "" : " -n __fish_use_subcommand");
  for (const CLI::App* part : parts_of(app)) {
    s << "complete -c " << program << " -f -n __fish_use_subcommand -a " << part->get_name() << " -d "
      << quoted(part->get_description()) << "\n";
    add(*part, " -n '__fish_seen_subcommand_from " + part->get_name() + "'");
  }
  return s.str();
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  if (shell == "bash") return bash(app);
  if (shell == "zsh") return zsh(app);
  PGAD_CHECK(shell == "fish", shell);
  return fish(app);
}

}  // namespace pgad
