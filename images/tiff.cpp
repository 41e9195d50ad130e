// TIFF in, by libtiff: grey, RGB and palettes of 1 to 16 bits, in strips or tiles, its planes together or apart.

#include <tiffio.h>

#include <algorithm>
#include <bit>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>

#include "engine/check.h"
#include "images/decoders.h"

namespace pgad {
namespace {

struct TiffFile {
  std::string_view bytes;
  std::uint64_t position = 0;
  char message[kMessageBytes] = "";  // the first error
  bool failed = false;
  // libtiff only warns where a codec finds data missing or damaged and fills up; warnings about tags are harmless.
  bool reading_pixels = false;
};

tmsize_t tiff_read(thandle_t handle, void* out, tmsize_t count) {
  auto* file = static_cast<TiffFile*>(handle);
  if (file->position >= file->bytes.size() || count <= 0) return 0;
  const std::size_t n = std::min(static_cast<std::size_t>(count), file->bytes.size() - file->position);
  std::memcpy(out, file->bytes.data() + file->position, n);
  file->position += n;
  return static_cast<tmsize_t>(n);
}

tmsize_t tiff_write(thandle_t, void*, tmsize_t) { return 0; }

toff_t tiff_seek(thandle_t handle, toff_t offset, int whence) {
  auto* file = static_cast<TiffFile*>(handle);
  if (whence == SEEK_CUR) offset += file->position;
  if (whence == SEEK_END) offset += file->bytes.size();
  return file->position = offset;
}

int tiff_close(thandle_t) { return 0; }
toff_t tiff_size(thandle_t handle) { return static_cast<TiffFile*>(handle)->bytes.size(); }

void keep_message(TiffFile* file, const char* format, va_list arguments) {
  if (!file->failed) std::vsnprintf(file->message, kMessageBytes, format, arguments);
  file->failed = true;
}

// 1: no other handler is asked.
int tiff_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  keep_message(static_cast<TiffFile*>(user), format, arguments);
  return 1;
}
int tiff_warning(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  auto* file = static_cast<TiffFile*>(user);
  if (file->reading_pixels) keep_message(file, format, arguments);
  return 1;
}

// Numbers of `bits` bits one after another, the first in the highest bits; those of 16 are in this machine's order.
class BitReader {
 public:
  BitReader(const unsigned char* data, int bits) : data_(data), bits_(bits) {}
  int operator[](std::size_t i) const {
    if (bits_ == 8) return data_[i];
    if (bits_ == 16) {
      std::uint16_t value = 0;
      std::memcpy(&value, data_ + 2 * i, 2);
      return value;
    }
    int value = 0;
    for (std::size_t bit = i * static_cast<std::size_t>(bits_), end = bit + static_cast<std::size_t>(bits_); bit < end;
         ++bit) {
      value = value << 1 | (data_[bit / 8] >> (7 - bit % 8) & 1);
    }
    return value;
  }

