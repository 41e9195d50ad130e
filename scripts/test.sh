#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests. With CI=true (or --all) also under AddressSanitizer and
# UndefinedBehaviorSanitizer, CUDA's kernels under ThreadSanitizer, and without oneDNN; warnings are errors then.
set -euo pipefail
cd "$(dirname "$0")/.."

all=${CI:-false}
[ "${1:-}" = "--all" ] && all=true
werror=OFF
[ "$all" = true ] && werror=ON

scripts/setup.sh

build() {  # build PRESET [TARGET...]
  local preset=$1
  shift
  echo "== $preset: building"
  cmake --preset "$preset" -DPGAD_WERROR=$werror >/dev/null
  cmake --build --preset "$preset" ${1:+--target "$@"} -- --quiet
}
run() {  # run PRESET [CTEST ARGUMENT...]
  local preset=$1
  shift
  echo "== $preset: testing"
  ctest --preset "$preset" --parallel "$(nproc)" "$@"
}

if [ "$all" = true ]; then
  build asan
  run asan
  build tsan simt_test races_test
  run tsan
  # Without oneDNN: what convolutions and products reach.
  build no-onednn ops_test winograd_test
  run no-onednn -R '/Ops|Winograd|^Ops'
fi
build release
run release
grep -h -E '^(emulated: |[0-9]+ kernels, )' build/release/Testing/Temporary/LastTest.log || true
