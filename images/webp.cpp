// WebP in, by libwebp.

#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "engine/check.h"
#include "images/decoders.h"

namespace pgad {
namespace {

int webp_orientation(const WebPData& file) {
  const std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)> demuxer(WebPDemux(&file), WebPDemuxDelete);
  if (!demuxer) return 1;
  WebPChunkIterator chunk{};
  int orientation = 1;
  if (WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &chunk) != 0) {
    std::string_view exif(reinterpret_cast<const char*>(chunk.chunk.bytes), chunk.chunk.size);
    constexpr std::string_view kPrefix("Exif\0\0", 6);  // some writers keep JPEG's
    if (exif.starts_with(kPrefix)) exif.remove_prefix(kPrefix.size());
    orientation = exif_orientation(exif);
  }
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

}  // namespace

Samples decode_webp(const DecodeJob& job) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(job.bytes.data());
  const std::size_t size = job.bytes.size();
  const auto fail = [&](VP8StatusCode status) {
    if (status == VP8_STATUS_OUT_OF_MEMORY) throw std::bad_alloc();
    const bool truncated = status == VP8_STATUS_NOT_ENOUGH_DATA || status == VP8_STATUS_SUSPENDED;
    throw DataError(str("'", job.name, "': ", truncated ? "truncated" : "corrupt", " WebP"));
  };
  // The decoder stops at the last pixel: what the file says it holds behind that is checked here.
  std::uint64_t claimed = 0;
  for (int i = 3; i >= 0 && size >= 8; --i) claimed = claimed << 8 | bytes[4 + i];
  if (size < 12 || claimed + 8 > size) fail(VP8_STATUS_NOT_ENOUGH_DATA);

  WebPDecoderConfig config;
  PGAD_CHECK(WebPInitDecoderConfig(&config) != 0, "libwebp has another version than its headers");
  if (const VP8StatusCode status = WebPGetFeatures(bytes, size, &config.input); status != VP8_STATUS_OK) fail(status);
  check_size(config.input.height, config.input.width, job);
  if (config.input.has_animation != 0) refuse_format(job.name, "an animated WebP", "", true);

  Samples s;
  s.height = config.input.height;
  s.width = config.input.width;
  s.channels = 3;
  s.lossy = config.input.format != 2;
  const bool alpha = config.input.has_alpha != 0;
  const int stride = alpha ? 4 : 3;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(s.height) * s.width * stride);
  config.output.colorspace = alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {pixels.data(), s.width * stride, pixels.size()};
  const VP8StatusCode status = WebPDecode(bytes, size, &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) fail(status);
  s.values.reserve(s.size());
  for (std::size_t i = 0; i < pixels.size(); i += static_cast<std::size_t>(stride)) {
    for (std::size_t c = 0; c < 3; ++c) s.values.push_back(static_cast<float>(pixels[i + c]));
    if (alpha && job.options.keep_alpha) s.alpha.push_back(static_cast<float>(pixels[i + 3]) / 255.0f);
  }
  if (alpha && !job.options.keep_alpha) job.note(kAlphaNote);
  if (job.options.exif_orientation) s.orientation = webp_orientation({bytes, size});
  return s;
}

}  // namespace pgad
