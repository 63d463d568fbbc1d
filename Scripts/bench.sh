#!/usr/bin/env bash
# usage: [PAIRS=5] [DURATION=4] [ROWS="1 3"] [LITELLM=0] [JSON=1] bench.sh [OPTION…]
# Builds the release and measures it beside nginx and LiteLLM; OPTIONs go to Benchmarks/proxy/proxy.py (--help lists
# them; --quick sees in seconds that everything runs). Progress goes to stderr.
. "$(dirname "$0")/lib.sh"
Scripts/setup.sh bench >&2
build_release >&2
arguments=()
wanted=${ROWS:-}
case " ${wanted//,/ } " in
  "  " | *" 12 "*)
    swift build "${RELEASE_FLAGS[@]}" --package-path Benchmarks --product LogBenchmark >&2
    arguments+=(--filler "$(swift build "${RELEASE_FLAGS[@]}" --package-path Benchmarks --show-bin-path)/LogBenchmark")
    ;;
esac
[ -z "${PAIRS:-}" ] || arguments+=(--pairs "$PAIRS")
[ -z "${DURATION:-}" ] || arguments+=(--duration "$DURATION")
[ "${JSON:-0}" != 1 ] || arguments+=(--json)
[ "${LITELLM:-1}" != 0 ] || arguments+=(--without-litellm)
if [ -n "${ROWS:-}" ]; then
  read -ra rows <<<"${ROWS//,/ }"
  arguments+=(--rows "${rows[@]}")
fi
exec python3 Benchmarks/proxy/proxy.py "${arguments[@]}" "$@"
