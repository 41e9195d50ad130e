#!/usr/bin/env bash
# Builds the examples against an installed pgad, with CMake and with pkg-config, and compares what they print with
# pgad_infer. Checks that what is for tests has not been installed.
#   examples_test.sh ROOT SOURCE [with]     ROOT: what pgad was installed below, /usr for packages; with: it has been
#                                           built with emulation, so this is not checked
set -euo pipefail
root=$1
source=$2
emulation=${3:-without}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() {
  echo "examples_test.sh: $1" >&2
  exit 1
}
# scripts/setup.sh installs ninja, and a bare system has no make.
command -v make >/dev/null || export CMAKE_GENERATOR=Ninja
lib=$(dirname "$(find "$root"/lib* -name 'libpgad.so.0' -print -quit)")

cmake -S "$source/examples" -B "$tmp/examples" -DCMAKE_PREFIX_PATH="$root" -DCMAKE_CXX_FLAGS="-Wall -Wextra" >/dev/null
cmake --build "$tmp/examples" >/dev/null
programs=("$tmp/examples/inspect_cpp" "$tmp/examples/inspect_c")
if command -v pkg-config >/dev/null; then
  ${CC:-cc} -std=c99 -Wall -Wextra -pedantic -Werror "$source/examples/inspect.c" -o "$tmp/by_pkg_config" \
    $(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --cflags --libs pgad)
  programs+=("$tmp/by_pkg_config")
fi
if command -v python3 >/dev/null; then programs+=("python3 $source/examples/inspect.py"); fi

# A model of a moment, and a digit as a PGM.
"$root/bin/pgad_train" --data "$source/data/mnist-subset" --normal-class 8 --resolution 8 --fmap-max 4 --latent-size 4 --steps 3 \
  --calibration-images 8 --total-kimg .3 --fade-kimg .1 --stable-kimg .1 --out "$tmp/run" >/dev/null 2>&1
model=$tmp/run/model.safetensors
gzip -dc "$source/data/mnist-subset/train-images-idx3-ubyte.gz" >"$tmp/digits"
printf 'P5\n28 28\n255\n' >"$tmp/digit.pgm"
dd if="$tmp/digits" bs=784 count=1 iflag=fullblock,skip_bytes skip=16 status=none >>"$tmp/digit.pgm"
"$root/bin/pgad_infer" score --model "$model" --input "$tmp/digit.pgm" --out "$tmp/scores" 2>/dev/null
columns='NR == 1 {split($0, name, ",")} NR == 2 {n = split($0, value, ","); for (i = 1; i <= n; ++i)
  if (name[i] != "path" && name[i] != "error" && name[i] != "map" && name[i] != "regions") print name[i], value[i] == "" ? "nan" : value[i]}'
awk -F, "$columns" "$tmp/scores/scores.csv" >"$tmp/expected"
export LD_LIBRARY_PATH=$lib
for program in "${programs[@]}"; do
  $program "$model" "$tmp/digit.pgm" >"$tmp/printed" || fail "$program failed"
  # Numbers of nine digits: the same float, however it is written.
  paste -d' ' "$tmp/expected" "$tmp/printed" | awk -v rows="$(wc -l <"$tmp/expected")" '
    $1 != $3 {print "names differ: " $0; bad = 1}
    $1 == "decision" {if ($2 != $4) {print; bad = 1} next}
    sprintf("%.9g", $2) != sprintf("%.9g", $4) {print; bad = 1}
    END {exit bad || NR != rows || rows < 11}' >&2 || fail "$program prints other scores than pgad_infer: $(cat "$tmp/printed")"
done
opencv=$tmp/examples/inspect_opencv
if [ -x "$opencv" ]; then
  "$opencv" "$model" "$tmp/digit.pgm" "$tmp/heat.png" >"$tmp/printed" || fail "$opencv failed"
  { paste -d' ' <(grep '^combined' "$tmp/expected") "$tmp/printed" |
    awk '{exit $1 != $3 || sprintf("%.5g", $2) != sprintf("%.5g", $4)}'; } || fail "$opencv: $(cat "$tmp/printed")"
  [ "$(head -c 4 "$tmp/heat.png" | od -An -c | tr -d ' ')" = '211PNG' ] || fail "$opencv saved no PNG"
else
  echo "no OpenCV here: its example was not built"
fi
if [ "$emulation" = without ]; then
  status=0
  "$root/bin/pgad_infer" score --model "$model" --input "$tmp/digit.pgm" --out "$tmp/emulated" --device cuda-emulated \
    >"$tmp/said" 2>&1 || status=$?
  { [ $status -eq 1 ] && grep -q 'no emulation' "$tmp/said"; } || fail "emulation is refused otherwise: $(cat "$tmp/said")"
  for file in "$lib/libpgad.so.0" "$root/bin/pgad_infer" "$root/bin/pgad_train"; do
    # The name of a type that the emulator throws.
    if grep -q N4simt5ErrorE "$file"; then fail "$file has the emulator in it"; fi
  done
else
  echo "built with emulation: not checked that programs have none"
fi
if $programs "$tmp/none" "$tmp/digit.pgm" 2>"$tmp/error"; then fail "a missing model is no error"; fi
grep -q "$tmp/none" "$tmp/error" || fail "the error does not name the file: $(cat "$tmp/error")"
echo "installed: ${#programs[@]} examples print what pgad_infer prints"
