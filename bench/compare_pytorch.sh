#!/usr/bin/env bash
# Times pgad against PyTorch, in turns, and writes bench/results/DATE_MACHINE.{md,json}.
#
#   bench/compare_pytorch.sh [--configs tiny,small-search] [--rounds 5] [--threads N] [--batches 1,16] [--seconds 4]
#
# Needs build/release/bench/step_bench and a Python with torch and numpy (Debian: python3-torch). PYTHON and PGAD_BUILD
# choose others. Both sides run with the same environment; OMP_* is left as it is found and noted in the report.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-}
if [[ -z $python ]]; then
  for candidate in $(type -aP python3); do  # the first on the path may be one without torch
    if "$candidate" -c 'import torch, numpy' 2>/dev/null; then
      python=$candidate
      break
    fi
  done
fi
if [[ -z $python ]]; then
  echo "compare_pytorch.sh: no Python with torch and numpy; set PYTHON" >&2
  exit 2
fi
exec "$python" "$root/bench/pytorch/compare.py" "$@"
