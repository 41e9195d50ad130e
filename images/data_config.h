#pragma once

#include <cstdint>
#include <string>

namespace pgad {

enum class Tiles { kAuto, kOn, kOff };   // kAuto: resolved when training begins, by the layout and the images' sizes
enum class Fit { kResize, kLetterbox };  // stretch to the square, or keep the aspect ratio and pad

struct DataConfig {
  std::string path;                // IDX directory, inspection folder (train/good ...), class folders, flat folder
  std::string normal_class;        // class counted as normal: a digit for IDX, folder names (comma-separated) for
                                   // class folders
  std::string known_class;         // classes of which known abnormals are drawn, likewise; empty: all others
  double normal_fraction = 0.7;    // share of normals used for training (IDX and class folders)
  double abnormal_fraction = 0.1;  // share of every other, or every known, class used as known abnormals
  std::uint64_t split_seed = 1;
  double calibration_fraction = 0.1;  // share of the training normals and known abnormals held out for calibration
  int calibration_images = 256;       // at most this many of each kind are used for calibration
  Tiles tiles = Tiles::kAuto;  // work on tiles of images at their own size times `scale`, not on whole images shrunk
  double scale = 1;            // (0, 4], with tiles only
  bool normalise = false;      // with tiles: networks see pixels in units of their image's brightness
  bool synthetic_abnormal = false;  // with tiles: drawn defects are known abnormals too
  Fit fit = Fit::kResize;
  bool mirror = false;           // augmentation: random horizontal flip
  bool turns = false;            // augmentation of tiles: random quarter turns
  double jitter = 0;             // augmentation of tiles: brightness and contrast, share of the whole range
  bool exif_orientation = true;  // pictures are turned upright as their files say
  int bits = 0;                  // of the values in files of more than 8 bits, 9 to 16; 0: as the file says
  std::int64_t max_pixels = std::int64_t{1} << 28;  // of an image, height * width
};

}  // namespace pgad
