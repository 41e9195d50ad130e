#!/usr/bin/env bash
# Installs what pgad needs to build and test on Debian 12 or 13, if anything is missing. Needs root (or sudo) only then,
# and the network only then. With --tests also the browser that looks at the pages of reports.
set -euo pipefail

packages=(g++ cmake ninja-build git libcli11-dev nlohmann-json3-dev libpugixml-dev libpng-dev libjpeg62-turbo-dev zlib1g-dev
          libgd-dev libtiff-dev libwebp-dev libexif-dev libgtest-dev libbenchmark-dev jq)
[ "${1:-}" = "--tests" ] && packages+=(chromium chromium-driver python3-selenium)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep 'ok installed' >/dev/null || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup.sh: missing packages, and this user is neither root nor has sudo. As root:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing: ${missing[*]}"
install=(env DEBIAN_FRONTEND=noninteractive apt-get)
"${as_root[@]}" "${install[@]}" update -qq
"${as_root[@]}" "${install[@]}" install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
