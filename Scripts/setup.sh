#!/usr/bin/env bash
# usage: setup.sh [run|test|bench|bench-log]
# Looks for what the purpose needs: a Swift toolchain, Debian packages, and for `test` a Python environment with the
# SDKs. Installs missing packages as root or with sudo that asks no password; otherwise prints the one command.
. "$(dirname "$0")/lib.sh"

purpose=${1:-run}
case $purpose in
run | test | bench | bench-log) ;;
*) die "setup.sh: run, test, bench or bench-log is expected, not $purpose" ;;
esac

# --- Swift -----------------------------------------------------------------------------------------------------
command -v swift >/dev/null || die "no Swift toolchain on PATH: install Swift 6.2 or newer (https://swift.org/install)"
version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' | head -1)
read -r major minor <<<"${version:-0 0}"
if [ "$major" -lt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -lt 2 ]; }; then
  die "Swift 6.2 or newer is needed, this is $major.$minor"
fi

# --- Debian packages -------------------------------------------------------------------------------------------
# By capability, not by package name: another origin of the same header or program is as good.
missing=()
need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}
header() { echo "#include <$1>" | cc -E -x c - || echo "#include <$1>" | clang -E -x c -; }

need pkg-config command -v pkg-config
need liblz4-dev header lz4hc.h
need libsqlite3-dev header sqlite3.h
need curl command -v curl
if [ "$purpose" = test ]; then
  need python3 command -v python3
  need python3-venv python3 -c 'import ensurepip, venv'
  need binutils command -v nm
  need strace command -v strace
  need jq command -v jq
  need groff-base command -v groff
  need prometheus command -v promtool
  need chromium command -v chromium
fi
if [ "$purpose" = bench ] || [ "$purpose" = test ]; then
  need nginx-light command -v nginx
  need wrk command -v wrk
fi
if [ "$purpose" = bench ]; then
  need python3 command -v python3
  need python3-venv python3 -c 'import ensurepip, venv'
fi

# Where PostgreSQL's own programs lie, Debian puts no link on PATH.
postgres_programs() {
  local directory
  for directory in "$(dirname "$(command -v initdb || echo /none/x)")" /usr/lib/postgresql/*/bin; do
    [ -x "$directory/initdb" ] && [ -x "$directory/pgbench" ] && return
  done
  return 1
}
if [ "$purpose" = bench-log ]; then
  need python3 command -v python3
  need lz4 command -v lz4
  need postgresql postgres_programs
  need redis-server command -v redis-server
  need redis-tools command -v redis-benchmark
fi

if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null ||
    die "missing: ${missing[*]} (names of Debian; this system has no apt-get)"
  # What is installed for tests must start no service: none now, and Prometheus not at the next boot either.
  install() {
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
      # shellcheck disable=SC2064  # as root or by sudo, as it is now
      trap "$* rm -f $policy" EXIT
      printf '#!/bin/sh\nexit 101\n' | "$@" tee $policy >/dev/null
      "$@" chmod 755 $policy
    fi
    "$@" apt-get update -q
    "$@" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
    case " ${missing[*]} " in
    *" prometheus "*)
      ! command -v systemctl >/dev/null || "$@" systemctl -q disable prometheus.service ||
        say "prometheus.service could not be disabled: it starts with the next boot" >&2
      ;;
    esac
  }
  if [ "$(id -u)" -eq 0 ]; then
    say "installing ${missing[*]}"
    install env
  elif sudo -n true 2>/dev/null; then
    say "installing ${missing[*]} with sudo"
    install sudo -n
  else
    say "These packages are missing. Install them with:" >&2
    say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
fi

# --- Python environment ----------------------------------------------------------------------------------------
if [ "$purpose" = test ]; then
  venv=$ROOT/.build/venv
  requirements=$ROOT/Tests/EndToEnd/requirements.txt
  stamp=$venv/installed.txt
  if ! cmp -s "$requirements" "$stamp"; then
    mkdir -p "$ROOT/.build"
    rm -rf "$venv"
    python3 -m venv "$venv"
    if "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"; then
      cp "$requirements" "$stamp"
    else
      say "SKIPPED: pip cannot install $requirements; the cases that need the SDKs will be counted as skipped" >&2
    fi
  fi
fi
