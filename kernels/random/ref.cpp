#include "engine/rng.h"
#include "kernels/random/impl.h"

namespace pgad {

double draw_latent(Rng& rng, bool uniform) { return uniform ? 2 * rng.uniform() - 1 : rng.normal(); }

template <class T>
void draw_latents_ref(Exec&, const DrawLatentsArgs<T>& p) {
  Rng rng(p.key, p.stream);
  for (std::int64_t i = 0; i < p.n; ++i) p.out[i] = static_cast<T>(draw_latent(rng, p.uniform));
}

// A few kilobytes per image: the plain loop is the CPU version as well.
const Kernel<DrawLatentsArgs> kDrawLatents = {"draw_latents", draw_latents_ref<float>, draw_latents_ref<double>,
                                              nullptr, PGAD_CUDA_COLUMNS(draw_latents_cuda)};

}  // namespace pgad
