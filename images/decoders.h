#pragma once
// What lies behind decode_image(): a decoder for each file format, and what they share. Decoders throw Error naming the
// file, write nothing to standard error, and take memory for pixels only after the size was checked. Thread-safe.

#include <csetjmp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "images/image.h"

namespace pgad {

// What a decoder hands over: numbers as they are stored. decode_image() divides and turns them.
struct Samples {
  int height = 0;
  int width = 0;
  int channels = 0;           // 1 grey, 3 RGB
  std::vector<float> values;  // HWC, whole numbers in [0, white]
  std::vector<float> alpha;   // HW in [0,1]; empty unless there is one and options.keep_alpha
  int white = 255;            // full brightness; over 255 in files of more than 8 bits
  int sbit = 0;               // PNG's sBIT where it is less than the 16 stored bits
  int orientation = 1;        // EXIF's, 1 (upright) to 8
  bool lossy = false;

  std::size_t size() const { return static_cast<std::size_t>(height) * width * channels; }
};

struct DecodeJob {
  std::string_view bytes;
  const std::string& name;  // of the file, for errors
  const DecodeOptions& options;
  std::vector<std::string>* notes;  // may be null

  void note(const std::string& text) const {
    if (notes) notes->push_back(text);
  }
};

Samples decode_bmp(const DecodeJob& job);
Samples decode_jpeg(const DecodeJob& job);
Samples decode_png(const DecodeJob& job);
Samples decode_pnm(const DecodeJob& job);
Samples decode_tiff(const DecodeJob& job);
Samples decode_webp(const DecodeJob& job);

// Throws Error for less than one pixel or more than options.max_pixels.
void check_size(std::int64_t height, std::int64_t width, const DecodeJob& job);

// Throws Error: "'a.gif' is a GIF image, which is not read; convert it ...: convert 'a.gif' 'a.png'". `options` go
// between the two names. page: only the first is meant.
[[noreturn]] void refuse_format(const std::string& name, const std::string& what, const std::string& options = "",
                                bool page = false);

// Orientation, 1 to 8, in an EXIF block without its "Exif\0\0"; 1 where there is none or it makes no sense.
int exif_orientation(std::string_view exif);

inline constexpr const char* kAlphaNote = "alpha channel dropped";

// libpng and libjpeg report errors through C callbacks that must not return, and must not throw through C frames
// either. `call` runs under setjmp; it may hold no local with a destructor, because longjmp would skip it.
// Everything that owns memory lives in the caller. Returns false if the library failed. Never inlined: the
// caller's variables are then reached through references and keep their values.
template <class Call>
__attribute__((noinline)) bool guarded(std::jmp_buf& jump, Call& call) {
  if (setjmp(jump) != 0) return false;
  call();
  return true;
}

inline constexpr std::size_t kMessageBytes = 256;  // at least libjpeg's JMSG_LENGTH_MAX (200)

}  // namespace pgad
