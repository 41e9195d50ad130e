#pragma once
// Image files one behind another, as `ffmpeg -f image2pipe` or cat gives them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "images/feed.h"

namespace pgad {

// The bytes of the image file that `bytes` begins with; empty where more must come to tell. Throws DataError for what
// is not the beginning of a PNG, JPEG, BMP, WebP, binary PGM or binary PPM file: of the others no end can be told.
// `scanned` is 0 at first; where more must come it says how far the file was understood, for the next call with more of
// the same bytes: a file that comes in many parts is looked through once.
std::optional<std::size_t> image_file_length(std::string_view bytes, std::size_t& scanned);

// The images that come from a file descriptor, named PREFIX-000001.png and so on. Their bytes lie in the samples.
class ImageStream : public SampleFeed {
 public:
  // fd: stays open, and the caller's. source: what it is called in errors.
  ImageStream(int fd, std::string prefix, std::string source);

  std::optional<Sample> next() override;
  bool ended() const override { return ended_; }
  void wait(double seconds) override;

  // Why the stream ended before its end; empty: it did not.
  const std::string& error() const { return error_; }

 private:
  void end(const std::string& error);

  const int fd_;
  const std::string prefix_, source_;
  std::string buffer_;       // read and not given
  std::size_t scanned_ = 0;  // of image_file_length()
  std::int64_t given_ = 0;
  bool ended_ = false;
  std::string error_;
};

}  // namespace pgad
