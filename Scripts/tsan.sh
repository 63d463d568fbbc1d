#!/usr/bin/env bash
# All unit suites under the thread sanitizer, in a scratch directory of their own.
. "$(dirname "$0")/lib.sh"
Scripts/setup.sh run
TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1} \
  swift test --disable-xctest --sanitize=thread --scratch-path .build-tsan
