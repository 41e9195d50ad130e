#!/usr/bin/env bash
# Runs the guide's commands (docs/guide/README.md) in their order, as a reader would, in an empty folder.
#   guide_test.sh APPS SOURCE
set -euo pipefail
PATH=$(realpath "$1"):$PATH
guide=$(realpath "$2")/docs/guide/README.md
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
count=0
while IFS= read -r command; do
  count=$((count + 1))
  command=${command/ 8h / 8s }  # a shift is shorter here
  bash -c "$command" >out.txt 2>err.txt || {
    echo "guide_test.sh: exit code $? of: $command" >&2
    cat out.txt err.txt >&2
    exit 1
  }
done < <(awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$guide")
[ "$count" -ge 8 ] || { echo "guide_test.sh: only $count commands found in $guide" >&2 && exit 1; }
for file in result/metrics.json result/examples.png strict/scores.csv shift1/scores.json shift2/index.html shift3/scores.csv recalibrated.safetensors compared/comparison.png; do
  [ -s "$file" ] || { echo "guide_test.sh: $file was not written" >&2 && exit 1; }
done
[ "$(wc -l <shift2/scores.jsonl)" = "$(find sorted -type f | wc -l)" ] && [ -z "$(find camera -type f)" ] ||
  { echo "guide_test.sh: watch has not judged and moved all of the camera's images" >&2 && exit 1; }
echo "$count commands"
