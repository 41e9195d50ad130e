#!/usr/bin/env bash
# IR-MNIST of Kimura & Yanagihara (2018): puzzles of digits, without a 3 in the normal ones; 50 abnormal ones known, or none.
#
#   paper    3 x 3 digits, whole images of 64x64, as the paper has it: D knows the abnormal ones (gamma = .1)
#   small    3 x 3 digits, each puzzle a tile of 64x64, with a patch critic where abnormal ones are known
#   tiles    the paper's 11 x 11 digits (308x308) by tiles of 64x64, likewise
#
#   scripts/experiments/ir_mnist.sh MNIST_DIR OUT [--quick] [--seeds "1"] [--jobs N]
#
# Writes OUT/report.md, which it prints, and the paper's figure 6 of each run (OUT/*/figures). By estimate an hour on two cores;
# --quick: some minutes. Resumable: the same command goes on where it was ended.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

list_jobs() {
  local seed kind setting
  for seed in $seeds; do for kind in tiles small paper; do for setting in known none; do echo "$kind-$setting-$seed"; done; done; done
}

run_job() {
  local kind setting seed options=() search=() grid=3 most=1
  local count=(--train 5000 --known 50 --test 100 --test-abnormal 100) budget=(--total-kimg 16 --encoder-kimg 4 --patch-critic-kimg 100)
  IFS=- read -r kind setting seed <<<"$1"
  case $kind in
  paper)
    options=(--preset tiny --resolution 64 --tiles off)
    if [ "$setting" = known ]; then options+=(--gamma 0.1 --score-gamma 0.9); else options+=(--gamma 1 --score-gamma 1); fi
    budget=(--total-kimg 48 --fade-kimg 4 --stable-kimg 4 --encoder-kimg 16)
    ;;
  small) options=(--scale 0.762) search=(--search-share 1) ;; # 84 pixels to 64
  tiles) options=(--scale 1 --tile-overlap 0) search=(--search-share 1) grid=11 most=5 ;; # a patch critic sees all anyway
  esac
  if [ "$kind" != paper ]; then
    # A mirrored digit is another, and all puzzles have the same brightness.
    options+=(--preset tile64 --tiles on --no-mirror --no-normalise --no-synthetic-abnormal "${search[@]}")
    if [ "$setting" = none ]; then options+=(--no-patch-critic); fi
  fi
  if $quick; then
    count=(--train 200 --known 20 --test 20 --test-abnormal 20)
    budget=(--total-kimg 4 --fade-kimg 0.5 --stable-kimg 0.5 --encoder-kimg 1 --patch-critic-kimg 10)
  fi
  if [ ! -e "$out/$1/data/description.json" ]; then
    rm -rf "${out:?}/$1/data"
    "$bin/pgad_data" make-ir-mnist --mnist "$data" --grid "$grid" --most-anomalies "$most" "${count[@]}" --seed "$seed" --threads 1 \
      --out "$out/$1/data" >"$out/$1/make.txt" 2>&1 || return 1
  fi
  if [ "$setting" = none ]; then rm -rf "$out/$1/data/train/abnormal" "$out/$1/data/ground_truth/abnormal"; fi
  train "$1" --data "$out/$1/data" --seed "$seed" "${options[@]}" "${budget[@]}" --calibration-images 80 &&
    evaluate "$1" --data "$out/$1/data" &&
    figures "$1" --data "$out/$1/data" --count 20 --columns 3
}

write_report() {
  local kind setting seed score what
  echo "| puzzles | known | image AUROC: combined | residual | critic | patch_critic | pixel AUROC of the 3s: calibrated map | residual map | AP of the pixels |"
  echo "|---|---|---|---|---|---|---|---|---|"
  for kind in paper small tiles; do for setting in known none; do
    case $kind in
    paper) what="3 x 3, whole images of 64x64" ;;
    small) what="3 x 3, one tile of 64x64" ;;
    tiles) what="11 x 11, tiles" ;;
    esac
    printf '| %s | %s |' "$what" "$([ $setting = known ] && echo 50 || echo none)"
    for score in .scores.combined.auroc .scores.residual.auroc .scores.critic.auroc .scores.patch_critic.auroc .pixels.calibrated_map.auroc .pixels.residual_map.auroc \
      .pixels.calibrated_map.average_precision; do
      printf ' %s |' "$(for seed in $seeds; do metric "$kind-$setting-$seed" "$score"; done | summary)"
    done
    printf '\n'
  done; done
  echo
  echo "Pixels of the cells that hold a 3 are anomalous. Several seeds: mean (lowest to highest)."
}

main "$@"
