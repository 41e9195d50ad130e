#pragma once
// Figures 4 to 6 of Kimura & Yanagihara (2018), of one's own model and images.

#include <cstdint>
#include <string>
#include <vector>

#include "inspection/scorer.h"

namespace pgad {

// Collects scored images of three kinds: normal ones, the same with noise, and abnormal ones of one class.
class PaperFigures {
 public:
  enum Kind { kNormal, kNoisy, kAbnormal, kKinds };

  // columns: pictures of each kind that figures 4 and 6 show, the first ones.
  explicit PaperFigures(int columns) : columns_(columns) {}

  // Whether the next image of this kind is one that figures 4 and 6 show.
  bool shows_another(Kind kind) const { return static_cast<int>(pictures_[kind].size()) < columns_; }

  // Needs query and reconstruction. map: the anomaly map over the query, of images that are shown, for figure 6; empty:
  // none of them has one.
  void add(Kind kind, const ScoredImage& image, Image map = {});

  // figure4.png: inputs over reconstructions, of all three kinds. figure5.png: share of the pixels (logarithmic) over
  // the difference |x - G(z)|, in shares of full brightness, mean over the normal and over the abnormal images.
  // figure6.png: inputs over difference images, white where kBrightest or more differs, and, beyond the paper's, over
  // the anomaly maps. normal, abnormal: what the kinds are called. Throws Error where a kind was not added, or a file
  // cannot be written.
  void write(const std::string& folder, const std::string& normal, const std::string& abnormal) const;

  static constexpr double kBrightest = 0.5;  // a difference of so much of full brightness is white in figure 6
  static constexpr int kBins = 40;           // of figure 5

 private:
  struct Pictures {
    Image query, reconstruction, difference, map;
  };
  int columns_;
  std::vector<Pictures> pictures_[kKinds];
  std::vector<double> bins_[kKinds];  // sums of shares
  std::int64_t images_[kKinds] = {};
};

// Of a test set the first images of the class that most abnormal ones belong to, or of `kind`. Throws UsageError for
// one that is not there.
std::vector<Sample> of_one_kind(const std::vector<Sample>& test, const std::string& kind, std::size_t most);

// An image with noise of this deviation, in shares of full brightness, on every pixel.
Image with_noise(Image image, double deviation, std::uint64_t seed, std::uint64_t number);

}  // namespace pgad
