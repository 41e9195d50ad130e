#!/usr/bin/env bash
# Makes pages of the library's interface (include/pgad) in build/api/html by Doxygen; a warning is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v doxygen >/dev/null || { echo "api_docs.sh: needs doxygen: apt-get install doxygen" >&2; exit 2; }
mkdir -p build/api
doxygen - <<'END'
PROJECT_NAME = pgad
PROJECT_BRIEF = "Finds anomalies in images with a progressively grown GAN"
INPUT = include/pgad
EXAMPLE_PATH = examples
OUTPUT_DIRECTORY = build/api
STRIP_FROM_INC_PATH = include
GENERATE_LATEX = NO
JAVADOC_AUTOBRIEF = YES
QT_AUTOBRIEF = YES
PREDEFINED = PGAD_API=
MACRO_EXPANSION = YES
EXPAND_ONLY_PREDEF = YES
HAVE_DOT = NO
QUIET = YES
WARN_IF_UNDOCUMENTED = YES
WARN_AS_ERROR = FAIL_ON_WARNINGS
END
echo "build/api/html/index.html"
