#!/usr/bin/env bash
# usage: [N=10000000] [JSON=1] bench-evidence.sh [OPTION…]
# Builds the release and measures how long lists, sums and audits take over a long log; OPTIONs go to
# Benchmarks/evidence/evidence.py (--help lists them). Progress goes to stderr.
. "$(dirname "$0")/lib.sh"
Scripts/setup.sh >&2
build_release >&2
swift build "${RELEASE_FLAGS[@]}" --package-path Benchmarks --product LogBenchmark >&2
arguments=(--filler "$(swift build "${RELEASE_FLAGS[@]}" --package-path Benchmarks --show-bin-path)/LogBenchmark")
[ -z "${N:-}" ] || arguments+=(--n "$N")
[ "${JSON:-0}" != 1 ] || arguments+=(--json)
exec python3 Benchmarks/evidence/evidence.py "${arguments[@]}" "$@"
