#!/usr/bin/env bash
# MNIST as in Kimura & Yanagihara (2018): each digit in turn is normal, 70 % of it trains, 10 % of every other digit are
# known abnormals, the rest is the test set; all 70,000 images. Beside it: no known abnormals at all (gamma = 1, which is
# AnoGAN's method on this network), and kinds that are not known (of 0 to 4, tested on 5 to 9).
#
#   scripts/experiments/mnist.sh MNIST_DIR OUT [--quick | --full] [--seeds "1 2 3"] [--jobs N]
#
# Writes OUT/report.md, which it prints, and the paper's figures 4 and 5 of the digit 8 (OUT/known-8-1/figures). By
# default 300 normal and 300 abnormal images of each test set are inspected, an hour and a half on two cores; --full: all of
# them, which takes a day; --quick: the digits 1 and 8, short training, 100 and 100 images: some minutes.
# Resumable: the same command goes on where it was ended.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

digits() { if $quick; then echo 1 8; else echo 0 1 2 3 4 5 6 7 8 9; fi; }

list_jobs() {
  local setting digit seed
  for seed in $seeds; do for digit in $(digits); do for setting in known none unseen; do echo "$setting-$digit-$seed"; done; done; done
}

run_job() {
  local setting digit seed options=() known budget=(--total-kimg 48 --fade-kimg 5 --stable-kimg 5 --encoder-kimg 16) limit=(--limit 300)
  IFS=- read -r setting digit seed <<<"$1"
  case $setting in
  known) options=(--gamma 0.1 --score-gamma 0.9) ;;
  none)
    options=(--gamma 1 --score-gamma 1 --abnormal-fraction 0)
    budget=(--total-kimg 112 --encoder-kimg 32) # all hangs on how well G draws
    ;;
  unseen)
    known=$(echo 0 1 2 3 4 | tr ' ' '\n' | grep -v "^$digit$" | paste -sd,)
    options=(--gamma 0.1 --score-gamma 0.9 --known-class "$known")
    ;;
  esac
  if $quick; then budget=(--total-kimg 24 --fade-kimg 3 --stable-kimg 3 --encoder-kimg 4) && limit=(--limit 100); fi
  if $full; then limit=(); fi
  train "$1" --data "$data" --normal-class "$digit" --preset tiny --calibration-images 80 --split-seed "$seed" --seed "$seed" "${options[@]}" "${budget[@]}" &&
    evaluate "$1" --data "$data" "${limit[@]}" || return 1
  if [ "$digit" = 8 ] && [ "$setting" != unseen ]; then figures "$1" --data "$data" --kind 3 || return 1; fi
}

# Area under the ROC curve of a digit: mean over the seeds.
auroc() {  # auroc SETTING DIGIT EXPRESSION
  for seed in $seeds; do metric "$1-$2-$seed" "$3"; done | summary
}
unseen='[.kinds | to_entries[] | select(.key >= "5") | .value.auroc.combined] | add / length'

write_report() {
  local anogan=(.966 .992 .850 .887 .894 .883 .947 .935 .849 .924) digit column expression setting
  echo "| digit | known: relative_residual | critic | combined | combined, of 5 to 9 | not known: combined, of 5 to 9 | none known: residual | feature | relative_residual | relative_feature | combined | AnoGAN |"
  echo "|---|---|---|---|---|---|---|---|---|---|---|---|"
  local columns=("known .scores.relative_residual.auroc" "known .scores.critic.auroc" "known .scores.combined.auroc" "known $unseen" "unseen $unseen"
    "none .scores.residual.auroc" "none .scores.feature.auroc" "none .scores.relative_residual.auroc" "none .scores.relative_feature.auroc"
    "none .scores.combined.auroc")
  for digit in $(digits); do
    printf '| %s |' "$digit"
    for column in "${columns[@]}"; do printf ' %s |' "$(auroc "${column%% *}" "$digit" "${column#* }")"; done
    printf ' %s |\n' "${anogan[$digit]}"
  done
  printf '| mean |'
  for column in "${columns[@]}"; do
    setting=${column%% *} expression=${column#* }
    printf ' %s |' "$(for digit in $(digits); do for seed in $seeds; do metric "$setting-$digit-$seed" "$expression"; done; done | summary)"
  done
  printf ' %s |\n\n' "$(for digit in $(digits); do echo "${anogan[$digit]}"; done | awk '{ s += $1 } END { printf "%.3f", s / NR }')"
  echo "Area under the ROC curve; several runs: mean (lowest to highest). Known: a tenth of every other digit. Not known: known ones of 0 to 4 only;"
  echo "of 5 to 9: the mean over these. None known: \`abnormal\` images are in neither training nor calibration; trained for more than twice as long, searched with γ = 1 (else .9)."
  echo "AnoGAN: none known, another split."
}

main "$@"
