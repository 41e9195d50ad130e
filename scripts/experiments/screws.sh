#!/usr/bin/env bash
# MVTec AD's screws, 1024x1024 at half their size, 3 known defects of each of five kinds.
#
#   scripts/experiments/screws.sh SRC OUT [--quick] [--seeds "0"] [--jobs N]
#
# SRC: the folder data/screw of the copy whose masks scripts/screws_split.py puts in their places (python3). Writes
# OUT/report.md, which it prints. About fifty minutes of one core a split; --quick: some minutes, to see that all works.
# Resumable: the same command goes on where it was ended.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

default_seeds=0

list_jobs() { for seed in $seeds; do echo "split-$seed"; done; }

run_job() {
  local seed=${1#split-} generator=(--total-kimg 8 --encoder-kimg 3) critic=()
  if $quick; then
    generator=(--total-kimg 1.5 --fade-kimg 0.5 --stable-kimg 0.5 --encoder-kimg 0.5 --calibration-images 12)
    critic=(--patch-critic-kimg 20 --calibration-images 12)
  fi
  if [ ! -e "$out/$1/divided" ]; then
    rm -rf "${out:?}/$1/data"
    "$root/scripts/screws_split.py" "$data" "$out/$1/data" --seed "$seed" >"$out/$1/split.txt" 2>&1 || return 1
    touch "$out/$1/divided"
  fi
  once "$1/base" train "$1/base" --data "$out/$1/data/val" --preset tile64 --scale 0.5 --turns --no-patch-critic --search-share 0 "${generator[@]}" &&
    once "$1/known" train "$1/known" --data "$out/$1/data/val" --from "$out/$1/base/model/model.safetensors" --patch-critic --defects-on-objects --search-share 0 "${critic[@]}" &&
    evaluate "$1/known" --data "$out/$1/data/test"
}

row() {  # row NAME EXPRESSION
  printf '| %s | %s |\n' "$1" "$(for seed in $seeds; do metric "split-$seed/known" "$2"; done | summary)"
}

write_report() {
  local kind score
  echo "| test images | three of each kind known |"
  echo "|---|---|"
  for score in combined patch_critic patch_area feature_maps residual; do row "image AUROC, \`$score\`" ".scores.$score.auroc"; done
  row "pixel AUROC" .pixels.calibrated_map.auroc
  row "pixel AP" .pixels.calibrated_map.average_precision
  row "AUPRO (to 30 %)" '.pixels.calibrated_map["aupro_fpr_0.3"]'
  row "good rejected at the stored threshold" .scores.combined.false_reject_rate
  row "defects missed" .scores.combined.miss_rate
  for kind in manipulated_front scratch_head scratch_neck thread_side thread_top; do
    row "$kind: images" ".kinds.$kind.auroc.combined"
    row "$kind: pixels" ".kinds.$kind.pixel_auroc"
  done
  echo
  echo "Several splits: mean (lowest to highest). GANomaly as measured by others: image AUROC .231."
}

main "$@"
