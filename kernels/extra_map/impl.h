#pragma once
#include "kernels/extra_map/extra_map.h"

namespace pgad {
void append_map_cpu(Exec&, const AppendMapArgs<float>&);
void drop_map_cpu(Exec&, const DropMapArgs<float>&);
void sum_map_cpu(Exec&, const SumMapArgs<float>&);
PGAD_DECLARE_CUDA(append_map_cuda, AppendMapArgs<float>)
PGAD_DECLARE_CUDA(drop_map_cuda, DropMapArgs<float>)
PGAD_DECLARE_CUDA(sum_map_cuda, SumMapArgs<float>)
}  // namespace pgad
