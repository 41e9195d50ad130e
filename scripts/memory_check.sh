#!/usr/bin/env bash
# Peak resident memory of training at 32x32, and of scoring 100 and 10,000 images: scoring must not grow with their number.
#
#   scripts/memory_check.sh
#
# Needs build/release/apps/pgad_train and pgad_infer (PGAD_BUILD chooses another build folder) and Linux' /proc. Exit status:
# 0 measured and within bounds, 1 scoring grew by more than the images' own bytes and 32 MB, 2 could not run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
apps=${PGAD_BUILD:-$root/build/release}/apps
if [[ ! -x $apps/pgad_train || ! -x $apps/pgad_infer || ! -r /proc/self/status ]]; then
  echo "memory_check.sh: expected the programs in $apps, and /proc" >&2
  exit 2
fi
tmp=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null || true; rm -rf "$tmp"' EXIT

# Runs a program and sets peak_kb to its VmHWM, which only grows: of several readings the last counts.
measure() {
  local status value
  peak_kb=0
  "$@" >"$tmp/out" 2>&1 &
  pid=$!
  while status=$(cat "/proc/$pid/status" 2>/dev/null) && [[ $status == *VmHWM:* ]]; do
    value=${status#*VmHWM:}
    value=${value%%kB*}
    value=${value//[[:space:]]/}
    # Between fork and exec the status is the shell's.
    [[ $status == Name:*pgad_* ]] && peak_kb=$value
    sleep 0.01
  done
  if ! wait "$pid"; then
    cat "$tmp/out" >&2
    exit 2
  fi
  pid=
}
megabytes() { echo "$((peak_kb / 1024)).$((peak_kb % 1024 * 10 / 1024)) MB"; }

# The first $1 images of the subset as an IDX file in folder $2. 28 x 28 bytes each, behind a header of 16.
take_images() {
  mkdir -p "$2"
  {
    printf '\000\000\010\003'
    printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"
    printf '\000\000\000\034\000\000\000\034'
    { gzip -dc "$root/data/mnist-subset/train-images-idx3-ubyte.gz" || true; } 2>/dev/null | tail -c +17 | head -c $(($1 * 784))
  } >"$2/train-images-idx3-ubyte" || true
}

measure "$apps/pgad_train" --data "$root/data/mnist-subset" --normal-class 8 --start-resolution 32 --fade-kimg 0 \
  --stable-kimg 1 --total-kimg 1 --steps 5 --calibration-images 16 --threads 1 --out "$tmp/run"
echo "training, preset tiny at 32x32, batch 16:  $(megabytes)"

for count in 100 10000; do
  take_images $count "$tmp/$count"
  measure "$apps/pgad_infer" score --model "$tmp/run/model.safetensors" --input "$tmp/$count" --steps 1 --threads 1 \
    --out "$tmp/scores-$count"
  rows=$(wc -l <"$tmp/scores-$count/scores.csv")
  if [[ $rows -ne $((count + 1)) ]]; then
    echo "memory_check.sh: $rows lines in scores.csv, expected $((count + 1))" >&2
    exit 2
  fi
  printf 'scoring %6d images of 28x28, batch 16:    %s\n' $count "$(megabytes)"
  [[ $count -eq 100 ]] && few_kb=$peak_kb
done
# The IDX file itself is held in memory: 7.5 MB for 10,000.
[[ $((peak_kb - few_kb)) -le $((9900 * 784 / 1024 + 32768)) ]] || { echo "scoring grows with the number of images" >&2; exit 1; }
