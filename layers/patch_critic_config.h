#pragma once

namespace pgad {

// The patch critics, alike but for what they are drawn and trained from, and their training. An image's logits are the
// mean of theirs.
struct PatchCriticConfig {
  bool train = false;
  double kimg = 200;  // thousands of crops, for each
  double lr = 0.02;   // after a short rise; falls to nearly 0
  int maps = 16;      // at the image's size; twice as many at each halving, no more than most_maps
  int most_maps = 64;
  int levels = 5;   // sizes that it looks at, each half the one before
  int cell = 4;     // side of the squares that it judges, pixels; a power of two below 2^levels
  int crop = 0;     // side of the crops that it learns from, pixels; a multiple of 2^(levels - 1); 0: the network's
  int members = 1;  // critics; where there are known defects, every second one never sees a synthetic defect
  bool on_objects = false;  // drawn and pasted defects lie where the image varies: objects on an even ground
  double cascade_loss = 0;  // share of detections that not searching all tiles may cost; 0: search_share as given
  bool paste = true;        // known defects are cut out and pasted on normal surface
};

}  // namespace pgad
