#include "apps/result_header.h"

#include <cmath>
#include <fstream>
#include <string_view>

#include "engine/hash.h"
#include "images/printable.h"
#include "inspection/drift.h"
#include "model/fields.h"

namespace pgad {
namespace {

// Hash of a file, by which another model under the same name is noticed.
std::string fingerprint(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string chunk(std::size_t{1} << 20, '\0');
  std::uint64_t hash = kFnv1aStart;
  while (file.read(chunk.data(), static_cast<std::streamsize>(chunk.size())), file.gcount() > 0)
    hash = fnv1a(std::string_view(chunk).substr(0, static_cast<std::size_t>(file.gcount())), hash);
  return hex(hash);
}

}  // namespace

nlohmann::ordered_json header_of(const Session& s, const std::string& model_file, const std::vector<std::string>& notes,
                                 const LeftOut& left_out) {
  nlohmann::ordered_json scoring, header;
  for (const Field& field : all_fields())
    if (field.group == Group::kScoring) scoring[field.name] = field.get(s.config);
  header = {{"model", printable(model_file)},
            {"scoring", scoring},
            {"bits", s.config.data.bits},
            {"decision_by", "combined"}};
  for (const std::string& note : notes) header["notes"].push_back(printable(note));
  for (const auto& [ending, count] : left_out.files) header["files_not_read"][printable(ending)] = count;
  for (const std::string& folder : left_out.folders) header["folders_not_read"].push_back(printable(folder));
  return header;
}

nlohmann::ordered_json result_header(const Session& s, const std::string& model_file,
                                     const std::vector<std::string>& notes, const LeftOut& left_out, double threshold,
                                     const std::optional<RegionOptions>& regions) {
  nlohmann::ordered_json header = header_of(s, model_file, notes, left_out);
  header["threshold"] = std::isnan(threshold) ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(threshold);
  header["region_threshold"] = regions ? nlohmann::ordered_json(regions->threshold) : nlohmann::ordered_json(nullptr);
  header["model_fingerprint"] = fingerprint(model_file);
  header["computed_by"] = s.exec->runtime() ? str(s.exec->runtime()->description(), ", ", s.run.precision)
                                            : str("CPU, ", isa_name(s.exec->isa()));
  return header;
}

std::optional<std::string> drift_text(const Calibration& calibration, double threshold,
                                      std::span<const double> combined) {
  if (std::isnan(threshold)) return std::nullopt;
  const auto drift = drift_of(calibration, threshold, combined);
  if (!drift || !drift->significant()) return std::nullopt;
  return str("WARNING: the scores of the last ", drift->images,
             " images that are judged normal are not distributed as those of the calibration's normals (median ",
             drift->shift > 0 ? "+" : "", drift->shift, " spreads, Kolmogorov-Smirnov distance ", drift->distance,
             ", p ", drift->p_value,
             "): light, focus or product may have changed. If they are normal, pgad_infer calibrate sets the threshold "
             "for them");
}

}  // namespace pgad
