#include "images/defects.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "engine/check.h"
#include "images/gaussian_blur.h"
#include "images/tiles.h"

namespace pgad {
namespace {

constexpr int kRim = 4;            // pixels of surroundings that a cut keeps
constexpr std::size_t kLeast = 4;  // pixels of a region that is cut out
constexpr double kMarked = 0.3;    // from this opacity on a pixel counts as abnormal

double between(Rng& rng, double low, double high) { return low + (high - low) * rng.uniform(); }
bool chance(Rng& rng, double p) { return rng.uniform() < p; }
int whole(Rng& rng, int low, int high) {  // both included
  return high <= low ? low : low + static_cast<int>(rng.below(static_cast<std::uint32_t>(high - low + 1)));
}

std::size_t area(const SurfaceCrop& crop) {
  return static_cast<std::size_t>(crop.side) * static_cast<std::size_t>(crop.side);
}

using Plane = std::vector<float>;  // [side, side]

// Smooth noise of unit variance at the nodes of a grid with `cells` to a side.
Plane smooth_noise(Rng& rng, int side, int cells) {
  const int nodes = cells + 2;
  std::vector<double> grid(static_cast<std::size_t>(nodes * nodes));
  for (double& v : grid) v = rng.normal();
  const auto fade = [](double t) { return t * t * (3 - 2 * t); };
  Plane out;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const double gy = (y + 0.5) / side * cells, gx = (x + 0.5) / side * cells;
      const int iy = static_cast<int>(gy), ix = static_cast<int>(gx);
      const auto at = [&](int dy, int dx) { return grid[static_cast<std::size_t>((iy + dy) * nodes + ix + dx)]; };
      const double fx = fade(gx - ix), fy = fade(gy - iy);
      out.push_back(static_cast<float>((at(0, 0) * (1 - fx) + at(0, 1) * fx) * (1 - fy) +
                                       (at(1, 0) * (1 - fx) + at(1, 1) * fx) * fy));
    }
  return out;
}

// 1 where the plane is among its `share` largest values, else 0.
Plane largest(const Plane& plane, double share) {
  Plane sorted = plane;
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>((1 - share) * static_cast<double>(sorted.size() - 1));
  std::ranges::nth_element(sorted, at);
  Plane out;
  for (const float v : plane) out.push_back(v > *at ? 1.f : 0.f);
  return out;
}

double mean_of(std::span<const float> values) {
  double sum = 0;
  for (const float v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

// Marks what is opaque enough.
void mark(SurfaceCrop& crop, const Plane& opacity, double from = kMarked) {
  for (std::size_t i = 0; i < opacity.size(); ++i)
    if (opacity[i] > from) crop.mask[i] = 1;
}

void brighten(SurfaceCrop& crop, const Plane& opacity, double by) {
  const auto c = static_cast<std::size_t>(crop.channels);
  for (std::size_t i = 0; i < crop.pixels.size(); ++i) crop.pixels[i] += static_cast<float>(by) * opacity[i / c];
}

// Mirrored and transposed at random.
SurfaceCrop turned(const SurfaceCrop& crop, Rng& rng) {
  const bool rows = chance(rng, 0.5), columns = chance(rng, 0.5), swap = chance(rng, 0.5);
  SurfaceCrop out = crop;
  const auto side = static_cast<std::size_t>(crop.side), c = static_cast<std::size_t>(crop.channels);
  for (std::size_t y = 0; y < side; ++y)
    for (std::size_t x = 0; x < side; ++x) {
      std::size_t fy = rows ? side - 1 - y : y, fx = columns ? side - 1 - x : x;
      if (swap) std::swap(fy, fx);
      for (std::size_t k = 0; k < c; ++k) out.pixels[(y * side + x) * c + k] = crop.pixels[(fy * side + fx) * c + k];
    }
  return out;
}

// Foreign surface, or another brightness, in patches of noise.
void draw_patches(const SurfaceCrop& foreign, Rng& rng, SurfaceCrop& crop) {
  Plane noise = smooth_noise(rng, crop.side, whole(rng, 2, 4));
  const Plane finer = smooth_noise(rng, crop.side, whole(rng, 5, 9));
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] += 0.5f * finer[i];
  const Plane patches = largest(noise, between(rng, 0.03, 0.35));
  const Plane opacity = gaussian_blur(patches, crop.side, crop.side, between(rng, 0.5, 1.5));
  if (chance(rng, 0.6)) {
    const SurfaceCrop other = turned(foreign, rng);
    const double own = mean_of(crop.pixels), others = mean_of(other.pixels), contrast = between(rng, 0.6, 1.8),
                 shift = between(rng, -1.2, 1.2), blend = between(rng, 0.4, 1);
    const auto c = static_cast<std::size_t>(crop.channels);
    for (std::size_t i = 0; i < crop.pixels.size(); ++i) {
      const double a = blend * opacity[i / c];
      crop.pixels[i] =
          static_cast<float>(crop.pixels[i] * (1 - a) + a * ((other.pixels[i] - others) * contrast + own + shift));
    }
  } else {
    brighten(crop, opacity, (chance(rng, 2.0 / 3) ? -1 : 1) * between(rng, 0.6, 2.5));
  }
  mark(crop, patches);
}

// A thin curve: a quadratic Bezier curve with some jitter, its opacity uneven.
void draw_scratch(Rng& rng, SurfaceCrop& crop) {
  const int side = crop.side;
  const double length = between(rng, 8, std::max(9.0, std::min(48.0, 1.2 * side))),
               angle = between(rng, 0, 2 * std::numbers::pi), width = between(rng, 0.5, 2.5);
  using Point = std::array<double, 2>;
  const Point p = {between(rng, 0, side), between(rng, 0, side)},
              q = {p[0] + length * std::cos(angle), p[1] + length * std::sin(angle)},
              bend = {(p[0] + q[0]) / 2 + 0.15 * length * rng.normal(),
                      (p[1] + q[1]) / 2 + 0.15 * length * rng.normal()};
  const int pieces = std::max(6, static_cast<int>(length / 3));
  std::vector<Point> points;
  for (int i = 0; i <= pieces; ++i) {
    const double t = static_cast<double>(i) / pieces;
    Point at;
    for (std::size_t k = 0; k < 2; ++k)
      at[k] = (1 - t) * (1 - t) * p[k] + 2 * t * (1 - t) * bend[k] + t * t * q[k] + 0.35 * rng.normal();
    points.push_back(at);
  }
  const Plane uneven = smooth_noise(rng, side, 6);
  Plane opacity;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      double nearest = 1e9;  // squared distance from the curve
      for (std::size_t i = 0; i + 1 < points.size(); ++i) {
        const double dx = points[i + 1][0] - points[i][0], dy = points[i + 1][1] - points[i][1],
                     px = x + 0.5 - points[i][0], py = y + 0.5 - points[i][1];
        const double t = std::clamp((px * dx + py * dy) / (dx * dx + dy * dy + 1e-9), 0.0, 1.0);
        nearest = std::min(nearest, std::pow(px - t * dx, 2) + std::pow(py - t * dy, 2));
      }
      // The share of a pixel that a line of this width covers, about.
      const double covered = std::clamp(width / 2 + 0.5 - std::sqrt(nearest), 0.0, std::min(1.0, width));
      const double strength = std::clamp(0.75 + 0.5 * uneven[static_cast<std::size_t>(y * side + x)], 0.2, 1.2);
      opacity.push_back(static_cast<float>(covered * strength));
    }
  brighten(crop, opacity, (chance(rng, 0.75) ? -1 : 1) * between(rng, 1, 4));
  mark(crop, opacity, 0.12);
}

// One or two small ellipses with ragged, soft edges, sometimes with a rim raised to one side.
void draw_spots(Rng& rng, SurfaceCrop& crop) {
  const int side = crop.side;
  for (int count = whole(rng, 1, 2); count > 0; --count) {
    const double cy = between(rng, 2, side - 2), cx = between(rng, 2, side - 2), a = between(rng, 1.25, 6),
                 b = a * between(rng, 0.4, 1), angle = between(rng, 0, std::numbers::pi),
                 sharpness = between(rng, 1.5, 4), amount = (chance(rng, 0.8) ? -1 : 1) * between(rng, 1, 4),
                 lit = chance(rng, 0.5) ? 1 : -1;
    const bool raised = chance(rng, 0.3);
    const Plane ragged = smooth_noise(rng, side, std::max(3, side / 8));
    Plane opacity, rim;
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x) {
        const double u = (x - cx) * std::cos(angle) + (y - cy) * std::sin(angle),
                     v = -(x - cx) * std::sin(angle) + (y - cy) * std::cos(angle);
        const double d = std::hypot(u / a, v / b) + 0.25 * ragged[static_cast<std::size_t>(y * side + x)];
        opacity.push_back(static_cast<float>(std::clamp((1 - d) * sharpness + 0.5, 0.0, 1.0)));
        rim.push_back(static_cast<float>(u * lit > 0 ? std::exp(-std::pow((d - 1.15) / 0.2, 2)) : 0));
      }
    brighten(crop, opacity, amount);
    if (raised) brighten(crop, rim, -0.5 * amount);
    mark(crop, opacity);
  }
}

