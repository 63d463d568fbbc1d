#!/usr/bin/env bash
# usage: [PAIRS=5] [DURATION=5] [CONNECTIONS="32"] [RECORDING="standard"] bench.sh [OPTION…]
# Builds the release and measures it beside nginx; OPTIONs go to Benchmarks/proxy/proxy.py (--help lists them).
. "$(dirname "$0")/lib.sh"
Scripts/setup.sh bench
build_release
read -ra connections <<<"${CONNECTIONS:-32}"
read -ra recording <<<"${RECORDING:-standard}"
exec python3 Benchmarks/proxy/proxy.py --pairs "${PAIRS:-5}" --duration "${DURATION:-5}" \
  --connections "${connections[@]}" --recording "${recording[@]}" "$@"
