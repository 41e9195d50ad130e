#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests. With CI=true (or --all) also under AddressSanitizer and
# UndefinedBehaviorSanitizer, CUDA's kernels and the threads under ThreadSanitizer, and what computes with every lesser instruction set
# that this machine has; warnings are errors then.
set -euo pipefail
cd "$(dirname "$0")/.."

all=${CI:-false}
[ "${1:-}" = "--all" ] && all=true
werror=OFF
[ "$all" = true ] && werror=ON

scripts/setup.sh --tests

# Tests whose results come from the kernels of the CPU.
computes='Ops|Grad|Winograd|Search|Golden|Network|Loss|Training|Trainer|Encoder|Scorer|_program|programs_test'

say() { echo "== $1 (after $((SECONDS / 60)):$(printf %02d $((SECONDS % 60))) min)"; }

# PGAD_TESTS is set, since the folder may be one that was configured without.
build() {  # build PRESET [TARGET...]
  local preset=$1
  shift
  say "$preset: building"
  cmake --preset "$preset" -DPGAD_TESTS=ON -DPGAD_WERROR=$werror >/dev/null
  cmake --build --preset "$preset" ${1:+--target "$@"} -- --quiet
}
run() {  # run PRESET [CTEST ARGUMENT...]
  local preset=$1
  shift
  say "$preset: testing"
  ctest --preset "$preset" --parallel "$(nproc)" "$@"
}

if [ "$all" = true ]; then
  build asan
  run asan
  build tsan simt_test races_test team_test inspector_threads_test
  run tsan
fi
build release
run release
if [ "$all" = true ]; then
  # Of CUDA's kernels the build above knows; several files at once, since nothing here is built again for a small change.
  say "as it is installed on a plain PC: without tests, emulation and CUDA"
  cmake --preset release -B build/installed -DPGAD_TESTS=OFF -DPGAD_BENCH=OFF -DPGAD_CUDA=OFF -DCMAKE_UNITY_BUILD=ON \
    -DCMAKE_UNITY_BUILD_BATCH_SIZE=16 -DPGAD_WERROR=$werror >/dev/null
  cmake --build build/installed -- --quiet
  tests/installed_test.sh build/installed .
fi
if [ "$all" = true ] && [ "$(uname -m)" = x86_64 ]; then
  levels=(sse2)
  grep -qw avx512vl /proc/cpuinfo && levels=(avx2 sse2)
  for isa in "${levels[@]}"; do
    say "instruction set $isa"
    PGAD_ISA=$isa run release -R "$computes" -E '[Cc]uda|[Ee]mulat|on_gpu|simt'
  done
fi
grep -h -E '^(emulated: |[0-9]+ kernels, )' build/release/Testing/Temporary/LastTest.log || true
say "all passed"
