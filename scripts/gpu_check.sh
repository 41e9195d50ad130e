#!/usr/bin/env bash
# Checks and measures pgad on a machine with an NVIDIA GPU: one command, one folder with all that it found.
#
#   scripts/gpu_check.sh OUTDIR [--prebuilt DIR] [--only PART,...] [--precision fp32|tf32|bf16] [--budget SECONDS]
#                        [--device cuda|cuda-emulated]
#
# Parts, in this order:
#   info       GPU, driver, toolkit, commit, date
#   build      needs a CUDA toolkit; with --prebuilt (a folder made by scripts/gpu_bundle.sh, or a build folder) only a look
#              at what is there
#   parity     tests of the GPU's code path beside the reference and beside PyTorch's results
#   fragments  layouts of the tensor cores' operands beside the tables of NVIDIA's manual
#   sanitizer  memcheck, racecheck, initcheck and synccheck over small tests, if there is a compute-sanitizer
#   train      a small model on handwritten digits, and its AUROC
#   bench      every kernel beside the GPU's copying and multiplying rates, in fp32, tf32 and bf16
#   steps      training and search steps at 32x32 to 1024x1024, beside PyTorch where a python3 has torch with CUDA
#
# OUTDIR/report.md and report.json say what ran and how it ended; logs lie beside. A call ends after about --budget seconds
# (570): the same command goes on where it stopped, and does not repeat what is done. Two calls are enough with --prebuilt.
# To repeat a part, delete OUTDIR/PART.* and OUTDIR/PART-*. --device cuda-emulated rehearses all this without a GPU, on toy
# sizes. Exit status: 0 all parts passed or had a reason to be skipped, 1 not so (a failure, time is up, no GPU), 2 usage.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
all_parts=(info build parity fragments sanitizer train bench steps)
declare -A part_limit=([info]=20 [build]=3600 [parity]=200 [fragments]=30 [sanitizer]=180 [train]=150 [bench]=200 [steps]=350)

