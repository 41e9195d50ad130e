#include "model/tuning_file.h"

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "images/atomic_file.h"

namespace pgad {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson read(const std::string& path) {
  if (!std::filesystem::exists(path)) return OrderedJson::object();
  try {
    OrderedJson json = OrderedJson::parse(read_file(path));
    if (json.is_object()) return json;
  } catch (const nlohmann::json::exception&) {
  }
  throw Error(str(path, ": not a file of kernel timings; delete it or name another with --tuning"));
}

}  // namespace

void load_tuning(Exec& exec, const std::string& path) {
  if (path.empty() || !exec.runtime()) return;
  auto& tuner = exec.library<Tuner>();
  tuner.measuring = true;
  const OrderedJson all = read(path);
  try {
    for (const OrderedJson& entry : all.value(exec.runtime()->tuning_key(), OrderedJson::array())) {
      Tuner::Choice choice{entry.at("version"), {}};
      for (const auto& [name, time] : entry.at("microseconds").items()) choice.microseconds.emplace_back(name, time);
      tuner.choices.insert_or_assign({entry.at("kernel"), entry.at("shape")}, choice);
    }
  } catch (const nlohmann::json::exception& e) {
    throw Error(str(path, ": not a file of kernel timings (", e.what(), ")"));
  }
}

void save_tuning(Exec& exec, const std::string& path) {
  if (path.empty() || !exec.runtime()) return;
  OrderedJson all = read(path), mine = OrderedJson::array();
  for (const auto& [key, choice] : exec.library<Tuner>().choices) {
    OrderedJson times = OrderedJson::object();
    for (const auto& [name, time] : choice.microseconds) times[name] = time;
    mine.push_back(
        {{"kernel", key.first}, {"shape", key.second}, {"version", choice.version}, {"microseconds", times}});
  }
  all[exec.runtime()->tuning_key()] = mine;
  write_file_atomically(path, all.dump(1) + "\n");
}

std::string tuning_table(const std::string& path) {
  if (!std::filesystem::exists(path)) throw Error(str(path, ": no such file"));
  std::string table;
  const OrderedJson all = read(path);
  try {
    for (const auto& [gpu, entries] : all.items()) {
      table += gpu + "\n";
      for (const OrderedJson& entry : entries) {
        char line[200];
        std::snprintf(line, sizeof line, "  %-16s %-36s %-14s", entry.at("kernel").get<std::string>().c_str(),
                      entry.at("shape").get<std::string>().c_str(), entry.at("version").get<std::string>().c_str());
        table += line;
        for (const auto& [name, time] : entry.at("microseconds").items()) {
          std::snprintf(line, sizeof line, "  %s %.1f us", name.c_str(), time.get<double>());
          table += line;
        }
        table += "\n";
      }
    }
  } catch (const nlohmann::json::exception& e) {
    throw Error(str(path, ": not a file of kernel timings (", e.what(), ")"));
  }
  return table;
}

}  // namespace pgad
