#include "report/paper_figures.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "engine/check.h"
#include "engine/rng.h"
#include "images/pictures.h"
#include "report/plot.h"

namespace pgad {

void PaperFigures::add(Kind kind, const ScoredImage& image, Image map) {
  const std::size_t pixels = static_cast<std::size_t>(image.rows) * static_cast<std::size_t>(image.columns);
  PGAD_CHECK(pixels > 0 && image.query.size() == image.reconstruction.size(), "an image without its pictures");
  const std::size_t channels = image.query.size() / pixels;
  // Of the pictures, whose values go from -1 to 1: the residual map is in the networks' units, which --normalise
  // changes.
  std::vector<float> differences(pixels);  // shares of full brightness
  for (std::size_t i = 0; i < image.query.size(); ++i)
    differences[i / channels] += std::abs(image.query[i] - image.reconstruction[i]) / 2 / static_cast<float>(channels);
  std::vector<double>& bins = bins_[kind];
  bins.resize(kBins);
  for (const float d : differences)
    bins[static_cast<std::size_t>(std::clamp(static_cast<int>(d * kBins), 0, kBins - 1))] +=
        1.0 / static_cast<double>(pixels);
  ++images_[kind];
  if (!shows_another(kind)) return;
  Image difference{image.rows, image.columns, 1, {}};
  for (const float d : differences) difference.pixels.push_back(std::min(1.0f, d / static_cast<float>(kBrightest)));
  const auto shown = [&](const std::vector<float>& values) {
    return picture(values, image.rows, image.columns, static_cast<int>(channels));
  };
  pictures_[kind].push_back({shown(image.query), shown(image.reconstruction), std::move(difference), std::move(map)});
}

void PaperFigures::write(const std::string& folder, const std::string& normal, const std::string& abnormal) const {
  const std::string names[kKinds] = {normal, normal + " with noise", abnormal};
  for (int k = 0; k < kKinds; ++k)
    if (images_[k] == 0) throw Error(str("no figures: no image of '", names[k], "' could be scored"));
  const auto path = [&](const char* name) { return (std::filesystem::path(folder) / name).string(); };
  const auto groups = [&](std::initializer_list<Image Pictures::*> rows) {
    std::vector<PictureGroup> made;
    for (int k = 0; k < kKinds; ++k) {
      made.push_back({names[k], {}});
      for (const Pictures& p : pictures_[k]) {
        made.back().columns.emplace_back();
        for (const auto row : rows) made.back().columns.back().push_back(p.*row);
      }
    }
    return made;
  };
  const std::string rows4[] = {"x", "G(z)"}, rows6[] = {"x", "|x - G(z)|", "map"};
  const bool maps = !pictures_[kNormal][0].map.pixels.empty();
  plot_pictures(path("figure4.png"), "Inputs and what the generator draws nearest to them", rows4,
                groups({&Pictures::query, &Pictures::reconstruction}));
  plot_pictures(path("figure6.png"),
                str("Inputs and their differences from it; white: ", 100 * kBrightest, " % of full brightness or more"),
                std::span(rows6, maps ? 3 : 2),
                maps ? groups({&Pictures::query, &Pictures::difference, &Pictures::map})
                     : groups({&Pictures::query, &Pictures::difference}));

  std::vector<LineSeries> lines;
  for (const Kind k : {kNormal, kAbnormal}) {
    lines.push_back({str(names[k], " (", images_[k], ")"), {}});
    for (int bin = 0; bin < kBins; ++bin)
      lines.back().points.push_back(
          {(bin + 0.5) / kBins, 100 * bins_[k][static_cast<std::size_t>(bin)] / static_cast<double>(images_[k])});
  }
  plot_lines(path("figure5.png"), "Difference of pixels, mean over the images", "|x - G(z)|, share of full brightness",
             str("% of the pixels, per ", 1.0 / kBins), lines, true);
}

std::vector<Sample> of_one_kind(const std::vector<Sample>& test, const std::string& kind, std::size_t most) {
  std::map<std::string, std::vector<Sample>> kinds;
  for (const Sample& s : test)
    if (s.anomalous) kinds[s.group].push_back(s);
  std::string names;
  for (const auto& [name, samples] : kinds) names += (names.empty() ? "" : ", ") + name;
  if (!kind.empty() && !kinds.contains(kind)) throw UsageError(str("--kind '", kind, "': expected one of ", names));
  auto found = kind.empty() ? std::ranges::max_element(kinds, {}, [](const auto& k) { return k.second.size(); })
                            : kinds.find(kind);
  found->second.resize(std::min(most, found->second.size()));
  return std::move(found->second);
}

Image with_noise(Image image, double deviation, std::uint64_t seed, std::uint64_t number) {
  Rng rng(seed, number);
  for (float& v : image.pixels) v = std::clamp(v + static_cast<float>(deviation * rng.normal()), 0.0f, 1.0f);
  return image;
}

}  // namespace pgad
