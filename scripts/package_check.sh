#!/usr/bin/env bash
# Makes the Debian packages, installs them, builds the examples against them and compares what they print with pgad_infer.
# Installs packages, so in a system of its own (root):
#   scripts/fresh_machine.sh bookworm|trixie scripts/package_check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "package_check.sh: needs root, to install packages" >&2; exit 2; }
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends dpkg-dev file >/dev/null
scripts/package.sh build/packages
apt-get install -y -qq --no-install-recommends ./build/packages/*.deb gcc g++ make cmake pkg-config python3 >/dev/null

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
pgad_train --data data/mnist-subset --normal-class 8 --resolution 8 --fmap-max 4 --latent-size 4 --steps 3 --calibration-images 8 \
  --total-kimg .3 --fade-kimg .1 --stable-kimg .1 --out "$tmp/run" >/dev/null 2>&1
gzip -dc data/mnist-subset/train-images-idx3-ubyte.gz >"$tmp/digits"
printf 'P5\n28 28\n255\n' >"$tmp/digit.pgm"
dd if="$tmp/digits" bs=784 count=1 iflag=fullblock,skip_bytes skip=16 status=none >>"$tmp/digit.pgm"
model=$tmp/run/model.safetensors
pgad_infer score --model "$model" --input "$tmp/digit.pgm" --out "$tmp/scores" >/dev/null 2>&1
examples=/usr/share/doc/pgad/examples
cmake -S $examples -B "$tmp/build" >/dev/null
cmake --build "$tmp/build" >/dev/null
gcc -std=c99 $examples/inspect.c -o "$tmp/by_pkg_config" $(pkg-config --cflags --libs pgad)
"$tmp/build/inspect_cpp" "$model" "$tmp/digit.pgm" | tee "$tmp/expected"
combined=$(sed -n 's/^combined //p' "$tmp/expected")
awk -F, -v c="$combined" 'NR == 2 {exit sprintf("%.9g", $7) != c}' "$tmp/scores/scores.csv" ||
  { echo "package_check.sh: pgad_infer has another combined score: $(tail -n 1 "$tmp/scores/scores.csv")" >&2; exit 1; }
for program in "$tmp/build/inspect_c" "$tmp/by_pkg_config" "python3 $examples/inspect.py"; do
  $program "$model" "$tmp/digit.pgm" | diff - "$tmp/expected" || { echo "package_check.sh: $program prints something else" >&2; exit 1; }
done
echo "installed from packages: C++, C and Python print what pgad_infer prints"
