# shellcheck shell=bash
# Sourced by the experiments: options, resumable jobs side by side, tables of metrics.json.
#
# An experiment defines
#   list_jobs             prints the names of its jobs, one a line; a name is made of letters, digits, '-', '_', '.' and '='
#   run_job NAME          does one, with files in $out/NAME
#   write_report          prints Markdown, from what the jobs left in $out
#   prepare               (may) makes what all jobs need, once
#   default_seeds         (may) the seeds where --seeds does not say
# and then calls main "$@". Jobs run in processes of their own, as many at once as there are processors, each with one
# thread: what they compute does not depend on how many there are. A job that ended well is not done again.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${PGAD_BIN:-$root/build/release/apps}

fail() {
  echo "$(basename "$0"): $1" >&2
  exit 2
}

usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" | sed '$d'
}

parse() {
  quick=false full=false seeds=${default_seeds:-1} jobs=$(nproc)
  local words=()
  while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=true ;;
    --full) full=true ;;
    --seeds) seeds=${2:?--seeds: expected numbers, "1 2 3"} && shift ;;
    --jobs) jobs=${2:?--jobs: expected a number} && shift ;;
    -h | --help) usage && exit 0 ;;
    -*) fail "unknown option $1; --help lists them" ;;
    *) words+=("$1") ;;
    esac
    shift
  done
  [ ${#words[@]} -eq 2 ] || fail "expected a data set and a folder for the results; --help says more"
  data=${words[0]} out=${words[1]}
  [ -e "$data" ] || fail "'$data' does not exist"
  [[ $jobs =~ ^[1-9][0-9]*$ ]] || fail "--jobs '$jobs': expected a number from 1 on"
  [[ $seeds =~ ^[0-9]+(\ [0-9]+)*$ ]] || fail "--seeds '$seeds': expected numbers, \"1 2 3\""
  command -v jq >/dev/null || fail "needs jq, to read the results: apt-get install jq"
  local program
  for program in pgad_train pgad_infer pgad_data; do
    [ -x "$bin/$program" ] || fail "no $program in $bin: scripts/setup.sh, then cmake --preset release && cmake --build --preset release; or set PGAD_BIN"
  done
  mkdir -p "$out"
  # Links below it must not depend on where they are.
  out=$(realpath "$out") data=$(realpath "$data")
}

# One thread each; the programs' words go to files of the job.
train() {  # train NAME OPTION...
  local name=$1 resume=()
  shift
  mkdir -p "$out/$name"
  # A run that was killed goes on where it was.
  [ -e "$out/$name/model/config.json" ] && resume=(--resume)
  "$bin/pgad_train" "$@" "${resume[@]}" --threads 1 --out "$out/$name/model" >"$out/$name/train.txt" 2>&1
}
evaluate() {  # evaluate NAME OPTION...
  local name=$1 resume=()
  shift
  [ -e "$out/$name/test/scores.csv.part" ] && resume=(--resume)
  "$bin/pgad_infer" evaluate --model "$out/$name/model/model.safetensors" "$@" "${resume[@]}" --threads 1 --out "$out/$name/test" \
    >"$out/$name/evaluate.txt" 2>&1
}
figures() {  # figures NAME OPTION...
  local name=$1
  shift
  "$bin/pgad_infer" paper-figures --model "$out/$name/model/model.safetensors" "$@" --threads 1 --out "$out/$name/figures" \
    >"$out/$name/figures.txt" 2>&1
}

# Part of a job, done once: the next call passes over it.
once() {  # once NAME COMMAND...
  local name=$1
  shift
  [ -e "$out/$name.done" ] || { "$@" && touch "$out/$name.done"; }
}

duration() { printf '%d:%02d h' $(($1 / 3600)) $(($1 / 60 % 60)); }

main() {
  local arguments=("$@")
  if [ "${1:-}" = --job ]; then
    local name=$2
    shift 2
    parse "$@"
    mkdir -p "$out/$name"
    if ! run_job "$name"; then
      echo "job $name failed; what it said last:" >&2
      # shellcheck disable=SC2012  # by time
      ls -t "$out/$name"/*.txt "$out/$name"/*/*.txt 2>/dev/null | head -n 1 | xargs -r tail -n 5 -v >&2
      exit 1
    fi
    date +%s >"$out/$name/done"
    exit 0
  fi
  parse "$@"
  local all left=() name began failed=0
  mapfile -t all < <(list_jobs)
  # Of other settings: their results would be mixed with these.
  local choices
  choices="quick=$quick full=$full data=$data"
  [ ! -e "$out/settings" ] || [ "$(cat "$out/settings")" = "$choices" ] ||
    fail "'$out' holds results of '$(cat "$out/settings")', these are '$choices': choose another folder"
  echo "$choices" >"$out/settings"
  # Other versions may have trained otherwise: the report says so.
  cat "$0" "${BASH_SOURCE[0]}" "$bin"/pgad_{train,infer,data} | cksum >>"$out/versions"
  sort -u "$out/versions" -o "$out/versions"
  for name in "${all[@]}"; do [ -e "$out/$name/done" ] || left+=("$name"); done
  echo "${#all[@]} jobs, $((${#all[@]} - ${#left[@]})) of them done before, $jobs at once" >&2
  if declare -F prepare >/dev/null; then once prepared prepare || { echo "what all jobs need could not be made; files in '$out' say why" >&2 && exit 1; }; fi
  began=$(date +%s)
  if [ ${#left[@]} -gt 0 ]; then
    printf '%s\n' "${left[@]}" | xargs -P "$jobs" -I NAME bash "$0" --job NAME "${arguments[@]}" &
    local worker=$! done_now last=-1
    while kill -0 $worker 2>/dev/null; do
      done_now=0
      for name in "${left[@]}"; do [ ! -e "$out/$name/done" ] || done_now=$((done_now + 1)); done
      if [ $done_now -ne $last ] && [ $done_now -gt 0 ]; then
        echo "$done_now of ${#left[@]} done, about $(duration $((($(date +%s) - began) * (${#left[@]} - done_now) / done_now))) left" >&2
      fi
      last=$done_now
      sleep 2
    done
    wait $worker || failed=1
  fi
  [ $failed -eq 0 ] || { echo "some jobs failed; the same command does them again" >&2 && exit 1; }
  {
    write_report
    if [ "$(wc -l <"$out/versions")" -gt 1 ]; then printf '\nSeveral versions of the script or the programs did the jobs.\n'; fi
  } | tee "$out/report.md"
}

# A number of a job's metrics.json, by a jq expression; "-" where there is none.
metric() {  # metric NAME EXPRESSION [FOLDER]
  jq -r "($2) // \"-\" | if type == \"number\" then (. * 1000 | round / 1000 | tostring) else . end" "$out/$1/${3:-test}/metrics.json" || echo -
}

# Mean and, of several, spread (lowest to highest) of numbers on standard input, and how many are missing ("-"), if any.
summary() {
  awk '$1 == "-" { ++missing; next }
    { s += $1; if (n == 0 || $1 < low) low = $1; if (n == 0 || $1 > high) high = $1; ++n }
    END {
      if (n == 0) print "-"
      else {
        printf "%.3f", s / n
        if (n > 1) printf " (%.3f to %.3f)", low, high
        if (missing) printf " without %d", missing
        print ""
      }
    }'
}
