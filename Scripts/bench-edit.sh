#!/usr/bin/env bash
# usage: bench-edit.sh [OPTION…]
# Builds the release and measures how long an edit of an alias takes to be routed by; OPTIONs go to
# Benchmarks/edit/edit.py (--help lists them).
. "$(dirname "$0")/lib.sh"
Scripts/setup.sh
build_release
exec python3 Benchmarks/edit/edit.py "$@"
