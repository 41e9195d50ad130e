#!/usr/bin/env bash
# What Kimura & Yanagihara (2018) leave to be asked, on MNIST with the 8 as the normal digit: gamma, the objective, the loss,
# defects among the normal images, how many known ones are enough, and, of two of the models, lambda and the number of search
# steps. Every score beside every answer.
#
#   scripts/experiments/questions.sh MNIST_DIR OUT [--quick] [--seeds "1 2 3"] [--jobs N]
#
# Writes OUT/report.md, which it prints. Three seeds by default: by estimate two hours on two cores; --quick: short
# training, some minutes. Resumable: the same command goes on where it was ended.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

default_seeds="1 2 3"

# What is asked: a line for each answer, "question, answer, training options". Where the options begin with a data set,
# "pool SPLIT_OPTION... --", the images are divided by pgad_data split, else by pgad_train.
answers() {
  local gamma share
  for gamma in 1 0.9 0.5 0.1 0.01; do echo "gamma $gamma --gamma $gamma"; done
  echo "preset paper-tiny --preset paper-tiny --no-encoder"
  for gamma in 0.5 0.1; do echo "objective eq15-$gamma --gamma $gamma --objective eq15"; done
  for gamma in 1 0.1; do echo "loss wgan-gp-$gamma --gamma $gamma --loss wgan-gp"; done
  for share in 0 0.01 0.05 0.1; do
    echo "contamination $share-none pool --contaminated $share --known none -- --gamma 1"
    echo "contamination $share-known pool --contaminated $share -- --gamma 0.1"
  done
  echo "known 5 pool --known-each 1 --known 0,2,4,6,9 -- --gamma 0.1"
  echo "known 54 pool --known-each 6 -- --gamma 0.1"
}
steps() { if $quick; then echo 1 10; else echo 1 10 50 100 250 500; fi; }
lambdas() { if $quick; then echo 0 1; else echo 0 0.1 0.5 0.9 1; fi; }

list_jobs() {
  local question answer options seed
  for seed in $seeds; do answers | while read -r question answer options; do echo "$question=$answer-$seed"; done; done
}

# 700 images of each digit, all of the 8.
prepare() {
  local digit
  rm -rf "$out/digits" "$out/pool"
  "$bin/pgad_data" convert "$data" --layout idx --normal 8 --out "$out/digits" >"$out/digits.txt" 2>&1 || return 1
  for digit in good 0 1 2 3 4 5 6 7 9; do
    mkdir -p "$out/pool/test/$digit" || return 1
    # All is read to the end: a `head` that ends early would end `sort` with an error.
    find "$out/digits/test/$digit" -name '*.png' | LC_ALL=C sort | awk -v most="$([ "$digit" = good ] && echo 100000 || echo 700)" 'NR <= most' |
      xargs -r -d '\n' ln -s -t "$out/pool/test/$digit" || return 1
  done
}

evaluate_as() {  # evaluate_as JOB NAME OPTION...: the job's model, with other options, in JOB/NAME
  local job=$1 name=$2
  shift 2
  "$bin/pgad_infer" evaluate --model "$out/$job/model/model.safetensors" "$@" --threads 1 --out "$out/$job/$name" >"$out/$job/$name.txt" 2>&1
}

run_job() {
  local name=${1%-*} seed=${1##*-} question answer options pool=() n
  local set=(--data "$data" --normal-class 8 --split-seed "$seed")
  # Images of each class: of an answer, and of a point of lambda and of the steps, which are told apart on the same images.
  local limit=200 point_limit=100
  local budget=(--total-kimg 32 --fade-kimg 4 --stable-kimg 4 --encoder-kimg 12 --calibration-images 80)
  if $quick; then budget=(--total-kimg 8 --fade-kimg 1 --stable-kimg 1 --encoder-kimg 2 --calibration-images 32) limit=30 point_limit=30; fi
  read -r question answer options < <(answers | awk -v name="$name" '$1 "=" $2 == name')
  if [[ $options == pool\ * ]]; then
    read -ra pool <<<"${options%% -- *}"
    options=${options#* -- }
    if [ ! -e "$out/$1/data/description.json" ]; then
      rm -rf "${out:?}/$1/data"
      "$bin/pgad_data" split "$out/pool" --train-share 0.7 "${pool[@]:1}" --seed "$seed" --out "$out/$1/data" >"$out/$1/split.txt" 2>&1 || return 1
    fi
    set=(--data "$out/$1/data" --tiles off)
  fi
  read -ra options <<<"$options"
  [[ $name == preset=* ]] || options=(--preset tiny --encoder --steps 100 "${options[@]}")
  train "$1" "${set[@]}" --seed "$seed" "${options[@]}" "${budget[@]}" &&
    evaluate "$1" --data "${set[1]}" --limit "$limit" || return 1
  case $name in
  gamma=1 | gamma=0.1)
    for n in $(steps); do
      once "$1/steps-$n" evaluate_as "$1" "steps-$n" --data "$data" --limit "$point_limit" --steps "$n" &&
        once "$1/random-$n" evaluate_as "$1" "random-$n" --data "$data" --limit "$point_limit" --start random --patience 0 --steps "$n" || return 1
    done
    for n in $(lambdas); do once "$1/lambda-$n" evaluate_as "$1" "lambda-$n" --data "$data" --limit "$point_limit" --lambda "$n" || return 1; done
    ;;
  esac
}

scores=(residual feature relative_residual relative_feature latent_critic paper critic combined)
row() {  # row LABEL QUESTION=ANSWER [FOLDER]: each score's AUROC, mean over the seeds
  local score seed
  printf '| %s |' "$1"
  for score in "${scores[@]}"; do
    printf ' %s |' "$(for seed in $seeds; do metric "$2-$seed" ".scores.$score.auroc" "${3:-test}"; done | summary)"
  done
  printf '\n'
}
head_row() {
  echo
  echo "| $1 |$(printf ' %s |' "${scores[@]}")"
  echo "|---|$(printf -- '---|%.0s' "${scores[@]}")"
}

write_report() {
  local title question answer last='' gamma n
  echo "Area under the ROC curve: 8s against other digits; mean over the seeds $seeds (lowest to highest)."
  while read -r question answer _; do
    case $question in
    gamma) title="γ" ;;
    preset) title="the paper to the letter (\`--preset paper-tiny\`)" ;;
    objective) title="objective and γ (\`mixture\`: the first table)" ;;
    loss) title="loss and γ (logistic: the first table)" ;;
    contamination) title="share of other digits among the normal images, and 630 known ones or none" ;;
    known) title="known ones (none and 630: the table above)" ;;
    esac
    [ "$question" = "$last" ] || head_row "$title"
    last=$question
    row "$answer" "$question=$answer"
  done < <(answers)
  for gamma in 1 0.1; do
    head_row "γ = $gamma: λ of the search and of \`paper\`"
    for n in $(lambdas); do row "$n" "gamma=$gamma" "lambda-$n"; done
    head_row "γ = $gamma: steps of the search, at most, from the encoder's start"
    for n in $(steps); do row "$n" "gamma=$gamma" "steps-$n"; done
    head_row "γ = $gamma: steps of the search, all of them, from a random start"
    for n in $(steps); do row "$n" "gamma=$gamma" "random-$n"; done
  done
}

main "$@"
