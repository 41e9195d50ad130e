#include "apps/score.h"

#include <unistd.h>

#include "apps/result_header.h"
#include "inspection/calibration.h"

namespace pgad {
namespace {

constexpr std::size_t kUnknownCount = 1000;  // images that standard input may give, for the size of a report's pictures

}  // namespace

int score(const InspectionOptions& o) {
  if (o.inputs.empty() && !o.images_from_stdin)
    throw UsageError("--input is required: images, folders or lists; or --images-from-stdin");
  Session s(o.model, o.given);
  Progress progress;
  const FolderLock lock = lock_results(o.out, progress);
  ImageSource source;
  s.set_up(source);
  LeftOut left_out;
  std::vector<Sample> samples;
  std::optional<ImageStream> stream;
  if (o.images_from_stdin)
    stream.emplace(STDIN_FILENO, "stdin", "standard input");
  else
    samples = list_inputs(o.inputs, &source, &left_out);
  std::vector<std::string> notes = s.notes(!std::isnan(o.threshold));
  for (std::string& note : left_out.notes()) notes.push_back(std::move(note));
  const bool one_input = o.inputs.size() == 1;
  std::vector<double> combined;
  const auto collect = [&](const ScoredImage& image) {
    if (s.model.calibration) combined.push_back(combined_score(*s.model.calibration, image.terms));
  };
  std::optional<HtmlReport> report = make_report(s, o, false, stream ? kUnknownCount : samples.size());
  Inspection task{samples, source, one_input && is_directory(o.inputs[0]) ? o.inputs[0] : ".", notes, left_out};
  task.also = collect;
  task.report = report ? &*report : nullptr;
  task.stream = stream ? &*stream : nullptr;
  const int code = score_into(s, o, task, progress);
  if (report) {
    const std::string of = stream      ? "images from standard input"
                           : one_input ? o.inputs[0]
                                       : str(o.inputs.size(), " inputs");
    write_report(*report, s, o, of, notes, {}, progress);
  }
  if (s.model.calibration)
    if (const auto drift = drift_text(*s.model.calibration, s.threshold(o.threshold), combined)) progress.warn(*drift);
  if (stream && !stream->error().empty()) throw DataError(stream->error());  // what came before is written
  return code;
}

}  // namespace pgad