// A rectangle from elsewhere (CutPaste).
void draw_cut(const SurfaceCrop& foreign, Rng& rng, SurfaceCrop& crop) {
  const int side = crop.side;
  const auto length = [&] {
    return std::clamp(static_cast<int>(std::exp(between(rng, std::log(3.0), std::log(0.6 * side)))), 3, side - 2);
  };
  const int h = length(), w = length();
  const SurfaceCrop from = turned(chance(rng, 0.6) ? foreign : crop, rng);
  const int top = whole(rng, 0, side - h), left = whole(rng, 0, side - w), from_top = whole(rng, 0, side - h),
            from_left = whole(rng, 0, side - w);
  const double contrast = between(rng, 0.7, 1.4), shift = between(rng, -1, 1);
  Plane inside(area(crop));
  SurfaceCrop other = crop;
  const auto s = static_cast<std::size_t>(side), c = static_cast<std::size_t>(crop.channels);
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      const std::size_t to = static_cast<std::size_t>(top + y) * s + static_cast<std::size_t>(left + x),
                        source = static_cast<std::size_t>(from_top + y) * s + static_cast<std::size_t>(from_left + x);
      inside[to] = 1;
      for (std::size_t k = 0; k < c; ++k)
        other.pixels[to * c + k] = static_cast<float>(from.pixels[source * c + k] * contrast + shift);
    }
  const Plane opacity = gaussian_blur(inside, side, side, 0.7);
  for (std::size_t i = 0; i < crop.pixels.size(); ++i)
    crop.pixels[i] += opacity[i / c] * (other.pixels[i] - crop.pixels[i]);
  mark(crop, inside);
}

