#pragma once
// Image files made in memory, for tests of decoders. PNG and JPEG by their libraries, as TIFF and WebP; BMP and PGM/PPM
// byte by byte.

// jpeglib.h needs size_t and FILE declared before it.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on
#include <png.h>
#include <tiffio.h>
#include <webp/encode.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace pgad::test {

using Bytes = std::vector<unsigned char>;

inline std::string little_endian(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

// An EXIF block with nothing but an orientation.
inline std::string exif_block(int orientation) {
  return std::string("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", 18) +
         little_endian(static_cast<std::uint32_t>(orientation), 4) + std::string(4, '\0');
}

struct PngSpec {
  int width, height, depth, color;
  bool interlaced = false;
  std::vector<png_color> palette = {};
  bool transparent = false;  // adds a tRNS chunk
  int sbit = 0;              // 0: no chunk
  std::string exif = {};
};

inline std::string make_png(const PngSpec& spec, const std::vector<Bytes>& rows) {
  std::string out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &out,
      [](png_structp p, png_bytep data, std::size_t n) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<char*>(data), n);
      },
      nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(spec.width), static_cast<png_uint_32>(spec.height), spec.depth,
               spec.color, spec.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!spec.palette.empty()) png_set_PLTE(png, info, spec.palette.data(), static_cast<int>(spec.palette.size()));
  png_byte alpha[2] = {0, 128};
  png_color_16 key{};
  if (spec.transparent) png_set_tRNS(png, info, alpha, spec.palette.empty() ? 0 : 2, &key);
  const auto bits = static_cast<png_byte>(spec.sbit);
  png_color_8 significant{bits, bits, bits, bits, bits};
  if (spec.sbit > 0) png_set_sBIT(png, info, &significant);
  std::string exif = spec.exif;
  if (!exif.empty())
    png_set_eXIf_1(png, info, static_cast<png_uint_32>(exif.size()), reinterpret_cast<png_bytep>(exif.data()));
  std::vector<png_bytep> pointers;
  for (const Bytes& row : rows) pointers.push_back(const_cast<png_bytep>(row.data()));
  png_set_rows(png, info, pointers.data());
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
  return out;
}

// Values of 16 bits as a PNG's row.
inline Bytes row16(const std::vector<int>& values) {
  Bytes row;
  for (const int v : values) {
    row.push_back(static_cast<unsigned char>(v >> 8));
    row.push_back(static_cast<unsigned char>(v));
  }
  return row;
}

using JpegPixel = std::function<int(int y, int x, int channel)>;

inline std::string make_jpeg(int width, int height, int components, bool progressive = false,
                             const std::string& exif = {}, const JpegPixel& pixel = {}) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &buffer, &size);
  jpeg.image_width = static_cast<JDIMENSION>(width);
  jpeg.image_height = static_cast<JDIMENSION>(height);
  jpeg.input_components = components;
  jpeg.in_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 95, TRUE);
  if (progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  const std::string marker = std::string("Exif\0\0", 6) + exif;
  if (!exif.empty())
    jpeg_write_marker(&jpeg, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(marker.data()),
                      static_cast<unsigned>(marker.size()));
  for (int y = 0; y < height; ++y) {
    Bytes row(static_cast<std::size_t>(width) * static_cast<std::size_t>(components));
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < components; ++c)
        row[static_cast<std::size_t>(x * components + c)] =
            static_cast<unsigned char>(pixel ? pixel(y, x, c) : 40 * c + 4 * x + 2 * y);
    }
    JSAMPROW rows[1] = {row.data()};
    jpeg_write_scanlines(&jpeg, rows, 1);
  }
  jpeg_finish_compress(&jpeg);
  std::string out(reinterpret_cast<char*>(buffer), size);
  std::free(buffer);
  jpeg_destroy_compress(&jpeg);
  return out;
}

// ---- TIFF ----

