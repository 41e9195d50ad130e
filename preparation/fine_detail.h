#pragma once
// What tells pictures of one part from pictures of its like: texture, scratches and noise, not shape and light.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "images/image.h"
#include "images/source.h"

namespace pgad {

// One channel of a picture, without a copy where there is but one. Refers to the image.
class Grey {
 public:
  explicit Grey(const Image& image);
  Grey(const Grey&) = delete;
  std::vector<float> resized(int to_height, int to_width) const;
  const int height, width;

 private:
  std::vector<float> own_;
  const std::vector<float>* pixels_;
};

// A picture [height, width] less its mean over 3x3 pixels (fewer at the border), with a norm of 1; all 0 where there is
// no detail.
std::vector<float> fine_detail(const std::vector<float>& grey, int height, int width);

// The same in 8 bits, the largest value 127.
std::vector<std::int8_t> in_bytes(const std::vector<float>& detail);
// Of two of one size, fewer than 100,000 values; 0 where one has no detail.
double correlation(const std::vector<std::int8_t>& a, const std::vector<std::int8_t>& b);

// Which images show the same part, at other exposures for example: the fine detail of two, at 96x96, correlates above
// `least`, or that of a third with both. Of each image the number of the first one that shows its part. Images without
// any detail show a part each. Threads: 0: one per core. Compares each with each; 9 kB an image. on_image is called
// when one is read, by one thread at a time. Throws Error as ImageSource::load(), and where `stop` says so.
std::vector<std::size_t> same_parts(const std::vector<Sample>& samples, const ImageSource& source, double least,
                                    int threads, const std::function<void()>& on_image,
                                    const std::function<bool()>& stop);

}  // namespace pgad
