#!/usr/bin/env bash
# usage: [N=1000000] [SEED=…] decisions.sh
# Are all decisions of a long log made again just as they were? Over configuration that changes all the time `verify` is asked
# twice, through parts of the log as well, and nothing may differ; see Benchmarks/replay/unrest.py. Progress goes to stderr.
. "$(dirname "$0")/lib.sh"
Scripts/setup.sh test >&2
swift build "${RELEASE_FLAGS[@]}" --product replay >&2
swift build "${RELEASE_FLAGS[@]}" --package-path Benchmarks --product LogBenchmark >&2
arguments=(--replay "$RELEASE/replay" --count "${N:-1000000}")
arguments+=(--filler "$(swift build "${RELEASE_FLAGS[@]}" --package-path Benchmarks --show-bin-path)/LogBenchmark")
[ -z "${SEED:-}" ] || arguments+=(--seed "$SEED")
exec python3 Benchmarks/replay/unrest.py "${arguments[@]}" "$@"
