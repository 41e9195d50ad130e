#!/usr/bin/env bash
# Builds for 64-bit Arm (Jetson, Graviton) by Debian's cross compiler and runs the tests of the kernels, the search and the
# emulator's threads under qemu's user emulation. Installs Arm's libraries beside the machine's own, so better in a system
# of its own:
#   scripts/fresh_machine.sh bookworm scripts/test_aarch64.sh
# Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "test_aarch64.sh: needs root, to install packages" >&2; exit 2; }

export DEBIAN_FRONTEND=noninteractive
dpkg --add-architecture arm64
apt-get update -qq
# Headers without code come from the machine's own architecture.
apt-get install -y -qq --no-install-recommends cmake ninja-build g++-aarch64-linux-gnu qemu-user nlohmann-json3-dev libcli11-dev libpugixml-dev:arm64 \
  libstdc++6:arm64 zlib1g-dev:arm64 libpng-dev:arm64 libjpeg62-turbo-dev:arm64 libgd-dev:arm64 libtiff-dev:arm64 libwebp-dev:arm64 libexif-dev:arm64 libgtest-dev:arm64 >/dev/null

cmake -S . -B build/aarch64 -G Ninja -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake -DCMAKE_BUILD_TYPE=Release -DPGAD_CUDA=OFF \
  -DPGAD_BENCH=OFF >/dev/null
tests=(engine_test ops_test winograd_test search_test golden_test scores_golden_test simt_test)
cmake --build build/aarch64 --target "${tests[@]}" pgad_train pgad_infer -- --quiet
# Under emulation the search of 64 images in all company would take half an hour; the products below it are compared.
for name in "${tests[@]}"; do
  echo "== $name"
  qemu-aarch64 "build/aarch64/tests/$name" --gtest_brief=1 --gtest_filter="-*Emulated*:Grad.*Exhausts*:Search.SameBitsInAnyCompany"
done
