#pragma once
// The device that a run asks for.

#include "apps/config/config.h"
#include "engine/exec.h"

namespace pgad {

inline Exec make_exec(const RunConfig& run) {
  return Exec(parse_device(run.device), run.threads, Implementation::kFastest, parse_precision(run.precision));
}

}  // namespace pgad
