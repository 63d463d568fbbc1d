# shellcheck shell=bash
# Shared by the scripts; sourced, never run. Sets strict mode and the repository's root as directory.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# is_open HOST PORT: somebody accepts connections there.
is_open() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# wait_for SECONDS PID COMMAND…: until COMMAND succeeds; fails when PID ends or the time is over.
wait_for() {
  local end=$((SECONDS + $1)) pid=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || return 2
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}

# stop PID: SIGTERM, then up to 40 s of patience, then SIGKILL. Returns the process's exit status.
stop() {
  local pid=$1 end=$((SECONDS + 40)) status=0
  kill -TERM "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null && [ $SECONDS -lt $end ]; do sleep 0.05; done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" || status=$?
  return $status
}

# The same flags everywhere, so that no script rebuilds what another has built.
RELEASE_FLAGS=(-c release --static-swift-stdlib)
# shellcheck disable=SC2034  # used by those who source this
RELEASE=$ROOT/.build/release

build_release() {
  local product
  for product in signalbox replay simulator torture casebook; do
    # Said outright: where the function is called in a condition, the shell's own `-e` does not hold.
    swift build "${RELEASE_FLAGS[@]}" --product "$product" || return
  done
}
