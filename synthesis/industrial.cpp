#include "synthesis/industrial.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "engine/check.h"
#include "engine/rng.h"
#include "images/gaussian_blur.h"

namespace pgad {
namespace {

constexpr std::uint64_t kView = 0x7669657700000000, kTexture = 0x7465787400000000, kFlawPlace = 0x666c617700000000,
                        kNoise = 0x6e6f697300000000;  // streams of random numbers; the image's number is added

constexpr double kSmallest = 0.25;  // of flaws, of those in images of 1024 pixels
constexpr int kAttempts = 1000;
constexpr int kVisibleAttempts = 30;  // of flaws that fit, until one is seen

constexpr double kPi = std::numbers::pi;

double between(Rng& rng, double low, double high) { return low + (high - low) * rng.uniform(); }
double smooth_step(double t) {
  t = std::clamp(t, 0.0, 1.0);
  return t * t * (3 - 2 * t);
}

// ---- noise ----------------------------------------------------------------------------------------------------------

// In [0, 1], of a node of a grid.
double node(std::uint64_t seed, std::int64_t x, std::int64_t y) {
  std::uint64_t h =
      seed + static_cast<std::uint64_t>(x) * 0x9e3779b97f4a7c15u + static_cast<std::uint64_t>(y) * 0xc2b2ae3d27d4eb4fu;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((h ^ (h >> 31)) >> 40) / 16777215.0;
}

// Value noise in [-1, 1] with nodes one apart.
double noise(std::uint64_t seed, double x, double y) {
  const double fx = std::floor(x), fy = std::floor(y);
  const auto ix = static_cast<std::int64_t>(fx), iy = static_cast<std::int64_t>(fy);
  const double tx = smooth_step(x - fx), ty = smooth_step(y - fy);
  const double top = node(seed, ix, iy) * (1 - tx) + node(seed, ix + 1, iy) * tx,
               bottom = node(seed, ix, iy + 1) * (1 - tx) + node(seed, ix + 1, iy + 1) * tx;
  return 2 * (top * (1 - ty) + bottom * ty) - 1;
}

// Octaves from `wavelength` down, each half as long and `gain` times as strong.
double fractal(std::uint64_t seed, double x, double y, double wavelength, int octaves, double gain) {
  double sum = 0, strength = 1, all = 0;
  for (int i = 0; i < octaves; ++i) {
    sum += strength * noise(seed + static_cast<std::uint64_t>(i), x / wavelength, y / wavelength);
    all += strength;
    strength *= gain;
    wavelength /= 2;
  }
  return sum / all;
}

// ---- surfaces -------------------------------------------------------------------------------------------------------

// What a camera looks at, [height, width].
struct Scene {
  int height, width;
  std::vector<float> relief;  // pixels above the mean
  std::vector<float> albedo;  // share of light that is scattered, in [0, 1]
  std::vector<float> gloss;   // share that is mirrored
  Scene(int h, int w)
      : height(h),
        width(w),
        relief(static_cast<std::size_t>(h) * static_cast<std::size_t>(w)),
        albedo(relief.size()),
        gloss(relief.size()) {}
};

// A point of the surface.
struct Point {
  double relief, albedo, gloss;
};

// Where an image lies on the endless surface.
struct View {
  double cosine, sine, scale, x, y;
  View(Rng& rng, double turn) {
    const double angle = between(rng, -turn, turn);
    scale = between(rng, 0.95, 1.05);
    cosine = std::cos(angle) * scale;
    sine = std::sin(angle) * scale;
    x = between(rng, 0, 1e6);
    y = between(rng, 0, 1e6);
  }
};

// A thread that is missing along a part of its length, in texture coordinates.
struct Gap {
  std::int64_t warp;
  double from, to;
};

// Grinding: streaks of many lengths, and a band that mirrors the lamp.
Point brushed(std::uint64_t seed, double u, double v) {
  constexpr struct {
    double length, width, strength;
  } kStreaks[] = {{500, 1.1, 0.3}, {160, 0.8, 0.25}, {60, 0.8, 0.2}, {900, 5, 0.25}, {1500, 30, 0.25}};
  double streaks = 0;
  for (std::size_t i = 0; i < std::size(kStreaks); ++i)
    streaks += kStreaks[i].strength * noise(seed + i, u / kStreaks[i].length, v / kStreaks[i].width);
  const double deep = noise(seed + 9, u / 700, v / 1.3);  // a few scores of the abrasive
  streaks -= 0.5 * smooth_step((deep - 0.75) / 0.2);
  return {0.35 * streaks, 0.42 + 0.13 * streaks, 0.35 + 0.12 * streaks};
}

// Sand casting: grains of several sizes, pressed flat here and there.
Point cast(std::uint64_t seed, double u, double v) {
  const double grain = fractal(seed, u, v, 9, 3, 0.7), lumps = fractal(seed + 20, u, v, 60, 3, 0.5);
  const double flat = smooth_step(0.5 + 1.5 * fractal(seed + 30, u, v, 40, 2, 0.5));
  return {(1.5 - 0.8 * flat) * grain + 2.5 * lumps, 0.45 + 0.05 * lumps + 0.03 * noise(seed + 40, u / 2, v / 2),
          0.08 + 0.1 * flat};
}

// Plain weave: warp (along v) and weft (along u) pass over each other by turns.
constexpr double kThread = 11;  // pixels from one to the next
Point woven(std::uint64_t seed, double u, double v, const Gap* gap) {
  const double bend_u = u + 1.3 * fractal(seed, u, v, 90, 2, 0.5),
               bend_v = v + 1.3 * fractal(seed + 5, u, v, 90, 2, 0.5);
  const double a = bend_u / kThread, b = bend_v / kThread;
  const auto i = static_cast<std::int64_t>(std::floor(a)), j = static_cast<std::int64_t>(std::floor(b));
  const double across = 2 * (a - static_cast<double>(i)) - 1, along = 2 * (b - static_cast<double>(j)) - 1;
  const auto round = [](double t, double half) { return 1 - t * t / (half * half); };
  const double thick_warp = 0.85 + 0.12 * (2 * node(seed + 11, i, 0) - 1) + 0.06 * noise(seed + 12, a, v / 60),
               thick_weft = 0.85 + 0.12 * (2 * node(seed + 13, j, 0) - 1) + 0.06 * noise(seed + 14, u / 60, b);
  double warp = round(across, thick_warp), weft = round(along, thick_weft);
  const double over = std::cos(kPi * (b - 0.5) + kPi * static_cast<double>(i & 1)),
               under = std::cos(kPi * (a - 0.5) + kPi * static_cast<double>(j & 1));
  const bool missing = gap != nullptr && i == gap->warp && v > gap->from && v < gap->to;
  const double warp_relief = warp > 0 && !missing ? 1.6 * std::sqrt(warp) + 1.2 * over : -3,
               weft_relief = weft > 0 ? 1.6 * std::sqrt(weft) - 1.2 * under : -3;
  if (warp_relief <= -3 && weft_relief <= -3) return {-2.5, 0.06, 0};
  const bool of_warp = warp_relief > weft_relief;
  // Fibres are twisted about the thread's axis.
  const double fibres = of_warp ? noise(seed + 15, 4 * a + 1.5 * b, b * 2) : noise(seed + 16, a * 2, 4 * b + 1.5 * a);
  const double dye = of_warp ? node(seed + 17, i, 1) : node(seed + 18, j, 1);
  return {std::max(warp_relief, weft_relief) + 0.15 * fibres, 0.46 + 0.08 * (dye - 0.5) + 0.05 * fibres, 0.02};
}

// Grain between creases, which are the borders between a jittered grid's nearest and second nearest points.
Point leather(std::uint64_t seed, double u, double v) {
  constexpr double kGrain = 13;
  const double x = (u + 5 * fractal(seed, u, v, 30, 2, 0.5)) / kGrain,
               y = (v + 5 * fractal(seed + 5, u, v, 30, 2, 0.5)) / kGrain;
  const auto cx = static_cast<std::int64_t>(std::floor(x)), cy = static_cast<std::int64_t>(std::floor(y));
  double nearest = 9, second = 9;
  for (std::int64_t j = cy - 1; j <= cy + 1; ++j)
    for (std::int64_t i = cx - 1; i <= cx + 1; ++i) {
      const double d = std::hypot(static_cast<double>(i) + node(seed + 11, i, j) - x,
                                  static_cast<double>(j) + node(seed + 12, i, j) - y);
      second = std::min(second, std::max(nearest, d));
      nearest = std::min(nearest, d);
    }
  const double grain = smooth_step((second - nearest) / 0.35), fine = fractal(seed + 20, u, v, 5, 2, 0.6);
  return {2.2 * grain + 0.5 * (1 - nearest) + 0.35 * fine, 0.26 + 0.06 * grain + 0.03 * fine, 0.1 * grain};
}

// Ink on paper: a motif that repeats, printed a little out of place.
Point printed(std::uint64_t seed, double u, double v, double shift) {
  constexpr double kMotif = 72;
  const double x = u - kMotif * std::floor(u / kMotif) - kMotif / 2,
               y = v - kMotif * std::floor(v / kMotif) - kMotif / 2;
  const double spread = 0.7 * noise(seed, u / 2.5, v / 2.5);  // of the ink, along the paper's fibres
  const auto ink = [&](double inside) { return smooth_step(0.5 + (inside + spread) / 1.6); };  // pixels inside
  const double r = std::hypot(x, y), angle = std::atan2(y, x);
  const double ring = 3.0 - std::abs(r - 27), petals = 2.5 - std::abs(r - (15 + 5 * std::cos(6 * angle)));
  const double lines = 1.2 - std::abs(std::remainder(x + y, 12)) * std::numbers::sqrt2 / 2;
  const double fine = r > 33 ? ink(lines) : 0;
  const double dx = x - shift, dy = y + shift, dot = 5 - std::hypot(dx, dy);
  const double covered = std::max({ink(ring), ink(petals), 0.7 * fine, 0.85 * ink(dot)});
  const double paper = fractal(seed + 5, u, v, 6, 2, 0.6), density = 1 + 0.08 * noise(seed + 9, u / 3, v / 3);
  return {0.25 * paper, 0.72 + 0.02 * paper - 0.5 * covered * density, 0.02};
}

Scene surface_of(Surface surface, int height, int width, std::uint64_t seed, const View& view, double shift,
                 const Gap* gap) {
  Scene scene(height, width);
  for (int row = 0; row < height; ++row)
    for (int column = 0; column < width; ++column) {
      const double u = view.x + view.cosine * column - view.sine * row,
                   v = view.y + view.sine * column + view.cosine * row;
      Point p{};
      switch (surface) {
        case Surface::kBrushed:
          p = brushed(seed, u, v);
          break;
        case Surface::kCast:
          p = cast(seed, u, v);
          break;
        case Surface::kWoven:
          p = woven(seed, u, v, gap);
          break;
        case Surface::kLeather:
          p = leather(seed, u, v);
          break;
        case Surface::kPrinted:
          p = printed(seed, u, v, shift);
          break;
      }
      const std::size_t at =
          static_cast<std::size_t>(row) * static_cast<std::size_t>(width) + static_cast<std::size_t>(column);
      scene.relief[at] = static_cast<float>(p.relief);
      scene.albedo[at] = static_cast<float>(p.albedo);
      scene.gloss[at] = static_cast<float>(p.gloss);
    }
  return scene;
}

// ---- flaws ----------------------------------------------------------------------------------------------------------

struct Place {
  double x, y;
};

// Calls see(index, distance from the path, share of its length) for the pixels about a path of straight pieces.
template <class See>
void along(const Scene& s, const std::vector<Place>& path, double reach, const See& see) {
  double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
  for (const Place& p : path) {
    left = std::min(left, p.x), right = std::max(right, p.x), top = std::min(top, p.y), bottom = std::max(bottom, p.y);
  }
  const auto first = [&](double v) { return std::max(0, static_cast<int>(std::floor(v - reach))); };
  for (int y = first(top); y < s.height && y <= bottom + reach; ++y)
    for (int x = first(left); x < s.width && x <= right + reach; ++x) {
      double nearest = 1e9, place = 0;
      for (std::size_t i = 0; i + 1 < path.size(); ++i) {
        const Place &a = path[i], &b = path[i + 1];
        const double dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
        const double t = std::clamp(((x - a.x) * dx + (y - a.y) * dy) / std::max(length, 1e-9), 0.0, 1.0);
        const double d = std::hypot(a.x + t * dx - x, a.y + t * dy - y);
        if (d < nearest) {
          nearest = d;
          place = (static_cast<double>(i) + t) / static_cast<double>(path.size() - 1);
        }
      }
      if (nearest < reach)
        see(static_cast<std::size_t>(y) * static_cast<std::size_t>(s.width) + static_cast<std::size_t>(x), nearest,
            place);
    }
}

// A line that wanders from `start`.
std::vector<Place> wander(Rng& rng, Place start, double length, double bend) {
  constexpr int kPieces = 24;
  double angle = between(rng, 0, 2 * kPi), curve = bend * rng.normal() / kPieces;
  std::vector<Place> path = {start};
  for (int i = 0; i < kPieces; ++i) {
    curve += 0.3 * bend * rng.normal() / kPieces;
    angle += curve;
    path.push_back(
        {path.back().x + std::cos(angle) * length / kPieces, path.back().y + std::sin(angle) * length / kPieces});
  }
  return path;
}

// A groove with ridges beside it, the metal bare in it.
void scratch(Rng& rng, Place at, double size, Scene& s) {
  const double width = between(rng, 0.8, 1.8), depth = between(rng, 1.2, 2.5), bright = between(rng, -0.12, 0.18);
  along(s, wander(rng, at, between(rng, 60, 320) * size, 0.6), 3 * width, [&](std::size_t i, double d, double place) {
    const double strength = smooth_step(6 * place) * smooth_step(6 * (1 - place)), t = d / width;
    s.relief[i] +=
        static_cast<float>(depth * strength * (std::exp(-0.5 * (t - 1.8) * (t - 1.8) * 4) * 0.5 - std::exp(-t * t)));
    s.albedo[i] += static_cast<float>(bright * strength * std::exp(-t * t));
  });
}

void dent(Rng& rng, Place at, double size, Scene& s) {
  const double radius = between(rng, 7, 24) * size, depth = between(rng, 0.12, 0.3) * radius,
               round = between(rng, 0.6, 1);
  const double angle = between(rng, 0, kPi), c = std::cos(angle), n = std::sin(angle);
  for (int y = 0; y < s.height; ++y)
    for (int x = 0; x < s.width; ++x) {
      const double dx = x - at.x, dy = y - at.y, r = std::hypot(c * dx + n * dy, (c * dy - n * dx) / round) / radius;
      if (r >= 1) continue;
      const double inside = (1 - r * r) * (1 - r * r);
      s.relief[static_cast<std::size_t>(y) * static_cast<std::size_t>(s.width) + static_cast<std::size_t>(x)] -=
          static_cast<float>(depth * inside);
    }
}

// Something has dried up: darker, most of all at its rim.
void stain(Rng& rng, Place at, double size, Scene& s) {
  const double radius = between(rng, 9, 26) * size, strength = between(rng, 0.12, 0.3);
  const std::uint64_t seed = rng.next_u32();
  for (int y = 0; y < s.height; ++y)
    for (int x = 0; x < s.width; ++x) {
      const double dx = x - at.x, dy = y - at.y, r = std::hypot(dx, dy);
      if (r > 2 * radius) continue;
      const double ragged = r / (radius * (1 + 0.35 * fractal(seed, dx + 500, dy + 500, radius, 3, 0.6)));
      const double inside = smooth_step((1.03 - ragged) / 0.12), rim = std::exp(-std::pow((ragged - 0.93) / 0.07, 2));
      const std::size_t i =
          static_cast<std::size_t>(y) * static_cast<std::size_t>(s.width) + static_cast<std::size_t>(x);
      const double darker = strength * (0.6 * inside + 0.5 * rim * inside);
      s.albedo[i] *= static_cast<float>(1 - darker);
      s.gloss[i] *= static_cast<float>(1 - darker);
    }
}

// A fibre that has fallen on the surface.
void fibre(Rng& rng, Place at, double size, Scene& s) {
  const double width = between(rng, 0.9, 1.6), light = between(rng, 0.15, 0.3) * (rng.uniform() < 0.5 ? 1 : -1);
  along(s, wander(rng, at, between(rng, 60, 220) * size, 4), width + 1, [&](std::size_t i, double d, double) {
    const double inside = smooth_step(width + 0.5 - d);
    s.relief[i] += static_cast<float>(2.2 * inside * std::sqrt(std::max(0.0, 1 - d * d / ((width + 1) * (width + 1)))));
    s.albedo[i] = static_cast<float>(std::clamp(s.albedo[i] + light * inside, 0.02, 0.95));
  });
}

// One to six small holes beside each other.
void pits(Rng& rng, Place at, double size, Scene& s) {
  const int count = 1 + static_cast<int>(rng.below(6));
  for (int k = 0; k < count; ++k) {
    const double radius = between(rng, 1.6, 4.2) * std::max(0.5, size),
                 x0 = at.x + (k > 0 ? 14 * size * rng.normal() : 0), y0 = at.y + (k > 0 ? 14 * size * rng.normal() : 0);
    along(s, {{x0, y0}, {x0 + between(rng, 0, radius), y0 + between(rng, 0, radius)}}, radius + 1,
          [&](std::size_t i, double d, double) {
            const double inside = smooth_step((radius + 0.6 - d) / 1.2);
            s.relief[i] -= static_cast<float>(2.5 * inside);
            s.albedo[i] *= static_cast<float>(1 - 0.65 * inside);
            s.gloss[i] *= static_cast<float>(1 - 0.9 * inside);
          });
  }
}

void add_flaw(Flaw flaw, Rng& rng, Place at, double size, Scene& s) {
  switch (flaw) {
    case Flaw::kScratch:
      return scratch(rng, at, size, s);
    case Flaw::kDent:
      return dent(rng, at, size, s);
    case Flaw::kStain:
      return stain(rng, at, size, s);
    case Flaw::kThread:
      return fibre(rng, at, size, s);
    case Flaw::kPit:
      return pits(rng, at, size, s);
  }
}

// ---- light and camera -----------------------------------------------------------------------------------------------

// Pixels [left, right) x [top, bottom).
struct Box {
  int left, top, right, bottom;
  bool empty() const { return left >= right; }
};

// The smallest that holds all pixels whose light differs, which a pixel's neighbours decide too.
Box differing(const Scene& a, const Scene& b) {
  Box box{a.width, a.height, 0, 0};
  std::size_t i = 0;
  for (int y = 0; y < a.height; ++y)
    for (int x = 0; x < a.width; ++x, ++i)
      if (a.relief[i] != b.relief[i] || a.albedo[i] != b.albedo[i] || a.gloss[i] != b.gloss[i])
        box = {std::min(box.left, x - 1), std::min(box.top, y - 1), std::max(box.right, x + 2),
               std::max(box.bottom, y + 2)};
  return {std::max(box.left, 0), std::max(box.top, 0), std::min(box.right, a.width), std::min(box.bottom, a.height)};
}

// Light that the camera sees of these pixels, written into `light` [height, width].
void shine(const Scene& s, double azimuth, double elevation, const Box& box, std::vector<float>& light) {
  const double lx = std::cos(azimuth) * std::cos(elevation), ly = std::sin(azimuth) * std::cos(elevation),
               lz = std::sin(elevation);
  const double hx = lx, hy = ly, hz = lz + 1, half = std::sqrt(hx * hx + hy * hy + hz * hz);
  const auto at = [&](int y, int x) {
    return s.relief[static_cast<std::size_t>(std::clamp(y, 0, s.height - 1)) * static_cast<std::size_t>(s.width) +
                    static_cast<std::size_t>(std::clamp(x, 0, s.width - 1))];
  };
  for (int y = box.top; y < box.bottom; ++y)
    for (int x = box.left; x < box.right; ++x) {
      const double dx = 0.5 * (at(y, x + 1) - at(y, x - 1)), dy = 0.5 * (at(y + 1, x) - at(y - 1, x));
      const double norm = 1 / std::sqrt(dx * dx + dy * dy + 1);
      const double facing = std::max(0.0, (-dx * lx - dy * ly + lz) * norm),
                   mirrored = std::max(0.0, (-dx * hx - dy * hy + hz) * norm / half);
      const std::size_t i =
          static_cast<std::size_t>(y) * static_cast<std::size_t>(s.width) + static_cast<std::size_t>(x);
      light[i] = static_cast<float>(s.albedo[i] * (0.3 + 0.9 * facing) + s.gloss[i] * std::pow(mirrored, 24));
    }
}

// Variance of the camera's noise: of reading, and of the light's own grains.
double noise_variance(double light) { return 6e-5 + 1.5e-4 * std::max(0.0, light); }

// How well a flaw is told from the surface on which it lies: the signal-to-noise ratio of the filter whose template is
// what the flaw changes (the non-prewhitening matched filter of Wagner & Brown 1985). Its answer to the flaw, over the
// spread of its answers to the sound surface all over the image, the camera's noise included. `box` holds all that the
// flaw changes.
double detectability_of(const std::vector<float>& sound, const std::vector<float>& flawed, int height, int width,
                        const Box& box) {
  if (box.empty()) return 0;
  const auto at = [&](int y, int x) {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
  };
  const double mean = std::accumulate(sound.begin(), sound.end(), 0.0) / static_cast<double>(sound.size());
  double energy = 0;  // of the template
  for (int y = box.top; y < box.bottom; ++y)
    for (int x = box.left; x < box.right; ++x) energy += std::pow(flawed[at(y, x)] - sound[at(y, x)], 2);
  constexpr int kPlaces = 16;  // along each side, as far apart as the image allows
  double sum = 0, squares = 0;
  for (int j = 0; j < kPlaces; ++j)
    for (int i = 0; i < kPlaces; ++i) {
      const int down = (height - (box.bottom - box.top)) * j / (kPlaces - 1) - box.top,
                over = (width - (box.right - box.left)) * i / (kPlaces - 1) - box.left;
      double answer = 0;
      for (int y = box.top; y < box.bottom; ++y)
        for (int x = box.left; x < box.right; ++x)
          answer += (flawed[at(y, x)] - sound[at(y, x)]) * (sound[at(y + down, x + over)] - mean);
      sum += answer;
      squares += answer * answer;
    }
  constexpr double kCount = kPlaces * kPlaces;
  const double of_surface = squares / kCount - sum / kCount * (sum / kCount);
  return energy / std::sqrt(std::max(0.0, of_surface) + noise_variance(mean) * energy);
}

// Light from a surface as a camera's picture.
Image photograph(const std::vector<float>& light, const SurfaceOptions& o, Rng& view, Rng& grain) {
  const double exposure = between(view, 0.9, 1.1), slope = between(view, 0, 0.22), towards = between(view, 0, 2 * kPi),
               vignette = between(view, 0.05, 0.2), blur = between(view, 0.55, 0.85);
  const std::vector<float> sharp = gaussian_blur(light, o.height, o.width, blur);
  // A tint of each surface's own, a little different in each picture.
  constexpr double kTints[][3] = {{1, 1, 1.02}, {0.98, 1, 1.02}, {0.78, 0.92, 1.2}, {1.35, 0.95, 0.7}, {1.03, 1, 0.95}};
  std::array<double, 3> tint{};
  for (std::size_t c = 0; c < 3; ++c)
    tint[c] = o.channels == 1 ? 1 : kTints[static_cast<int>(o.surface)][c] * between(view, 0.98, 1.02);
  Image image{o.height, o.width, o.channels, {}};
  image.pixels.reserve(image.size());
  for (int y = 0; y < o.height; ++y)
    for (int x = 0; x < o.width; ++x) {
      const double u = (x + 0.5) / o.width - 0.5, v = (y + 0.5) / o.height - 0.5;
      const double falloff =
          1 + slope * (std::cos(towards) * u + std::sin(towards) * v) - vignette * 2 * (u * u + v * v);
      const double arrived =
          exposure * falloff *
          sharp[static_cast<std::size_t>(y) * static_cast<std::size_t>(o.width) + static_cast<std::size_t>(x)];
      for (int c = 0; c < o.channels; ++c) {
        const double value = arrived * tint[static_cast<std::size_t>(c)];
        const double noisy = value + std::sqrt(noise_variance(value)) * grain.normal();
        image.pixels.push_back(static_cast<float>(std::round(255 * std::clamp(noisy, 0.0, 1.0)) / 255));
      }
    }
  return image;
}

// Where two scenes differ so that it could be seen.
std::vector<std::uint8_t> changed(const Scene& a, const Scene& b) {
  constexpr float kRelief = 0.2f, kColour = 0.025f;
  std::vector<std::uint8_t> mask(a.relief.size());
  for (std::size_t i = 0; i < mask.size(); ++i)
    mask[i] = std::abs(a.relief[i] - b.relief[i]) > kRelief || std::abs(a.albedo[i] - b.albedo[i]) > kColour;
  return mask;
}

}  // namespace

SurfaceImage draw_surface(const SurfaceOptions& o, std::uint64_t number, std::optional<Flaw> flaw) {
  PGAD_CHECK(o.height >= kLeastSide && o.width >= kLeastSide && (o.channels == 1 || o.channels == 3), o.height, "x",
             o.width, "x", o.channels);
  Rng view_rng(o.seed, kView + number), grain(o.seed, kNoise + number);
  // Of cloth, leather and prints the same kind, each from another place; of metal each piece was worked on by itself.
  const std::uint64_t texture = Rng(o.seed, kTexture + static_cast<std::uint64_t>(o.surface)).next_u32();
  const bool directed = o.surface != Surface::kCast && o.surface != Surface::kLeather;
  const View view(view_rng, directed ? 0.03 : kPi);
  const double shift = 1.2 * view_rng.normal(), azimuth = between(view_rng, -0.25, 0.25) - 0.6 * kPi,
               elevation = between(view_rng, 0.75, 0.95);
  const auto make = [&](const Gap* gap) { return surface_of(o.surface, o.height, o.width, texture, view, shift, gap); };
  const Scene sound = make(nullptr);
  std::vector<float> light(sound.relief.size());
  shine(sound, azimuth, elevation, {0, 0, o.width, o.height}, light);
  SurfaceImage result;
  if (flaw) {
    const std::vector<float> sound_light = light;
    Rng rng(o.seed, kFlawPlace + number);
    double size = std::clamp(std::min(o.height, o.width) / 1024.0, kSmallest, 1.0);
    const double most = kLargestFlaw * static_cast<double>(sound.relief.size());
    for (int attempt = 0, fitting = 0; fitting < kVisibleAttempts && result.detectability < kLeastDetectability;
         ++attempt) {
      PGAD_CHECK(attempt < kAttempts, "no place for a flaw");
      const Place at = {between(rng, 0.08, 0.92) * o.width, between(rng, 0.08, 0.92) * o.height};
      Scene scene = sound;
      if (*flaw == Flaw::kThread && o.surface == Surface::kWoven) {
        const double u = view.x + view.cosine * at.x - view.sine * at.y,
                     v = view.y + view.sine * at.x + view.cosine * at.y, half = between(rng, 30, 130) * size;
        const Gap gap{static_cast<std::int64_t>(std::floor(u / kThread)), v - half, v + half};
        scene = make(&gap);
      } else {
        add_flaw(*flaw, rng, at, size, scene);
      }
      std::vector<std::uint8_t> mask = changed(sound, scene);
      const auto marked = static_cast<double>(std::ranges::count(mask, 1));
      if (marked > most) size *= 0.8;
      if (marked == 0 || marked > most) continue;
      ++fitting;
      const Box box = differing(sound, scene);
      std::vector<float> flawed = sound_light;
      shine(scene, azimuth, elevation, box, flawed);
      const double detectability = detectability_of(sound_light, flawed, o.height, o.width, box);
      if (detectability <= result.detectability) continue;
      result.detectability = detectability;
      result.mask = std::move(mask);
      light = std::move(flawed);
    }
  }
  result.image = photograph(light, o, view_rng, grain);
  return result;
}

}  // namespace pgad
