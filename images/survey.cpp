#include "images/survey.h"

#include <algorithm>

#include "engine/check.h"

namespace pgad {
namespace {

constexpr std::size_t kLookedAt = 32;

bool has_color(const Image& image) {
  if (image.channels != 3) return false;
  std::size_t colored = 0;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    const auto [least, most] = std::minmax({image.pixels[i], image.pixels[i + 1], image.pixels[i + 2]});
    colored += most - least > 1.0f / 16;
  }
  return colored * 1000 >= image.pixels.size() / 3;
}

}  // namespace

Survey survey_images(const Dataset& data) {
  Survey survey;
  if (data.layout == Layout::kIdx) return survey;  // grey, 8 bits
  std::string first_name;                          // of a file with survey.bits
  std::vector<int> sides;
  int dark = 0, full = 0;  // of 16 bits: with values below 4096 only, with others
  for (const auto* samples : {&data.train_normal, &data.train_abnormal}) {
    const std::size_t count = std::min(kLookedAt, samples->size());
    for (std::size_t i = 0; i < count; ++i) {
      const Sample& sample = (*samples)[i * samples->size() / count];
      Image image;
      try {
        image = data.load(sample);
      } catch (const Error&) {
        continue;  // said, with its reason, when all images are read
      }
      ++survey.looked_at;
      survey.colored += has_color(image);
      if (samples == &data.train_normal) sides.push_back(std::min(image.height, image.width));
      const float most = *std::ranges::max_element(image.pixels);
      if (image.bits <= 8 || most == 0.0f) continue;
      if (survey.bits == 0) {
        survey.bits = image.bits;
        first_name = sample.name;
      } else if (survey.bits != image.bits) {
        throw UsageError(str("training images of ", survey.bits, " bits ('", first_name, "') and of ", image.bits,
                             " bits ('", sample.name,
                             "'): their brightness cannot be compared; --bits says how many "
                             "all files of more than 8 bits have"));
      }
      if (image.bits == 16) ++(most < 4096 / 65535.0f ? dark : full);
    }
  }
  if (!sides.empty()) {
    std::ranges::nth_element(sides, sides.begin() + static_cast<std::ptrdiff_t>(sides.size() / 2));
    survey.side = sides[sides.size() / 2];
  }
  if (survey.colored > 0 && survey.colored < survey.looked_at) {
    survey.notes.push_back(str("of ", survey.looked_at, " training images looked at ", survey.colored,
                               " have colour and ", survey.looked_at - survey.colored, " are grey"));
  }
  if (dark > 0 && full == 0) {
    survey.notes.push_back(str("all values of the 16 bit training images looked at (", dark,
                               ") are below 4096 of 65535: if they have 10 or 12 bits, --bits 10 or --bits 12 reads "
                               "them so; the model is trained on nearly black images otherwise"));
  }
  return survey;
}

Tiles choose_tiles(const Dataset& data, const Survey& survey, const DataConfig& config, int resolution) {
  const bool surfaces = data.layout == Layout::kInspection || data.layout == Layout::kFlat;
  const bool large = survey.side * config.scale >= 1.5 * resolution;
  return surfaces && large && config.fit != Fit::kLetterbox ? Tiles::kOn : Tiles::kOff;
}

}  // namespace pgad
