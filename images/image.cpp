#include "images/image.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/decoders.h"

namespace pgad {
namespace {

struct Format {
  const char* name;
  std::string_view signature;
  Samples (*decode)(const DecodeJob&);  // null: known, but not read
  std::size_t offset = 0;               // of the signature
};

// The first that fits counts.
constexpr Format kFormats[] = {
    {"a PNG image", {"\x89PNG\r\n\x1a\n", 8}, decode_png},
    {"a JPEG image", "\xff\xd8\xff", decode_jpeg},
    {"a CR2 camera raw file", "CR", nullptr, 8},  // a TIFF otherwise
    {"a TIFF image", {"II*\0", 4}, decode_tiff},
    {"a TIFF image", {"MM\0*", 4}, decode_tiff},
    {"a TIFF image", {"II+\0", 4}, decode_tiff},
    {"a TIFF image", {"MM\0+", 4}, decode_tiff},
    {"a WebP image", "WEBP", decode_webp, 8},
    {"a BMP image", "BM", decode_bmp},
    {"a PGM image", "P2", decode_pnm},
    {"a PPM image", "P3", decode_pnm},
    {"a PGM image", "P5", decode_pnm},
    {"a PPM image", "P6", decode_pnm},
    {"a PBM image", "P1", nullptr},
    {"a PBM image", "P4", nullptr},
    {"a PAM image", "P7\n", nullptr},
    {"a PFM image", "PF\n", nullptr},
    {"a PFM image", "Pf\n", nullptr},
    {"a GIF image", "GIF8", nullptr},
    {"an AVIF image", "ftypavi", nullptr, 4},
    {"a CR3 camera raw file", "ftypcrx", nullptr, 4},
    {"a HEIC image", "ftyphe", nullptr, 4},
    {"a HEIC image", "ftypmif1", nullptr, 4},
    {"a HEIC image", "ftypmsf1", nullptr, 4},
    {"a JPEG 2000 image", {"\0\0\0\x0cjP  ", 8}, nullptr},
    {"a JPEG 2000 image", {"\xff\x4f\xff\x51", 4}, nullptr},
    {"a JPEG XL image", {"\0\0\0\x0cJXL ", 8}, nullptr},
    {"a JPEG XL image", "\xff\x0a", nullptr},
    {"a Photoshop image", "8BPS", nullptr},
    {"a PDF document", "%PDF", nullptr},
    {"an SVG drawing", "<svg", nullptr},
    {"an SVG drawing", "<?xml", nullptr},
    {"an OpenEXR image", "\x76\x2f\x31\x01", nullptr},
    {"a DICOM image", "DICM", nullptr, 128},
    {"a FITS image", "SIMPLE  =", nullptr},
    {"a DDS image", "DDS ", nullptr},
    {"an icon", {"\0\0\1\0", 4}, nullptr},
    {"a QOI image", "qoif", nullptr},
};

bool fits(const Format& format, std::string_view bytes) {
  if (bytes.size() < format.offset || !bytes.substr(format.offset).starts_with(format.signature)) return false;
  if (std::string_view(format.name).starts_with("a CR2")) return bytes.starts_with("II*");
  if (format.decode == decode_webp) return bytes.starts_with("RIFF");
  // Two letters may begin anything: the white space or comment behind them belongs to the format.
  if (format.signature.size() == 2 && format.signature[0] == 'P') {
    return bytes.size() == 2 || bytes[2] == '#' || bytes[2] == ' ' || (bytes[2] >= '\t' && bytes[2] <= '\r');
  }
  return true;
}

bool may_become(const Format& format, std::string_view bytes) {
  return format.decode && format.offset == 0 && format.signature.starts_with(bytes);
}

std::string first_bytes(std::string_view bytes) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes.substr(0, 8)) {
    const auto b = static_cast<unsigned char>(c);
    text += str(text.empty() ? "" : " ", digits[b >> 4], digits[b & 15]);
  }
  return text;
}

