// BMP in. Own code: libgd skews bitmaps of 1 bit, and does not know bit fields.

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "engine/check.h"
#include "images/decoders.h"

namespace pgad {
namespace {

constexpr std::size_t kBmpFileHeader = 14;
enum BmpCompression : std::uint32_t { kBmpPlain = 0, kBmpRle8 = 1, kBmpRle4 = 2, kBmpFields = 3, kBmpAlphaFields = 6 };

class BmpReader {
 public:
  explicit BmpReader(const DecodeJob& job) : job_(job) {}

  Samples read() {
    read_header();
    Samples s;
    s.height = static_cast<int>(height_);
    s.width = static_cast<int>(width_);
    s.channels = 3;
    const std::int64_t row_bytes = (width_ * bits_ + 31) / 32 * 4;
    const bool packed = compression_ == kBmpRle8 || compression_ == kBmpRle4;
    if (!packed && static_cast<std::int64_t>(job_.bytes.size()) - offset_ < row_bytes * height_) truncated();
    if (packed && width_ * height_ > 128 * static_cast<std::int64_t>(job_.bytes.size()))
      corrupt(str(job_.bytes.size(), " bytes cannot hold ", width_, "x", height_, " pixels"));
    s.values.resize(s.size());
    const bool keep_alpha = masks_[3] != 0 && job_.options.keep_alpha;
    if (masks_[3] != 0 && !keep_alpha) job_.note(kAlphaNote);
    if (keep_alpha) s.alpha.resize(s.size() / 3);
    if (packed) {
      unpack(s);
      return s;
    }
    for (std::int64_t row = 0; row < height_; ++row) {
      const std::size_t from = static_cast<std::size_t>(offset_ + row * row_bytes);
      for (std::size_t x = 0; x < static_cast<std::size_t>(width_); ++x) {
        if (bits_ <= 8) {
          const std::size_t bit = x * static_cast<std::size_t>(bits_);
          const auto byte = static_cast<unsigned>(number(from + bit / 8, 1));
          put(s, row, x, byte >> (8 - bits_ - static_cast<int>(bit % 8)) & ((1u << bits_) - 1));
          continue;
        }
        const auto bytes = static_cast<std::size_t>(bits_ / 8);
        const std::uint32_t pixel = number(from + x * bytes, static_cast<int>(bytes));
        const std::size_t at = place(row) + x;
        for (std::size_t c = 0; c < 3; ++c) s.values[3 * at + c] = field(pixel, masks_[c]);
        if (keep_alpha) s.alpha[at] = field(pixel, masks_[3]) / 255.0f;
      }
    }
    // Programs that know no alpha leave it at 0.
    if (std::ranges::all_of(s.alpha, [](float v) { return v == 0.0f; })) s.alpha.clear();
    return s;
  }

 private:
  [[noreturn]] void truncated() const {
    throw DataError(str("'", job_.name, "': truncated BMP: ", job_.bytes.size(), " bytes"));
  }
  [[noreturn]] void corrupt(const std::string& what) const {
    throw DataError(str("'", job_.name, "': corrupt BMP: ", what));
  }

