// Bias and leaky ReLU on CUDA: memory-bound. A thread keeps its channels' bias in registers and walks the rows.

#include "kernels/bias_act/impl.h"
#include "kernels/cuda_common.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

template <int V>
__global__ void __launch_bounds__(kBlock)
    bias_act_kernel(std::int64_t rows, std::int64_t c, const float* x, const float* b, float* y, float slope) {
  const auto act = [slope](float v, float bias) {
    const float u = v + bias;
    return u > 0 ? u : slope * u;
  };
  for (std::int64_t column = first_column() * V; column < c; column += column_step() * V) {
    Floats<V> bias = {};
    if (b != nullptr) bias = load<V>(b + column);
    for (std::int64_t row = first_row(); row < rows; row += row_step()) {
      const std::int64_t at = row * c + column;
      store<V>(y + at, each<V>(act, load<V>(x + at), bias));
    }
  }
}

struct ActGrad {
  float slope;
  __device__ float operator()(float dy, float y) const { return y > 0 ? dy : slope * dy; }
};

}  // namespace

void bias_act_cuda(Exec& exec, const BiasActArgs<float>& p) {
  with_width(by_four(p.c, p.x, p.b, p.y), [&](auto width) {
    constexpr int V = width;
    const RowGrid shape(exec, p.rows, p.c / V);
    simt::launch("bias_act", bias_act_kernel<V>, shape.grid, shape.block, stream_of(exec), p.rows, p.c, p.x, p.b, p.y,
                 p.slope);
  });
}

void act_grad_cuda(Exec& exec, const ActGradArgs<float>& p) {
  map(exec, "act_grad", ActGrad{p.slope}, p.n, p.out, p.dy, p.y);
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
