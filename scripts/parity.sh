#!/usr/bin/env bash
# Compares pgad's networks, losses and gradients with an independent PyTorch implementation, for one model.
#
#   scripts/parity.sh MODEL [--all] [--threads N]
#
# MODEL: a model.safetensors file or the folder it lies in. Needs build/release/tests/parity_dump and a Python with torch
# and numpy (Debian: python3-torch). PYTHON and PGAD_BUILD choose others. Exit status: 0 equal, 1 different, 2 could not run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ $# -lt 1 || $1 == -* ]]; then
  sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
model=$1
shift
[[ ! -d $model ]] || model=$model/model.safetensors

source "$root/scripts/find_torch.sh"
dump=${PGAD_BUILD:-$root/build/release}/tests/parity_dump
if [[ ! -x $dump ]]; then
  echo "parity.sh: $dump is missing; build the release preset first" >&2
  exit 2
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# A leaky ReLU has a kink: where some unit's input is zero to within rounding, two right implementations differ in that
# unit's slope, and gradients by more than rounding. With hundreds of thousands of units that happens now and then, so
# up to ten random inputs are tried; a real difference would show in all of them.
for seed in 1 2 3 4 5 6 7 8 9 10; do
  "$dump" "$model" "$dir" "$seed" || { echo "parity.sh: parity_dump failed" >&2; exit 2; }
  status=0
  "$python" "$root/scripts/parity/compare.py" "$model" "$dir" "$@" >"$dir/report" || status=$?
  [[ $status -eq 0 ]] && break
  echo "inputs $seed: $(tail -n 1 "$dir/report")"
done
cat "$dir/report"
exit "$status"