std::string quoted_for_shell(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// What the values of a file with more than 8 bits are to be divided by. `bits`: how many that makes.
float full_brightness(const Samples& s, const DecodeJob& job, int& bits) {
  unsigned used = 0;
  float most = 0;
  for (const float v : s.values) {
    used |= static_cast<unsigned>(v);
    most = std::max(most, v);
  }
  const DecodeOptions& o = job.options;
  int white = s.white;
  if (o.bits > 0) {
    white = (1 << o.bits) - 1;
    if (most > static_cast<float>(white)) {
      throw DataError(str("'", job.name, "': a value of ", static_cast<int>(most), ", but in ", o.bits,
                          " bits (--bits) the largest is ", white, "; --bits 0 reads what the file says"));
    }
  } else if (s.sbit > 0 && most < static_cast<float>(1 << s.sbit)) {
    // By the standard sBIT's numbers are moved up to fill 16 bits, as most libraries do, and the low bits are 0 or a
    // copy of the high ones: then nothing has to be done. Cameras leave them as they are. Dark values whose low bits
    // are 0 can be either; the model knows.
    const unsigned low = (1u << (16 - s.sbit)) - 1;
    if ((used & low) != 0 || o.expected_bits == s.sbit) white = (1 << s.sbit) - 1;
  }
  bits = std::bit_width(static_cast<unsigned>(white));
  if (o.expected_bits > 8 && bits > 8 && bits != o.expected_bits && most > 0) {
    throw DataError(str("'", job.name, "': full brightness is ", white, " (", bits,
                        " bits), but the model was trained on ", "images of ", o.expected_bits, " bits; --bits ",
                        o.expected_bits, " reads this one so, if its values are such"));
  }
  if (o.bits == 0 && white == 65535 && most > 0 && most < 4096) {
    job.note(str("all values are below 4096 of 65535: if this is 10 or 12 bit data in a 16 bit file, --bits ",
                 most < 1024 ? "10" : "12", " reads it so"));
  }
  return static_cast<float>(white);
}

// Values of an [h, w, c] image, turned upright from an EXIF orientation.
std::vector<float> turned(const std::vector<float>& in, int height, int width, int channels, int orientation) {
  const bool swapped = orientation >= 5;
  const auto h = static_cast<std::ptrdiff_t>(height), w = static_cast<std::ptrdiff_t>(width);
  const auto c = static_cast<std::ptrdiff_t>(channels);
  // From the pixel that comes first, so much for a step to the right and one down.
  const std::ptrdiff_t first[] = {0, w - 1, h * w - 1, (h - 1) * w, 0, (h - 1) * w, h * w - 1, w - 1};
  const std::ptrdiff_t right[] = {1, -1, -1, 1, w, -w, -w, w};
  const std::ptrdiff_t down[] = {w, w, -w, -w, 1, 1, -1, -1};
  const std::size_t k = static_cast<std::size_t>(orientation) - 1;
  std::vector<float> out;
  out.reserve(in.size());
  const std::ptrdiff_t out_h = swapped ? w : h, out_w = swapped ? h : w;
  for (std::ptrdiff_t y = 0; y < out_h; ++y) {
    for (std::ptrdiff_t x = 0; x < out_w; ++x) {
      const float* pixel = in.data() + (first[k] + y * down[k] + x * right[k]) * c;
      out.insert(out.end(), pixel, pixel + c);
    }
  }
  return out;
}

Image to_image(Samples s, const DecodeJob& job) {
  Image image{s.height, s.width, s.channels, {}};
  image.lossy = s.lossy;
  image.orientation = s.orientation;
  const float white = s.white > 255 ? full_brightness(s, job, image.bits) : static_cast<float>(s.white);
  for (float& v : s.values) v /= white;
  image.pixels = std::move(s.values);
  image.alpha = std::move(s.alpha);
  if (job.options.exif_orientation && s.orientation != 1) {
    image.pixels = turned(image.pixels, s.height, s.width, s.channels, s.orientation);
    if (!image.alpha.empty()) image.alpha = turned(image.alpha, s.height, s.width, 1, s.orientation);
    if (s.orientation >= 5) std::swap(image.height, image.width);
  }
  return image;
}

}  // namespace

void check_size(std::int64_t height, std::int64_t width, const DecodeJob& job) {
  const std::int64_t most = job.options.max_pixels;
  if (height < 1 || width < 1 || height > most / width) {
    throw DataError(str("'", job.name, "': ", width, "x", height, " pixels; expected at least 1x1 and at most ", most,
                        " in all (--max-pixels)"));
  }
}

void refuse_format(const std::string& name, const std::string& what, const std::string& options, bool page) {
  const std::size_t dot = name.rfind('.');
  const bool ending = dot != std::string::npos && name.find('/', dot) == std::string::npos && dot > 0;
  const std::string stem = ending ? name.substr(0, dot) : name;
  const bool is_png = ending && name.substr(dot) == ".png";
  throw DataError(str("'", name, "' is ", what,
                      ", which is not read; convert it, for instance with ImageMagick: convert ",
                      quoted_for_shell(name + (page ? "[0]" : "")), " ", options, options.empty() ? "" : " ",
                      quoted_for_shell(stem + (is_png ? "-converted.png" : ".png"))));
}

