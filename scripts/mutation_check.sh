#!/usr/bin/env bash
# Do the tests in emulation notice a broken CUDA kernel? Breaks one line of a kernel at a time, in a copy of the source,
# builds the kernels' tests without nvcc and expects them to fail. About ten minutes on two cores.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git -C "$root" archive HEAD | tar -x -C "$work"
cd "$work"

# test | file | line as it is | what it becomes
mutations=$(cat <<'M'
cuda_kernels_test|kernels/reduction/cuda.cu|        __syncthreads();  // the next round writes sums|        // no barrier
cuda_kernels_test|kernels/reduction/cuda.cu|              if (row + k * ty < end) {|              if (row + k * ty <= end) {
cuda_kernels_test|kernels/latent_step/cuda.cu|    const bool better = loss < s.best_loss[n];|    const bool better = loss <= s.best_loss[n] \|\| loss != loss;
cuda_kernels_test|kernels/adam/cuda.cu|        m[j] = s.beta1 * m[j] + (1.0f - s.beta1) * g[j];|        m[j] = s.beta1 * m[j] + (1.0f - s.beta2) * g[j];
cuda_kernels_test|kernels/l1/cuda.cu|      return factor * (static_cast<float>(u > v) - static_cast<float>(u < v));|      return factor * (static_cast<float>(u >= v) - static_cast<float>(u < v));
cuda_kernels_test|kernels/pixelnorm/cuda.cu|    const float along = inverse * inverse * group_sum(product, lanes) / static_cast<float>(c);|    const float along = inverse * group_sum(product, lanes) / static_cast<float>(c);
cuda_conv_test|kernels/conv2d/cuda.cu|    const bool inside = l.image < end && s.p < k && i >= 0 && i < h && j >= 0 && j < w;|    const bool inside = l.image < end && s.p < k && i >= 0 && i < h && j >= 0 && j <= w;
cuda_conv_test|kernels/cuda_gemm.h|    ptx::cp_async_wait<kStages - 2>();|    ptx::cp_async_wait<kStages - 1>();
cuda_kernels_test|kernels/cuda_common.h|  __syncthreads();  // the next call writes parts|  // no barrier
M
)

cmake --preset release -DPGAD_CUDA=OFF -DPGAD_BENCH=OFF >/dev/null
cmake --build --preset release --target cuda_kernels_test cuda_conv_test -- --quiet
for test in cuda_kernels_test cuda_conv_test; do
  build/release/tests/$test >/dev/null || { echo "$test fails before anything is broken" >&2; exit 1; }
done

missed=0
while IFS= read -r mutation; do
  [ -n "$mutation" ] || continue
  python3 - "$mutation" <<'P'
import re, sys
test, path, before, after = re.split(r"(?<!\\)\|", sys.argv[1])
text = open(path).read()
before, after = (s.replace("\\|", "|") for s in (before, after))
if text.count(before + "\n") < 1:
    sys.exit(f"{path}: no line '{before.strip()}'")
open(path, "w").write(text.replace(before + "\n", after + "\n", 1))
P
  test=${mutation%%|*}
  file=$(cut -d'|' -f2 <<<"$mutation")
  cmake --build --preset release --target "$test" -- --quiet
  if timeout 120 build/release/tests/"$test" >"$work/said" 2>&1; then
    echo "MISSED  $mutation"
    missed=$((missed + 1))
  else
    echo "found   $mutation"
  fi
  git -C "$root" show HEAD:"$file" >"$file"
done <<<"$mutations"
[ $missed -eq 0 ]
