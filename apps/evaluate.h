#pragma once

#include "apps/inspection_run.h"

namespace pgad {

// pgad_infer's commands on a labelled test set. They return the exit code.
int evaluate(const InspectionOptions& options);
int paper_figures(const InspectionOptions& options);

}  // namespace pgad
