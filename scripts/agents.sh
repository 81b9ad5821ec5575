#!/usr/bin/env bash
# Installs the coding agents of test/sdk/agents into .cache/agents, at the
# versions of its lock file and without running their scripts, and has them work
# against a running Sluice: `make agents`. RECORD=true records anew what they send.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${GO:=go}"

. scripts/test-setup.sh
[ -n "${SLUICE_TEST_NODE_MODULES:-}" ] || { printf '%s' "$SKIPPED"; exit 1; }

dir=$CACHE/agents
if ! same test/sdk/agents/package-lock.json "$dir/stamp"; then
  rm -rf "$dir" && mkdir -p "$dir"
  cp test/sdk/agents/package.json test/sdk/agents/package-lock.json "$dir/"
  echo "installing the coding agents (about 900 MB)"
  (cd "$dir" && npm ci --silent --no-audit --no-fund --ignore-scripts)
  cp test/sdk/agents/package-lock.json "$dir/stamp"
fi
SLUICE_TEST_AGENTS=$dir/node_modules SLUICE_TEST_AGENTS_RECORD=${RECORD:-} \
  $GO test -count=1 -timeout 30m -v -run '^TestInstalledAgents$' ./test/sdk
