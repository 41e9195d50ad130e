#!/usr/bin/env bash
# Builds, on a machine with a CUDA toolkit, a folder to carry to one that has only a GPU and its driver: programs, tests and
# benchmarks for sm_80 and sm_90 (PGAD_CUDA_ARCHITECTURES chooses others), with the data, golden files and scripts they need.
#
#   scripts/gpu_bundle.sh DIR
#   DIR/scripts/gpu_check.sh OUTDIR      # there
#
# Libraries are linked statically as far as there are static ones; Google Benchmark is copied to DIR/lib. The other machine
# needs a C library like this one's (built on Debian 12: 2.35 or later), and for kernels_bench the libstdc++ of GCC 12 or
# later. PGAD_BUILD chooses the build folder (build/bundle), JOBS the number of compilers at once.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ $# -ne 1 || $1 == -* ]]; then
  sed -n '5,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
build=${PGAD_BUILD:-$root/build/bundle}
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DPGAD_STATIC=ON -DPGAD_CUDA=ON \
  ${PGAD_CUDA_ARCHITECTURES:+-DPGAD_CUDA_ARCHITECTURES="$PGAD_CUDA_ARCHITECTURES"} >/dev/null
tests=(golden_test)
for source in "$root"/tests/cuda_*_test.cpp; do
  source=${source##*/}
  tests+=("${source%.cpp}")
done
cmake --build "$build" -j "${JOBS:-$(nproc)}" --target pgad_train pgad_infer kernels_bench step_bench "${tests[@]}"

mkdir -p "$1"/{apps,tests,bench,lib,data,scripts}
bundle=$(cd "$1" && pwd)
cp "$build"/apps/{pgad_train,pgad_infer} "$bundle/apps"
cp "$build"/bench/{kernels_bench,step_bench} "$bundle/bench"
for test in "${tests[@]}"; do cp "$build/tests/$test" "$bundle/tests"; done
programs=("$bundle"/apps/* "$bundle"/bench/*_bench "$bundle"/tests/*_test)
strip "${programs[@]}"
cp -r "$root/tests/golden" "$bundle/tests"
cp -r "$root/data/mnist-subset" "$bundle/data"
cp -r "$root/bench/pytorch" "$root/bench/compare_pytorch.sh" "$bundle/bench"
cp -r "$root"/scripts/{gpu_check.sh,find_torch.sh,parity} "$bundle/scripts"
find "$bundle" -name __pycache__ -prune -exec rm -r {} +
cp "$root/LICENSE" "$bundle"
git -C "$root" describe --always --dirty >"$bundle/COMMIT" 2>/dev/null || echo unknown >"$bundle/COMMIT"

# What is no part of the C and C++ systems.
for program in "${programs[@]}"; do
  ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// && $1 !~ /^(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s)\.so/ { print $3 }'
done | sort -u | while read -r library; do
  cp -L "$library" "$bundle/lib"
done
echo "$bundle: $(du -sm "$bundle" | cut -f 1) MB; in lib: $(cd "$bundle/lib" && echo *)"
