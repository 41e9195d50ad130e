#!/usr/bin/env bash
# Checks and measures pgad on a machine with an NVIDIA GPU: one command, one folder with all that it found.
#
#   scripts/gpu_check.sh OUTDIR [--prebuilt DIR] [--only PART,...] [--precision fp32|tf32|bf16] [--budget SECONDS]
#                        [--device cuda|cuda-emulated]
#
# The machine may be lent for one call of ten minutes, so what is wanted most comes first, and nothing that fails costs
# what comes after it. Parts, in this order:
#   info          GPU, driver, toolkit, libraries, commit, date
#   build         needs a CUDA toolkit; with --prebuilt (a folder made by scripts/gpu_bundle.sh, or a build folder) only a
#                 look at what is there
#   steps         a training and a search step at 32x32 to 1024x1024 in --precision (bf16), each with a profile
#   convolutions  convolutions and products in bf16, tf32 and fp32, at the preset pggan's shapes, beside cuDNN and cuBLAS
#   parity        layouts of the tensor cores' operands; tests of the GPU's code path beside the reference and beside
#                 PyTorch's results: a process per case, so that a crash or a hang costs one
#   pytorch       the same steps by PyTorch, in one process, where a python3 has torch with CUDA
#   sanitizer     memcheck, racecheck, initcheck and synccheck over small tests, if there is a compute-sanitizer
#   train         a small model on handwritten digits, and its AUROC
#   tuned         some of the steps with kernels chosen by measurement, cuDNN's and cuBLAS's among them
#   maps          the other kernels beside the GPU's copying rate
#
# After each part OUTDIR/results.tar.gz has all that is known: report.md and report.json, which say what ran and how it
# ended, and the logs. A call ends after about --budget seconds (570); another one goes on where it stopped and does not
# repeat what is done. To repeat a part, delete OUTDIR/PART.* and OUTDIR/PART-*. --device cuda-emulated rehearses all this
# without a GPU, on toy sizes. Exit status: 0 all parts passed or had a reason to be skipped, 1 not so (a failure, time is
# up, no GPU), 2 usage.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
all_parts=(info build steps convolutions parity pytorch sanitizer train tuned maps)
declare -A part_limit=([info]=20 [build]=3600 [steps]=120 [convolutions]=150 [parity]=120 [pytorch]=120 [sanitizer]=60
  [train]=90 [tuned]=120 [maps]=60)