Image decode_image(std::string_view bytes, const std::string& name, std::vector<std::string>* notes,
                   const DecodeOptions& options) {
  if (bytes.empty()) throw DataError(str("'", name, "' is empty (0 bytes), expected an image"));
  const DecodeJob job{bytes, name, options, notes};
  const auto format = std::ranges::find_if(kFormats, [&](const Format& f) { return fits(f, bytes); });
  if (format == std::end(kFormats)) {
    const bool short_webp = bytes.size() < 12 && bytes.starts_with("RIFF");
    if (short_webp || std::ranges::any_of(kFormats, [&](const Format& f) { return may_become(f, bytes); })) {
      throw DataError(str("'", name, "': truncated image: only ", bytes.size(), " bytes"));
    }
    throw DataError(str("'", name, "' is not an image of a known format (it starts with ", first_bytes(bytes),
                        "); read are ", kImageEndings));
  }
  if (!format->decode) {
    const std::string_view what = format->name;
    const bool drawing = what.ends_with("document") || what.ends_with("drawing");
    refuse_format(name, std::string(what), "", drawing || what == "a GIF image" || what == "a Photoshop image");
  }
  try {
    return to_image(format->decode(job), job);
  } catch (const std::bad_alloc&) {
    throw DataError(str("'", name, "': not enough memory to decode this image"));
  }
}

Image image_of(const Picture& p, std::vector<std::string>* notes, const DecodeOptions& options) {
  const auto refuse = [](const std::string& what) { throw UsageError("the picture in memory: " + what); };
  if (p.pixels == nullptr) refuse("no pixels (null)");
  if (p.height < 1 || p.width < 1) refuse(str(p.width, "x", p.height, " pixels, expected at least 1x1"));
  if (p.channels != 1 && p.channels != 3 && p.channels != 4)
    refuse(str(p.channels, " channels, expected 1 (grey), 3 (colour) or 4 (colour and alpha)"));
  const std::ptrdiff_t bytes = p.depth == Depth::k8 ? 1 : p.depth == Depth::k16 ? 2 : 4;
  const std::string name = "picture in memory";
  DecodeOptions read = options;
  if (p.bits != 0 && (p.depth != Depth::k16 || p.bits < 9 || p.bits > 16))
    refuse(str("bits is ", p.bits, ", expected 0, or 9 to 16 with Depth::k16"));
  if (p.depth == Depth::k16) read.bits = p.bits == 0 ? 16 : p.bits;
  const DecodeJob job{{}, name, read, notes};
  check_size(p.height, p.width, job);
  const std::ptrdiff_t row = bytes * p.channels * p.width;
  if (p.row_stride != 0 && std::abs(p.row_stride) < row)
    refuse(str("rows lie ", p.row_stride, " bytes apart, but take ", row));
  const std::ptrdiff_t stride = p.row_stride == 0 ? row : p.row_stride;
  if (stride % bytes != 0 || reinterpret_cast<std::uintptr_t>(p.pixels) % static_cast<std::size_t>(bytes) != 0)
    refuse(str("values of ", bytes, " bytes that do not lie at multiples of ", bytes));

  Samples s;
  s.height = p.height;
  s.width = p.width;
  s.channels = std::min(p.channels, 3);
  s.white = p.depth == Depth::k16 ? 65535 : 255;
  s.values.reserve(s.size());
  const auto read_all = [&](const auto* first) {
    const bool swapped = p.order == ChannelOrder::kBgr && s.channels == 3;
    for (int y = 0; y < p.height; ++y, first += stride / bytes)
      for (std::ptrdiff_t x = 0; x < p.width; ++x)
        for (int c = 0; c < s.channels; ++c)
          s.values.push_back(static_cast<float>(first[x * p.channels + (swapped ? 2 - c : c)]));
  };
  if (p.depth == Depth::k8) read_all(static_cast<const std::uint8_t*>(p.pixels));
  if (p.depth == Depth::k16) read_all(static_cast<const std::uint16_t*>(p.pixels));
  if (p.depth != Depth::kFloat) return to_image(std::move(s), job);
  read_all(static_cast<const float*>(p.pixels));
  const auto bad = std::ranges::find_if(s.values, [](float v) { return !(v >= 0 && v <= 1); });
  if (bad != s.values.end()) throw DataError(str("the picture in memory: a value of ", *bad, ", expected 0 to 1"));
  return {s.height, s.width, s.channels, std::move(s.values)};
}

Image read_image(const std::string& path, std::vector<std::string>* notes, const DecodeOptions& options) {
  return decode_image(read_file(path), path, notes, options);
}

}  // namespace pgad
