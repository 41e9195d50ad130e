#pragma once
// The device that a run asks for.

#include "engine/exec.h"
#include "model/config.h"

namespace pgad {

inline Exec make_exec(const RunConfig& run) {
  return Exec(parse_device(run.device), run.threads, Implementation::kFastest, parse_precision(run.precision));
}

}  // namespace pgad
