#!/usr/bin/env bash
# Does what README says on a bare Debian, as a newcomer's machine would: nothing installed but git and certificates.
#
#   scripts/fresh_machine.sh SUITE [COMMAND...]
#
# SUITE: bookworm (Debian 12) or trixie (Debian 13). COMMAND: by default README's two commands, one after the other. It runs in a
# clone of the last commit, inside a system made by mmdebstrap; both are removed at the end. Needs root (for chroot), mmdebstrap, and
# whatever apt reaches. Environment: PGAD_FRESH_DIR, where to work (default: a new folder below /tmp, a gigabyte or two);
# PGAD_FRESH_BASE, a tar file that keeps the bare system for the next time; PGAD_ISA goes through to the commands.
# Exit status: the command's; 2 for wrong usage.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
fail() {
  echo "fresh_machine.sh: $1" >&2
  exit 2
}
suite=${1:-}
case $suite in
bookworm | trixie) shift ;;
*) fail "the first argument is a suite: bookworm or trixie, not '${suite}'" ;;
esac
[ "$(id -u)" -eq 0 ] || fail "needs root, to make a system and change into it"
command -v mmdebstrap >/dev/null || fail "needs mmdebstrap: apt-get install mmdebstrap"
[ $# -gt 0 ] || set -- bash -c 'scripts/demo.sh && scripts/test.sh'

work=${PGAD_FRESH_DIR:-$(mktemp -d /tmp/pgad-fresh-XXXXXX)}
system=$work/$suite
[ ! -e "$system" ] || fail "$system exists already: remove it, or name another folder in PGAD_FRESH_DIR"
mkdir -p "$system"
leave() {
  for mount in dev proc; do mountpoint -q "$system/$mount" && umount -l "$system/$mount"; done
  # Never through a mount that is still there.
  rm -rf --one-file-system "$system"
  rmdir "$work" 2>/dev/null || true
}
trap leave EXIT

base=${PGAD_FRESH_BASE:-}
if [ -n "$base" ] && [ -f "$base" ]; then
  tar -C "$system" -xf "$base"
else
  mmdebstrap --quiet --variant=minbase --include=ca-certificates,git "$suite" "${base:-$system/.bare.tar}"
  tar -C "$system" -xf "${base:-$system/.bare.tar}"
  rm -f "$system/.bare.tar"
fi
cp /etc/resolv.conf "$system/etc/resolv.conf"
# What the machine needs to reach its packages goes with it.
for file in /etc/apt/apt.conf.d/*prox* /etc/apt/apt.conf; do [ -f "$file" ] && cp "$file" "$system/etc/apt/apt.conf.d/"; done
mount --bind /dev "$system/dev"
mount -t proc proc "$system/proc"
git clone --quiet --no-hardlinks "$root" "$system/root/pgad"

echo "== $suite: $*"
status=0
chroot "$system" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
  ${PGAD_ISA:+PGAD_ISA="$PGAD_ISA"} ${CI:+CI="$CI"} bash -c 'cd /root/pgad && exec "$@"' bash "$@" || status=$?
echo "== $suite: exit status $status"
exit $status
