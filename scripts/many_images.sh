#!/usr/bin/env bash
# How long pgad_infer score and pgad_train take to start on a folder of many small images, and their peak memory.
#
#   scripts/many_images.sh [COUNT]        # 100000
#
# Start-up is the time to the first step of the search, or of training. For scoring, the memory after a tenth of the images
# is measured too: it must not grow. Needs build/release/apps/pgad_train and pgad_infer (PGAD_BUILD chooses another build
# folder), Linux' /proc, and a folder for temporary files with COUNT free inodes. Exit status: 0 measured and within bounds
# (10 s, 16 MB of growth), 1 not, 2 could not run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
apps=${PGAD_BUILD:-$root/build/release}/apps
count=${1:-100000}
if [[ ! -x $apps/pgad_train || ! -x $apps/pgad_infer || ! -r /proc/self/status ]]; then
  echo "many_images.sh: expected the programs in $apps, and /proc" >&2
  exit 2
fi
tmp=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || kill -9 "$pid" 2>/dev/null || true; rm -rf "$tmp"' EXIT

now() { date +%s.%N; }
field() { awk -v name="$1:" '$1 == name { print int($2 / 1024) }' "/proc/$pid/status" 2>/dev/null || true; }

# Starts a program; returns when it has said $1. Sets pid and seconds.
start() {
  local said=$1 begin
  shift
  begin=$(now)
  "$@" >"$tmp/out" 2>&1 &
  pid=$!
  while ! grep -q "$said" "$tmp/out"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      cat "$tmp/out" >&2
      exit 2
    fi
    sleep 0.05
  done
  seconds=$(awk -v a="$begin" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }')
}
stop() {
  kill -9 "$pid"
  wait "$pid" 2>/dev/null || true
  pid=
}

# A model, and with it an image of its own: sheets of samples are PNG files.
"$apps/pgad_train" --data "$root/data/mnist-subset" --normal-class 8 --fmap-max 4 --latent-size 4 --start-resolution 32 --fade-kimg 0 \
  --stable-kimg 0.1 --total-kimg 0.1 --steps 1 --calibration-images 16 --out "$tmp/run" 2>"$tmp/out" || { cat "$tmp/out" >&2; exit 2; }
"$apps/pgad_infer" generate --model "$tmp/run/model.safetensors" --count 1 --out "$tmp/one" 2>/dev/null
image=$tmp/one/samples.png
mkdir "$tmp/images"
# tee makes many files of one.
seq -f "$tmp/images/%07g.png" 1 "$count" >"$tmp/names"
xargs -a "$tmp/names" -n 1000 sh -c 'tee "$@" <"$0" >/dev/null' "$image"

status=0
start "scoring: " "$apps/pgad_infer" score --model "$tmp/run/model.safetensors" --input "$tmp/images" --steps 1 --out "$tmp/scores"
echo "score, $count images of $(stat -c %s "$image") bytes:  $seconds s to the first step, $(field VmHWM) MB"
awk -v s="$seconds" 'BEGIN { exit !(s > 10) }' && status=1
first=$(field VmRSS)
sleep 60
scored=$(grep -o 'scoring: [0-9]*' "$tmp/out" | tail -n 1 | tr -dc 0-9)
last=$(field VmRSS)
if [[ -n $last ]]; then
  echo "score, after $scored images:  $last MB"
  [[ $((last - first)) -le 16 ]] || status=1
  stop
else
  echo "score: done within a minute; $(tail -n 1 "$tmp/out")"
  wait "$pid" || status=1
  pid=
fi

start " kimg" "$apps/pgad_train" --data "$tmp/images" --out "$tmp/run2"
echo "train, $count images:  $seconds s to the first step, $(field VmHWM) MB"
awk -v s="$seconds" 'BEGIN { exit !(s > 10) }' && status=1
stop
exit $status
