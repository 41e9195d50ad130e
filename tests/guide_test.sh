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
  # shellcheck disable=SC2086  # a line of the guide, without quotes
  $command >out.txt 2>err.txt || {
    echo "guide_test.sh: exit code $? of: $command" >&2
    cat out.txt err.txt >&2
    exit 1
  }
done < <(awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$guide")
[ "$count" -ge 8 ] || { echo "guide_test.sh: only $count commands found in $guide" >&2 && exit 1; }
for file in result/metrics.json result/examples.png strict/scores.csv shift1/scores.json recalibrated.safetensors compared/comparison.png; do
  [ -s "$file" ] || { echo "guide_test.sh: $file was not written" >&2 && exit 1; }
done
echo "$count commands"
