#!/usr/bin/env bash
# Industrial surfaces that do not exist, 1024x1024, with micro defects under 1 % of the pixels whose truth is known: four
# scratches, dents and stains known, threads and pits never seen before the test. Asked rates of false rejects are held
# against 200 fresh normal images.
#
#   scripts/experiments/industrial.sh SURFACES OUT [--quick] [--seeds "1"] [--jobs N]
#
# SURFACES: a file with names of surfaces, one a line (brushed, cast, woven, leather, printed). Writes OUT/report.md, which
# it prints. An hour of one core a surface, and more beside other work; --quick: images of 256x256, few of them, short training, some minutes.
# Resumable: the same command goes on where it was ended.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

list_jobs() {
  local seed surface
  for seed in $seeds; do while read -r surface || [ -n "$surface" ]; do [ -z "$surface" ] || echo "$surface-$seed"; done <"$data"; done
}

run_job() {
  local surface seed size=1024 count=(--train 720 --known-each 4 --test 40 --test-each 12) fresh=200 budget=(--total-kimg 12 --encoder-kimg 4)
  IFS=- read -r surface seed <<<"$1"
  if $quick; then
    size=256 count=(--train 90 --known-each 4 --test 20 --test-each 4) fresh=40
    budget=(--total-kimg 1.5 --fade-kimg 0.5 --stable-kimg 0.5 --encoder-kimg 0.5 --patch-critic-kimg 10)
  fi
  local set=(make-industrial --surface "$surface" --size "$size" --threads 1)
  if [ ! -e "$out/$1/data/description.json" ]; then
    rm -rf "${out:?}/$1/data"
    "$bin/pgad_data" "${set[@]}" "${count[@]}" --unseen thread,pit --seed "$seed" --out "$out/$1/data" >"$out/$1/make.txt" 2>&1 || return 1
  fi
  if [ ! -e "$out/$1/fresh/description.json" ]; then
    rm -rf "${out:?}/$1/fresh"
    # A piece of the surface that the set above does not show.
    "$bin/pgad_data" "${set[@]}" --train 1 --known-each 0 --test "$fresh" --test-each 1 --seed $((seed + 1000)) --out "$out/$1/fresh" >"$out/$1/make-fresh.txt" 2>&1 || return 1
  fi
  # Own size: half of it is blind to the smallest defects. Tiles side by side: the critic of patches sees all of an image
  # anyway, and four times as many tiles would take four times as long.
  train "$1" --data "$out/$1/data" --seed "$seed" --preset tile64 --search-share 0 --tile-overlap 0 "${budget[@]}" &&
    evaluate "$1" --data "$out/$1/data" &&
    "$bin/pgad_infer" evaluate --model "$out/$1/model/model.safetensors" --data "$out/$1/fresh" --new-data --threads 1 \
      --out "$out/$1/rate" >"$out/$1/rate.txt" 2>&1
}

# Share of the fresh normal images above the threshold for a rate asked; in brackets above the ends of its 95 % interval.
rejected() {  # rejected JOB RATE
  local thresholds
  thresholds=$("$bin/pgad_infer" info --model "$out/$1/model/model.safetensors" --false-reject-rate "$2" | tr -d '()' |
    awk '$1 == "combined" { gsub("inf", "1e300"); print "[" $2 "," $3 "," $5 "]" }')
  jq -r --argjson t "$thresholds" '[.images[] | select(.label == "normal") | .combined] as $all |
    [$t[] as $one | [$all[] | select(. > $one)] | length / ($all | length) * 1000 | round / 1000] | "\(.[0]) (\(.[2]) to \(.[1]))"' \
    "$out/$1/rate/scores.json"
}

of_kinds() {  # of_kinds KIND...: mean AUROC of `combined`
  local kinds
  kinds=$(printf '"%s",' "$@")
  echo "[.kinds | to_entries[] | select(.key | IN(${kinds%,})) | .value.auroc.combined] | add / length"
}

write_report() {
  local name rate
  echo "| surface and seed | image AUROC: known kinds | unseen kinds | pixel AUROC | AUPRO | found as regions (IoU ≥ .3) | regions that are defects | missed at the stored threshold | false rejects of fresh images, asked .01 | asked .05 |"
  echo "|---|---|---|---|---|---|---|---|---|---|"
  for name in $(list_jobs); do
    printf '| %s | %s | %s | %s | %s | %s | %s | %s |' "$name" "$(metric "$name" "$(of_kinds scratch dent stain)")" "$(metric "$name" "$(of_kinds thread pit)")" \
      "$(metric "$name" .pixels.calibrated_map.auroc)" "$(metric "$name" '.pixels.calibrated_map["aupro_fpr_0.3"]')" "$(metric "$name" .regions.recall)" \
      "$(metric "$name" .regions.precision)" "$(metric "$name" .scores.combined.miss_rate)"
    for rate in 0.01 0.05; do printf ' %s |' "$(rejected "$name" "$rate")"; done
    printf '\n'
  done
}

main "$@"
