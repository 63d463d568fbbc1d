#!/usr/bin/env bash
# All unit suites under the thread sanitizer, in a scratch directory of their own.
# The toolchain's Synchronization.Mutex is not instrumented: accesses that are both inside withLock of one Mutex are
# reported all the same. Read a report's two stacks before believing it; HALT=0 goes on behind the first.
. "$(dirname "$0")/lib.sh"
Scripts/setup.sh run
TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=${HALT:-1}} \
  swift test --disable-xctest --sanitize=thread --scratch-path .build-tsan