usage() {
  echo "gpu_check.sh: $1" >&2
  sed -n '4,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}
out='' prebuilt='' only='' device=cuda precision=bf16 budget=570
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
  # A process that hangs in the driver cannot be killed; then it is left alone.
  local job guard ended seconds=$((whole < limit ? whole : limit))
  timeout -k 5 "$seconds" "$@" >"$out/$name.log" 2>&1 </dev/null &
  job=$!
  sleep $((seconds + 10)) >/dev/null 2>&1 &
  guard=$!
  wait -n -p ended "$job" "$guard"
  status=$?
  if [[ $ended == "$guard" ]]; then
    status=124
  else
    kill "$guard" 2>/dev/null
    wait "$guard" 2>/dev/null
  fi
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
has_gpu() { nvidia-smi -L 2>/dev/null | grep '^GPU' >/dev/null || [[ -e /dev/nvidia0 || -e /dev/dxg ]]; }
torch_python() { # prints a python3 whose PyTorch finds a GPU (in a rehearsal: any)
  local candidate test='import torch, sys; sys.exit(not torch.cuda.is_available())'
  [[ $device == cuda ]] || test='import torch'
  for candidate in ${PYTHON:-} $(type -aP python3); do
    timeout 60 "$candidate" -c "$test" >/dev/null 2>&1 </dev/null && echo "$candidate" && return
  done
  return 1
}
# Folders with cuDNN and cuBLAS that the system's loader does not know: the toolkit's, and what pip installs beside PyTorch.
library_path() {
  local python roots
  {
    printf '%s\n' /usr/local/cuda/lib64 /usr/local/cuda/lib /opt/cuda/lib64
    for python in ${PYTHON:-} $(type -aP python3); do
      roots=$(timeout 10 "$python" -c 'import sys; print("\n".join(p for p in sys.path if p.endswith("-packages")))' 2>/dev/null)
      while read -r root_; do printf '%s\n' "$root_"/nvidia/*/lib "$root_"/torch/lib; done <<<"$roots"
    done
  } | while read -r folder; do
    if compgen -G "$folder/libcudnn.so.9" >/dev/null || compgen -G "$folder/libcublas.so.1[23]" >/dev/null; then echo "$folder"; fi
  done | awk '!seen[$0]++' | paste -sd:
}
with_libraries=() # put before pgad's programs
find_libraries() {
  local found
  found=$(library_path)
  [[ -z $found ]] || with_libraries=(env "LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$found")
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
    echo "folders of cuDNN and cuBLAS: ${with_libraries[*]:-none but those of the system}"
    ldconfig -p 2>/dev/null | grep 'libcudnn.so\|libcublas.so'
  }
  describe >"$out/info.log" 2>&1
  echo "$(gpu_line); commit $(commit)"
}

nvcc_path() { command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null || echo nvcc; }
part_build() {
  local missing=() program
  if [[ -z $prebuilt ]]; then
    # scripts/setup.sh installs ninja, and a bare system has no make.
    command -v make >/dev/null || export CMAKE_GENERATOR=Ninja
    local options=(-DCMAKE_BUILD_TYPE=Release -DPGAD_CUDA=AUTO)
    if [[ $device == cuda ]]; then
      local capability
      capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .)
      options+=(-DPGAD_CUDA=ON ${capability:+-DPGAD_CUDA_ARCHITECTURES=$capability-real})
    fi
    step build-configure 120 cmake -S "$root" -B "$bin" "${options[@]}" || {
      local status=$?
      last_line build-configure
      [[ $status -eq $cut ]] && return "$cut" || return 1
    }
    # Goes on where it was cut.
    step build-compile 3600 cmake --build "$bin" -j "$(nproc)" --target gpu_tests kernels_bench step_bench pgad_train pgad_infer || {
      local status=$?
      last_line build-compile
      [[ $status -eq $cut ]] && return "$cut" || return 1
    }
  fi
  for program in $(test_programs | sed "s,^$bin/,,") bench/kernels_bench bench/step_bench apps/pgad_train apps/pgad_infer; do
    if [[ ! -x $bin/$program ]] || ldd "$bin/$program" 2>&1 | grep 'not found' >/dev/null; then missing+=("$program"); fi
  done
  if [[ ${#missing[@]} -gt 0 ]]; then
    echo "missing, or a library of it is: ${missing[*]}"
    return 1
  fi
  echo "${prebuilt:+prebuilt: }$("$bin/apps/pgad_train" --version 2>&1 | head -n 1)"
}

# All tests in one program, or, in a build folder, in one per file, the operands' layouts first.
test_programs() {
  if [[ -x $bin/tests/gpu_tests ]]; then
    echo "$bin/tests/gpu_tests"
  else
    printf '%s\n' "$bin"/tests/cuda_fragments_test "$bin"/tests/cuda_*_test "$bin"/tests/golden_test | awk '!seen[$0]++'
  fi
}
# The names of a test program's cases, the operands' layouts first.
cases_of() {
  timeout 60 "$1" --gtest_list_tests </dev/null 2>/dev/null |
    awk '{ sub(/ *#.*/, "") } /^[^ ].*\.$/ { suite = $1 } /^  / { print suite $1 }' |
    awk '/^CudaFragments/ { print; next } { rest = rest $0 "\n" } END { printf "%s", rest }'
}
part_parity() {
  local program programs name test_case cases log status passed=0 skipped=0 bad=() late=() test_device=$device
  [[ $device == cuda ]] || test_device=gpu-rehearsal
  mapfile -t programs < <(test_programs)
  for program in "${programs[@]}"; do
    [[ -x $program ]] || continue
    name=${program##*/}
    mapfile -t cases < <(cases_of "$program")
    if [[ ${#cases[@]} -eq 0 ]]; then bad+=("$name (no cases listed)"); fi
    for test_case in "${cases[@]}"; do
      status=0 log=parity-$name-${test_case//\//_}
      step "$log" 40 env PGAD_TEST_DEVICE="$test_device" "${with_libraries[@]}" "$program" --gtest_filter="$test_case" || status=$?
      if [[ $status -eq $cut ]]; then return "$cut"; fi
      if [[ $status -eq 124 ]]; then
        late+=("$test_case")
      elif [[ $status -ne 0 ]] || grep -q '^no GPU for' "$out/$log.log"; then
        bad+=("$test_case (status $status)")
      elif grep -q '^\[  SKIPPED \] 1 test' "$out/$log.log"; then
        skipped=$((skipped + 1))
      elif grep -q '^\[  PASSED  \] 1 test' "$out/$log.log"; then
        passed=$((passed + 1))
      else
        bad+=("$test_case (said nothing)")
      fi
    done
  done
  echo "$passed cases passed, $skipped skipped, ${#bad[@]} failed${bad[*]:+: ${bad[*]}}; ${#late[@]} took too long${late[*]:+: ${late[*]}}"
  [[ $passed -gt 0 && ${#bad[@]} -eq 0 && ${#late[@]} -eq 0 ]]
}

part_sanitizer() {
  local sanitizer tool suite program filter status clean=0 stopped=0 bad=()
  if [[ $device != cuda ]]; then echo "needs a GPU" && return 77; fi
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer /opt/cuda/bin/compute-sanitizer 2>/dev/null | head -n 1)
  if [[ -z $sanitizer ]]; then echo "no compute-sanitizer on this machine" && return 77; fi
  for tool in memcheck racecheck initcheck synccheck; do
    for suite in fragments kernels conv engine; do
      case $suite in # a few seconds without the sanitizer are minutes with it
      fragments) filter='CudaFragments.*' ;;
      kernels) filter='CudaKernels.*' ;;
      conv) filter='CudaConv.SteadyStep*:CudaConv.EqualsReference' ;;
      engine) filter='CudaEngine.TransfersArrive*:CudaEngine.SteadySteps*' ;;
      esac
      program=$bin/tests/gpu_tests
      [[ -x $program ]] || program=$bin/tests/cuda_${suite}_test
      status=0
      step "sanitizer-$tool-$suite" 30 env PGAD_TEST_DEVICE="$device" "$sanitizer" --tool "$tool" --error-exitcode 42 \
        "$program" --gtest_filter="$filter" || status=$?
      case $status in
      0) clean=$((clean + 1)) ;;
      "$cut") return "$cut" ;;
      42) bad+=("$tool of $suite") ;;
      124) if grep -q '^========= .*[Ee]rror' "$out/sanitizer-$tool-$suite.log"; then bad+=("$tool of $suite"); else stopped=$((stopped + 1)); fi ;;
      *) bad+=("$tool of $suite (status $status)") ;;
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

