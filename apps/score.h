#pragma once

#include "apps/inspection_run.h"

namespace pgad {

// pgad_infer's `score`: images of files, folders and lists, or of standard input, are scored and judged. Returns the
// exit code.
int score(const InspectionOptions& options);

}  // namespace pgad
