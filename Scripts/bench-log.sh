#!/usr/bin/env bash
# usage: [PAIRS=5] [N=10000000] [SIZE=1000000] [SEED=…] [DATA=.build/bench] [ROWS="6 7"] [JSON=1] bench-log.sh [OPTION…]
# Builds LogBenchmark and measures the log beside SQLite, PostgreSQL, Redis and lz4; OPTIONs go to
# Benchmarks/log/log.py (--help lists them; --quick sees in a minute that everything runs). Progress goes to stderr.
. "$(dirname "$0")/lib.sh"
Scripts/setup.sh bench-log >&2
swift build "${RELEASE_FLAGS[@]}" --package-path Benchmarks --product LogBenchmark >&2
arguments=()
[ -z "${PAIRS:-}" ] || arguments+=(--pairs "$PAIRS")
[ -z "${N:-}" ] || arguments+=(--n "$N")
[ -z "${SIZE:-}" ] || arguments+=(--size "$SIZE")
[ -z "${SEED:-}" ] || arguments+=(--seed "$SEED")
[ -z "${DATA:-}" ] || arguments+=(--data "$DATA")
[ "${JSON:-0}" != 1 ] || arguments+=(--json)
if [ -n "${ROWS:-}" ]; then
  read -ra rows <<<"$ROWS"
  arguments+=(--rows "${rows[@]}")
fi
exec python3 Benchmarks/log/log.py "${arguments[@]}" "$@"