usage() {
  echo "gpu_check.sh: $1" >&2
  sed -n '4,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}
out='' prebuilt='' only='' device=cuda precision=fp32 budget=570
while [[ $# -gt 0 ]]; do
  case $1 in
  --prebuilt | --only | --device | --precision | --budget)
    [[ $# -gt 1 ]] || usage "$1 needs a value"
    printf -v "${1#--}" %s "$2"
    shift
    ;;
  -*) usage "unknown option $1" ;;
  *)
    [[ -z $out ]] || usage "one OUTDIR, not also $1"
    out=$1
    ;;
  esac
  shift
done
[[ -n $out ]] || usage "OUTDIR is missing"
[[ $device == cuda || $device == cuda-emulated ]] || usage "--device: cuda or cuda-emulated, not $device"
[[ $precision =~ ^(fp32|tf32|bf16)$ ]] || usage "--precision: fp32, tf32 or bf16, not $precision"
[[ $budget =~ ^[0-9]+$ ]] || usage "--budget: seconds, not $budget"
parts=("${all_parts[@]}")
[[ -z $only ]] || IFS=, read -ra parts <<<"$only"
for part in "${parts[@]}"; do
  [[ -n ${part_limit[$part]:-} ]] || usage "no part '$part'; parts: ${all_parts[*]}"
done
mkdir -p "$out" || exit 2
out=$(cd "$out" && pwd)
if [[ -z $prebuilt && -x $root/apps/pgad_train ]]; then prebuilt=$root; fi # this script lies in such a folder
if [[ -n $prebuilt ]]; then
  bin=$(cd "$prebuilt" && pwd) || usage "--prebuilt: no folder $prebuilt"
else
  bin=$root/build/gpu
fi

# --- Steps: a part's commands, each done at most once ----------------------------------------------------------------

cut=99 # exit status of a step that the budget did not allow to end
# step NAME SECONDS COMMAND...: output in OUTDIR/NAME.log, exit status (124: took too long) returned and kept in NAME.rc.
step() {
  local name=$1 limit=$2 status
  shift 2
  if [[ -f $out/$name.rc ]]; then return "$(<"$out/$name.rc")"; fi
  local own=$((part_end - SECONDS)) whole=$((budget - SECONDS))
  [[ $own -lt $limit ]] && limit=$own
  if [[ $whole -lt 10 ]]; then return "$cut"; fi
  if [[ $limit -lt 1 ]]; then
    echo "the part's time was over before this began" >"$out/$name.log"
    return 124
  fi
  timeout -k 5 "$((whole < limit ? whole : limit))" "$@" >"$out/$name.log" 2>&1 </dev/null
  status=$?
  if [[ $status -eq 124 && $whole -lt $limit ]]; then return "$cut"; fi
  echo "$status" >"$out/$name.rc"
  return "$status"
}
# The parts: print one line of summary and return 0 (passed), 1 (failed), 77 (skipped) or $cut.
last_line() { tail -n 1 "$out/$1.log" 2>/dev/null | tr -d '\r' | cut -c 1-200; }

commit() { cat "$root/COMMIT" 2>/dev/null || git -C "$root" describe --always --dirty 2>/dev/null || echo unknown; }
gpu_line() {
  [[ $device == cuda ]] || { echo "cuda-emulated: a rehearsal without a GPU" && return; }
  nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader 2>/dev/null | head -n 1 |
    grep . || echo "unknown GPU (no nvidia-smi)"
}
has_gpu() { nvidia-smi -L 2>/dev/null | grep -q '^GPU' || [[ -e /dev/nvidia0 || -e /dev/dxg ]]; }
torch_python() { # prints a python3 whose PyTorch finds a GPU
  local candidate
  for candidate in ${PYTHON:-} $(type -aP python3); do
    "$candidate" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null && echo "$candidate" && return
  done
  return 1
}

part_info() {
  describe() {
    date -u '+%Y-%m-%d %H:%M UTC'
    echo "commit $(commit), device $device"
    uname -srm
    grep -m 1 'model name' /proc/cpuinfo
    nproc
    nvidia-smi 2>&1
    nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap,clocks.max.sm,clocks.max.mem,power.limit --format=csv 2>&1
    "$(nvcc_path)" --version 2>&1 | tail -n 2
    python3 -c 'import torch; print("torch", torch.__version__, "CUDA", torch.version.cuda)' 2>&1 | tail -n 1
  }
  describe >"$out/info.log" 2>&1
  echo "$(gpu_line); commit $(commit)"
}

nvcc_path() { command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null || echo nvcc; }
part_build() {
  local missing=() program
  if [[ -z $prebuilt ]]; then
    local options=(-DCMAKE_BUILD_TYPE=Release -DPGAD_CUDA=AUTO)
    if [[ $device == cuda ]]; then
      local capability
      capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .)
      options+=(-DPGAD_CUDA=ON ${capability:+-DPGAD_CUDA_ARCHITECTURES=$capability-real})
    fi
    local targets=("$root"/tests/cuda_*_test.cpp)
    targets=("${targets[@]##*/}")
    step build-configure 120 cmake -S "$root" -B "$bin" "${options[@]}" || {
      local status=$?
      last_line build-configure
      [[ $status -eq $cut ]] && return "$cut" || return 1
    }
    # Goes on where it was cut.
    step build-compile 3600 cmake --build "$bin" -j "$(nproc)" --target "${targets[@]%.cpp}" golden_test kernels_bench step_bench pgad_train pgad_infer || {
      local status=$?
      last_line build-compile
      [[ $status -eq $cut ]] && return "$cut" || return 1
    }
  fi
  for program in tests/golden_test tests/cuda_fragments_test bench/kernels_bench bench/step_bench apps/pgad_train apps/pgad_infer; do
    if [[ ! -x $bin/$program ]] || ldd "$bin/$program" 2>&1 | grep -q 'not found'; then missing+=("$program"); fi
  done
  if [[ ${#missing[@]} -gt 0 ]]; then
    echo "missing, or a library of it is: ${missing[*]}"
    return 1
  fi
  echo "${prebuilt:+prebuilt: }$("$bin/apps/pgad_train" --version 2>&1 | head -n 1)"
}

# run_tests STEP PROGRAM: one line, and the status of a part.
run_tests() {
  local name=$1 program=$2 status=0 passed failed skipped
  step "$name" 240 env PGAD_TEST_DEVICE="$device" OMP_WAIT_POLICY=passive "$program" || status=$?
  if [[ $status -eq $cut ]]; then return "$cut"; fi
  if grep -q '^no GPU for' "$out/$name.log"; then echo "${program##*/}: $(grep -m 1 '^no GPU for' "$out/$name.log")" && return 1; fi
  count() { sed -n "s/^\[  *$1 *\] \([0-9]*\) test.*/\1/p" "$out/$name.log" | head -n 1; }
  passed=$(count PASSED) failed=$(count FAILED) skipped=$(count SKIPPED)
  echo -n "${program##*/}: ${passed:-0} passed, ${failed:-0} failed, ${skipped:-0} skipped"
  if [[ $status -eq 124 ]]; then echo -n ", took too long"; elif [[ $status -gt 1 ]]; then echo -n ", ended with status $status"; fi
  [[ $status -eq 0 && ${passed:-0} -gt 0 ]] && return 0 || return 1
}
part_parity() {
  local program line status worst=0 lines=()
  for program in "$bin"/tests/cuda_*_test "$bin"/tests/golden_test; do
    [[ -x $program && ${program##*/} != cuda_fragments_test ]] || continue
    status=0
    line=$(run_tests "parity-${program##*/}" "$program") || status=$?
    if [[ $status -eq $cut ]]; then return "$cut"; fi
    lines+=("$line")
    [[ $status -eq 0 ]] || worst=1
  done
  [[ ${#lines[@]} -gt 0 ]] || { echo "no tests in the build folder" && return 1; }
  (IFS=';' && echo "${lines[*]}" | sed 's/;/; /g')
  return "$worst"
}
part_fragments() { run_tests fragments-test "$bin/tests/cuda_fragments_test"; }

part_sanitizer() {
  local sanitizer tool program filter status clean=0 stopped=0 bad=()
  if [[ $device != cuda ]]; then echo "needs a GPU" && return 77; fi
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer /opt/cuda/bin/compute-sanitizer 2>/dev/null | head -n 1)
  if [[ -z $sanitizer ]]; then echo "no compute-sanitizer on this machine" && return 77; fi
  for program in "$bin"/tests/cuda_*_test; do
    [[ -x $program ]] || continue
    case ${program##*/} in # a few seconds without the sanitizer are minutes with it
    cuda_engine_test) filter='CudaEngine.TransfersArrive*:CudaEngine.SteadySteps*' ;;
    *) filter='*' ;;
    esac
    for tool in memcheck racecheck initcheck synccheck; do
      status=0
      step "sanitizer-$tool-${program##*/}" 30 env PGAD_TEST_DEVICE="$device" "$sanitizer" --tool "$tool" --error-exitcode 42 \
        "$program" --gtest_filter="$filter" || status=$?
      case $status in
      0) clean=$((clean + 1)) ;;
      "$cut") return "$cut" ;;
      42) bad+=("$tool of ${program##*/}") ;;
      124) if grep -q '^========= .*[Ee]rror' "$out/sanitizer-$tool-${program##*/}.log"; then bad+=("$tool of ${program##*/}"); else stopped=$((stopped + 1)); fi ;;
      *) bad+=("$tool of ${program##*/} (status $status)") ;;
      esac
    done
  done
  echo "$clean runs clean, $stopped stopped at their time limit without a finding, ${#bad[@]} with findings${bad[*]:+: ${bad[*]}}"
  [[ ${#bad[@]} -eq 0 && $((clean + stopped)) -gt 0 ]]
}

part_train() {
  local data=$root/data/mnist-subset model=$out/train-model status=0 combined began=$SECONDS
  local sizes=(--total-kimg 112 --score-gamma 0.9 --calibration-images 128) limit=(--limit 100)
  if [[ $device == cuda-emulated ]]; then
    sizes=(--resolution 8 --fmap-max 8 --fade-kimg 0.016 --stable-kimg 0.016 --total-kimg 0.064 --batch 8 --steps 2 --calibration-images 8)
    limit=(--limit 4)
  fi
  [[ -f $out/train-run.rc ]] || rm -rf "$model" # one that was cut
  step train-run 180 "$bin/apps/pgad_train" --device "$device" --data "$data" --normal-class 8 --preset tiny "${sizes[@]}" --out "$model" || status=$?
  if [[ $status -eq 0 ]]; then
    step train-evaluate 120 "$bin/apps/pgad_infer" evaluate --device "$device" --model "$model/model.safetensors" --data "$data" \
      "${limit[@]}" --out "$out/train-evaluation" || status=$?
    if [[ $status -ne 0 && $status -ne $cut ]]; then echo "evaluation failed: $(last_line train-evaluate)" && return 1; fi
  elif [[ $status -ne $cut ]]; then
    echo "training failed: $(last_line train-run)"
    return 1
  fi
  if [[ $status -eq $cut ]]; then return "$cut"; fi
  combined=$(awk '$1 == "combined" { print $2 }' "$out/train-evaluate.log")
  if [[ -z $combined ]]; then echo "no AUROC of 'combined' in train-evaluate.log" && return 1; fi
  echo "trained and evaluated in $((SECONDS - began)) s, AUROC of combined $combined"
  [[ $device == cuda-emulated ]] || awk -v a="$combined" 'BEGIN { exit !(a >= 0.9) }'
}

part_bench() {
  local p status errors=0 timed=0 precisions=(fp32 tf32 bf16)
  [[ $device == cuda ]] || precisions=(fp32)
  for p in "${precisions[@]}"; do
    status=0
    step "bench-$p" 200 "$bin/bench/kernels_bench" --device "$device" --precision "$p" --benchmark_min_time=0.05 \
      --benchmark_filter="$([[ $p == fp32 ]] && echo . || echo 'conv2d|matmul')" \
      --benchmark_out="$out/bench-$p.json" --benchmark_out_format=json || status=$?
    if [[ $status -eq $cut ]]; then return "$cut"; fi
    if [[ $status -ne 0 ]]; then echo "$p ended with status $status: $(last_line "bench-$p")" && return 1; fi
    errors=$((errors + $(grep -c 'ERROR OCCURRED' "$out/bench-$p.log")))
    timed=$((timed + $(grep -c 'share=' "$out/bench-$p.log")))
  done
  echo "$timed timed, $errors with errors"
  [[ $timed -gt 0 && $errors -eq 0 ]]
}

part_steps() {
  local side mode status python failed=0 done=0 reason='' beside="without PyTorch" sides=(32 64 128 256 512 1024)
  declare -A batch=([8]=4 [32]=64 [64]=32 [128]=16 [256]=8 [512]=4 [1024]=4)
  if [[ $device == cuda ]]; then python=$(torch_python); else python='' sides=(8); fi
  [[ -z $python ]] || beside="beside PyTorch"
  for side in "${sides[@]}"; do
    for mode in train search; do
      status=0
      if [[ -n $python ]]; then
        step "steps-$side-$mode" 120 "$python" "$root/bench/pytorch/compare.py" --device "$device" --precision "$precision" \
          --configs "$side-$mode" --rounds 1 --seconds 1.5 --patience 0 --variants eager,graphs --layouts channels_last --timeout 60 \
          --step-bench "$bin/bench/step_bench" --out "$out/steps-$side-$mode" || status=$?
      else
        step "steps-$side-$mode" 60 "$bin/bench/step_bench" --device "$device" --precision "$precision" --mode "$mode" --resolution "$side" \
          --fmap-max "$([[ $device == cuda ]] && echo 512 || echo 8)" --channels 3 --batch "${batch[$side]}" --seconds 1.5 || status=$?
      fi
      if [[ $status -eq $cut ]]; then return "$cut"; fi
      if [[ $status -eq 0 ]] && ! grep -q 'left out: .*pgad' "$out/steps-$side-$mode.log"; then
        done=$((done + 1))
      else
        failed=$((failed + 1)) reason=": $(grep -m 1 '^step_bench: ' "$out/steps-$side-$mode.log" || last_line "steps-$side-$mode")"
      fi
    done
  done
  echo "$done steps timed $beside, $failed failed$reason"
  [[ $failed -eq 0 ]]
}

# --- The report ------------------------------------------------------------------------------------------------------

# OUTDIR/PART.result: status, seconds, summary, a line each. status: passed, failed, skipped, unfinished.
result() { sed -n "$2p" "$out/$1.result" 2>/dev/null; }
json_text() { sed 's/\\/\\\\/g; s/"/\\"/g' | tr -d '\000-\010\013-\037' | tr '\t\n' '  ' | sed 's/ *$//'; }
log_of() { sed 's/\x1b\[[0-9;]*m//g' "$out/$1"; }
write_report() {
  local part status log sep=''
  {
    echo "# pgad on a GPU, $(date -u +%F)"
    echo
    echo "$(gpu_line). Commit $(commit), precision of the steps $precision."
    echo
    echo "| part | outcome | seconds | |"
    echo "|---|---|---|---|"
    for part in "${all_parts[@]}"; do
      status=$(result "$part" 1)
      echo "| $part | ${status:-not run} | $(result "$part" 2) | $(result "$part" 3 | sed 's/|/\\|/g') |"
    done
    if [[ -s $out/train-evaluate.log ]]; then
      printf '\n## Anomaly scores after training\n\n```\n' && log_of train-evaluate.log | sed -n '/^score /,$p' && echo '```'
    fi
    if compgen -G "$out/steps-*.log" >/dev/null; then
      printf '\n## Steps\n\n'
      if grep -qh '^| train\|^| search' "$out"/steps-*.log; then
        grep -h '^| job' "$out"/steps-*.log | sort -u
        echo '|---|---|---|---|---|---|---|---|---|---|---|---|---|'
        grep -h '^| train\|^| search' "$out"/steps-*.log | sort -t'|' -k2,2r -k3,3n
      else
        echo '```'
        for log in $(cd "$out" && printf '%s\n' steps-*.log | sort -V); do grep '^{' "$out/$log"; done
        echo '```'
      fi
    fi
    for log in "$out"/bench-*.log; do
      [[ -s $log ]] || continue
      log=${log##*/}
      printf '\n## Kernels, %s\n\n```\n' "$(basename "$log" .log | sed 's/bench-//')" && log_of "$log" && echo '```'
    done
  } >"$out/report.md"
  {
    printf '{"date": "%s", "device": "%s", "gpu": "%s", "commit": "%s", "precision": "%s", "parts": [' "$(date -u +%FT%TZ)" "$device" \
      "$(gpu_line | json_text)" "$(commit | json_text)" "$precision"
    for part in "${all_parts[@]}"; do
      status=$(result "$part" 1)
      printf '%s\n  {"part": "%s", "outcome": "%s", "seconds": %s, "summary": "%s"}' "$sep" "$part" "${status:-not run}" \
        "$(result "$part" 2 | grep . || echo null)" "$(result "$part" 3 | json_text)"
      sep=,
    done
    printf '\n]}\n'
  } >"$out/report.json"
}

# --- Run -------------------------------------------------------------------------------------------------------------

record() { printf '%s\n%s\n%s\n' "$2" "$3" "$4" >"$out/$1.result"; }
if [[ $device == cuda ]] && ! has_gpu; then
  for part in "${parts[@]}"; do
    [[ $(result "$part" 1) =~ ^(passed|failed)$ ]] || record "$part" unfinished 0 "no GPU on this machine"
  done
  write_report
  echo "no GPU on this machine: nothing was run; $out/report.md" >&2
  exit 1
fi
status_of_all=0
for part in "${parts[@]}"; do
  if [[ $(result "$part" 1) =~ ^(passed|failed)$ ]]; then
    echo "$part: $(result "$part" 1) before"
  elif [[ $((budget - SECONDS)) -lt 10 ]]; then
    record "$part" unfinished 0 "not begun: call again"
  else
    began=$SECONDS part_end=$((SECONDS + part_limit[$part]))
    summary=$("part_$part")
    status=$?
    summary=${summary##*$'\n'}
    case $status in
    0) outcome=passed ;;
    77) outcome=skipped ;;
    "$cut") outcome=unfinished summary="time was up: call again to go on" ;;
    *) outcome=failed ;;
    esac
    record "$part" "$outcome" $((SECONDS - began)) "$summary"
    echo "$part: $outcome: $summary"
  fi
  [[ $(result "$part" 1) =~ ^(passed|skipped)$ ]] || status_of_all=1
  write_report
done
echo "report: $out/report.md"
exit $status_of_all
