#!/usr/bin/env bash
# Runs report_test.py with the interpreter and the browser of the system; exit code 77, which CTest calls skipped, where
# they are missing.
#   run.sh MAKE_REPORT APPS
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
browser=$(command -v chromium || true) driver=$(command -v chromedriver || true) python=/usr/bin/python3
if [ -z "$browser" ] || [ -z "$driver" ] || ! "$python" -c 'import selenium' 2>/dev/null; then
  echo "report_page_test: skipped; chromium, chromium-driver and python3-selenium are not installed"
  exit 77
fi
# In some containers it is there and does not start.
if ! timeout 60 "$browser" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --dump-dom about:blank >/dev/null 2>&1; then
  echo "report_page_test: skipped; $browser does not start here"
  exit 77
fi
exec "$python" "$here/report_test.py" "$browser" "$driver" "$@"
