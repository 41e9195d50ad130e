// PNG in, by libpng, and out.

#include <png.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <new>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/decoders.h"

namespace pgad {
namespace {

struct PngState {
  std::jmp_buf jump;
  char message[kMessageBytes] = "";
  std::string_view bytes;  // what is left to read
  bool truncated = false;
};

void png_fail(png_structp png, png_const_charp message) {
  auto* state = static_cast<PngState*>(png_get_error_ptr(png));
  std::snprintf(state->message, kMessageBytes, "%s", message);
  std::longjmp(state->jump, 1);
}

// libpng warns about harmless things (odd colour profiles); what costs pixels is an error there already.
void png_ignore(png_structp, png_const_charp) {}

void png_take(png_structp png, png_bytep out, std::size_t count) {
  auto* state = static_cast<PngState*>(png_get_io_ptr(png));
  if (count > state->bytes.size()) {
    state->truncated = true;
    png_error(png, "unexpected end of file");
  }
  std::memcpy(out, state->bytes.data(), count);
  state->bytes.remove_prefix(count);
}

class PngReader {
 public:
  explicit PngReader(const DecodeJob& job) : job_(job) {
    state_.bytes = job.bytes;
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state_, png_fail, png_ignore);
    if (png_) info_ = png_create_info_struct(png_);
    if (!info_) {
      png_destroy_read_struct(&png_, &info_, nullptr);
      throw std::bad_alloc();
    }
    png_set_read_fn(png_, &state_, png_take);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  Samples read() {
    check_chunks();
    const std::size_t file_bytes = job_.bytes.size();
    png_uint_32 width = 0, height = 0;
    int depth = 0, color = 0, sbit = 0;
    bool transparent = false;
    auto header = [&] {
      // check_size decides, with a clearer message.
      png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
      png_read_info(png_, info_);
      png_get_IHDR(png_, info_, &width, &height, &depth, &color, nullptr, nullptr, nullptr);
      transparent = (color & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
      png_color_8p significant = nullptr;
      if (png_get_sBIT(png_, info_, &significant) != 0) {
        sbit = (color & PNG_COLOR_MASK_COLOR) == 0
                   ? significant->gray
                   : std::max({significant->red, significant->green, significant->blue});
      }
    };
    run(header);
    check_size(height, width, job_);

    const bool keep_alpha = transparent && job_.options.keep_alpha;
    std::size_t row_bytes = 0;
    int channels = 0, passes = 1;
    auto transforms = [&] {
      if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);  // a transparent palette becomes RGBA
      if (color == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png_);
      if (keep_alpha) {
        if (png_get_valid(png_, info_, PNG_INFO_tRNS) != 0) png_set_tRNS_to_alpha(png_);
      } else if (transparent) {
        png_set_strip_alpha(png_);
      }
      passes = png_set_interlace_handling(png_);
      png_read_update_info(png_, info_);
      row_bytes = png_get_rowbytes(png_, info_);
      channels = png_get_channels(png_, info_);
      depth = png_get_bit_depth(png_, info_);
    };
    run(transforms);
    const int stride = channels;
    if (keep_alpha) --channels;
    PGAD_CHECK((channels == 1 || channels == 3) && (depth == 8 || depth == 16), channels, " channels of ", depth,
               " bits");
    PGAD_CHECK(row_bytes == std::size_t{width} * stride * (depth / 8), row_bytes, " bytes a row");
    // Deflate packs at most 1032 to 1 (and 8 one-bit pixels to a byte): a header that promises more is wrong,
    // and is found before memory for it is taken.
    if (static_cast<double>(height) * width / 8 > 1040.0 * static_cast<double>(file_bytes)) {
      throw DataError(str("'", job_.name, "': truncated or corrupt PNG: ", file_bytes, " bytes cannot hold ", width, "x",
                      height, " pixels"));
    }

    Samples s;
    s.height = static_cast<int>(height);
    s.width = static_cast<int>(width);
    s.channels = channels;
    s.white = depth == 8 ? 255 : 65535;
    if (depth == 16 && sbit < 16) s.sbit = sbit;
    s.values.reserve(s.size());  // and filled row by row: a file that lies about its size fails early
    // Interlaced files need all passes over all rows; others one row at a time.
    std::vector<unsigned char> rows(row_bytes * (passes > 1 ? height : 1));
    const auto value = [&](const unsigned char* row, std::size_t i) {
      return static_cast<float>(depth == 8 ? row[i] : row[2 * i] << 8 | row[2 * i + 1]);
    };
    auto convert = [&](const unsigned char* row) {
      const std::size_t n = std::size_t{width} * channels;
      s.values.resize(s.values.size() + n);
      float* out = s.values.data() + s.values.size() - n;
      if (!keep_alpha) {
        for (std::size_t i = 0; i < n; ++i) out[i] = value(row, i);
        return;
      }
      for (std::size_t x = 0; x < width; ++x) {
        const std::size_t at = x * static_cast<std::size_t>(stride);
        for (int c = 0; c < channels; ++c) *out++ = value(row, at + static_cast<std::size_t>(c));
        s.alpha.push_back(value(row, at + static_cast<std::size_t>(channels)) / static_cast<float>(s.white));
      }
    };
    auto pixels = [&] {
      for (int pass = 0; pass < passes; ++pass) {
        for (std::size_t y = 0; y < height; ++y) {
          unsigned char* row = rows.data() + (passes > 1 ? y * row_bytes : 0);
          png_read_row(png_, row, nullptr);
          if (pass == passes - 1) convert(row);
        }
      }
      png_read_end(png_, info_);  // an eXIf chunk may stand here too
      png_bytep exif = nullptr;
      png_uint_32 exif_bytes = 0;
      if (png_get_eXIf_1(png_, info_, &exif_bytes, &exif) != 0) {
        s.orientation = exif_orientation({reinterpret_cast<const char*>(exif), exif_bytes});
      }
    };
    run(pixels);
    if (transparent && !keep_alpha) job_.note(kAlphaNote);
    return s;
  }

