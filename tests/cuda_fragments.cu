#include "simt/simt.h"
#include "tests/cuda_fragments.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

__global__ void bf16_kernel(float* out) {
  const int lane = static_cast<int>(threadIdx.x), one = static_cast<int>(blockIdx.x);
  std::uint32_t a[4], b[2];
  for (int i = 0; i < 4; ++i) {
    const int element = 8 * lane + 2 * i;
    a[i] = ptx::pack_bf16(element == one ? 1.f : 0.f, element + 1 == one ? 1.f : 0.f);
  }
  for (int i = 0; i < 2; ++i) {
    const int element = 4 * lane + 2 * i;
    b[i] = ptx::pack_bf16(static_cast<float>(element + 1), static_cast<float>(element + 2));  // to 128: exact
  }
  float d[4] = {};
  ptx::mma_m16n8k16_bf16(d, a, b);
  for (int i = 0; i < 4; ++i) out[(one * kLanes + lane) * 4 + i] = d[i];
}

__global__ void tf32_kernel(float* out) {
  const int lane = static_cast<int>(threadIdx.x), one = static_cast<int>(blockIdx.x);
  std::uint32_t a[4], b[2];
  for (int i = 0; i < 4; ++i) a[i] = ptx::to_tf32(4 * lane + i == one ? 1.f : 0.f);
  for (int i = 0; i < 2; ++i) b[i] = ptx::to_tf32(static_cast<float>(2 * lane + i + 1));
  float d[4] = {};
  ptx::mma_m16n8k8_tf32(d, a, b);
  for (int i = 0; i < 4; ++i) out[(one * kLanes + lane) * 4 + i] = d[i];
}

template <int kForm>
__global__ void ldmatrix_kernel(float* out) {
  constexpr int kMatrices = 4;
  SIMT_SHARED(std::uint16_t, matrices, [kMatrices * 64]);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < kMatrices * 64; i += kLanes) matrices[i] = static_cast<std::uint16_t>(i);
  __syncwarp();
  const std::uint16_t* row = matrices + 8 * lane;
  std::uint32_t r[kMatrices];
  if constexpr (kForm == kX4) ptx::ldmatrix_x4(r, row);
  if constexpr (kForm == kX4Trans) ptx::ldmatrix_x4_trans(r, row);
  for (int i = 0; i < kMatrices; ++i) {
    out[(lane * kMatrices + i) * 2] = static_cast<float>(r[i] & 0xffffu);
    out[(lane * kMatrices + i) * 2 + 1] = static_cast<float>(r[i] >> 16);
  }
}

}  // namespace

void dump_fragments(Exec& exec, const FragmentsArgs& args) {
  const auto stream = static_cast<simt::stream_t>(exec.stream());
  simt::launch("fragments_bf16", bf16_kernel, 256, kLanes, stream, args.bf16);
  simt::launch("fragments_tf32", tf32_kernel, 128, kLanes, stream, args.tf32);
  simt::launch("fragments_x4", ldmatrix_kernel<kX4>, 1, kLanes, stream, args.ldmatrix[kX4]);
  simt::launch("fragments_x4_trans", ldmatrix_kernel<kX4Trans>, 1, kLanes, stream, args.ldmatrix[kX4Trans]);
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
