#pragma once
// Which of several versions of a kernel serves which shape on a GPU: found by measuring each shape once.
//
// The first version is the hand-written one: it serves where nothing has been measured, and the others must agree with
// it to be chosen. Kept in the Exec; files of choices are model/tuning_file.h's.

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/exec.h"

namespace pgad {

template <class Args>
struct Version {
  const char* name;
  // False where it cannot serve: its library is missing, or the shape is not for it.
  bool (*run)(Exec&, const Args&);
};

class Tuner {
 public:
  struct Choice {
    std::string version;
    std::vector<std::pair<std::string, double>>
        microseconds;  // of every version that agreed, in the order of measuring
  };
  using Key = std::pair<std::string, std::string>;  // kernel; shape and precision

  // Whether unknown shapes are measured, or the hand-written version serves them.
  bool measuring = false;
  std::map<Key, Choice> choices;

  // Runs the chosen version. out: the kernel's result, n floats.
  template <class Args>
  void run(Exec& exec, const char* kernel, const Args& args, std::span<const Version<Args>> versions, float* out,
           std::int64_t n) {
    if (choices.empty() && !measuring && versions[0].run(exec, args)) return;
    const Key key{kernel, str(args.label(), "  ", precision_name(exec.precision()))};
    auto found = choices.find(key);
    // Nothing can be measured while a graph is captured: then the recorded run has measured already.
    if (found == choices.end() && measuring && versions.size() > 1 && !exec.capturing()) {
      std::vector<Call> calls;
      for (const Version<Args>& v : versions)
        calls.emplace_back(v.name, [&exec, &args, run = v.run] { return run(exec, args); });
      found = choices.emplace(key, measure(exec, calls, out, n)).first;
    }
    if (found != choices.end())
      for (const Version<Args>& v : versions)
        if (found->second.version == v.name && v.run(exec, args)) return;
    if (!versions[0].run(exec, args)) throw Error(str("kernel ", kernel, " cannot serve ", key.second));
  }

 private:
  using Call = std::pair<std::string, std::function<bool()>>;
  static Choice measure(Exec& exec, const std::vector<Call>& calls, const float* out, std::int64_t n);
};

}  // namespace pgad
