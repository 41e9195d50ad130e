#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests. With CI=true (or --all) also under AddressSanitizer and
# UndefinedBehaviorSanitizer, and in a build without oneDNN; warnings are errors then.
set -euo pipefail
cd "$(dirname "$0")/.."

all=${CI:-false}
[ "${1:-}" = "--all" ] && all=true
werror=OFF
[ "$all" = true ] && werror=ON

scripts/setup.sh

run() {  # run PRESET [CTEST ARGUMENT...]
  local preset=$1
  shift
  echo "== $preset: building"
  cmake --preset "$preset" -DPGAD_WERROR=$werror >/dev/null
  cmake --build --preset "$preset" -- --quiet
  echo "== $preset: testing"
  ctest --preset "$preset" --parallel "$(nproc)" "$@"
}

if [ "$all" = true ]; then
  run asan
  # Without oneDNN the plain loops serve; what is tested there is that everything still computes the same.
  run no-onednn -R '^(All/Ops|Grad|All/TrainGolden|All/SearchGolden|Search|TrainStep|Networks)'
fi
run release
