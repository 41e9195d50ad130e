#include "report/html.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engine/check.h"
#include "images/preprocess.h"

namespace pgad {

std::string html_text(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

Image shrunk(const Image& image, int longest) {
  const int side = std::max(image.height, image.width);
  if (side <= longest) return image;
  const double scale = static_cast<double>(longest) / side;
  const int height = std::max(1, static_cast<int>(std::lround(scale * image.height))),
            width = std::max(1, static_cast<int>(std::lround(scale * image.width)));
  return {height, width, image.channels,
          resize(image.pixels, image.height, image.width, image.channels, height, width)};
}

std::string base64(std::string_view bytes) {
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t value = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k)
      value = value << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += k <= count ? kLetters[value >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::string script_text(std::string_view json) {
  std::string text;
  for (const char c : json) text += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return text;
}

std::string with_data(std::string_view page, std::string_view data) {
  constexpr std::string_view kMark = "/*DATA*/null/*END*/";
  const std::size_t at = page.find(kMark);
  PGAD_CHECK(at != page.npos, "the page has no place for its data");
  return str(page.substr(0, at), data, page.substr(at + kMark.size()));
}

}  // namespace pgad