// The texture within an area weaker or stronger.
void scale_texture(SurfaceCrop& crop, const Plane& opacity, double by) {
  const auto c = static_cast<std::size_t>(crop.channels);
  Plane channel(area(crop));
  for (std::size_t k = 0; k < c; ++k) {
    for (std::size_t i = 0; i < channel.size(); ++i) channel[i] = crop.pixels[i * c + k];
    const Plane coarse = gaussian_blur(channel, crop.side, crop.side, 3);
    for (std::size_t i = 0; i < channel.size(); ++i)
      crop.pixels[i * c + k] += static_cast<float>(by) * opacity[i] * (channel[i] - coarse[i]);
  }
}

// Values of a random row of numbers, one for each column.
std::vector<double> uneven_columns(Rng& rng, int side, int nodes) {
  std::vector<double> at, values;
  for (int i = 0; i <= nodes + 1; ++i) at.push_back(rng.normal());
  for (int x = 0; x < side; ++x) {
    const double place = static_cast<double>(x) / side * nodes;
    const auto node = static_cast<std::size_t>(place);
    values.push_back(at[node] + (at[node + 1] - at[node]) * (place - static_cast<double>(node)));
  }
  return values;
}

// A large area, darker or brighter, its texture weaker or stronger, with an edge between sharp and very soft.
void draw_uneven(Rng& rng, SurfaceCrop& crop) {
  const int side = crop.side;
  Plane plane;
  if (chance(rng, 0.5)) {  // on one side of a wavy line
    const double angle = between(rng, 0, 2 * std::numbers::pi), waves = between(rng, 0.02, 0.12);
    const Plane noise = smooth_noise(rng, side, 3);
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x)
        plane.push_back(static_cast<float>((static_cast<double>(x) / side - 0.5) * std::cos(angle) +
                                           (static_cast<double>(y) / side - 0.5) * std::sin(angle) +
                                           waves * noise[static_cast<std::size_t>(y * side + x)]));
  } else {
    plane = smooth_noise(rng, side, whole(rng, 1, 3));
  }
  const Plane inside = largest(plane, between(rng, 0.15, 0.7));
  Plane opacity = gaussian_blur(inside, side, side, std::exp(between(rng, std::log(0.35), std::log(4.0))));
  const double amount = (chance(rng, 0.5) ? -1 : 1) * between(rng, 0.5, 2);
  if (chance(rng, 0.6)) scale_texture(crop, opacity, between(rng, -0.8, 1));
  if (chance(rng, 0.3)) {  // in stripes
    const std::vector<double> stripes = uneven_columns(rng, side, std::max(2, side / whole(rng, 2, 7)));
    for (std::size_t i = 0; i < opacity.size(); ++i)
      opacity[i] *= static_cast<float>(std::clamp(0.8 + 0.6 * stripes[i % static_cast<std::size_t>(side)], 0.0, 2.0));
  }
  brighten(crop, opacity, amount);
  mark(crop, inside);
}