# kernels_timed PRECISION FILTER STEP: 0, or as step.
kernels_timed() {
  step "$3" 70 "${with_libraries[@]}" "$bin/bench/kernels_bench" --device "$device" --precision "$1" --benchmark_min_time=0.05 \
    --benchmark_filter="$2" --benchmark_out="$out/$3.json" --benchmark_out_format=json
}
# Lines of errors, but for what a library does not offer.
errors_in() { grep 'ERROR OCCURRED' "$out/$1.log" | grep -vc 'no version:'; }
part_convolutions() {
  local p status errors=0 timed=0 libraries=0 ended='' filter='conv2d|matmul'
  local precisions=(bf16 tf32 fp32)
  [[ $device == cuda ]] || filter='conv2d|matmul/16x32'
  for p in "${precisions[@]}"; do
    status=0
    kernels_timed "$p" "$filter" "convolutions-$p" || status=$?
    if [[ $status -eq $cut ]]; then return "$cut"; fi
    [[ $status -eq 0 ]] || ended+="; $p ended with status $status: $(last_line "convolutions-$p")"
    errors=$((errors + $(errors_in "convolutions-$p")))
    timed=$((timed + $(grep -c 'share=' "$out/convolutions-$p.log")))
    libraries=$((libraries + $(grep 'share=' "$out/convolutions-$p.log" | grep -c 'cudnn\|cublas')))
  done
  echo "$timed timed, $libraries of them by cuDNN or cuBLAS, $errors with errors$ended"
  [[ $timed -gt 0 && $errors -eq 0 && -z $ended ]]
}
part_maps() {
  local status=0 timed errors
  kernels_timed fp32 '-conv2d|matmul' maps-fp32 || status=$?
  if [[ $status -eq $cut ]]; then return "$cut"; fi
  if [[ $status -ne 0 ]]; then echo "ended with status $status: $(last_line maps-fp32)" && return 1; fi
  timed=$(grep -c 'share=' "$out/maps-fp32.log") errors=$(errors_in maps-fp32)
  echo "$timed timed, $errors with errors"
  [[ $timed -gt 0 && $errors -eq 0 ]]
}