 private:
  const unsigned char* data_;
  int bits_;
};

class TiffReader {
 public:
  explicit TiffReader(const DecodeJob& job) : job_(job) {
    file_.bytes = job.bytes;
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                               TIFFOpenOptionsFree);
    if (!options) throw std::bad_alloc();
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), tiff_error, &file_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), tiff_warning, &file_);
    // Of the file's own pieces; pixels are taken a row or a tile at a time.
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(),
                                        static_cast<tmsize_t>(std::max<std::size_t>(job.bytes.size(), 1 << 20) * 4));
    tiff_ = TIFFClientOpenExt("", "rm", &file_, tiff_read, tiff_write, tiff_seek, tiff_close, tiff_size, nullptr,
                              nullptr, options.get());
    if (!tiff_) fail();
  }
  ~TiffReader() {
    if (tiff_) TIFFClose(tiff_);
  }
  TiffReader(const TiffReader&) = delete;
  TiffReader& operator=(const TiffReader&) = delete;

  Samples read() {
    std::uint32_t width = 0, height = 0;
    if (TIFFGetField(tiff_, TIFFTAG_IMAGEWIDTH, &width) == 0 || TIFFGetField(tiff_, TIFFTAG_IMAGELENGTH, &height) == 0)
      fail("it does not say its size");
    check_size(height, width, job_);
    check_kind();
    Samples s;
    s.height = static_cast<int>(height);
    s.width = static_cast<int>(width);
    s.channels = photometric_ == PHOTOMETRIC_RGB || photometric_ == PHOTOMETRIC_PALETTE ? 3 : 1;
    s.white = photometric_ == PHOTOMETRIC_PALETTE ? 255 : (1 << bits_) - 1;
    s.orientation = number(TIFFTAG_ORIENTATION, 1);
    if (s.orientation < 1 || s.orientation > 8) s.orientation = 1;
    s.lossy = compression_ == COMPRESSION_JPEG;
    if (s.channels > samples_ && photometric_ != PHOTOMETRIC_PALETTE)
      fail(str("an RGB image of ", samples_, " samples a pixel"));
    read_alpha(s);
    check_strips();
    if (TIFFIsTiled(tiff_) != 0) {
      read_tiles(s);
    } else {
      read_rows(s);
    }
    finish(s);
    file_.reading_pixels = false;
    if (TIFFLastDirectory(tiff_) == 0) {
      job_.note("only the first of several pages is read");
    }
    return s;
  }

 private:
  [[noreturn]] void fail(const std::string& message = "") const {
    throw DataError(str("'", job_.name, "': truncated or corrupt TIFF: ",
                    !message.empty()           ? message
                    : file_.message[0] != '\0' ? file_.message
                                               : "it cannot be read"));
  }
  [[noreturn]] void refuse(const std::string& what) const { refuse_format(job_.name, "a TIFF of " + what); }

  int number(std::uint32_t tag, int otherwise) const {
    std::uint16_t value = 0;
    return TIFFGetField(tiff_, tag, &value) != 0 ? value : otherwise;
  }

  // Leaves the image's layout in the members, or throws.
  void check_kind() {
    std::uint8_t* dng = nullptr;
    if (TIFFGetField(tiff_, TIFFTAG_DNGVERSION, &dng) != 0) refuse_format(job_.name, "a DNG camera raw file");
    std::uint32_t subfile = 0;
    if (TIFFGetField(tiff_, TIFFTAG_SUBFILETYPE, &subfile) != 0 && (subfile & FILETYPE_REDUCEDIMAGE) != 0)
      refuse("which the first image is a preview only (a camera's raw file?)");
    bits_ = number(TIFFTAG_BITSPERSAMPLE, 1);
    samples_ = number(TIFFTAG_SAMPLESPERPIXEL, 1);
    compression_ = number(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    separate_ = number(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
    photometric_ = number(TIFFTAG_PHOTOMETRIC, samples_ < 3 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB);
    const int format = number(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
    if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID) {
      refuse(format == SAMPLEFORMAT_IEEEFP ? "floating-point values" : "signed or complex values");
    }
    if (bits_ < 1 || bits_ > 16) refuse(str(bits_, " bits a sample"));
    if (samples_ < 1 || samples_ > 64) refuse(str(samples_, " samples a pixel"));
    if (compression_ == COMPRESSION_OJPEG || TIFFIsCODECConfigured(static_cast<std::uint16_t>(compression_)) == 0)
      refuse(str("compression ", compression_));
    switch (photometric_) {
      case PHOTOMETRIC_MINISWHITE:
      case PHOTOMETRIC_MINISBLACK:
      case PHOTOMETRIC_RGB:
        break;
      case PHOTOMETRIC_PALETTE:
        if (bits_ > 8 || samples_ != 1) refuse(str("a palette with ", bits_, " bits and ", samples_, " samples"));
        break;
      case PHOTOMETRIC_YCBCR:
        if (compression_ != COMPRESSION_JPEG || bits_ != 8 || samples_ != 3 || separate_) refuse("YCbCr colours");
        TIFFSetField(tiff_, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        photometric_ = PHOTOMETRIC_RGB;
        break;
      case PHOTOMETRIC_SEPARATED:
        refuse("CMYK colours");
      case PHOTOMETRIC_CFA:
        refuse("raw values of a camera's colour filter");
      default:
        refuse(str("photometric interpretation ", photometric_));
    }
  }

  // Which sample is alpha, and what is dropped.
  void read_alpha(Samples& s) {
    const int colors = photometric_ == PHOTOMETRIC_PALETTE ? 1 : s.channels;
    std::uint16_t count = 0, *kinds = nullptr;
    if (TIFFGetField(tiff_, TIFFTAG_EXTRASAMPLES, &count, &kinds) != 0 && colors + count <= samples_) {
      for (int i = 0; i < count && alpha_ < 0; ++i) {
        if (kinds[i] == EXTRASAMPLE_ASSOCALPHA || kinds[i] == EXTRASAMPLE_UNASSALPHA) alpha_ = colors + i;
      }
    }
    if (const int dropped = samples_ - colors - (alpha_ >= 0 ? 1 : 0); dropped > 0)
      job_.note(str(dropped, " channels beside the colours dropped"));
    if (alpha_ >= 0 && !job_.options.keep_alpha) {
      job_.note(kAlphaNote);
      alpha_ = -1;
    }
  }

  // That the pieces lie within the file, before memory is taken for what they claim to hold.
  void check_strips() {
    const std::uint32_t count = TIFFIsTiled(tiff_) != 0 ? TIFFNumberOfTiles(tiff_) : TIFFNumberOfStrips(tiff_);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t offset = TIFFGetStrileOffset(tiff_, i), bytes = TIFFGetStrileByteCount(tiff_, i);
      if (bytes == 0 || offset > job_.bytes.size() || bytes > job_.bytes.size() - offset)
        fail(str("part ", i + 1, " of ", count, " of its pixels lies outside the ", job_.bytes.size(), " bytes"));
    }
    if (count == 0) fail("it holds no pixels");
    file_.reading_pixels = true;
  }

  // Numbers of one row of a plane (of all planes, if they lie together), into the image at row y, from column x on.
  void place(Samples& s, const unsigned char* row, int plane, std::size_t y, std::size_t x, std::size_t count) {
    const BitReader in(row, bits_);
    const std::size_t stride = separate_ ? 1 : static_cast<std::size_t>(samples_);
    const std::size_t first = y * static_cast<std::size_t>(s.width) + x;
    const bool palette = photometric_ == PHOTOMETRIC_PALETTE;
    for (int c = 0; c < (palette ? 1 : s.channels); ++c) {
      if (separate_ && c != plane) continue;
      const std::size_t from = separate_ ? 0 : static_cast<std::size_t>(c);
      float* out = s.values.data() + first * static_cast<std::size_t>(s.channels) + c;
      for (std::size_t i = 0; i < count; ++i) {
        out[i * static_cast<std::size_t>(s.channels)] = static_cast<float>(in[i * stride + from]);
      }
    }
    if (alpha_ < 0 || (separate_ && plane != alpha_)) return;
    const std::size_t from = separate_ ? 0 : static_cast<std::size_t>(alpha_);
    for (std::size_t i = 0; i < count; ++i) {
      s.alpha[first + i] = static_cast<float>(in[i * stride + from]) / static_cast<float>((1 << bits_) - 1);
    }
  }

  bool wanted(const Samples& s, int plane) const { return plane < s.channels || plane == alpha_; }
  int planes() const { return separate_ ? samples_ : 1; }

  void read_rows(Samples& s) {
    const tmsize_t row_bytes = TIFFScanlineSize(tiff_);
    const std::size_t needed = (static_cast<std::size_t>(s.width) * (separate_ ? 1 : samples_) * bits_ + 7) / 8;
    if (row_bytes <= 0 || static_cast<std::size_t>(row_bytes) < needed) fail();
    std::vector<unsigned char> row(static_cast<std::size_t>(row_bytes));
    for (int plane = 0; plane < planes(); ++plane) {
      if (!wanted(s, plane)) continue;
      for (int y = 0; y < s.height; ++y) {
        // A file that lies about its size fails before memory is taken for all of it.
        if (plane == 0) grow(s, static_cast<std::size_t>(y) + 1);
        if (TIFFReadScanline(tiff_, row.data(), static_cast<std::uint32_t>(y), static_cast<std::uint16_t>(plane)) < 0 ||
            file_.failed)
          fail();
        place(s, row.data(), plane, static_cast<std::size_t>(y), 0, static_cast<std::size_t>(s.width));
      }
    }
  }

  void read_tiles(Samples& s) {
    std::uint32_t tile_width = 0, tile_height = 0;
    TIFFGetField(tiff_, TIFFTAG_TILEWIDTH, &tile_width);
    TIFFGetField(tiff_, TIFFTAG_TILELENGTH, &tile_height);
    if (tile_width == 0 || tile_height == 0 || tile_height > job_.options.max_pixels / tile_width)
      fail(str("tiles of ", tile_width, "x", tile_height, " pixels"));
    const tmsize_t tile_bytes = TIFFTileSize(tiff_), row_bytes = TIFFTileRowSize(tiff_);
    const std::size_t needed = (std::size_t{tile_width} * (separate_ ? 1 : samples_) * bits_ + 7) / 8;
    if (row_bytes <= 0 || static_cast<std::size_t>(row_bytes) < needed || tile_bytes / row_bytes < tile_height) fail();
    std::vector<unsigned char> tile(static_cast<std::size_t>(tile_bytes));
    const auto height = static_cast<std::uint32_t>(s.height), width = static_cast<std::uint32_t>(s.width);
    for (int plane = 0; plane < planes(); ++plane) {
      if (!wanted(s, plane)) continue;
      for (std::uint32_t y = 0; y < height; y += tile_height) {
        const std::uint32_t rows = std::min(tile_height, height - y);
        if (plane == 0) grow(s, std::size_t{y} + rows);
        for (std::uint32_t x = 0; x < width; x += tile_width) {
          if (TIFFReadTile(tiff_, tile.data(), x, y, 0, static_cast<std::uint16_t>(plane)) < 0 || file_.failed) fail();
          for (std::uint32_t i = 0; i < rows; ++i) {
            place(s, tile.data() + std::size_t{i} * static_cast<std::size_t>(row_bytes), plane, std::size_t{y} + i, x,
                  std::min(tile_width, width - x));
          }
        }
      }
    }
  }

  void grow(Samples& s, std::size_t rows) const {
    if (rows == 1 || s.values.empty()) s.values.reserve(s.size());
    s.values.resize(rows * static_cast<std::size_t>(s.width) * s.channels);
    if (alpha_ >= 0) s.alpha.resize(rows * static_cast<std::size_t>(s.width));
  }

  // Numbers to brightness.
  void finish(Samples& s) {
    if (photometric_ == PHOTOMETRIC_MINISWHITE) {
      for (float& v : s.values) v = static_cast<float>(s.white) - v;
    } else if (photometric_ == PHOTOMETRIC_PALETTE) {
      std::uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
      if (TIFFGetField(tiff_, TIFFTAG_COLORMAP, &red, &green, &blue) == 0) fail("it has no palette");
      const int colors = 1 << bits_;
      // Entries have 16 bits; some writers fill in 8.
      bool small = true;
      for (int i = 0; i < colors; ++i) small = small && red[i] < 256 && green[i] < 256 && blue[i] < 256;
      const auto entry = [&](const std::uint16_t* table, std::size_t i) {
        return static_cast<float>(small ? table[i] : (table[i] + 128) / 257);
      };
      for (std::size_t i = 0; i < s.values.size(); i += 3) {
        const auto index = static_cast<std::size_t>(s.values[i]);
        s.values[i] = entry(red, index);
        s.values[i + 1] = entry(green, index);
        s.values[i + 2] = entry(blue, index);
      }
    } else if (bits_ == 16) {
      // Cameras of fewer bits say so in the largest value.
      const int most = number(TIFFTAG_MAXSAMPLEVALUE, 65535);
      if (most > 255 && most < 65535 && std::has_single_bit(static_cast<unsigned>(most) + 1) &&
          std::all_of(s.values.begin(), s.values.end(), [&](float v) { return v <= static_cast<float>(most); }))
        s.white = most;
    }
  }

  const DecodeJob& job_;
  TiffFile file_;
  TIFF* tiff_ = nullptr;
  int bits_ = 0, samples_ = 0, compression_ = 0, photometric_ = 0;
  int alpha_ = -1;         // which sample; -1: none, or not wanted
  bool separate_ = false;  // a plane for each sample
};

}  // namespace

Samples decode_tiff(const DecodeJob& job) { return TiffReader(job).read(); }

}  // namespace pgad
