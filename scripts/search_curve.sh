#!/usr/bin/env bash
# How AUROC follows the time spent on an image: for several digits and seeds trains a model with an encoder, evaluates it
# with searches of several lengths, and prints two Markdown tables: seconds per image, and AUROC less that of the paper's
# plain search of 500 steps. docs/performance.md shows its output. About four minutes for each DIGIT:SEED on two cores.
#   scripts/search_curve.sh DATA OUT [DIGIT:SEED...]
set -euo pipefail
data=$1 out=$2
shift 2
runs=("$@")
[ ${#runs[@]} -gt 0 ] || runs=(1:1 3:1 8:1 8:2)
bin=${PGAD_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/release/apps}
per_class=60  # images of each kind that are scored
mkdir -p "$out"

searches=("--start random --steps 500 --patience 0" "--start random --steps 100 --patience 0"
  "--steps 500 --patience 0" "--steps 500 --patience 10" "--steps 100 --patience 0" "--steps 50 --patience 0"
  "--steps 10 --patience 0" "--steps 1 --patience 0")

: >"$out/times" >"$out/scores"
for run in "${runs[@]}"; do
  digit=${run%:*} seed=${run#*:} model=$out/$digit-$seed
  if [ ! -e "$model/model.safetensors" ]; then
    "$bin/pgad_train" --data "$data" --normal-class "$digit" --seed "$seed" --preset tiny --fade-kimg 8 --stable-kimg 8 \
      --total-kimg 64 --score-gamma 0.9 --steps 100 --calibration-images 40 --out "$model" 2>"$model.log"
  fi
  for i in "${!searches[@]}"; do
    begin=$(date +%s.%N)
    # shellcheck disable=SC2086  # several options
    "$bin/pgad_infer" evaluate --model "$model/model.safetensors" --data "$data" --limit $per_class ${searches[$i]} \
      --out "$out/eval" 2>>"$model.log" >"$out/table"
    echo "$i $(date +%s.%N) $begin" | awk -v n=$((2 * per_class)) '{ print $1, ($2 - $3) / n }' >>"$out/times"
    awk -v i="$i" -v run="$run" 'NR > 1 && $1 != "" { print i, run, $1, $2 }' "$out/table" >>"$out/scores"
  done
done

echo "| search | seconds per image, median | residual | feature | paper | combined |"
echo "|---|---|---|---|---|---|"
for i in "${!searches[@]}"; do
  seconds=$(awk -v i="$i" '$1 == i { print $2 }' "$out/times" | sort -n | awk '{ v[NR] = $1 } END { printf "%.3f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }')
  awk -v i="$i" -v seconds="$seconds" -v search="${searches[$i]}" '
    $1 == 0 { plain[$2, $3] = $4 }
    $1 == i { d = $4 - plain[$2, $3]; n[$3]++; sum[$3] += d; if (n[$3] == 1 || d < least[$3]) least[$3] = d }
    function cell(score) { return sprintf("%+.3f (%+.3f)", sum[score] / n[score], least[score]) }
    END { printf "| `%s` | %s | %s | %s | %s | %s |\n", search, seconds, cell("residual"), cell("feature"), cell("paper"), cell("combined") }' "$out/scores"
done
echo
echo "AUROC of the plain search:"
echo
echo "| digit:seed | residual | feature | paper | combined |"
echo "|---|---|---|---|---|"
for run in "${runs[@]}"; do
  awk -v run="$run" '$1 == 0 && $2 == run { v[$3] = $4 } END { printf "| %s | %s | %s | %s | %s |\n", run, v["residual"], v["feature"], v["paper"], v["combined"] }' "$out/scores"
done