// A step in brightness along a nearly straight line, mostly along or across the rows, its edge sometimes ragged, its
// length sometimes limited: a tool that was set down or lifted.
void draw_step(Rng& rng, SurfaceCrop& crop) {
  const int side = crop.side;
  const double right = std::numbers::pi / 2;
  double angle = chance(rng, 0.75) ? whole(rng, 0, 3) * right + between(rng, -0.25, 0.25) : between(rng, 0, 4 * right);
  if (chance(rng, 0.5)) angle = (chance(rng, 0.5) ? right : -right) + between(rng, -0.2, 0.2);
  const double waves = side * between(rng, 0, 0.05), from = between(rng, -0.3, 0.35) * side;
  const Plane noise = smooth_noise(rng, side, whole(rng, 1, 3));
  std::vector<double> ragged(static_cast<std::size_t>(side));
  if (chance(rng, 0.4)) {
    const double depth = between(rng, 0.5, 3);
    ragged = uneven_columns(rng, side, side / whole(rng, 1, 4) + 1);
    for (double& v : ragged) v *= depth;
  }
  const bool limited = chance(rng, 0.4);
  const double begin = between(rng, -0.45, 0.25) * side, end = begin + between(rng, 0.2, 0.8) * side;
  Plane inside;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const double dx = x - side / 2.0, dy = y - side / 2.0,
                   across = dx * std::cos(angle) + dy * std::sin(angle) +
                            waves * noise[static_cast<std::size_t>(y * side + x)] + ragged[static_cast<std::size_t>(x)],
                   along = dx * std::sin(angle) - dy * std::cos(angle);
      inside.push_back(across > from && (!limited || (along > begin && along < end)) ? 1.f : 0.f);
    }
  Plane opacity = gaussian_blur(inside, side, side, std::exp(between(rng, std::log(0.25), std::log(3.0))));
  const double amount = (chance(rng, 0.4) ? -1 : 1) * between(rng, 0.4, 1.8);
  if (chance(rng, 0.6)) scale_texture(crop, opacity, between(rng, -0.8, 1));
  if (chance(rng, 0.4)) {
    const double depth = between(rng, 0.2, 0.8) / std::abs(amount);
    const std::vector<double> columns = uneven_columns(rng, side, side / whole(rng, 1, 5) + 1);
    for (std::size_t i = 0; i < opacity.size(); ++i)
      opacity[i] *= static_cast<float>(1 + depth * columns[i % static_cast<std::size_t>(side)]);
  }
  brighten(crop, opacity, amount);
  mark(crop, inside);
}

}  // namespace

double variance(const SurfaceCrop& crop) {
  double sum = 0, square = 0;
  for (const float v : crop.pixels) {
    sum += v;
    square += static_cast<double>(v) * v;
  }
  const auto n = static_cast<double>(crop.pixels.size());
  return square / n - sum / n * (sum / n);
}

