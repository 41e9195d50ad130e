#!/usr/bin/env bash
# Runs the compiler of CUDA sources and keeps ptxas's report (registers, memory, spills) beside the object file, where
# tests/ptxas_report_test.cpp reads it. Everything else the compiler says is shown. Used by CMake as compiler launcher.
set -uo pipefail
object=""
previous=""
for argument in "$@"; do
  [ "$previous" = "-o" ] && object=$argument
  previous=$argument
done
said=$("$@" -Xptxas -v 2>&1)
status=$?
report='^ptxas info|bytes stack frame'
[ -n "$object" ] && grep -E "$report" <<<"$said" >"$object.ptxas"
grep -vE "$report|^$" <<<"$said" >&2
exit $status
