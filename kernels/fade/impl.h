#pragma once
#include "kernels/fade/fade.h"

namespace pgad {
void fade_cpu(Exec&, const FadeArgs<float>&);
}  // namespace pgad
