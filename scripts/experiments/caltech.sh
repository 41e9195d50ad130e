#!/usr/bin/env bash
# Caltech-256's protocol of Sabokrou et al. (2018), as Kimura & Yanagihara (2018) use it: 1, 3 or 5 categories are normal, at
# most 150 images of each; abnormal images come from the clutter category, 50 of them are known. Half of the tested images
# are abnormal. Its weaknesses: what is called abnormal is one category of another making, categories differ in more than what
# they show (grounds, sizes), and calling everything normal has an F1 of .667.
#
#   scripts/experiments/caltech.sh CATEGORIES OUT [--quick] [--seeds "1 2 3"] [--jobs N]
#
# CATEGORIES: the folder of Caltech-256's or Caltech-101's category folders. A seed takes the next of those with 100 images
# or more, in an order by chance, so that few are taken twice. Writes OUT/report.md, which it prints, and figures 4 to 6 of the runs with known images. By default three
# seeds, grey and in colour, with known images and without: by what one seed took beside other work, two or three
# hours on two cores; --quick: one category, short training.
# Resumable: the same command goes on where it was ended.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

default_seeds="1 2 3"
numbers() { if $quick; then echo 1; else echo 1 3 5; fi; }
colours() { if $quick; then echo 1; else echo 1 3; fi; }

list_jobs() {
  local seed n channels setting
  for seed in $seeds; do for n in $(numbers); do for channels in $(colours); do for setting in known none; do
    echo "$setting-$n-$channels-$seed"
  done; done; done; done
}

clutter() {
  local folder
  for folder in BACKGROUND_Google 257.clutter; do
    [ -d "$data/$folder" ] && echo "$folder" && return
  done
  fail "'$data' has neither BACKGROUND_Google nor 257.clutter: expected Caltech-101's or Caltech-256's category folders"
}

# The categories that may be normal, in an order that is the same everywhere: by a checksum of their names.
eligible() {
  local category name
  for category in "$data"/*/; do
    name=$(basename "$category")
    case $name in
    "$1" | Faces_easy | car_side) continue ;; # Faces_easy shows Faces again; all of car_side are grey, of one size
    esac
    [ "$(find "$category" -maxdepth 1 -name '*.jpg' | wc -l)" -lt 100 ] || printf '%s\t%s\n' "$(printf %s "$name" | cksum | cut -d ' ' -f 1)" "$name"
  done | LC_ALL=C sort -n | cut -f 2
}

# Links to the images of this many categories, which the seed chooses, and of the clutter.
lay_out() {  # lay_out FOLDER NUMBER SEED CLUTTER
  local category all chosen=() file i
  mapfile -t all < <(eligible "$4")
  [ ${#all[@]} -ge "$2" ] || fail "'$data' has ${#all[@]} categories of 100 images or more; expected at least $2"
  for ((i = 0; i < $2; ++i)); do chosen+=("${all[(($3 - 1) * $2 + i + ${#all[@]}) % ${#all[@]}]}"); done
  for category in "${chosen[@]}" "$4"; do
    mkdir -p "$1/images/$category"
    find "$data/$category" -maxdepth 1 -name '*.jpg' | LC_ALL=C sort | awk -v most="$([ "$category" = "$4" ] && echo 100000 || echo 150)" 'NR <= most' |
      while read -r file; do ln -s "$file" "$1/images/$category/"; done
  done
  (IFS=, && echo "${chosen[*]}") >"$1/normal"
}

run_job() {
  local setting n channels seed folder=$out/$1 clutter abnormal share tested options=() budget=(--total-kimg 48 --fade-kimg 5 --stable-kimg 5 --encoder-kimg 16 --calibration-images 64)
  IFS=- read -r setting n channels seed <<<"$1"
  clutter=$(clutter)
  [ -e "$folder/normal" ] || { rm -rf "$folder/images" && lay_out "$folder" "$n" "$seed" "$clutter"; }
  abnormal=$(find "$folder/images/$clutter" -name '*.jpg' | wc -l)
  share=$(awk -v n="$abnormal" 'BEGIN { print 50 / n }')
  case $setting in
  known) options=(--gamma 0.1 --score-gamma 0.9 --abnormal-fraction "$share") ;;
  none) options=(--gamma 1 --score-gamma 1 --abnormal-fraction 0) ;;
  esac
  if $quick; then budget=(--total-kimg 12 --fade-kimg 1.5 --stable-kimg 1.5 --encoder-kimg 2 --calibration-images 16); fi
  # As many abnormal images as there are normal ones. A tenth of 105 images would be too few for a threshold: with nine
  # held out the smallest false-reject rate that it can have is 10 %, and the F1 of a perfect detector .947.
  tested=$(find "$folder/images" -name '*.jpg' -not -path "*/$clutter/*" | wc -l)
  tested=$((tested * 3 / 10))
  train "$1" --data "$folder/images" --normal-class "$(cat "$folder/normal")" --preset tiny --channels "$channels" --mirror \
    --split-seed "$seed" --seed "$seed" --calibration-fraction 0.3 "${options[@]}" "${budget[@]}" &&
    evaluate "$1" --data "$folder/images" --limit "$tested" || return 1
  if [ "$setting" = known ]; then figures "$1" --data "$folder/images" || return 1; fi
}

cell() {  # cell SETTING NUMBER CHANNELS EXPRESSION
  local seed
  for seed in $seeds; do metric "$1-$2-$3-$seed" "$4"; done | summary
}

write_report() {
  local n channels seed paper=([1]=.977 [3]=.963 [5]=.945) anogan=([1]=.956 [3]=.915 [5]=.887)
  local f1=.scores.combined.f1_inlier_positive best='.scores.combined.best_f1_inlier_positive | if type == "object" then .f1 else . end'
  echo "| categories | channels | known: F1 at the stored threshold | normal rejected there | best F1 | AUROC | none known: F1 | best F1 | AUROC | everything normal | paper (Caltech-256) | AnoGAN (Caltech-256, the paper's) |"
  echo "|---|---|---|---|---|---|---|---|---|---|---|---|"
  for n in $(numbers); do for channels in $(colours); do
    printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s | .667 | %s | %s |\n' "$n" "$([ "$channels" = 1 ] && echo grey || echo RGB)" \
      "$(cell known "$n" "$channels" "$f1")" "$(cell known "$n" "$channels" .scores.combined.false_reject_rate)" "$(cell known "$n" "$channels" "$best")" "$(cell known "$n" "$channels" .scores.combined.auroc)" \
      "$(cell none "$n" "$channels" "$f1")" "$(cell none "$n" "$channels" "$best")" "$(cell none "$n" "$channels" .scores.combined.auroc)" "${paper[n]}" "${anogan[n]}"
  done; done
  echo
  for n in $(numbers); do for seed in $seeds; do echo "$n, seed $seed: $(cat "$out/known-$n-1-$seed/normal")."; done; done
  echo
  echo "F1 with normal images as the positive class; several seeds: mean (lowest to highest). Best F1: at the threshold that is best for the test images."
}

main "$@"
