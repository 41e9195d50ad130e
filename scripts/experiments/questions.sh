#!/usr/bin/env bash
# What Kimura & Yanagihara (2018) leave to be asked, on MNIST with the 8 as the normal digit: gamma, the objective, the loss,
# defects among the normal images, how many known ones are enough, and, of two of the models, lambda and the number of search
# steps. Every score beside every answer.
#
#   scripts/experiments/questions.sh MNIST_DIR OUT [--quick] [--seeds "1 2 3"] [--jobs N]
#
# One thing is asked at a time: all models train on the same 8s and, of the 70 images of each other digit that are known,
# all, some or none; all but the paper's own search alike, with gamma .9, or 1 where none are known.
#
# Writes OUT/report.md, which it prints. Three seeds by default: two hours on two cores; --quick: short
# training, some minutes. Resumable: the same command goes on where it was ended.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

default_seeds="1 2 3"

# What is asked: a line for each answer, "question answer SPLIT_OPTION... -- TRAINING_OPTION...".
answers() {
  local gamma share known='-- --score-gamma 0.9' none='--known none -- --gamma 1 --score-gamma 1'
  echo "gamma 1 $none"
  for gamma in 0.9 0.5 0.1 0.01; do echo "gamma $gamma $known --gamma $gamma"; done
  echo "preset paper-tiny -- --preset paper-tiny --no-encoder"
  for gamma in 0.5 0.1; do echo "objective eq15-$gamma $known --gamma $gamma --objective eq15"; done
  echo "loss wgan-gp-1 $none --loss wgan-gp"
  echo "loss wgan-gp-0.1 $known --gamma 0.1 --loss wgan-gp"
  for share in 0.01 0.05 0.1; do
    echo "contamination $share-none --contaminated $share $none"
    echo "contamination $share-known --contaminated $share $known --gamma 0.1"
  done
  for share in 1 6; do echo "known $((9 * share)) --known-each $share $known --gamma 0.1"; done
}
steps() { if $quick; then echo 1 10; else echo 1 10 50 100 250 500; fi; }
lambdas() { if $quick; then echo 0 1; else echo 0 0.1 0.5 0.9 1; fi; }
gammas() { if $quick; then echo 0.1 1; else echo 0.1 0.5 0.9 1; fi; }

list_jobs() {
  local question answer options seed
  for seed in $seeds; do answers | while read -r question answer options; do echo "$question=$answer-$seed"; done; done
}

# All of the 8s, and 700 images of each other digit, evenly out of both files: writers differ between them.
prepare() {
  local digit
  rm -rf "$out/digits" "$out/pool"
  "$bin/pgad_data" convert "$data" --layout idx --normal 8 --out "$out/digits" >"$out/digits.txt" 2>&1 || return 1
  for digit in good 0 1 2 3 4 5 6 7 9; do
    mkdir -p "$out/pool/test/$digit" || return 1
    find "$out/digits/test/$digit" -name '*.png' | LC_ALL=C sort >"$out/pool/$digit.txt" || return 1
    awk -v all="$(wc -l <"$out/pool/$digit.txt")" -v most="$([ "$digit" = good ] && echo 100000 || echo 700)" \
      'most >= all || int(NR * most / all) > int((NR - 1) * most / all)' "$out/pool/$digit.txt" |
      xargs -r -d '\n' ln -s -t "$out/pool/test/$digit" || return 1
    rm "$out/pool/$digit.txt"
  done
}

evaluate_as() {  # evaluate_as JOB NAME OPTION...: the job's model, with other options, in JOB/NAME
  local job=$1 name=$2
  shift 2
  "$bin/pgad_infer" evaluate --model "$out/$job/model/model.safetensors" "$@" --threads 1 --out "$out/$job/$name" >"$out/$job/$name.txt" 2>&1
}

