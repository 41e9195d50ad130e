#!/usr/bin/env bash
# Trains and evaluates with gamma = 1 (no known abnormals: AnoGAN's method on this network), .5 and .1 on several digits
# of MNIST, the same budget each, and prints a Markdown table of AUROCs. docs/results.md shows its output.
#   scripts/gamma_table.sh MNIST_DIR OUT [DIGIT...]
set -euo pipefail
data=$1 out=$2
shift 2
digits=("$@")
[ ${#digits[@]} -gt 0 ] || digits=(1 3 8)
bin=$(cd "$(dirname "$0")/.." && pwd)/build/release/apps
bin=${PGAD_BIN:-$bin}
mkdir -p "$out"

one() {
  local digit=$1 gamma=$2 dir=$3/$1-$2
  "$bin/pgad_train" --data "$data" --normal-class "$digit" --preset tiny --gamma "$gamma" --threads 1 --steps 100 \
    --fade-kimg 6 --stable-kimg 6 --total-kimg 48 --calibration-images 40 --out "$dir/model" 2>"$dir.train.log"
  "$bin/pgad_infer" evaluate --model "$dir/model/model.safetensors" --data "$data" --limit 60 --threads 1 \
    --out "$dir/eval" 2>"$dir.eval.log" >"$dir.table"
}
export -f one
export bin data
for digit in "${digits[@]}"; do for gamma in 1 0.5 0.1; do echo "$digit $gamma"; done; done |
  xargs -P "$(nproc)" -L 1 bash -c 'one "$0" "$1" "'"$out"'"'

echo "| digit | gamma | residual | feature | latent_critic | paper | critic | combined |"
echo "|---|---|---|---|---|---|---|---|"
for digit in "${digits[@]}"; do
  for gamma in 1 0.5 0.1; do
    awk -v d="$digit" -v g="$gamma" 'NR > 1 { v[$1] = $2 } END {
      printf "| %s | %s | %s | %s | %s | %s | %s | %s |\n", d, g, v["residual"], v["feature"], v["latent_critic"], v["paper"], v["critic"], v["combined"] }' \
      "$out/$digit-$gamma.table"
  done
done
