// JPEG in, by libjpeg.

// jpeglib.h needs size_t and FILE declared before it.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on
#include <jerror.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "engine/check.h"
#include "images/decoders.h"

namespace pgad {
namespace {

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

// A progressive file may hold any number of scans of the whole picture: a few kilobytes that take hours.
constexpr int kMaxScans = 500;

void jpeg_scan_limit(j_common_ptr jpeg) {
  if (!jpeg->is_decompressor || reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= kMaxScans) return;
  auto* state = reinterpret_cast<JpegState*>(jpeg->err);
  std::snprintf(state->message, kMessageBytes, "more than %d scans", kMaxScans);
  std::longjmp(state->jump, 1);
}

class JpegReader {
 public:
  explicit JpegReader(const DecodeJob& job) : job_(job) {
    jpeg_.err = jpeg_std_error(&state_.manager);
    state_.manager.error_exit = jpeg_fail;
    state_.manager.emit_message = jpeg_message;
    state_.manager.output_message = jpeg_quiet;
    progress_.progress_monitor = jpeg_scan_limit;
  }
  // Valid on a zeroed struct too.
  ~JpegReader() { jpeg_destroy_decompress(&jpeg_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  Samples read() {
    auto header = [&] {
      jpeg_create_decompress(&jpeg_);
      jpeg_.progress = &progress_;
      jpeg_mem_src(&jpeg_, reinterpret_cast<const unsigned char*>(job_.bytes.data()), job_.bytes.size());
      if (job_.options.exif_orientation) jpeg_save_markers(&jpeg_, JPEG_APP0 + 1, 0xffff);
      jpeg_read_header(&jpeg_, TRUE);
    };
    run(header);
    check_size(jpeg_.image_height, jpeg_.image_width, job_);
    const int channels = jpeg_.num_components;
    if (channels == 4) refuse_format(job_.name, "a CMYK JPEG (4 components, expected grey or RGB)", "-colorspace sRGB");
    if (channels != 1 && channels != 3) {
      throw DataError(str("'", job_.name, "': a JPEG of ", channels, " components, expected 1 (grey) or 3 (RGB)"));
    }

    Samples s;
    s.height = static_cast<int>(jpeg_.image_height);
    s.width = static_cast<int>(jpeg_.image_width);
    s.channels = channels;
    s.lossy = true;
    s.orientation = orientation();
    std::vector<unsigned char> row(static_cast<std::size_t>(s.width) * channels);
    auto start = [&] {
      jpeg_.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
      jpeg_.dct_method = JDCT_ISLOW;  // the accurate one, and the same on every processor
      jpeg_start_decompress(&jpeg_);
    };
    run(start);
    s.values.reserve(s.size());
    auto pixels = [&] {
      unsigned char* rows[1] = {row.data()};
      while (jpeg_.output_scanline < jpeg_.output_height) {
        jpeg_read_scanlines(&jpeg_, rows, 1);
        for (const unsigned char v : row) s.values.push_back(static_cast<float>(v));
      }
      jpeg_finish_decompress(&jpeg_);
    };
    run(pixels);
    if (state_.has_note) job_.note(state_.note);
    return s;
  }

 private:
  int orientation() const {
    constexpr std::string_view kExif("Exif\0\0", 6);
    for (jpeg_saved_marker_ptr marker = jpeg_.marker_list; marker != nullptr; marker = marker->next) {
      const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
      if (data.starts_with(kExif)) return exif_orientation(data.substr(kExif.size()));
    }
    return 1;
  }

  template <class Call>
  void run(Call& call) {
    if (guarded(state_.jump, call)) return;
    throw DataError(str("'", job_.name, "': ", state_.truncated ? "truncated" : "corrupt", " JPEG: ", state_.message));
  }

  const DecodeJob& job_;
  JpegState state_{};
  jpeg_progress_mgr progress_{};
  jpeg_decompress_struct jpeg_{};
};

}  // namespace

Samples decode_jpeg(const DecodeJob& job) { return JpegReader(job).read(); }

// ---- writing --------------------------------------------------------------------------------------------------------

namespace {

class JpegWriter {
 public:
  JpegWriter() {
    jpeg_.err = jpeg_std_error(&state_.manager);
    state_.manager.error_exit = jpeg_fail;
    state_.manager.output_message = jpeg_quiet;
  }
  ~JpegWriter() {
    jpeg_destroy_compress(&jpeg_);
    std::free(bytes_);
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  // Returns false with the reason in `message()`. Between setjmp and the end nothing with a destructor is made.
  bool write(const std::uint8_t* pixels, int height, int width, int channels, int quality) {
    if (setjmp(state_.jump) != 0) return false;
    jpeg_create_compress(&jpeg_);
    jpeg_mem_dest(&jpeg_, &bytes_, &size_);
    jpeg_.image_width = static_cast<JDIMENSION>(width);
    jpeg_.image_height = static_cast<JDIMENSION>(height);
    jpeg_.input_components = channels;
    jpeg_.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg_);
    jpeg_set_quality(&jpeg_, quality, TRUE);
    jpeg_.optimize_coding = TRUE;
    jpeg_start_compress(&jpeg_, TRUE);
    while (jpeg_.next_scanline < jpeg_.image_height) {
      auto* row = const_cast<JSAMPLE*>(pixels + static_cast<std::size_t>(jpeg_.next_scanline) *
                                                    static_cast<std::size_t>(width * channels));
      jpeg_write_scanlines(&jpeg_, &row, 1);
    }
    jpeg_finish_compress(&jpeg_);
    return true;
  }
  const char* message() const { return state_.message; }
  std::string bytes() const { return {reinterpret_cast<const char*>(bytes_), size_}; }

 private:
  jpeg_compress_struct jpeg_{};
  JpegState state_{};
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;
};

}  // namespace

std::string encode_jpeg(const Image& image, int quality, const std::string& name) {
  PGAD_CHECK(image.channels == 1 || image.channels == 3, image.channels);
  std::vector<std::uint8_t> pixels;
  pixels.reserve(image.pixels.size());
  for (const float v : image.pixels)
    pixels.push_back(static_cast<std::uint8_t>(v > 0 ? std::lround(255 * std::min(v, 1.0f)) : 0));
  JpegWriter writer;
  if (!writer.write(pixels.data(), image.height, image.width, image.channels, quality))
    throw Error(str("'", name, "' cannot be written as JPEG: ", writer.message()));
  return writer.bytes();
}

}  // namespace pgad
