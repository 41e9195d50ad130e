// The instructions of ptx.h for the emulator. Each is a rendezvous of the whole warp.

#include <algorithm>
#include <bit>
#include <cstring>

#include "simt/simt.h"

namespace ptx {
inline namespace emulated {
namespace {

constexpr unsigned kWholeWarp = ~0u;

void require_whole_warp(const char* what, unsigned mask, const Site& site) {
  if (mask != kWholeWarp) simt::detail::fail(site, pgad::str(what, ": the warp has fewer than 32 threads"));
}

struct MmaParcel {
  float (&d)[4];
  const std::uint32_t (&a)[4];
  const std::uint32_t (&b)[2];
  const Site& site;
};

// a(row, k) and b(k, column) are taken out of the fragments by `a_at` and `b_at`.
template <int K, class A, class B>
void multiply(void* const* parcels, A a_at, B b_at) {
  const auto parcel = [&](int lane) -> const MmaParcel& { return *static_cast<const MmaParcel*>(parcels[lane]); };
  float a[16][K], b[K][8];
  for (int k = 0; k < K; ++k) {
    for (int row = 0; row < 16; ++row) a[row][k] = a_at(parcel, row, k);
    for (int column = 0; column < 8; ++column) b[k][column] = b_at(parcel, k, column);
  }
  for (int row = 0; row < 16; ++row) {
    for (int column = 0; column < 8; ++column) {
      float sum = 0;
      for (int k = 0; k < K; ++k) sum += a[row][k] * b[k][column];
      parcel(row % 8 * 4 + column / 2).d[row / 8 * 2 + column % 2] += sum;
    }
  }
}

float bf16_of(std::uint32_t pair, int which) {
  return std::bit_cast<float>(which == 0 ? pair << 16 : pair & 0xffff0000u);
}
float tf32_of(std::uint32_t bits) { return std::bit_cast<float>(bits & ~0x1fffu); }

void ldmatrix(const char* what, std::uint32_t (&r)[4], const void* row, bool transposed, const Site& site) {
  struct Parcel {
    std::uint16_t row[8];
    std::uint32_t (&r)[4];
    bool transposed;
  } parcel{{}, r, transposed};
  simt::detail::check_aligned(what, row, 16, site);
  std::memcpy(parcel.row, row, sizeof parcel.row);  // by the lane itself, so that a race is seen as its own
  simt::detail::meet_warp(
      what, kWholeWarp, site, &parcel,
      [](void* const* parcels, unsigned mask) {
        for (int lane = 0; lane < 32; ++lane) {
          if ((mask >> lane & 1) == 0) continue;
          auto& to = *static_cast<Parcel*>(parcels[lane]);
          const int g = lane / 4, t = lane % 4;
          for (int i = 0; i < 4; ++i) {
            std::uint32_t pair = 0;
            for (int half = 0; half < 2; ++half) {
              const int at = i * 8 + (to.transposed ? 2 * t + half : g);
              if ((mask >> at & 1) == 0) continue;
              const auto& from = *static_cast<const Parcel*>(parcels[at]);
              pair |= std::uint32_t{from.row[to.transposed ? g : 2 * t + half]} << 16 * half;
            }
            to.r[i] = pair;
          }
        }
      },
      simt::detail::Memory::kUnordered);
}

}  // namespace

void mma_m16n8k16_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], Site site) {
  MmaParcel parcel{d, a, b, site};
  simt::detail::meet_warp(
      "mma_m16n8k16_bf16", kWholeWarp, site, &parcel,
      [](void* const* parcels, unsigned mask) {
        require_whole_warp("mma", mask, static_cast<const MmaParcel*>(parcels[std::countr_zero(mask)])->site);
        multiply<16>(
            parcels,
            [](const auto& parcel_of, int row, int k) {
              return bf16_of(parcel_of(row % 8 * 4 + k % 8 / 2).a[k / 8 * 2 + row / 8], k % 2);
            },
            [](const auto& parcel_of, int k, int column) {
              return bf16_of(parcel_of(column * 4 + k % 8 / 2).b[k / 8], k % 2);
            });
      },
      simt::detail::Memory::kUnordered);
}

void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], Site site) {
  MmaParcel parcel{d, a, b, site};
  simt::detail::meet_warp(
      "mma_m16n8k8_tf32", kWholeWarp, site, &parcel,
      [](void* const* parcels, unsigned mask) {
        require_whole_warp("mma", mask, static_cast<const MmaParcel*>(parcels[std::countr_zero(mask)])->site);
        multiply<8>(
            parcels,
            [](const auto& parcel_of, int row, int k) {
              return tf32_of(parcel_of(row % 8 * 4 + k % 4).a[k / 4 * 2 + row / 8]);
            },
            [](const auto& parcel_of, int k, int column) { return tf32_of(parcel_of(column * 4 + k % 4).b[k / 4]); });
      },
      simt::detail::Memory::kUnordered);
}

std::uint32_t to_tf32(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  return std::isfinite(x) ? (bits + 0x1000u) & ~0x1fffu : bits;
}

std::uint32_t pack_bf16(float low, float high) {
  const auto round = [](float x) -> std::uint32_t {
    if (std::isnan(x)) return 0x7fff;
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
    return (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
  };
  return round(low) | round(high) << 16;
}

void ldmatrix_x4(std::uint32_t (&r)[4], const void* shared_row, Site site) {
  ldmatrix("ldmatrix_x4", r, shared_row, false, site);
}
void ldmatrix_x4_trans(std::uint32_t (&r)[4], const void* shared_row, Site site) {
  ldmatrix("ldmatrix_x4_trans", r, shared_row, true, site);
}

}  // namespace emulated
}  // namespace ptx
