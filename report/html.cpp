#include "report/html.h"

#include <algorithm>
#include <cmath>

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

}  // namespace pgad
