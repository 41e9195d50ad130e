#!/usr/bin/env bash
# Builds, on a machine with a CUDA toolkit, a folder to carry to one that has only a GPU and its driver: programs, tests and
# benchmarks for sm_90 alone (PGAD_CUDA_ARCHITECTURES chooses others, e.g. "80-real;90"), stripped, with the data, golden
# files and scripts they need. A folder of more than 50 MiB is an error: lent machines take no more.
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
  sed -n '6,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
if [[ -d $1 && -n $(ls -A "$1") && ! -f $1/COMMIT ]]; then
  echo "gpu_bundle.sh: $1 is neither empty nor a folder that this script has made; expected one of these, or none" >&2
  exit 2
fi
build=${PGAD_BUILD:-$root/build/bundle}
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DPGAD_STATIC=ON -DPGAD_CUDA=ON \
  -DPGAD_CUDA_ARCHITECTURES="${PGAD_CUDA_ARCHITECTURES:-90-real}" >/dev/null
cmake --build "$build" -j "${JOBS:-$(nproc)}" --target pgad_train pgad_infer kernels_bench step_bench gpu_tests

rm -rf "${1:?}"/{apps,tests,bench,lib,data,scripts}
mkdir -p "$1"/{apps,tests,bench,lib,data,scripts}
bundle=$(cd "$1" && pwd)
cp "$build"/apps/{pgad_train,pgad_infer} "$bundle/apps"
cp "$build"/bench/{kernels_bench,step_bench} "$bundle/bench"
cp "$build/tests/gpu_tests" "$bundle/tests"
programs=("$bundle"/apps/* "$bundle"/bench/*_bench "$bundle/tests/gpu_tests")
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

limit=50 # MiB
bytes=$(du -sb "$bundle" | cut -f 1)
if [[ $bytes -gt $((limit << 20)) ]]; then
  {
    echo "gpu_bundle.sh: $bundle has $((bytes >> 20)) MiB; at most $limit are allowed. Its largest files, in bytes:"
    (cd "$bundle" && find . -type f -printf '%s %P\n' | sort -rn | head -n 12)
  } >&2
  exit 1
fi
echo "$bundle: $((bytes >> 20)) of $limit MiB; in lib: $(cd "$bundle/lib" && echo *)"
