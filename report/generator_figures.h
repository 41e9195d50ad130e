#pragma once
// How training went for the generator, read from log.jsonl: a plot, and warnings.

#include <string>
#include <vector>

namespace pgad {

// At one sheet of samples (--sample-kimg).
struct GeneratorFigures {
  double kimg = 0;          // real images shown so far, thousands
  int side = 0;             // pixels
  std::vector<double> swd;  // sliced Wasserstein distance times 1000 at this size and each half of it down to 16
  double diversity = 0;  // deviation of the generated images from their mean, in units of that of real ones; 1: alike
  double gap = 0;        // mean of d_real - d_fake over the lines since the sheet before
};

// Of the lines that have `swd`. Throws Error if the file cannot be read or is not a log.
std::vector<GeneratorFigures> read_generator_figures(const std::string& log_path);

// What speaks against the generator of a finished training, with what to do; empty if nothing does. full_side: of the
// networks. Three signs: generated images hardly differ from each other (collapse), no sheet at the full size is nearer
// to real images than its first by a tenth (stall), D tells both apart without effort (G learns nothing from it).
std::vector<std::string> generator_warnings(const std::vector<GeneratorFigures>& figures, int full_side);

// The distances over kimg, a line per size, as PNG, written atomically. Needs two sheets.
void plot_distances(const std::string& path, const std::vector<GeneratorFigures>& figures);

}  // namespace pgad