 private:
  // libpng takes memory for what a chunk claims to hold, up to 2 GB, before it reads it.
  void check_chunks() const {
    const auto byte = [&](std::size_t at) { return std::size_t{static_cast<unsigned char>(job_.bytes[at])}; };
    const std::size_t size = job_.bytes.size();
    for (std::size_t at = 8; at + 12 <= size;) {
      const std::size_t length = byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
      if (length > size - at - 12) {
        throw DataError(str("'", job_.name, "': truncated or corrupt PNG: a chunk of ", length, " bytes at byte ", at,
                        " of ", size));
      }
      if (job_.bytes.substr(at + 4, 4) == "IEND") return;
      at += length + 12;
    }
  }

  template <class Call>
  void run(Call& call) {
    if (guarded(state_.jump, call)) return;
    throw DataError(str("'", job_.name, "': ", state_.truncated ? "truncated" : "corrupt", " PNG: ", state_.message));
  }

  const DecodeJob& job_;
  PngState state_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

// ---- writing ----

struct PngSink {
  std::jmp_buf jump;
  char message[kMessageBytes] = "";
  std::string bytes;
};

void sink_fail(png_structp png, png_const_charp message) {
  auto* sink = static_cast<PngSink*>(png_get_error_ptr(png));
  std::snprintf(sink->message, kMessageBytes, "%s", message);
  std::longjmp(sink->jump, 1);
}

void sink_put(png_structp png, png_bytep data, std::size_t count) {
  bool full = false;
  try {
    static_cast<PngSink*>(png_get_io_ptr(png))->bytes.append(reinterpret_cast<const char*>(data), count);
  } catch (...) {
    full = true;  // raised below, outside the handler: longjmp out of one is undefined
  }
  if (full) png_error(png, "out of memory");
}

void sink_flush(png_structp) {}

class PngWriter {
 public:
  PngWriter() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, &sink_, sink_fail, png_ignore);
    if (png_) info_ = png_create_info_struct(png_);
    if (!info_) {
      png_destroy_write_struct(&png_, &info_);
      throw std::bad_alloc();
    }
    png_set_write_fn(png_, &sink_, sink_put, sink_flush);
  }
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  const std::string& encode(const Image& image, const std::string& name) {
    std::vector<unsigned char> row(static_cast<std::size_t>(image.width) * image.channels);
    auto all = [&] {
      png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
      png_set_IHDR(png_, info_, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
                   image.channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                   PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
      png_write_info(png_, info_);
      const float* in = image.pixels.data();
      for (int y = 0; y < image.height; ++y) {
        for (std::size_t i = 0; i < row.size(); ++i, ++in) {
          const float v = *in > 0.0f ? (*in < 1.0f ? *in : 1.0f) : 0.0f;  // NaN > 0 is false
          row[i] = static_cast<unsigned char>(std::lround(v * 255.0f));
        }
        png_write_row(png_, row.data());
      }
      png_write_end(png_, info_);
    };
    if (!guarded(sink_.jump, all)) throw DataError(str("cannot encode '", name, "' as PNG: ", sink_.message));
    return sink_.bytes;
  }

 private:
  PngSink sink_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

Samples decode_png(const DecodeJob& job) { return PngReader(job).read(); }

std::string encode_png(const Image& image, const std::string& name) {
  PGAD_CHECK(image.channels == 1 || image.channels == 3, image.channels, " channels in '", name, "'");
  PGAD_CHECK(image.height > 0 && image.width > 0 && image.pixels.size() == image.size(), image.height, "x", image.width,
             " with ", image.pixels.size(), " values in '", name, "'");
  return PngWriter().encode(image, name);
}

void write_png(const std::string& path, const Image& image) { write_file_atomically(path, encode_png(image, path)); }

}  // namespace pgad
