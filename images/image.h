#pragma once
// Image files in (PNG, JPEG, BMP, TIFF, WebP, PGM and PPM), PNG out.

#include <pgad/picture.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgad {

// Pixels in HWC order, values in [0,1]: what the file stores divided by its full brightness (gamma and colour profiles
// are not applied).
struct Image {
  int height = 0;
  int width = 0;
  int channels = 0;  // 1 grey, 3 RGB
  std::vector<float> pixels;
  int bits = 8;                   // 1.0 stood for 2^bits - 1; 8 for all files of no more than 8 bits
  int orientation = 1;            // EXIF's, 1 (upright) to 8, as the file says; pixels are turned by it if asked for
  bool lossy = false;             // values are near the drawn ones only (JPEG, WebP)
  std::vector<float> alpha = {};  // [height, width] in [0,1], 1 is opaque; only if asked for and in the file

  std::size_t size() const { return static_cast<std::size_t>(height) * width * channels; }
};

struct DecodeOptions {
  bool exif_orientation = true;  // pictures are turned as their EXIF (TIFF: its tag) says; false: as they are stored
  // Values of files with more than 8 bits are numbers of so many bits, 9 to 16, whatever the file says; a larger one is
  // an Error. 0: as the file says.
  int bits = 0;
  // Files of more than 8 bits must turn out to have so many, or they are an Error: those that trained a model did.
  // 0: any. Black images and files of 8 bits always fit.
  int expected_bits = 0;
  std::int64_t max_pixels = std::int64_t{1} << 28;  // height * width; more is an Error before memory is taken
  bool keep_alpha = false;                          // else an alpha channel is dropped, with a note
};

// Endings that folders are searched for, in any case, for messages.
inline constexpr const char* kImageEndings = ".png, .jpg, .jpeg, .bmp, .tif, .tiff, .webp, .pgm, .ppm, .pnm";

// Decodes a file by its content, whatever its name: docs/inputs.md says what is read and how. Throws Error, naming the
// file, on anything else (known formats by their name, with a command that converts them), also on a file that is cut
// off or damaged but could still be drawn in part: half an image must not pass for a normal one. `notes`, if given,
// receives remarks on what was dropped or looks odd. Memory: 4 bytes a pixel and channel, as much again for a picture
// that is turned, and at most the file and its unpacked bytes beside it. Thread-safe.
Image read_image(const std::string& path, std::vector<std::string>* notes = nullptr, const DecodeOptions& options = {});

// The same from memory; `name` stands for the file in errors.
Image decode_image(std::string_view bytes, const std::string& name, std::vector<std::string>* notes = nullptr,
                   const DecodeOptions& options = {});

// Pixels in memory as an image: what decode_image() makes of a file with these values. UsageError for a view that makes
// no sense, Error for values that are not numbers in [0,1] (floats), or as for files. Thread-safe.
Image image_of(const Picture& picture, std::vector<std::string>* notes = nullptr, const DecodeOptions& options = {});

// The bytes of a PNG file of 8-bit grey or RGB. Values are clamped to [0,1]; NaN becomes 0. `name` stands for the file
// in errors.
std::string encode_png(const Image& image, const std::string& name);
// Writes such a file, atomically.
void write_png(const std::string& path, const Image& image);
// The bytes of a JPEG file, for what is only looked at; quality: libjpeg's, 1 to 100. Values as for PNG.
std::string encode_jpeg(const Image& image, int quality, const std::string& name);

}  // namespace pgad
