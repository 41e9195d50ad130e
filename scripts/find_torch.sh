# Sourced: sets `python` to PYTHON, or to the first python3 of the path that has torch and numpy (the first on the path may
# be one without); leaves with exit status 2 if there is none.
python=${PYTHON:-}
if [[ -z $python ]]; then
  for candidate in $(type -aP python3); do
    if "$candidate" -c 'import torch, numpy' 2>/dev/null; then
      python=$candidate
      break
    fi
  done
fi
if [[ -z $python ]]; then
  echo "${0##*/}: no Python with torch and numpy (Debian: python3-torch); set PYTHON" >&2
  exit 2
fi