# steps_timed NAME SIDES OPTIONS...: training and search at each side.
declare -A batch=([8]=4 [32]=64 [64]=32 [128]=16 [256]=8 [512]=4 [1024]=4)
steps_timed() {
  local name=$1 sides=$2 side mode status failed=0 done=0 reason='' maps=512 seconds=1
  shift 2
  if [[ $device != cuda ]]; then sides=8 maps=8 seconds=0.1; fi
  for side in $sides; do
    for mode in train search; do
      status=0
      step "$name-$side-$mode" 45 "${with_libraries[@]}" "$bin/bench/step_bench" --device "$device" --precision "$precision" --mode "$mode" \
        --resolution "$side" --fmap-max "$maps" --channels 3 --batch "${batch[$side]}" --seconds "$seconds" --profile "$@" || status=$?
      if [[ $status -eq $cut ]]; then return "$cut"; fi
      if [[ $status -eq 0 ]]; then
        done=$((done + 1))
      else
        failed=$((failed + 1)) reason+="; $side $mode: $(grep -m 1 '^step_bench: ' "$out/$name-$side-$mode.log" || echo "status $status")"
      fi
    done
  done
  echo "$done steps timed in $precision, $failed failed$reason"
  [[ $failed -eq 0 ]]
}
part_steps() { steps_timed steps "32 64 128 256 512 1024"; }
part_tuned() { steps_timed tuned "64 256 1024" --tuning "$out/tuned-choices.json"; }

part_pytorch() {
  local python status=0 measured
  local options=(--device cuda --precision "$precision" --configs "32,64,128,256,512,1024" --variants "eager,graphs,compiled-graphs" --seconds 1)
  [[ $device == cuda ]] || options=(--device cpu --precision fp32 --configs tiny-search --variants eager --seconds 0.1 --threads 1)
  python=$(torch_python) || { echo "no python3 here has PyTorch that finds a GPU" && return 77; }
  step pytorch-steps 115 "$python" -u "$root/bench/pytorch/one_process.py" "${options[@]}" --limit 80 || status=$?
  if [[ $status -eq $cut ]]; then return "$cut"; fi
  measured=$(grep -c '"ms_per_step"' "$out/pytorch-steps.log")
  echo "$measured steps timed, $(grep -c '"failed"' "$out/pytorch-steps.log") failed$([[ $status -eq 0 ]] || echo "; ended with status $status: $(last_line pytorch-steps)")"
  [[ $measured -gt 0 ]]
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
    if compgen -G "$out/steps-*-*.log" >/dev/null; then
      (cd "$out" && printf '%s\n' steps-*-*.log tuned-*-*.log | sort -V | while read -r log; do grep -h '^{' "$log" 2>/dev/null; done) >"$out/steps.jsonl"
      grep -h '^{' "$out/pytorch-steps.log" >"$out/pytorch.jsonl" 2>/dev/null
      printf '\n## Steps\n\n'
      python3 "$root/bench/pytorch/one_process.py" --table "$out/steps.jsonl" "$out/pytorch.jsonl" 2>/dev/null ||
        { echo '```' && cat "$out/steps.jsonl" "$out/pytorch.jsonl" && echo '```'; }
    fi
    for log in "$out"/convolutions-*.log "$out"/maps-*.log; do
      [[ -s $log ]] || continue
      log=${log##*/}
      printf '\n## Kernels, %s\n\n```\n' "$(basename "$log" .log)" && log_of "$log" && echo '```'
    done
    (cd "$out" && compgen -G 'steps-*-*.log'; compgen -G 'tuned-*-*.log') | sort -V | while read -r log; do
      [[ -s $out/$log ]] || continue
      printf '\n## Profile, %s\n\n```\n' "${log%.log}" && log_of "$log" | grep -v '^{' && echo '```'
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

# All that is known so far, in one file, which is whole at any moment.
pack() {
  write_report
  (cd "$out" && find . -mindepth 1 -maxdepth 1 ! -name '*results.tar.gz' -printf '%P\0' |
    tar -czf .results.tar.gz --exclude='*.safetensors' --exclude=checkpoints --transform 's,^,results/,' --null -T -)
  # 1: a file changed meanwhile, by a process that was left alone.
  if [[ $? -le 1 ]]; then mv -f "$out/.results.tar.gz" "$out/results.tar.gz"; fi
}

# --- Run -------------------------------------------------------------------------------------------------------------

record() { printf '%s\n%s\n%s\n' "$2" "$3" "$4" >"$out/$1.result"; }
if [[ $device == cuda ]] && ! has_gpu; then
  for part in "${parts[@]}"; do
    [[ $(result "$part" 1) =~ ^(passed|failed)$ ]] || record "$part" unfinished 0 "no GPU on this machine"
  done
  pack
  echo "no GPU on this machine: nothing was run; $out/report.md" >&2
  exit 1
fi
status_of_all=0
find_libraries
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
  pack
done
echo "report: $out/report.md, everything: $out/results.tar.gz"
exit $status_of_all
