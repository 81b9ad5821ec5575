#!/usr/bin/env bash
# The quick gate behind `make check`.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${GO:=go}"

echo "== gofmt"
unformatted=$(git ls-files -co --exclude-standard -- '*.go' | xargs -r gofmt -l)
if [ -n "$unformatted" ]; then
  printf 'not formatted (gofmt -w):\n%s\n' "$unformatted"
  exit 1
fi

echo "== go vet"
$GO vet ./...

echo "== staticcheck"
if $GO run "$STATICCHECK" -version >/dev/null 2>.staticcheck.log; then
  rm -f .staticcheck.log
  $GO run "$STATICCHECK" ./...
else
  echo "NOT CHECKED: $STATICCHECK cannot be fetched:"
  tail -n 2 .staticcheck.log
  rm -f .staticcheck.log
fi

echo "== tidy and short tests"
$GO test -short ./...
