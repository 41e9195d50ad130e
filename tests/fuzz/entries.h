#pragma once
// What the fuzzers call, one entry for each kind of file that comes from elsewhere: bytes in, and whether they were
// accepted. Anything but that or an Error is a finding. tests/fuzz_corpus_test.cpp calls the same with the files of
// corpus/, where each entry has a folder of its name.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <regex>
#include <string>
#include <string_view>

#include "engine/check.h"
#include "images/decoders.h"
#include "images/idx.h"
#include "images/npy.h"
#include "images/preprocess.h"
#include "images/safetensors.h"
#include "images/strict_json.h"
#include "model/config_io.h"

namespace pgad::fuzz {

// For readers that take a path: a file in memory.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : file_(::memfd_create("fuzz", 0)) {
    if (file_ < 0 || ::write(file_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("memfd_create or write failed");
  }
  ~MemoryFile() { ::close(file_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return str("/proc/self/fd/", file_); }

 private:
  int file_;
};

inline DecodeOptions options_for(std::string_view bytes) {
  DecodeOptions o;
  o.max_pixels = 1 << 16;  // so that one input takes no seconds
  o.keep_alpha = bytes.size() % 2 == 1;
  o.bits = bytes.size() % 3 == 1 ? 12 : 0;
  o.expected_bits = bytes.size() % 5 == 1 ? 12 : 0;
  return o;
}

inline void image(std::string_view bytes) {
  std::vector<std::string> notes;
  const Image i = decode_image(bytes, "file", &notes, options_for(bytes));
  PGAD_CHECK(i.pixels.size() == i.size() && (i.alpha.empty() || i.alpha.size() * i.channels == i.size()));
  for (const float v : i.pixels) PGAD_CHECK(v >= 0.0f && v <= 1.0f, v);
}

inline void mask(std::string_view bytes) {
  DecodeOptions o = options_for(bytes);
  o.keep_alpha = true;
  o.bits = o.expected_bits = 0;
  const Image i = decode_image(bytes, "file", nullptr, o);
  const auto pixels = mask_pixels(i, bytes.size() % 4 == 1 ? 0.25 : std::nan(""), "file");
  const auto resized = resize_nearest(pixels, i.height, i.width, 17, 9);
  preprocess_mask(resized, 17, 9, {8, 1, Fit::kLetterbox, false});
  preprocess_mask(pixels, i.height, i.width, {8, 1, Fit::kResize, true});
}

inline void idx(std::string_view bytes) {
  const MemoryFile file(bytes);
  if (!is_idx_images(file.path())) {
    read_idx_labels(file.path());
    return;
  }
  const IdxImages images = read_idx_images(file.path());
  if (images.count > 0) images.image(images.count - 1);
}

inline void npy(std::string_view bytes) { read_npy(MemoryFile(bytes).path()); }

inline void safetensors(std::string_view bytes) { read_safetensors(MemoryFile(bytes).path()); }

inline void config(std::string_view bytes) {
  const Config c = config_from_json(parse_strict_json(bytes, "file"), "file");
  validate(c);
  PGAD_CHECK(config_to_json(config_from_json(config_to_json(c), "again")) == config_to_json(c));
}

inline void exif(std::string_view bytes) {
  const int orientation = exif_orientation(bytes);
  PGAD_CHECK(orientation >= 1 && orientation <= 8, orientation);
}

struct Entry {
  const char* name;
  void (*call)(std::string_view);
};

inline constexpr Entry kEntries[] = {
    {"png", image},
    {"jpeg", image},
    {"tiff", image},
    {"webp", image},
    {"bmp", image},
    {"pnm", image},
    {"exif", exif},
    {"mask", mask},
    {"idx", idx},
    {"npy", npy},
    {"safetensors", safetensors},
    {"config", config},
};

// Whether the bytes were accepted. What is no Error goes through, and so does the Error of a PGAD_CHECK: no file may
// break an invariant.
inline bool run(const Entry& entry, std::string_view bytes) {
  try {
    entry.call(bytes);
    return true;
  } catch (const Error& e) {
    static const std::regex check("^[^ '\":]+\\.(cpp|h):[0-9]+: check failed: ");  // files can hold these words too
    if (std::regex_search(std::string(e.what(), std::min<std::size_t>(std::strlen(e.what()), 200)), check)) throw;
    return false;
  }
}

}  // namespace pgad::fuzz
