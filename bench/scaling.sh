#!/usr/bin/env bash
# How speed and memory follow batch, threads, resolution and feature maps: prints a Markdown table of images per second
# and peak memory of training and search steps (bench/step_bench). About five minutes.
#   bench/scaling.sh
set -euo pipefail
bench=$(cd "$(dirname "$0")/.." && pwd)/build/release/bench/step_bench
cores=$(nproc)

row() {  # row MODE RESOLUTION MAPS BATCH THREADS
  "$bench" --mode "$1" --resolution "$2" --fmap-max "$3" --batch "$4" --threads "$5" --seconds 3 |
    sed -E 's/.*"images_per_s":([0-9.]+).*"peak_rss_mb":([0-9.]+).*/\1 \2/' |
    { read -r speed memory; printf '| %s | %s | %s | %s | %s | %.1f | %.0f |\n' "$1" "$2" "$3" "$4" "$5" "$speed" "$memory"; }
}
echo "| step | side | maps | batch | threads | images/s | peak MB |"
echo "|---|---|---|---|---|---|---|"
for mode in train search; do
  for batch in 1 4 16 64; do row $mode 32 32 $batch "$cores"; done
  for ((threads = 1; threads < cores; threads *= 2)); do row $mode 32 32 16 $threads; done
  for side in 16 64 128; do row $mode $side 32 16 "$cores"; done
  for maps in 64 128; do row $mode 32 $maps 16 "$cores"; done
done
