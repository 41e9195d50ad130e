#!/usr/bin/env bash
# Rehearses scripts/gpu_check.sh without a GPU, with the programs of a build folder: the order of its parts, that a crash
# costs one case and nothing after it, and that what is known when the machine is taken away is in one whole file.
#
#   tests/gpu_check_rehearsal.sh BUILD
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(cd "$1" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() {
  echo "FAILED: $1" >&2
  cat "$dir"/said* >&2
  exit 1
}

# The build's programs, and a test that crashes in its first case, hangs in its second the first time, and passes its third.
mkdir -p "$dir"/prebuilt/{apps,bench,tests}
ln -s "$build"/apps/pgad_{train,infer} "$dir/prebuilt/apps"
ln -s "$build"/bench/{kernels,step}_bench "$dir/prebuilt/bench"
ln -s "$build/tests/cuda_fragments_test" "$dir/prebuilt/tests"
cat >"$dir/prebuilt/tests/cuda_broken_test" <<EOF
#!/usr/bin/env bash
case \$1 in
--gtest_list_tests) printf 'Running main() from a file\nBroken.\n  Crashes\n  Hangs  # GetParam() = 1\n  Passes\n' ;;
*Crashes) kill -SEGV \$\$ ;;
*Hangs) [[ -e $dir/hung ]] || { touch $dir/hung && sleep 300; } ;;&
*) echo '[  PASSED  ] 1 test.' ;;
esac
EOF
printf '#!/bin/sh\nprintf "Golden.\\n  None\\n[  PASSED  ] 1 test.\\n"\n' >"$dir/prebuilt/tests/golden_test" # the real one takes longer than all this
chmod +x "$dir"/prebuilt/tests/{cuda_broken,golden}_test

check=("$root/scripts/gpu_check.sh" "$dir/out" --device cuda-emulated --prebuilt "$dir/prebuilt"
  --only "info,build,steps,convolutions,parity,train")
packed() { tar -xzOf "$dir/out/results.tar.gz" "results/$1" 2>/dev/null; }
# Reads to the end: a reader that leaves (grep -q) may end tar by a signal, which counts as a failure here.
holds() { grep "$1" >/dev/null; }

# The machine is taken away while a case hangs.
setsid "${check[@]}" >"$dir/said1" 2>&1 &
job=$!
for _ in $(seq 600); do
  [[ ! -e $dir/hung ]] || break
  kill -0 $job 2>/dev/null || break
  sleep 0.1
done
[[ -e $dir/hung ]] || fail "the parity part did not come to the hanging case"
pkill -KILL -s $job
wait $job 2>/dev/null
tar -tzf "$dir/out/results.tar.gz" >/dev/null || fail "results.tar.gz is not whole when the machine is taken away"
packed steps-8-train.log | holds '"ms_per_step"' || fail "the steps' times are not packed"
packed steps-8-search.log | holds '^conv2d_bias_act' || fail "the steps' profiles are not packed"
packed convolutions-bf16.log | holds 'share=' || fail "the convolutions' times are not packed"
packed report.md | holds '^| convolutions | passed' || fail "the packed report does not know of the convolutions"
packed report.md | holds '^| parity | not run' || fail "the packed report knows of a part that was not over"

# The next call goes on: only what hung is repeated, and what failed costs nothing.
before=$(stat -c %Y "$dir/out/steps-8-train.log")
"${check[@]}" >"$dir/said2" 2>&1
[[ $? -eq 1 ]] || fail "a failed part must give exit status 1"
[[ $(stat -c %Y "$dir/out/steps-8-train.log") == "$before" ]] || fail "the steps were timed again"
[[ $(grep -o '^[a-z]*:' "$dir/said2" | grep -v report | tr -d '\n') == info:build:steps:convolutions:parity:train: ]] || fail "another order of parts"
packed report.md | holds '^| parity | failed | [0-9]* | 6 cases passed, 0 skipped, 1 failed: Broken.Crashes (status 139); 0 took too long' ||
  fail "parity: one crash must cost one case"
packed report.md | holds '^| train | passed' || fail "the part after the failed one did not pass"
packed train-evaluate.log | holds '^combined' || fail "results of the part after the failed one are not packed"
grep -h '^| [a-z]* | [a-z]* | [0-9]' "$dir/out/report.md"
echo "passed: $(wc -c <"$dir/out/results.tar.gz") bytes packed"
