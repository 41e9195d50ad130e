#!/usr/bin/env bash
# The experiments' scripts with programs that only pretend: jobs that failed are done again and no others, a report names
# what was measured, results of other settings are not mixed in.
#   tests/experiments_test.sh SOURCE_DIR
set -euo pipefail
root=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export PGAD_BIN=$dir/bin CALLS=$dir/calls
mkdir -p "$PGAD_BIN" "$dir/data"
expect() {  # expect WHAT COMMAND...
  local what=$1
  shift
  "$@" >/dev/null || { echo "failed: $what"; tail -n 30 "$dir"/*.txt; exit 1; }
}

not() { ! "$@"; }

# Each writes its command to $CALLS. evaluate's figures tell the digit of the folder's name; the file $dir/broken names a
# job that fails.
cat >"$PGAD_BIN/pgad_train" <<'EOF'
#!/usr/bin/env bash
out=${*: -1}
echo "train $out: $*" >>"$CALLS"
if [ -e "$(dirname "$CALLS")/broken" ] && [[ $out == *$(cat "$(dirname "$CALLS")/broken")* ]]; then echo "out of luck"; exit 1; fi
mkdir -p "$out" && touch "$out/model.safetensors" "$out/config.json"
EOF
cat >"$PGAD_BIN/pgad_infer" <<'EOF'
#!/usr/bin/env bash
out=${*: -1}
echo "$1 $out: $*" >>"$CALLS"
if [ "$1" = info ]; then echo "combined                                            0.25 (-inf to 0.75)" && exit; fi
mkdir -p "$out"
digit=$(basename "$(dirname "$out")" | cut -d - -f 2)
[[ $digit =~ ^[0-9]$ ]] || digit=0
cat >"$out/metrics.json" <<END
{"scores": {"residual": {"auroc": 0.5$digit}, "feature": {"auroc": 0.6$digit}, "critic": {"auroc": 0.7},
   "relative_residual": {"auroc": 0.4$digit}, "relative_feature": {"auroc": 0.3$digit}, "combined": {"auroc": 0.9$digit}},
 "kinds": {"2": {"auroc": {"combined": 0.1}}, "5": {"auroc": {"combined": 0.8}}, "7": {"auroc": {"combined": 0.9}}}}
END
EOF
cat >"$PGAD_BIN/pgad_data" <<'EOF'
#!/usr/bin/env bash
for ((i = 1; i < $#; ++i)); do if [ "${!i}" = --out ]; then j=$((i + 1)) && out=${!j}; fi; done
echo "$1 $out: $*" >>"$CALLS"
mkdir -p "$out" && touch "$out/description.json"
# As many digits as MNIST has: more names than a pipe holds.
if [ "$1" = convert ]; then
  for kind in good 0 1 2 3 4 5 6 7 9; do mkdir -p "$out/test/$kind" && (cd "$out/test/$kind" && seq -f "train_%05g.png" 1 2000 | xargs touch); done
fi
EOF
chmod +x "$PGAD_BIN"/*
mnist=("$root/scripts/experiments/mnist.sh" "$dir/data" "$dir/out" --quick --jobs 2)

echo none-8-1 >"$dir/broken"
status=0
"${mnist[@]}" >"$dir/first.txt" 2>&1 || status=$?
expect "a failed job fails the experiment" [ "$status" -eq 1 ]
expect "what the job said is shown" grep 'out of luck' "$dir/first.txt"
expect "the others are done" [ "$(ls "$dir"/out/*/done | wc -l)" -eq 5 ]

rm "$dir/broken" "$CALLS"
expect "the second call goes on" "${mnist[@]}" 2>"$dir/second.err.txt"
expect "with nothing but the failed job" [ "$(grep -c '^train' "$CALLS")" -eq 1 ]
expect "the failed one" grep 'none-8-1/model' "$CALLS"
expect "figures of the digit 8" grep '^paper-figures' "$CALLS"
report=$dir/out/report.md
expect "a row for each digit" grep '^| 8 | 0.480 | 0.700 | 0.980 | 0.850 | 0.850 | 0.580 | 0.680 | 0.480 | 0.380 | 0.980 | .849 |$' "$report"
expect "their mean and spread" grep '^| mean | 0.445 (0.410 to 0.480) |.* 0.92[01] |$' "$report"
expect "no other version did a part" not grep 'Several versions' "$report"
sed -i 's/"critic": {"auroc": 0.7}/"critic": {"auroc": null}/' "$dir/out/none-1-1/test/metrics.json" "$dir/out/known-1-1/test/metrics.json"
echo '# another version' >>"$PGAD_BIN/pgad_data"
expect "a report alone is made anew" "${mnist[@]}" 2>"$dir/again.err.txt"
expect "a number that is missing is told" grep '^| mean |.* | 0.700 without 1 |' "$report"
expect "and that programs were changed meanwhile" grep 'Several versions' "$report"

status=0
"${mnist[@]:0:3}" --jobs 1 >"$dir/third.txt" 2>&1 || status=$?
expect "other settings are refused" [ "$status" -eq 2 ]
expect "with what to do" grep 'choose another folder' "$dir/third.txt"
status=0
"$root/scripts/experiments/mnist.sh" "$dir/nowhere" "$dir/x" >"$dir/fourth.txt" 2>&1 || status=$?
expect "missing data is refused" [ "$status" -eq 2 ]
expect "by name" grep "nowhere' does not exist" "$dir/fourth.txt"
for script in "$root"/scripts/experiments/*.sh; do
  expect "$script is a script" bash -n "$script"
  [[ $script == */common.sh ]] || expect "$script says what it is" grep -q -- --quick <("$script" --help)
