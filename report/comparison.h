#pragma once
// Two results of the same images, of two models or of one model calibrated twice: where they agree.

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "report/result_writer.h"

namespace pgad {

struct Comparison {
  struct Image {
    std::string name;
    double combined[2];       // finite or infinite
    std::string decision[2];  // normal, anomalous or undecided
    bool changed() const { return decision[0] != decision[1]; }
  };
  std::vector<Image> images;                      // scored in both, by name
  std::size_t only[2] = {0, 0};                   // scored in one alone
  double threshold[2];                            // of combined; NaN: none
  std::string model[2];                           // their files, as the results call them
  std::array<double, kScoreCount> correlation{};  // Spearman's, of the scores that both have; else NaN
  double auroc[2];                                // of combined, where both kinds of label are known; else NaN
  std::size_t changed() const;
};

// Throws Error, naming the folder, if a result holds no calibrated score, or if no image is in both.
Comparison compare(const EarlierResult& first, const EarlierResult& second, const std::string& first_folder,
                   const std::string& second_folder);

// Spearman's rank correlation, ties sharing their mean rank; NaN if either side has one value only.
double rank_correlation(std::span<const double> x, std::span<const double> y);

// For a person: how many images, the decisions of one against the other, how the scores agree, the decisions that
// differ (at most 20 of them, the largest changes of `combined` first).
std::string table_of(const Comparison& comparison);
// path, then combined and decision of the first and of the second, and whether the decision changed.
std::string csv_of(const Comparison& comparison);
// `combined` of each image, the first's along x and the second's along y, with both thresholds.
void plot_comparison(const std::string& path, const Comparison& comparison);

}  // namespace pgad
