#!/usr/bin/env bash
# From nothing to pictures: installs what is missing, builds, trains a small model on handwritten digits (8 is normal,
# some of every other digit are known defects) and inspects images that it has never seen. Ten to fifteen minutes on
# two cores, building included. Results go to demo-out/, or to the directory given.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-demo-out}

echo "1/4  Installing what is missing, building"
scripts/setup.sh
cmake --preset release >/dev/null
cmake --build --preset release --target pgad_train pgad_infer -- --quiet

# An earlier demo's results go; whatever else lies in a directory given stays.
rm -rf "$out"/{model,samples,inspection,table.txt}
start=$SECONDS
echo "2/4  Training on the 8s of data/mnist-subset, with 10 % of every other digit as known abnormals"
build/release/apps/pgad_train --data data/mnist-subset --normal-class 8 --preset tiny --out "$out/model" \
  --total-kimg 112 --encoder-kimg 24 --score-gamma 0.9 --calibration-images 128
model=$out/model/model.safetensors

echo "3/4  Drawing samples"
build/release/apps/pgad_infer generate --model "$model" --count 64 --seed 1 --out "$out/samples"

echo "4/4  Inspecting 100 8s and 100 other digits that took no part in training"
build/release/apps/pgad_infer evaluate --model "$model" --data data/mnist-subset --limit 100 --maps \
  --out "$out/inspection" >"$out/table.txt"
echo
echo "Training and inspection took $((SECONDS - start)) s."
echo "Samples of the generator:                 $out/samples/samples.png"
echo "Queries, reconstructions, differences:    $out/inspection/examples.png"
echo "ROC curves and histograms:                $out/inspection/roc.png, $out/inspection/histogram.png"
echo "Every score, and the maps of every image: $out/inspection/scores.csv, $out/inspection/maps/"
echo
cat "$out/table.txt"