done

# A relative folder, with a space.
cd "$dir"
questions=("$root/scripts/experiments/questions.sh" "$dir/data" "the questions" --quick --seeds "1 2" --jobs 2)
expect "the questions are answered" "${questions[@]}" 2>"$dir/questions.err.txt"
report="$dir/the questions/report.md"
expect "each answer by its own data" [ "$(grep -c '^split' "$CALLS")" -eq 36 ]
expect "with as many other digits among the normal ones as the answer says" \
  grep '^split .*/contamination=0.05-none-2/data: .* --train-share 0.7 --contaminated 0.05 --known none --seed 2 ' "$CALLS"
expect "searched alike" [ "$(grep -c '^train .*questions.* --score-gamma' "$CALLS")" -eq $((2 * 17)) ]
expect "and its options" grep '^train .*/contamination=0.05-none-2/model: --data .*/contamination=0.05-none-2/data --tiles off .* --gamma 1 ' "$CALLS"
expect "the paper to the letter" grep '^train .*/preset=paper-tiny-1/model: .* --seed 1 --preset paper-tiny --no-encoder ' "$CALLS"
expect "700 of each digit, all of the 8" [ "$(find -L "$dir/the questions/pool" -type f | wc -l)" -eq $((9 * 700 + 2000)) ]
expect "a row for each answer" [ "$(grep -c '^| [^ ]* | 0.5' "$report")" -eq $((18 + 2 * 4 * 2)) ]

echo brushed >"$dir/surfaces"
cat >>"$PGAD_BIN/pgad_infer" <<'EOF'
echo '{"images": [{"label": "normal", "combined": 0.1}, {"label": "normal", "combined": 0.3}, {"label": "normal", "combined": 0.5},
  {"label": "normal", "combined": 0.8}, {"label": "anomalous", "combined": 0.9}]}' >"$out/scores.json"
EOF
expect "surfaces" "$root/scripts/experiments/industrial.sh" "$dir/surfaces" "$dir/industrial" --quick 2>"$dir/industrial.err.txt"
expect "false rejects, and what the ends of the threshold's interval would make of them" \
  grep '^| brushed-1 |.* 0.75 (0.25 to 1) | 0.75 (0.25 to 1) |$' "$dir/industrial/report.md"
