#include "images/image_stream.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <system_error>

#include "engine/check.h"

namespace pgad {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 31;  // of one image's file
constexpr std::size_t kChunk = std::size_t{1} << 18;
constexpr std::size_t kAtOnce = std::size_t{1} << 23;  // bytes read before others may do something
constexpr std::size_t kLeastBmp = 26;                  // bytes of its two headers

std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size, bool big_endian) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t place = big_endian ? i : size - 1 - i;
    value = value << 8 | static_cast<unsigned char>(bytes[at + place]);
  }
  return value;
}

// Chunks of a length, a name, so many bytes and a checksum, to the one named IEND.
std::optional<std::size_t> png_length(std::string_view bytes, std::size_t& at) {
  for (at = std::max<std::size_t>(at, 8); at + 8 <= bytes.size();) {
    const std::size_t end = at + 12 + number(bytes, at, 4, true);
    if (bytes.substr(at + 4, 4) == "IEND") return end <= bytes.size() ? std::optional(end) : std::nullopt;
    at = end;
  }
  return std::nullopt;
}

// Segments of a marker and a length; behind a scan's the picture's bits, in which a byte of 255 is followed by 0 or by
// a restart marker; to the end marker.
std::optional<std::size_t> jpeg_length(std::string_view bytes, std::size_t& at) {
  const auto byte = [&](std::size_t place) { return static_cast<unsigned char>(bytes[place]); };
  for (at = std::max<std::size_t>(at, 2); at + 2 <= bytes.size();) {
    if (byte(at) != 0xff) {
      ++at;
      continue;
    }
    const unsigned marker = byte(at + 1);
    if (marker == 0xd9) return at + 2;
    if (marker == 0xff) {
      ++at;  // fill
    } else if (marker == 0 || marker == 1 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2;  // no length
    } else {
      if (at + 4 > bytes.size()) return std::nullopt;
      at += 2 + number(bytes, at + 2, 2, true);
    }
  }
  return std::nullopt;
}

// "P5", width, height and largest value, with blanks and comments between them, one blank, then the values.
std::optional<std::size_t> pnm_length(std::string_view bytes) {
  std::uint64_t numbers[3] = {};
  std::size_t at = 2;
  for (std::uint64_t& value : numbers) {
    for (; at < bytes.size() &&
           (std::string_view(" \t\r\n").find(bytes[at]) != std::string_view::npos || bytes[at] == '#');
         ++at)
      if (bytes[at] == '#') at = std::min(bytes.find('\n', at), bytes.size() - 1);
    if (at >= bytes.size()) return std::nullopt;
    const std::size_t begin = at;
    for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9'; ++at)
      value = std::min<std::uint64_t>(10 * value + static_cast<std::uint64_t>(bytes[at] - '0'), kMostBytes);
    if (at == bytes.size()) return std::nullopt;
    if (at == begin)
      throw DataError("the header of a PGM or PPM file is not as expected: width, height, largest value");
  }
  const std::uint64_t values = numbers[0] * numbers[1] * (bytes[1] == '6' ? 3 : 1);
  const std::size_t end = at + 1 + std::min<std::uint64_t>(values, kMostBytes) * (numbers[2] > 255 ? 2 : 1);
  return end <= bytes.size() ? std::optional(end) : std::nullopt;
}

// All of the file's, from a length within it.
std::optional<std::size_t> stated(std::string_view bytes, std::uint64_t length) {
  return length <= bytes.size() ? std::optional(static_cast<std::size_t>(length)) : std::nullopt;
}

struct StreamFormat {
  std::string_view begin, ending;
};
constexpr StreamFormat kStreamFormats[] = {{"\x89PNG\r\n\x1a\n", ".png"},
                                           {"\xff\xd8", ".jpg"},
                                           {"BM", ".bmp"},
                                           {"RIFF", ".webp"},
                                           {"P5", ".pgm"},
                                           {"P6", ".ppm"}};

// Null where fewer bytes are there than tell.
const StreamFormat* format_of(std::string_view bytes) {
  bool may_be = false;
  for (const StreamFormat& format : kStreamFormats) {
    if (bytes.starts_with(format.begin)) return &format;
    may_be = may_be || format.begin.starts_with(bytes);
  }
  if (may_be) return nullptr;
  throw DataError(
      "not the beginning of an image whose end can be told; expected PNG, JPEG, BMP, WebP, binary PGM or binary PPM "
      "files, one behind another");
}

}  // namespace

std::optional<std::size_t> image_file_length(std::string_view bytes, std::size_t& scanned) {
  const StreamFormat* const format = format_of(bytes);
  if (!format) return std::nullopt;
  if (format->ending == ".png") return png_length(bytes, scanned);
  if (format->ending == ".jpg") return jpeg_length(bytes, scanned);
  if (format->ending == ".bmp") {
    if (bytes.size() < 6) return std::nullopt;
    const std::uint64_t length = number(bytes, 2, 4, false);
    if (length < kLeastBmp)
      throw DataError(str("a BMP file that says it is ", length, " bytes long: its end cannot be told"));
    return stated(bytes, length);
  }
  if (format->ending == ".webp") {
    if (bytes.size() < 8) return std::nullopt;
    const std::uint64_t length = number(bytes, 4, 4, false);
    return stated(bytes, 8 + length + length % 2);
  }
  return pnm_length(bytes);
}

ImageStream::ImageStream(int fd, std::string prefix, std::string source)
    : fd_(fd), prefix_(std::move(prefix)), source_(std::move(source)) {}

void ImageStream::end(const std::string& error) {
  ended_ = true;
  error_ = error;
}

std::optional<Sample> ImageStream::next() {
  for (std::size_t read = 0; !ended_ && read < kAtOnce;) {
    // What a shell or a text tool puts between files.
    if (scanned_ == 0) buffer_.erase(0, std::min(buffer_.find_first_not_of("\r\n"), buffer_.size()));
    const std::string which = str(source_, ": image ", given_ + 1);
    try {
      if (!buffer_.empty()) {
        if (const auto length = image_file_length(buffer_, scanned_)) {
          char name[32];
          std::snprintf(name, sizeof name, "-%06lld", static_cast<long long>(++given_));
          Sample sample;
          sample.name = sample.path = str(prefix_, name, format_of(buffer_)->ending);
          sample.bytes = std::make_shared<const std::string>(buffer_, 0, *length);
          buffer_.erase(0, *length);
          scanned_ = 0;
          return sample;
        }
      }
    } catch (const DataError& e) {
      end(str(which, ": ", e.what()));
      break;
    }
    if (buffer_.size() > kMostBytes) {
      end(str(which, ": more than ", kMostBytes, " bytes and no end: is the stream damaged?"));
      break;
    }
    pollfd file = {fd_, POLLIN, 0};
    if (::poll(&file, 1, 0) <= 0) return std::nullopt;
    const std::size_t before = buffer_.size();
    buffer_.resize(before + kChunk);
    const ssize_t got = ::read(fd_, buffer_.data() + before, kChunk);
    buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    read += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return std::nullopt;
    if (got < 0)
      end(str(source_, ": cannot be read: ", std::generic_category().message(errno)));
    else if (got == 0)
      end(buffer_.empty() ? "" : str(which, ": cut off after ", buffer_.size(), " bytes"));
  }
  return std::nullopt;
}

void ImageStream::wait(double seconds) {
  pollfd file = {fd_, POLLIN, 0};
  if (!ended_) ::poll(&file, 1, static_cast<int>(std::ceil(1000 * seconds)));
}

}  // namespace pgad