run_job() {
  local name=${1%-*} seed=${1##*-} question answer options parts n
  # Images of each class: of an answer, and of a point of lambda and the like, which are told apart on the same images.
  local limit=150 point_limit=100
  local budget=(--total-kimg 28 --fade-kimg 3 --stable-kimg 3 --encoder-kimg 8 --calibration-images 60)
  if $quick; then budget=(--total-kimg 8 --fade-kimg 1 --stable-kimg 1 --encoder-kimg 2 --calibration-images 32) limit=30 point_limit=30; fi
  read -r question answer options < <(answers | awk -v name="$name" '$1 "=" $2 == name')
  read -ra parts <<<"${options%%-- *}"
  read -ra options <<<"${options#*-- }"
  if [ ! -e "$out/$1/data/description.json" ]; then
    rm -rf "${out:?}/$1/data"
    "$bin/pgad_data" split "$out/pool" --train-share 0.7 "${parts[@]}" --seed "$seed" --out "$out/$1/data" >"$out/$1/split.txt" 2>&1 || return 1
  fi
  [ "$question" = preset ] || options=(--preset tiny "${options[@]}")
  train "$1" --data "$out/$1/data" --tiles off --seed "$seed" "${options[@]}" "${budget[@]}" &&
    evaluate "$1" --data "$out/$1/data" --limit "$limit" || return 1
  case $name in
  gamma=1 | gamma=0.1)
    point() { once "$1/$2" evaluate_as "$1" "$2" --data "$out/$1/data" --limit "$point_limit" "${@:3}"; }
    for n in $(steps); do
      point "$1" "steps-$n" --steps "$n" && point "$1" "random-$n" --start random --patience 0 --steps "$n" || return 1
    done
    for n in $(lambdas); do point "$1" "lambda-$n" --lambda "$n" || return 1; done
    for n in $(gammas); do point "$1" "gamma-$n" --gamma "$n" || return 1; done
    ;;
  esac
}

searched=(residual feature relative_residual relative_feature latent_critic paper)  # what the search decides of
scores=("${searched[@]}" critic combined)
row() {  # row LABEL QUESTION=ANSWER FOLDER SCORE...: each score's AUROC, mean over the seeds
  local score seed
  printf '| %s |' "$1"
  for score in "${@:4}"; do
    printf ' %s |' "$(for seed in $seeds; do metric "$2-$seed" ".scores.$score.auroc" "$3"; done | summary)"
  done
  printf '\n'
}
head_row() {  # head_row LABEL SCORE...
  echo
  echo "| $1 |$(printf ' %s |' "${@:2}")"
  echo "|---|$(printf -- '---|%.0s' "${@:2}")"
}
points() {  # points LABEL QUESTION=ANSWER POINT NUMBER...
  local n
  head_row "$1" "${searched[@]}"
  for n in "${@:4}"; do row "$n" "$2" "$3-$n" "${searched[@]}"; done
}

write_report() {
  local title question answer last='' gamma which
  echo "Area under the ROC curve: 8s against other digits; mean over the seeds $seeds (lowest to highest)."
  while read -r question answer _; do
    case $question in
    gamma) title="γ of the training" ;;
    preset) title="the paper to the letter (\`--preset paper-tiny\`)" ;;
    objective) title="objective and γ (\`mixture\`: the first table)" ;;
    loss) title="loss and γ (logistic: the first table)" ;;
    contamination) title="share of other digits among the normal images, and all known or none (without: the first table, γ = .1 and 1)" ;;
    known) title="known ones (none and all: the first table, γ = 1 and .1)" ;;
    esac
    [ "$question" = "$last" ] || head_row "$title" "${scores[@]}"
    last=$question
    row "$answer" "$question=$answer" test "${scores[@]}"
  done < <(answers)
  for gamma in 1 0.1; do
    which="the model of γ = $gamma:"
    # shellcheck disable=SC2046  # words
    {
      points "$which λ of the search and of \`paper\`" "gamma=$gamma" lambda $(lambdas)
      points "$which γ of the search and of \`paper\`" "gamma=$gamma" gamma $(gammas)
      points "$which steps of the search, at most, from the encoder's start" "gamma=$gamma" steps $(steps)
      points "$which steps of the search, all of them, from a random start" "gamma=$gamma" random $(steps)
    }
  done
}

main "$@"
