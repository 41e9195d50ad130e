#pragma once
// Image files: PNG and JPEG in, PNG out.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pgad {

// Pixels in HWC order, values in [0,1] as the file stores them (gamma and colour profiles are not applied).
struct Image {
  int height = 0;
  int width = 0;
  int channels = 0;  // 1 grey, 3 RGB
  std::vector<float> pixels;

  std::size_t size() const { return static_cast<std::size_t>(height) * width * channels; }
};

constexpr long kMaxPixels = 1L << 28;  // height * width; more is taken for a corrupt header

// Decodes a PNG (any bit depth and colour type; alpha and transparency are dropped, with a note) or a JPEG
// (grey or RGB), told apart by their first bytes. Throws Error, naming the file, on anything else, also on a
// file that is cut off or damaged but could still be drawn in part: half an image must not pass for a normal
// one. `notes`, if given, receives remarks on what was dropped.
Image read_image(const std::string& path, std::vector<std::string>* notes = nullptr);

// The same from memory; `name` stands for the file in errors.
Image decode_image(std::string_view bytes, const std::string& name, std::vector<std::string>* notes = nullptr);

// Writes 8-bit grey or RGB, atomically. Values are clamped to [0,1]; NaN becomes 0.
void write_png(const std::string& path, const Image& image);

}  // namespace pgad