SurfaceCrop square_of(std::span<const float> pixels, int height, int width, int channels, int top, int left, int side) {
  SurfaceCrop crop{side, channels, {}, {}};
  crop.mask.resize(static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
  crop.pixels.resize(crop.mask.size() * static_cast<std::size_t>(channels));
  cut_square(pixels, height, width, channels, top, left, side, std::span(crop.pixels));
  return crop;
}

PlacedSquare random_square(std::span<const float> pixels, int height, int width, int channels, int side, int places,
                           Rng& rng) {
  const auto start = [&](int length) {
    return static_cast<int>(rng.below(static_cast<std::uint32_t>(std::max(1, length - side + 1))));
  };
  PlacedSquare best{};
  for (int i = 0; i < places; ++i) {
    const int top = start(height), left = start(width);
    SurfaceCrop crop = square_of(pixels, height, width, channels, top, left, side);
    if (i == 0 || variance(crop) > variance(best.crop)) best = {top, left, std::move(crop)};
  }
  return best;
}

std::vector<DefectCut> cut_defects(std::span<const float> pixels, std::span<const std::uint8_t> mask, int height,
                                   int width, int channels) {
  const auto w = static_cast<std::size_t>(width), h = static_cast<std::size_t>(height),
             c = static_cast<std::size_t>(channels);
  PGAD_CHECK(mask.size() == h * w && pixels.size() == h * w * c, mask.size(), " and ", pixels.size(), " values for ",
             height, "x", width, "x", channels);
  std::vector<int> region(mask.size(), 0);  // 0: none
  std::vector<DefectCut> cuts;
  std::vector<std::size_t> places;
  int number = 0;
  for (std::size_t start = 0; start < mask.size(); ++start) {
    if (mask[start] == 0 || region[start] != 0) continue;
    region[start] = ++number;
    places = {start};
    int top = height, bottom = 0, left = width, right = 0;
    for (std::size_t i = 0; i < places.size(); ++i) {  // 8-connected
      const int y = static_cast<int>(places[i] / w), x = static_cast<int>(places[i] % w);
      top = std::min(top, y);
      bottom = std::max(bottom, y + 1);
      left = std::min(left, x);
      right = std::max(right, x + 1);
      for (int ny = std::max(0, y - 1); ny < std::min(height, y + 2); ++ny)
        for (int nx = std::max(0, x - 1); nx < std::min(width, x + 2); ++nx) {
          const std::size_t next = static_cast<std::size_t>(ny) * w + static_cast<std::size_t>(nx);
          if (mask[next] == 0 || region[next] != 0) continue;
          region[next] = number;
          places.push_back(next);
        }
    }
    if (places.size() < kLeast) continue;
    top = std::max(0, top - kRim);
    left = std::max(0, left - kRim);
    bottom = std::min(height, bottom + kRim);
    right = std::min(width, right + kRim);
    DefectCut cut{bottom - top, right - left, channels, {}, {}};
    std::vector<float> around;
    for (int y = top; y < bottom; ++y)
      for (int x = left; x < right; ++x) {
        const std::size_t i = static_cast<std::size_t>(y) * w + static_cast<std::size_t>(x);
        cut.mask.push_back(region[i] == number ? 1.f : 0.f);
        for (std::size_t k = 0; k < c; ++k) {
          cut.pixels.push_back(pixels[i * c + k]);
          if (mask[i] == 0) around.push_back(pixels[i * c + k]);
        }
      }
    if (around.empty()) around = cut.pixels;
    std::ranges::nth_element(around, around.begin() + static_cast<std::ptrdiff_t>(around.size() / 2));
    const float level = around[around.size() / 2];
    for (float& v : cut.pixels) v -= level;
    cuts.push_back(std::move(cut));
  }
  return cuts;
}

void paste_defect(const DefectCut& cut, Rng& rng, SurfaceCrop& crop) {
  PGAD_CHECK(cut.channels == crop.channels, cut.channels, " and ", crop.channels, " channels");
  const int side = crop.side;
  const auto s = static_cast<std::size_t>(side), c = static_cast<std::size_t>(crop.channels);
  const double scale = std::exp(between(rng, -0.35, 0.35)), angle = between(rng, -20, 20) * std::numbers::pi / 180,
               contrast = between(rng, 0.6, 1.3);
  const double flip_x = chance(rng, 0.5) ? -1 : 1, flip_y = chance(rng, 0.5) ? -1 : 1;
  // Where the cut's centre comes to lie; of a large cut some marked pixel comes to lie in the crop.
  double from_y = cut.height / 2.0, from_x = cut.width / 2.0;
  const double reach_y = cut.height * scale / 6, reach_x = cut.width * scale / 6;
  double to_y = between(rng, -reach_y, side + reach_y), to_x = between(rng, -reach_x, side + reach_x);
  if (std::max(cut.height, cut.width) * scale > 0.9 * side) {
    std::vector<std::size_t> marked;
    for (std::size_t i = 0; i < cut.mask.size(); ++i)
      if (cut.mask[i] > 0) marked.push_back(i);
    const std::size_t place = marked[rng.below(static_cast<std::uint32_t>(marked.size()))];
    from_y = static_cast<double>(place / static_cast<std::size_t>(cut.width)) + 0.5;
    from_x = static_cast<double>(place % static_cast<std::size_t>(cut.width)) + 0.5;
    to_y = between(rng, 0, side);
    to_x = between(rng, 0, side);
  }
  // Bilinear; outside the cut its mask is 0.
  Plane opacity(area(crop));
  std::vector<float> values(crop.pixels.size());
  const double cosine = std::cos(angle) / scale, sine = std::sin(angle) / scale;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const double dy = y + 0.5 - to_y, dx = x + 0.5 - to_x;
      const double sy = from_y + flip_y * (cosine * dy - sine * dx) - 0.5,
                   sx = from_x + flip_x * (sine * dy + cosine * dx) - 0.5;
      if (sy <= -1 || sx <= -1 || sy >= cut.height || sx >= cut.width) continue;
      const int iy = static_cast<int>(std::floor(sy)), ix = static_cast<int>(std::floor(sx));
      const std::size_t to = static_cast<std::size_t>(y) * s + static_cast<std::size_t>(x);
      for (int ny = iy; ny <= iy + 1; ++ny)
        for (int nx = ix; nx <= ix + 1; ++nx) {
          const double weight = (1 - std::abs(sy - ny)) * (1 - std::abs(sx - nx));
          const bool there = ny >= 0 && nx >= 0 && ny < cut.height && nx < cut.width;
          const std::size_t from =
              static_cast<std::size_t>(std::clamp(ny, 0, cut.height - 1)) * static_cast<std::size_t>(cut.width) +
              static_cast<std::size_t>(std::clamp(nx, 0, cut.width - 1));
          if (there) opacity[to] += static_cast<float>(weight) * cut.mask[from];
          for (std::size_t k = 0; k < c; ++k)
            values[to * c + k] += static_cast<float>(weight) * cut.pixels[from * c + k];
        }
    }
  for (std::size_t i = 0; i < opacity.size(); ++i)
    if (opacity[i] > 0.5f) crop.mask[i] = 1;
  Plane soft = gaussian_blur(opacity, side, side, 1);
  for (std::size_t i = 0; i < soft.size(); ++i) soft[i] = std::clamp(std::max(soft[i], opacity[i]) * 1.2f, 0.f, 1.f);
  // On the crop's own brightness there, with the defect's own texture.
  Plane channel(area(crop));
  for (std::size_t k = 0; k < c; ++k) {
    for (std::size_t i = 0; i < channel.size(); ++i) channel[i] = crop.pixels[i * c + k];
    const Plane level = gaussian_blur(channel, side, side, 6);
    for (std::size_t i = 0; i < channel.size(); ++i)
      crop.pixels[i * c + k] +=
          soft[i] * (level[i] + static_cast<float>(contrast) * values[i * c + k] - crop.pixels[i * c + k]);
  }
}

void draw_synthetic_defect(const SurfaceCrop& foreign, Rng& rng, SurfaceCrop& crop) {
  PGAD_CHECK(foreign.side == crop.side && foreign.channels == crop.channels && crop.side >= 8, foreign.side, " and ",
             crop.side);
  switch (rng.below(6)) {
    case 0:
      return draw_patches(foreign, rng, crop);
    case 1:
      return draw_scratch(rng, crop);
    case 2:
      return draw_spots(rng, crop);
    case 3:
      return draw_cut(foreign, rng, crop);
    case 4:
      return draw_step(rng, crop);
    default:
      return draw_uneven(rng, crop);
  }
}

}  // namespace pgad
