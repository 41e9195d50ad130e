#!/usr/bin/env bash
# Fuzzes what reads files from elsewhere: image decoders, masks, IDX, .npy, safetensors, JSON configurations
# (tests/fuzz/entries.h), with AddressSanitizer and UndefinedBehaviorSanitizer. Needs clang, its runtime and libomp.
#
#   scripts/fuzz.sh [SECONDS [ENTRY...]]
#
# SECONDS for each entry: 60 by default. ENTRY: names of tests/fuzz/corpus; all by default. A finding is written to
# build/fuzz/findings and ends its fuzzer; exit code 1. When it is mended, it belongs into tests/fuzz/corpus/ENTRY as
# found-WHAT, where tests/fuzz_corpus_test.cpp finds it. What an entry has learnt is kept in build/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
[[ $seconds =~ ^[0-9]+$ ]] || { echo "fuzz.sh: '$seconds', expected a number of seconds" >&2; exit 2; }
shift || true
entries=("$@")
[ ${#entries[@]} -gt 0 ] || mapfile -t entries < <(ls tests/fuzz/corpus)
for entry in "${entries[@]}"; do
  [ -d "tests/fuzz/corpus/$entry" ] || { echo "fuzz.sh: no entry '$entry'; there are: $(echo $(ls tests/fuzz/corpus))" >&2; exit 2; }
done
clang=${CLANGXX:-clang++}
command -v "$clang" >/dev/null || { echo "fuzz.sh: no $clang: apt-get install clang libomp-dev, or set CLANGXX" >&2; exit 2; }

build=build/fuzz
cmake -S . -B $build -G Ninja -DCMAKE_CXX_COMPILER="$clang" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS=-g1 -DPGAD_FUZZ=ON \
  -DPGAD_SANITIZE=address,undefined -DPGAD_TESTS=OFF -DPGAD_BENCH=OFF -DPGAD_CUDA=OFF >/dev/null
cmake --build $build --target "${entries[@]/#/fuzz_}" -- --quiet

mkdir -p $build/findings
status=0
for entry in "${entries[@]}"; do
  mkdir -p "$build/corpus/$entry"
  # max_len: none of these files needs more to reach all of its code. A single input may take 10 s and 1 GB.
  if ! "$build/tests/fuzz/fuzz_$entry" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=4096 \
    -artifact_prefix="$build/findings/$entry-" -print_final_stats=1 "$build/corpus/$entry" "tests/fuzz/corpus/$entry" \
    >"$build/$entry.log" 2>&1; then
    status=1
    echo "$entry: FOUND, see $build/$entry.log"
    tail -n 40 "$build/$entry.log"
  fi
  echo "$entry: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$entry.log") executions in $seconds s," \
    "$(sed -n 's/^stat::peak_rss_mb: *//p' "$build/$entry.log") MB at most"
done
exit $status
