#pragma once
#include "kernels/extra_map/extra_map.h"

namespace pgad {
void append_map_cpu(Exec&, const AppendMapArgs<float>&);
void drop_map_cpu(Exec&, const DropMapArgs<float>&);
void sum_map_cpu(Exec&, const SumMapArgs<float>&);
}  // namespace pgad