struct TiffSpec {
  int width = 0, height = 0, bits = 8, samples = 1;
  int photometric = PHOTOMETRIC_MINISBLACK;
  int compression = COMPRESSION_NONE;
  bool separate = false, tiled = false, big_endian = false;
  int orientation = 0, extra = -1, most = 0, format = 0, pages = 1, subfile = -1;  // not set where 0 or -1
  std::vector<std::uint16_t> palette = {};                                         // red, green, blue: 3 * 2^bits
};

struct TiffBuffer {
  std::string bytes;
  toff_t position = 0;
};

// value(plane or sample, y, x): numbers of spec.bits bits.
inline std::string make_tiff(const TiffSpec& spec, const std::function<int(int, int, int)>& value) {
  TiffBuffer buffer;
  TIFF* tiff = TIFFClientOpen(
      "", spec.big_endian ? "wb" : "wl", &buffer,
      [](thandle_t h, void* out, tmsize_t n) -> tmsize_t {
        auto* b = static_cast<TiffBuffer*>(h);
        const auto most = static_cast<tmsize_t>(b->bytes.size()) - static_cast<tmsize_t>(b->position);
        n = std::max<tmsize_t>(0, std::min(n, most));
        std::memcpy(out, b->bytes.data() + b->position, static_cast<std::size_t>(n));
        b->position += static_cast<toff_t>(n);
        return n;
      },
      [](thandle_t h, void* in, tmsize_t n) -> tmsize_t {
        auto* b = static_cast<TiffBuffer*>(h);
        const std::size_t end = b->position + static_cast<std::size_t>(n);
        if (end > b->bytes.size()) b->bytes.resize(end);
        std::memcpy(b->bytes.data() + b->position, in, static_cast<std::size_t>(n));
        b->position = end;
        return n;
      },
      [](thandle_t h, toff_t offset, int whence) -> toff_t {
        auto* b = static_cast<TiffBuffer*>(h);
        if (whence == SEEK_CUR) offset += b->position;
        if (whence == SEEK_END) offset += b->bytes.size();
        return b->position = offset;
      },
      [](thandle_t) { return 0; }, [](thandle_t h) -> toff_t { return static_cast<TiffBuffer*>(h)->bytes.size(); },
      nullptr, nullptr);
  for (int page = 0; page < spec.pages; ++page) {
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, spec.width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, spec.height);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, spec.bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, spec.samples);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, spec.photometric);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, spec.compression);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, spec.separate ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (spec.orientation > 0) TIFFSetField(tiff, TIFFTAG_ORIENTATION, spec.orientation);
    if (spec.most > 0) TIFFSetField(tiff, TIFFTAG_MAXSAMPLEVALUE, spec.most);
    if (spec.format > 0) TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, spec.format);
    if (spec.subfile >= 0) TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, spec.subfile);
    if (spec.extra >= 0) {
      const auto kind = static_cast<std::uint16_t>(spec.extra);
      TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &kind);
    }
    if (!spec.palette.empty()) {
      const std::size_t n = spec.palette.size() / 3;
      TIFFSetField(tiff, TIFFTAG_COLORMAP, spec.palette.data(), spec.palette.data() + n, spec.palette.data() + 2 * n);
    }
    const int step_x = spec.tiled ? 16 : spec.width, step_y = spec.tiled                             ? 16
                                                              : spec.compression == COMPRESSION_JPEG ? 8
                                                                                                     : 3;
    if (spec.tiled) {
      TIFFSetField(tiff, TIFFTAG_TILEWIDTH, step_x);
      TIFFSetField(tiff, TIFFTAG_TILELENGTH, step_y);
    } else {
      TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, step_y);
    }
    const int planes = spec.separate ? spec.samples : 1, per_pixel = spec.separate ? 1 : spec.samples;
    std::uint32_t piece = 0;
    for (int plane = 0; plane < planes; ++plane)
      for (int top = 0; top < spec.height; top += step_y)
        for (int left = 0; left < spec.width; left += step_x) {
          Bytes data;
          const int rows = spec.tiled ? step_y : std::min(step_y, spec.height - top);
          for (int y = top; y < top + rows; ++y) {
            int filled = 0;
            std::uint32_t bits = 0;
            for (int x = left; x < left + step_x; ++x)
              for (int s = 0; s < per_pixel; ++s) {
                const bool inside = y < spec.height && x < spec.width;
                const auto v = static_cast<std::uint32_t>(inside ? value(spec.separate ? plane : s, y, x) : 0);
                if (spec.bits == 16) {  // in this machine's order
                  const auto two = static_cast<std::uint16_t>(v);
                  data.insert(data.end(), reinterpret_cast<const unsigned char*>(&two),
                              reinterpret_cast<const unsigned char*>(&two) + 2);
                  continue;
                }
                bits = bits << spec.bits | v;
                filled += spec.bits;
                for (; filled >= 8; filled -= 8) data.push_back(static_cast<unsigned char>(bits >> (filled - 8)));
                bits &= (1u << filled) - 1;
              }
            if (filled > 0) data.push_back(static_cast<unsigned char>(bits << (8 - filled)));
          }
          const auto size = static_cast<tmsize_t>(data.size());
          if (spec.tiled) {
            TIFFWriteEncodedTile(tiff, piece++, data.data(), size);
          } else {
            TIFFWriteEncodedStrip(tiff, piece++, data.data(), size);
          }
        }
    TIFFWriteDirectory(tiff);
  }
  TIFFClose(tiff);
  return buffer.bytes;
}

