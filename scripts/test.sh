#!/usr/bin/env bash
# Everything that must pass: `make test`.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${GO:=go}"

if ! command -v "$GO" >/dev/null; then
  echo "Go is missing: see go.mod for the version, https://go.dev/doc/install for how"
  exit 1
fi

step() { echo; echo "== $*"; }

step "setting up"
. scripts/test-setup.sh

race=-race
command -v gcc >/dev/null || race=""

step "go vet"
$GO vet ./...

step "go test $race"
$GO test $race -timeout 20m ./...

# One package at a time and without collections, which empty pools half-way and
# so count memory as allocated anew that was only returned.
step "allocations, without -race"
$GO test -count=1 -p 1 -exec "env GOGC=off GOMEMLIMIT=2GiB" -run Alloc ./...

for mod in examples/*/go.mod; do
  [ -e "$mod" ] || continue
  step "$(dirname "$mod")"
  (cd "$(dirname "$mod")" && $GO vet ./... && $GO test $race ./...)
done

echo
printf '%s' "$SKIPPED"
echo "all tests passed"
