#!/usr/bin/env bash
# Kills training at random moments and resumes it: the model must be, byte for byte, that of a run that was left alone.
#
#   scripts/kill_resume.sh [TRIES=20] [SEED=1]
#
# Needs build/release/apps/pgad_train; PGAD_BUILD chooses another build folder. SEED is of the random moments. Exit status:
# 0 all equal, 1 some different, 2 could not run.
set -euo pipefail

tries=${1:-20}
RANDOM=${2:-1}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${PGAD_BUILD:-$root/build/release}/apps/pgad_train
if [[ ! $tries =~ ^[1-9][0-9]*$ || ! -x $program ]]; then
  echo "kill_resume.sh: expected a number of tries, and the program $program" >&2
  exit 2
fi
tmp=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || kill -9 "$pid" 2>/dev/null || true; rm -rf "$tmp"' EXIT

# A checkpoint every 100 images: kills fall into every phase, and into the writing of checkpoints.
train() {
  exec "$program" --data "$root/data/mnist-subset" --normal-class 8 --resolution 16 --fmap-max 8 --latent-size 8 \
    --total-kimg 2 --fade-kimg 0.4 --stable-kimg 0.4 --batch 8 --checkpoint-kimg 0.1 --sample-kimg 1 --steps 5 \
    --calibration-images 16 --threads 1 "$@"
}
milliseconds() { echo $(($(date +%s%N) / 1000000)); }
pause() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }
digest() { sha256sum <"$1/model.safetensors" 2>/dev/null || echo "no model"; }
# How far a run's newest checkpoint is, in images.
reached() {
  local names=("$1"/checkpoints/images-*.safetensors)
  local last=${names[-1]##*/images-}
  last=${last%.safetensors}
  [[ $last == '*' ]] && echo 0 || echo $((10#$last))
}

begin=$(milliseconds)
if ! (train --out "$tmp/whole") 2>"$tmp/log"; then
  cat "$tmp/log" >&2
  exit 2
fi
duration=$(($(milliseconds) - begin))
wanted=$(digest "$tmp/whole")
echo "uninterrupted: $duration ms, ${wanted:0:16}"

equal=0
for ((i = 1; i <= tries; ++i)); do
  run=$tmp/run
  rm -rf "$run"
  story=
  kills=$((RANDOM % 3 + 1))
  for ((k = 0; k < kills; ++k)); do
    # The first part of a run's time reads the data; nothing is there to lose yet.
    wait_ms=$((duration / 6 + RANDOM % (duration * 5 / 6)))
    (train --out "$run" --resume) 2>"$tmp/log" &
    pid=$!
    pause "$wait_ms"
    if kill -9 "$pid" 2>/dev/null; then outcome=killed; else outcome="had ended"; fi
    wait "$pid" 2>/dev/null || true
    pid=
    story+="$outcome after $wait_ms ms with $(reached "$run") images saved; "
    [[ $outcome == killed ]] || break
  done
  if ! (train --out "$run" --resume) 2>"$tmp/log"; then
    echo "try $i: ${story}resuming FAILED: $(tail -n 1 "$tmp/log")"
    continue
  fi
  got=$(digest "$run")
  if [[ $got == "$wanted" ]]; then
    equal=$((equal + 1))
    echo "try $i: ${story}resumed: equal"
  else
    echo "try $i: ${story}resumed: DIFFERENT, ${got:0:16}"
  fi
done
echo "$equal of $tries equal"
[[ $equal -eq $tries ]]
