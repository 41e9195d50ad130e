#!/usr/bin/env bash
# Makes Debian packages of this commit for this machine's release and architecture: pgad (the programs), libpgad0, libpgad-dev.
#   scripts/package.sh [FOLDER]     default: build/packages
# They need Debian's libraries only; without a CUDA toolkit when they are made, they are for the CPU.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-build/packages}")
for tool in dpkg-shlibdeps file; do
  command -v $tool >/dev/null || { echo "package.sh: needs $tool: apt-get install dpkg-dev file" >&2; exit 2; }
done
scripts/setup.sh
cmake -S . -B build/package -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr \
  -DPGAD_TESTS=OFF -DPGAD_EMULATION=OFF -DPGAD_BENCH=OFF >/dev/null
cmake --build build/package -- --quiet
mkdir -p "$out"
(cd build/package && cpack -G DEB -B "$out" >/dev/null)
rm -rf "$out/_CPack_Packages"
ls "$out"/*.deb
