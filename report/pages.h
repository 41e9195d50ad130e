#pragma once

namespace pgad {

// report/pages/*.html, each with /*DATA*/null/*END*/ where its data go, as JSON.
extern const char* const kReportPage;
extern const char* const kTrainingPage;

}  // namespace pgad