// ---- WebP ----

// rgb or rgba, row by row. exif: put into an extended file.
inline std::string make_webp(int width, int height, bool alpha, bool lossless, const Bytes& pixels) {
  std::uint8_t* data = nullptr;
  std::size_t size = 0;
  const int stride = width * (alpha ? 4 : 3);
  if (lossless) {
    size = alpha ? WebPEncodeLosslessRGBA(pixels.data(), width, height, stride, &data)
                 : WebPEncodeLosslessRGB(pixels.data(), width, height, stride, &data);
  } else {
    size = WebPEncodeRGB(pixels.data(), width, height, stride, 95, &data);
  }
  std::string out(reinterpret_cast<char*>(data), size);
  WebPFree(data);
  return out;
}

// The file in the extended form, with an EXIF chunk.
inline std::string webp_with_exif(const std::string& webp, int width, int height, const std::string& exif) {
  std::string chunks = "VP8X" + little_endian(10, 4) + little_endian(8, 4) +
                       little_endian(static_cast<std::uint32_t>(width - 1), 3) +
                       little_endian(static_cast<std::uint32_t>(height - 1), 3) + webp.substr(12) + "EXIF" +
                       little_endian(static_cast<std::uint32_t>(exif.size()), 4) + exif;
  return "RIFF" + little_endian(static_cast<std::uint32_t>(chunks.size() + 4), 4) + "WEBP" + chunks;
}

// ---- BMP ----

// rows as they lie in the file, each padded to 4 bytes here; height below 0: from the top down.
inline std::string make_bmp(int width, int height, int bits, const std::vector<std::string>& rows,
                            const std::string& palette = {}, std::uint32_t compression = 0) {
  std::string pixels;
  for (const std::string& row : rows) {
    pixels += row;
    if (compression == 0) pixels += std::string((4 - row.size() % 4) % 4, '\0');
  }
  const auto offset = static_cast<std::uint32_t>(54 + palette.size());
  return "BM" + little_endian(offset + static_cast<std::uint32_t>(pixels.size()), 4) + std::string(4, '\0') +
         little_endian(offset, 4) + little_endian(40, 4) + little_endian(static_cast<std::uint32_t>(width), 4) +
         little_endian(static_cast<std::uint32_t>(height), 4) + little_endian(1, 2) +
         little_endian(static_cast<std::uint32_t>(bits), 2) + little_endian(compression, 4) +
         little_endian(static_cast<std::uint32_t>(pixels.size()), 4) + std::string(8, '\0') +
         little_endian(static_cast<std::uint32_t>(palette.size() / 4), 4) + std::string(4, '\0') + palette + pixels;
}

}  // namespace pgad::test
