#include "apps/terminal_picture.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "engine/check.h"
#include "images/preprocess.h"

namespace pgad {
namespace {

constexpr int kLargestSide = 32;  // pixels of an image as it is shown
constexpr std::string_view kWeights = " .:-=+*#%@";

using Color = std::array<int, 3>;

Color color_at(const Image& image, int y, int x) {
  Color color;
  for (int c = 0; c < 3; ++c) {
    const auto i = (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) + static_cast<std::size_t>(x)) *
                       static_cast<std::size_t>(image.channels) +
                   static_cast<std::size_t>(image.channels == 3 ? c : 0);
    color[static_cast<std::size_t>(c)] = static_cast<int>(std::lround(255 * std::clamp(image.pixels[i], 0.0f, 1.0f)));
  }
  return color;
}

std::string code(int layer, const Color& c) { return str("\033[", layer, ";2;", c[0], ";", c[1], ";", c[2], "m"); }

char weight_of(const Color& c) {
  const int luma = (299 * c[0] + 587 * c[1] + 114 * c[2]) / 1000;
  return kWeights[static_cast<std::size_t>(luma) * (kWeights.size() - 1) / 255];
}

}  // namespace

int terminal_width() {
  winsize size = {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const int given = columns != nullptr ? std::atoi(columns) : 0;
  return given > 0 ? given : 80;
}

bool terminal_has_colors() {
  const char *term = std::getenv("TERM"), *no_color = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) != 0 && term != nullptr && std::string_view(term) != "dumb" && *term != '\0' &&
         (no_color == nullptr || *no_color == '\0');
}

std::string terminal_picture(const std::vector<Image>& images, int width, bool colors) {
  PGAD_CHECK(!images.empty(), "no images");
  const int a_pixel = colors ? 1 : 2;  // columns
  const int side = std::clamp(width / a_pixel, 1, kLargestSide);
  std::vector<Image> small;
  for (const Image& image : images) {
    const double scale = std::min(1.0, static_cast<double>(side) / std::max(image.width, image.height));
    const auto scaled = [&](int size) { return std::max(1, static_cast<int>(std::lround(size * scale))); };
    Image& to = small.emplace_back(Image{scaled(image.height), scaled(image.width), image.channels, {}});
    to.pixels = resize(image.pixels, image.height, image.width, image.channels, to.height, to.width);
  }
  const int columns = small[0].width * a_pixel;
  const auto shown = static_cast<std::size_t>(std::max(1, (width + 1) / (columns + 1)));
  if (small.size() > shown) small.resize(shown);
  std::string text;
  for (int y = 0; y < small[0].height; y += colors ? 2 : 1) {
    for (std::size_t i = 0; i < small.size(); ++i) {
      if (i > 0) text += ' ';
      for (int x = 0; x < small[i].width; ++x) {
        const Color upper = color_at(small[i], y, x);
        if (!colors) {
          text.append(2, weight_of(upper));
          continue;
        }
        text += code(38, upper);
        if (y + 1 < small[i].height) text += code(48, color_at(small[i], y + 1, x));
        text += "\xe2\x96\x80";  // the upper half of a character
      }
      if (colors) text += "\033[0m";
    }
    text += '\n';
  }
  return text;
}

}  // namespace pgad
