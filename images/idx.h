#pragma once
// IDX, the format of MNIST: big-endian header, then unsigned bytes; plain or gzipped (told by content, not
// name).

#include <cstdint>
#include <string>
#include <vector>

#include "images/image.h"

namespace pgad {

struct IdxImages {
  std::string path;
  long count = 0;
  int rows = 0;
  int cols = 0;
  std::vector<std::uint8_t> pixels;  // count * rows * cols, 0 is background

  // Grey, values pixel / 255. Throws Error if index is outside [0, count).
  Image image(long index) const;
};

// Both throw Error on a missing file, bad magic, a type other than unsigned bytes, wrong number of
// dimensions, too few or too many bytes, a damaged or cut off gzip stream.
IdxImages read_idx_images(const std::string& path);
std::vector<std::uint8_t> read_idx_labels(const std::string& path);

// Whether the file begins, unpacked if gzipped, with the magic of IDX images. False for files that cannot be
// read.
bool is_idx_images(const std::string& path);

struct IdxPair {
  std::string name;    // "train", "t10k", or whatever stands before "-images-idx3-ubyte"
  std::string images;  // paths
  std::string labels;
};

// The pairs <name>-images-idx3-ubyte[.gz], <name>-labels-idx1-ubyte[.gz] in a directory, in the order train,
// t10k, then the others by name. Where both exist, the plain file is preferred to the gzipped one. Throws
// Error for images without labels; empty if there are none.
std::vector<IdxPair> find_idx_pairs(const std::string& directory);

// The labels of a pair whose images are read. Throws Error, naming both files, unless there is one for each image.
std::vector<std::uint8_t> read_idx_labels(const IdxPair& pair, const IdxImages& images);

// The names before "-images-idx3-ubyte[.gz]" with their paths, labels not required; same order.
std::vector<IdxPair> find_idx_images(const std::string& directory);

}  // namespace pgad
