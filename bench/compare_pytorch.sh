#!/usr/bin/env bash
# Times pgad against PyTorch, in turns, and writes bench/results/DATE_MACHINE.{md,json}.
#
#   bench/compare_pytorch.sh [--configs tiny,small-search:1,medium@1] [--rounds 5] [--threads N] [--seconds 4]
#     [--isa best,avx2] [--pythons /usr/bin/python3,OTHER/bin/python]
#
# Needs build/release/bench/step_bench and a Python with torch and numpy (Debian: python3-torch). PYTHON and PGAD_BUILD
# choose others. Both sides run with the same environment; OMP_* is left as it is found and noted in the report.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/scripts/find_torch.sh"
exec "$python" "$root/bench/pytorch/compare.py" "$@"
