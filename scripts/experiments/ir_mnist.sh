#!/usr/bin/env bash
# IR-MNIST of Kimura & Yanagihara (2018): puzzles of digits, without a 3 in the normal ones. Puzzles of 3 x 3 as whole images
# of 64x64, and the paper's 11 x 11 (308x308) by tiles; 50 abnormal ones known, or none.
#
#   scripts/experiments/ir_mnist.sh MNIST_DIR OUT [--quick] [--seeds "1"] [--jobs N]
#
# Writes OUT/report.md, which it prints, and the paper's figure 6 of each run (OUT/*/figures). About two hours on two cores;
# --quick: some minutes. Resumable: the same command goes on where it was ended.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

list_jobs() {
  local seed kind setting
  for seed in $seeds; do for kind in whole tiles; do for setting in known none; do echo "$kind-$setting-$seed"; done; done; done
}

run_job() {
  local kind setting seed options=() count=(--train 5000 --known 50 --test 100 --test-abnormal 100) budget=(--calibration-images 64)
  IFS=- read -r kind setting seed <<<"$1"
  if $quick; then count=(--train 200 --known 20 --test 20 --test-abnormal 20); fi
  if [ ! -e "$out/$1/data/description.json" ]; then
    rm -rf "${out:?}/$1/data"
    "$bin/pgad_data" make-ir-mnist --mnist "$data" --grid "$([ "$kind" = whole ] && echo 3 || echo 11)" "${count[@]}" --most-anomalies "$([ "$kind" = whole ] && echo 1 || echo 5)" \
      --seed "$seed" --threads 1 --out "$out/$1/data" >"$out/$1/make.txt" 2>&1 || return 1
  fi
  case $kind in
  whole)
    options=(--preset tiny --resolution 64 --tiles off --steps 100)
    if [ "$setting" = known ]; then options+=(--gamma 0.1 --score-gamma 0.9); else options+=(--gamma 1 --score-gamma 1); fi
    if $quick; then budget=(--total-kimg 6 --fade-kimg 0.7 --stable-kimg 0.7 --encoder-kimg 1 --calibration-images 16); fi
    ;;
  tiles)
    options=(--preset tile64 --scale 1 --no-normalise)
    if [ "$setting" = known ]; then options+=(--patch-critic --no-synthetic-abnormal); else options+=(--no-patch-critic --no-synthetic-abnormal); fi
    if $quick; then budget=(--total-kimg 1.5 --fade-kimg 0.5 --stable-kimg 0.5 --encoder-kimg 0.5 --patch-critic-kimg 6 --calibration-images 16); fi
    ;;
  esac
  if [ "$setting" = none ]; then rm -rf "$out/$1/data/train/abnormal" "$out/$1/data/ground_truth/abnormal"; fi
  train "$1" --data "$out/$1/data" --seed "$seed" "${options[@]}" "${budget[@]}" &&
    evaluate "$1" --data "$out/$1/data" --search-share 1 &&
    figures "$1" --data "$out/$1/data" --count 20 --columns 3 --search-share 1
}

write_report() {
  local kind setting seed score
  echo "| puzzles | known | image AUROC: combined | residual | patch_critic | pixel AUROC of the 3s: calibrated map | residual map |"
  echo "|---|---|---|---|---|---|---|"
  for kind in whole tiles; do for setting in known none; do
    printf '| %s | %s |' "$([ $kind = whole ] && echo "3 x 3, whole images of 64x64" || echo "11 x 11, tiles")" "$([ $setting = known ] && echo 50 || echo none)"
    for score in .scores.combined.auroc .scores.residual.auroc .scores.patch_critic.auroc .pixels.calibrated_map.auroc .pixels.residual_map.auroc; do
      printf ' %s |' "$(for seed in $seeds; do metric "$kind-$setting-$seed" "$score"; done | summary)"
    done
    printf '\n'
  done; done
  echo
  echo "Pixels of the cells that hold a 3 are anomalous. Several seeds: mean (lowest to highest)."
}

main "$@"
