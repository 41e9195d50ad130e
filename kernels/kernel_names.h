#pragma once
// The names of all kernels. A table under another name does not compile (kernel.h), and a name whose kernel has not run
// in emulation fails the tests (tests/emulation_coverage.h). A list, and no registration by the tables themselves: a
// static library's linker leaves out the tables that a test does not use, which are the ones to be found.

#include <algorithm>
#include <iterator>
#include <string_view>

namespace pgad {

// clang-format off
inline constexpr std::string_view kKernelNames[] = {
    "act_grad",
    "adam",
    "append_map",
    "bias_act",
    "binary",
    "broadcast",
    "conv2d",
    "conv2d_bias_act",
    "conv2d_dgrad",
    "conv2d_operand",
    "conv2d_prepare",
    "conv2d_wgrad",
    "draw_latents",
    "drop_map",
    "ema",
    "fade",
    "fill",
    "l1",
    "latent_step",
    "matmul",
    "minibatch_stddev",
    "minibatch_stddev_vjp",
    "pixelnorm",
    "pixelnorm_act_vjp",
    "pixelnorm_vjp",
    "scale_by",
    "squared_norm",
    "sum",
    "sum_map",
    "sum_pool2x",
    "unary",
    "upsample2x",
};
// clang-format on

// Tests' own kernels begin with test_.
constexpr bool is_kernel_name(std::string_view name) {
  return name.starts_with("test_") ||
         std::find(std::begin(kKernelNames), std::end(kKernelNames), name) != std::end(kKernelNames);
}

}  // namespace pgad
