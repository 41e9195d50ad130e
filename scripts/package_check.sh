#!/usr/bin/env bash
# Makes the Debian packages, installs them, builds the examples against them and compares what they print with pgad_infer.
# Installs packages, so in a system of its own (root):
#   scripts/fresh_machine.sh bookworm|trixie scripts/package_check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "package_check.sh: needs root, to install packages" >&2; exit 2; }
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends dpkg-dev file >/dev/null
scripts/package.sh build/packages
apt-get install -y -qq --no-install-recommends ./build/packages/*.deb gcc g++ make cmake pkg-config python3 >/dev/null

tests/examples_test.sh /usr .
