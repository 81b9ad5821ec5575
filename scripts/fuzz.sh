#!/usr/bin/env bash
# Runs every fuzz target of the module for a while: scripts/fuzz.sh 10s
set -euo pipefail
cd "$(dirname "$0")/.."
: "${GO:=go}"

grep -rlE --include='*_test.go' '^func Fuzz' . | grep -v /.cache/ | xargs -n1 dirname | sort -u | while read -r dir; do
  grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | awk '{ print $2 }' | while read -r target; do
    echo "== $dir $target"
    $GO test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$1"
  done
done