  std::uint32_t number(std::size_t at, int bytes) const {
    if (at + static_cast<std::size_t>(bytes) > job_.bytes.size()) truncated();
    std::uint32_t value = 0;
    for (int i = bytes - 1; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(job_.bytes[at + static_cast<std::size_t>(i)]);
    return value;
  }

  void read_header() {
    offset_ = number(10, 4);
    const std::uint32_t header = number(kBmpFileHeader, 4);
    const bool core = header == 12;  // OS/2's, of 16 bit numbers
    if (!core && (header < 40 || header > 1024)) corrupt(str("a header of ", header, " bytes"));
    if (job_.bytes.size() < kBmpFileHeader + header) truncated();
    width_ = core ? std::int64_t{number(18, 2)} : static_cast<std::int32_t>(number(18, 4));
    height_ = core ? std::int64_t{number(20, 2)} : static_cast<std::int32_t>(number(22, 4));
    top_down_ = height_ < 0;
    height_ = std::abs(height_);
    bits_ = static_cast<int>(number(core ? 24 : 28, 2));
    compression_ = core ? kBmpPlain : number(30, 4);
    check_size(height_, width_, job_);
    const bool os2 = header == 64;  // whose compressions beyond run lengths are others
    if (compression_ > (os2 ? kBmpRle4 : kBmpFields) && compression_ != kBmpAlphaFields)
      refuse_format(job_.name, str("a BMP with compression ", compression_));
    constexpr int kDepths[] = {1, 2, 4, 8, 16, 24, 32};
    if (std::ranges::find(kDepths, bits_) == std::end(kDepths) || (compression_ == kBmpRle8 && bits_ != 8) ||
        (compression_ == kBmpRle4 && bits_ != 4))
      corrupt(str(bits_, " bits a pixel with compression ", compression_));
    std::size_t behind = kBmpFileHeader + header;
    if (bits_ > 8) {
      read_fields(header, behind);
    } else {
      read_palette(core, behind);
    }
    if (offset_ < static_cast<std::int64_t>(behind)) corrupt(str("pixels at byte ", offset_, ", within the header"));
  }

  // Which bits of a pixel are red, green, blue and alpha. `behind` the header; they may stand there.
  void read_fields(std::uint32_t header, std::size_t& behind) {
    if (compression_ == kBmpPlain) {
      const std::uint32_t five[] = {0x7c00, 0x3e0, 0x1f, 0}, eight[] = {0xff0000, 0xff00, 0xff, 0};
      std::copy_n(bits_ == 16 ? five : eight, 4, masks_);
      return;
    }
    if (compression_ > kBmpAlphaFields || bits_ == 24) corrupt(str(bits_, " bits with compression ", compression_));
    const bool inside = header >= 52;
    const int count = compression_ == kBmpAlphaFields || header >= 56 ? 4 : 3;
    for (int i = 0; i < count; ++i) {
      masks_[i] = number(kBmpFileHeader + 40 + 4 * static_cast<std::size_t>(i), 4);
      const std::uint32_t shifted = masks_[i] == 0 ? 0 : masks_[i] >> std::countr_zero(masks_[i]);
      if ((shifted & (shifted + 1)) != 0 || (i < 3 && shifted == 0)) corrupt("bits of a colour that do not touch");
    }
    if (!inside) behind += 4 * static_cast<std::size_t>(count);
  }

  void read_palette(bool core, std::size_t& behind) {
    const std::uint32_t most = 1u << bits_, used = core ? 0 : number(46, 4);
    if (used > most) corrupt(str("a palette of ", used, " colours for ", bits_, " bits"));
    const std::size_t entry = core ? 3 : 4;
    std::uint32_t count = used == 0 ? most : used;
    if (core) {  // some are shorter than they should be
      const std::int64_t room = offset_ - static_cast<std::int64_t>(behind);
      count = std::min(count, static_cast<std::uint32_t>(std::max<std::int64_t>(room, 0) / 3));
    }
    palette_.resize(count);
    for (std::size_t i = 0; i < palette_.size(); ++i) palette_[i] = number(behind + entry * i, 3);
    behind += entry * count;
  }

  // Index of the first pixel of a row of the file.
  std::size_t place(std::int64_t row) const {
    return static_cast<std::size_t>((top_down_ ? row : height_ - 1 - row) * width_);
  }

  // 0 to 255.
  static float field(std::uint32_t pixel, std::uint32_t mask) {
    const int shift = std::countr_zero(mask);
    const std::uint64_t value = (pixel & mask) >> shift, most = mask >> shift;
    return static_cast<float>((value * 255 + most / 2) / most);
  }

  void put(Samples& s, std::int64_t row, std::size_t x, unsigned index) const {
    if (index >= palette_.size()) corrupt(str("colour ", index, " of a palette of ", palette_.size()));
    float* out = s.values.data() + 3 * (place(row) + x);
    for (int c = 0; c < 3; ++c) out[c] = static_cast<float>(palette_[index] >> (8 * (2 - c)) & 0xff);
  }

  // Run lengths: pairs of a count and a colour (two colours in turn for 4 bits), and commands. What is jumped over has
  // colour 0.
  void unpack(Samples& s) const {
    const std::size_t width = static_cast<std::size_t>(width_);
    for (std::int64_t row = 0; row < height_; ++row)
      for (std::size_t x = 0; x < width; ++x) put(s, row, x, 0);
    auto at = static_cast<std::size_t>(offset_);
    std::int64_t row = 0;
    std::size_t x = 0;
    const auto draw = [&](unsigned index) {
      if (row >= height_ || x >= width) corrupt("a run beyond the picture");
      put(s, row, x++, index);
    };
    const bool half = compression_ == kBmpRle4;
    while (true) {
      const std::uint32_t count = number(at, 1), value = number(at + 1, 1);
      at += 2;
      if (count > 0) {
        for (std::uint32_t i = 0; i < count; ++i) draw(!half ? value : i % 2 == 0 ? value >> 4 : value & 15);
      } else if (value == 0) {
        x = 0;
        ++row;
      } else if (value == 1) {
        return;
      } else if (value == 2) {
        x += number(at, 1);
        row += number(at + 1, 1);
        at += 2;
      } else {
        const std::size_t bytes = half ? (value + 1) / 2 : value;
        for (std::uint32_t i = 0; i < value; ++i) {
          const std::uint32_t byte = number(at + (half ? i / 2 : i), 1);
          draw(!half ? byte : i % 2 == 0 ? byte >> 4 : byte & 15);
        }
        at += (bytes + 1) / 2 * 2;
      }
    }
  }

  const DecodeJob& job_;
  std::int64_t offset_ = 0, width_ = 0, height_ = 0;
  int bits_ = 0;
  bool top_down_ = false;
  std::uint32_t compression_ = kBmpPlain;
  std::uint32_t masks_[4] = {};         // red, green, blue, alpha
  std::vector<std::uint32_t> palette_;  // 0xrrggbb
};

}  // namespace

Samples decode_bmp(const DecodeJob& job) { return BmpReader(job).read(); }

}  // namespace pgad
