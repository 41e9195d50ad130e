#!/usr/bin/env bash
# Installs what was built, looks at what the library shows, and has examples_test.sh build and run the examples against it.
#   installed_test.sh BUILD SOURCE
set -euo pipefail
build=$1
source=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() {
  echo "installed_test.sh: $1" >&2
  exit 1
}

cmake --install "$build" --prefix "$tmp/root" >/dev/null
lib=$(dirname "$(find "$tmp/root" -name 'libpgad.so.0' | head -1)")
for file in bin/pgad_train bin/pgad_infer include/pgad/inspector.h include/pgad/pgad.h share/man/man1/pgad_infer.1 \
  share/bash-completion/completions/pgad_infer share/zsh/vendor-completions/_pgad_train share/fish/vendor_completions.d/pgad_data.fish; do
  [ -e "$tmp/root/$file" ] || fail "$file is not installed"
done

# What a shell completes. The options of a subcommand, and the subcommands; the other shells' files are at least correct.
completed() {  # completed WORD...: what bash offers for the last word
  (
    # shellcheck disable=SC1091
    . "$tmp/root/share/bash-completion/completions/pgad_infer"
    COMP_WORDS=(pgad_infer "$@") COMP_CWORD=$#
    _pgad_infer
    echo "${COMPREPLY[*]}"
  )
}
[ "$(completed score --sta)" = --start ] || fail "bash completes 'score --sta' to '$(completed score --sta)'"
[ "$(completed cal)" = calibrate ] || fail "bash completes 'cal' to '$(completed cal)'"
if command -v zsh >/dev/null; then zsh -n "$tmp/root/share/zsh/vendor-completions/_pgad_infer"; fi
if command -v fish >/dev/null; then fish -n "$tmp/root/share/fish/vendor_completions.d/pgad_infer.fish"; fi

# Exactly the functions of pgad.h, and of C++ only what inspector.h and error.h declare.
nm -D --defined-only "$lib/libpgad.so.0" | awk '$2 != "A" {print $3}' | sed 's/@.*//' | sort -u >"$tmp/shown"
grep -ohE '\bpgad_[a-z_]+\(' "$tmp/root/include/pgad/pgad.h" | tr -d '(' | grep -v '_H$' | sort -u >"$tmp/declared"
diff <(grep '^pgad_' "$tmp/shown") "$tmp/declared" >&2 || fail "pgad.h and the library's symbols differ"
others=$(grep -v '^pgad_' "$tmp/shown" | c++filt | sed 's/^\(vtable\|typeinfo\|typeinfo name\) for //' |
  grep -vE '^pgad::(Inspector|Result|Error$|UsageError$|version\()' || true)
[ -z "$others" ] || fail "the library shows more than its interface: $others"

# A build with tests has the emulator in it; what users get has not.
emulation=
if grep -q '^PGAD_EMULATION:BOOL=ON' "$build/CMakeCache.txt"; then emulation=with; fi
"$source/tests/examples_test.sh" "$tmp/root" "$source" $emulation
