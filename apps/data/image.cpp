#include "apps/data/image.h"

// jpeglib.h needs size_t and FILE declared before it.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on
#include <jerror.h>
#include <png.h>

#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <new>

#include "apps/data/atomic_file.h"
#include "engine/check.h"

namespace pgad {
namespace {

constexpr std::string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);
constexpr std::string_view kJpegSignature("\xff\xd8\xff", 3);

// Both libraries report errors through C callbacks that must not return, and must not throw through C frames
// either. `call` runs under setjmp; it may hold no local with a destructor, because longjmp would skip it.
// Everything that owns memory lives in the caller. Returns false if the library failed. Never inlined: the
// caller's variables are then reached through references and keep their values.
template <class Call>
__attribute__((noinline)) bool guarded(std::jmp_buf& jump, Call& call) {
  if (setjmp(jump) != 0) return false;
  call();
  return true;
}

constexpr std::size_t kMessageBytes = 256;  // at least JMSG_LENGTH_MAX (200)

void check_size(long height, long width, const std::string& name) {
  if (height < 1 || width < 1 || height > kMaxPixels / width) {
    throw Error(str("'", name, "': ", width, "x", height, " pixels; expected at least 1x1 and at most ", kMaxPixels,
                    " in all"));
  }
}

// ---- PNG ----

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
  PngReader(std::string_view bytes, const std::string& name) : name_(name) {
    state_.bytes = bytes;
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

  Image read(std::vector<std::string>* notes) {
    const std::size_t file_bytes = state_.bytes.size();
    png_uint_32 width = 0, height = 0;
    int depth = 0, color = 0;
    bool transparent = false;
    auto header = [&] {
      png_set_user_limits(png_, PNG_UINT_31_MAX,
                          PNG_UINT_31_MAX);  // check_size decides, with a clearer message
      png_read_info(png_, info_);
      png_get_IHDR(png_, info_, &width, &height, &depth, &color, nullptr, nullptr, nullptr);
      transparent = (color & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
    };
    run(header);
    check_size(height, width, name_);

    std::size_t row_bytes = 0;
    int channels = 0, passes = 1;
    auto transforms = [&] {
      if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);  // a transparent palette becomes RGBA
      if (color == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png_);
      if (transparent) png_set_strip_alpha(png_);
      passes = png_set_interlace_handling(png_);
      png_read_update_info(png_, info_);
      row_bytes = png_get_rowbytes(png_, info_);
      channels = png_get_channels(png_, info_);
      depth = png_get_bit_depth(png_, info_);
    };
    run(transforms);
    PGAD_CHECK((channels == 1 || channels == 3) && (depth == 8 || depth == 16), channels, " channels of ", depth,
               " bits");
    PGAD_CHECK(row_bytes == std::size_t{width} * channels * (depth / 8), row_bytes, " bytes a row");
    // Deflate packs at most 1032 to 1 (and 8 one-bit pixels to a byte): a header that promises more is wrong,
    // and is found before memory for it is taken.
    if (static_cast<double>(height) * width / 8 > 1040.0 * static_cast<double>(file_bytes)) {
      throw Error(str("'", name_, "': truncated or corrupt PNG: ", file_bytes, " bytes cannot hold ", width, "x",
                      height, " pixels"));
    }

    Image image{static_cast<int>(height), static_cast<int>(width), channels, {}};
    image.pixels.reserve(image.size());  // and filled row by row: a file that lies about its size fails early
    // Interlaced files need all passes over all rows; others one row at a time.
    std::vector<unsigned char> rows(row_bytes * (passes > 1 ? height : 1));
    auto convert = [&](const unsigned char* row) {
      const std::size_t n = std::size_t{width} * channels;
      image.pixels.resize(image.pixels.size() + n);
      float* out = image.pixels.data() + image.pixels.size() - n;
      if (depth == 8) {
        for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(row[i]) / 255.0f;
      } else {
        for (std::size_t i = 0; i < n; ++i) {
          out[i] = static_cast<float>(row[2 * i] << 8 | row[2 * i + 1]) / 65535.0f;
        }
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
      png_read_end(png_, nullptr);
    };
    run(pixels);
    if (transparent && notes) notes->push_back("alpha channel dropped");
    return image;
  }

 private:
  template <class Call>
  void run(Call& call) {
    if (guarded(state_.jump, call)) return;
    throw Error(str("'", name_, "': ", state_.truncated ? "truncated" : "corrupt", " PNG: ", state_.message));
  }

  const std::string& name_;
  PngState state_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

// ---- JPEG ----

struct JpegState {
  jpeg_error_mgr manager;  // first: libjpeg's pointer to it is a pointer to this
  std::jmp_buf jump;
  char message[kMessageBytes] = "";
  bool truncated = false;
  bool has_note = false;
  char note[kMessageBytes] = "";
};

void jpeg_fail(j_common_ptr jpeg) {
  auto* state = reinterpret_cast<JpegState*>(jpeg->err);
  jpeg->err->format_message(jpeg, state->message);
  if (jpeg->err->msg_code == JERR_INPUT_EOF) state->truncated = true;
  std::longjmp(state->jump, 1);
}

// libjpeg only warns where data are missing or damaged and draws grey instead; for us that is an error. What
// leaves the pixels right (stray bytes between segments, odd metadata) is a note.
void jpeg_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;  // traces
  auto* state = reinterpret_cast<JpegState*>(jpeg->err);
  switch (jpeg->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_BOGUS_ICC:
    case JWRN_NOT_SEQUENTIAL:
      if (!state->has_note) jpeg->err->format_message(jpeg, state->note);
      state->has_note = true;
      return;
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
      state->truncated = true;
      break;
    default:
      break;
  }
  jpeg_fail(jpeg);
}

void jpeg_quiet(j_common_ptr) {}

class JpegReader {
 public:
  JpegReader(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {
    jpeg_.err = jpeg_std_error(&state_.manager);
    state_.manager.error_exit = jpeg_fail;
    state_.manager.emit_message = jpeg_message;
    state_.manager.output_message = jpeg_quiet;
  }
  // Valid on a zeroed struct too.
  ~JpegReader() { jpeg_destroy_decompress(&jpeg_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  Image read(std::vector<std::string>* notes) {
    auto header = [&] {
      jpeg_create_decompress(&jpeg_);
      jpeg_mem_src(&jpeg_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
      jpeg_read_header(&jpeg_, TRUE);
    };
    run(header);
    check_size(jpeg_.image_height, jpeg_.image_width, name_);
    const int channels = jpeg_.num_components;
    if (channels == 4) {
      throw Error(str("'", name_, "': a CMYK JPEG (4 components), expected grey or RGB; convert it first"));
    }
    if (channels != 1 && channels != 3) {
      throw Error(str("'", name_, "': a JPEG of ", channels, " components, expected 1 (grey) or 3 (RGB)"));
    }

    Image image{static_cast<int>(jpeg_.image_height), static_cast<int>(jpeg_.image_width), channels, {}};
    std::vector<unsigned char> row(static_cast<std::size_t>(image.width) * channels);
    auto start = [&] {
      jpeg_.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
      jpeg_.dct_method = JDCT_ISLOW;  // the accurate one, and the same on every processor
      jpeg_start_decompress(&jpeg_);
    };
    run(start);
    image.pixels.reserve(image.size());
    auto pixels = [&] {
      unsigned char* rows[1] = {row.data()};
      while (jpeg_.output_scanline < jpeg_.output_height) {
        jpeg_read_scanlines(&jpeg_, rows, 1);
        for (const unsigned char v : row) image.pixels.push_back(static_cast<float>(v) / 255.0f);
      }
      jpeg_finish_decompress(&jpeg_);
    };
    run(pixels);
    if (state_.has_note && notes) notes->push_back(state_.note);
    return image;
  }

 private:
  template <class Call>
  void run(Call& call) {
    if (guarded(state_.jump, call)) return;
    throw Error(str("'", name_, "': ", state_.truncated ? "truncated" : "corrupt", " JPEG: ", state_.message));
  }

  std::string_view bytes_;
  const std::string& name_;
  JpegState state_{};
  jpeg_decompress_struct jpeg_{};
};

// ---- PNG writing ----

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
    if (!guarded(sink_.jump, all)) throw Error(str("cannot encode '", name, "' as PNG: ", sink_.message));
    return sink_.bytes;
  }

 private:
  PngSink sink_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

std::string first_bytes(std::string_view bytes) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes.substr(0, 8)) {
    const auto b = static_cast<unsigned char>(c);
    text += str(text.empty() ? "" : " ", digits[b >> 4], digits[b & 15]);
  }
  return text;
}

}  // namespace

Image decode_image(std::string_view bytes, const std::string& name, std::vector<std::string>* notes) {
  if (bytes.empty()) throw Error(str("'", name, "' is empty (0 bytes), expected a PNG or JPEG image"));
  try {
    if (bytes.starts_with(kPngSignature)) return PngReader(bytes, name).read(notes);
    if (bytes.starts_with(kJpegSignature)) return JpegReader(bytes, name).read(notes);
  } catch (const std::bad_alloc&) {
    throw Error(str("'", name, "': not enough memory to decode this image"));
  }
  if (kPngSignature.starts_with(bytes) || kJpegSignature.starts_with(bytes)) {
    throw Error(str("'", name, "': truncated image: only ", bytes.size(), " bytes"));
  }
  throw Error(str("'", name, "' is not a PNG or JPEG image (it starts with ", first_bytes(bytes), ")"));
}

Image read_image(const std::string& path, std::vector<std::string>* notes) {
  return decode_image(read_file(path), path, notes);
}

void write_png(const std::string& path, const Image& image) {
  PGAD_CHECK(image.channels == 1 || image.channels == 3, image.channels, " channels in '", path, "'");
  PGAD_CHECK(image.height > 0 && image.width > 0 && image.pixels.size() == image.size(), image.height, "x", image.width,
             " with ", image.pixels.size(), " values in '", path, "'");
  PngWriter writer;
  write_file_atomically(path, writer.encode(image, path));
}

}  // namespace pgad
