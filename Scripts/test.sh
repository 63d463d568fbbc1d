#!/usr/bin/env bash
# usage: test.sh            everything that must hold, in the order of cost; ends with the minutes of each suite
# Outputs lie in .build/test. A step that fails does not hide the others, only those that need it.
. "$(dirname "$0")/lib.sh"

logs=$ROOT/.build/test
mkdir -p "$logs"
rows=()
failed=()
began_all=$SECONDS

# step NAME NEEDS COMMAND…: NEEDS is a step that must have succeeded, or -.
declare -A outcome
step() {
  local name=$1 needs=$2
  shift 2
  if [ "$needs" != - ] && [ "${outcome[$needs]:-}" != ok ]; then
    outcome[$name]=skipped
    failed+=("$name")
    rows+=("$(printf '%-28s %8s  %s' "$name" - "not run: $needs failed")")
    return
  fi
  say "── $name"
  local began=$EPOCHREALTIME status=0 log=$logs/${name// /-}.log
  "$@" >"$log" 2>&1 || status=$?
  local minutes note
  minutes=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", (b - a) / 60 }')
  note=$(grep -aE 'Test run with|passed, [0-9]+ failed|finding\(s\)|symbols looked at|points, .* lost' "$log" | tail -1 |
    sed 's/^[^A-Za-z0-9]*//' || true)
  if [ $status -eq 0 ]; then
    outcome[$name]=ok
    rows+=("$(printf '%-28s %8s  %s' "$name" "$minutes" "ok${note:+: $note}")")
  else
    outcome[$name]=failed
    failed+=("$name")
    rows+=("$(printf '%-28s %8s  %s' "$name" "$minutes" "FAILED ($status)${note:+: $note}")")
    say "── $name FAILED with status $status; the end of $log:"
    tail -n 60 "$log"
  fi
}

# A suite takes seconds; one that hangs is a finding, and must not take the rest with it.
unit_suite() {
  timeout --kill-after=10 900 swift test --skip-build --disable-xctest --filter "^$1\\." || return $?
  # A filter that matches nothing succeeds too; a suite without a test is a mistake.
  if grep -qa 'Test run with 0 tests' "$logs/$1.log"; then
    say "no test matched $1"
    return 1
  fi
}

step setup - Scripts/setup.sh test
step lint - Scripts/lint.sh
step "debug build" setup swift build --build-tests --explicit-target-dependency-import-check error
mapfile -t suites < <(sed -nE '/\.testTarget\($/{n;p}; /\.testTarget\(name/p' Package.swift |
  sed -nE 's/.*name: "([A-Za-z]+)".*/\1/p')
[ ${#suites[@]} -gt 0 ] || die "no test target found in Package.swift"
for suite in "${suites[@]}"; do
  step "$suite" "debug build" unit_suite "$suite"
done
step "release build" setup build_release
step "replay linkage" "release build" Scripts/check-replay.sh
# A fixed seed, so that a change is compared with the change before, and a new one, so that more is seen.
step "crash campaign" "release build" timeout --kill-after=10 900 "$RELEASE/torture" crash --points 100000 --seed 1
step "torture" "release build" timeout --kill-after=10 600 "$RELEASE/torture" all --seconds 90
python=$ROOT/.build/venv/bin/python
step "end to end" "release build" timeout --kill-after=10 1200 "$python" Tests/EndToEnd/run.py

closing=$(grep -aE '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$logs/end-to-end.log" 2>/dev/null | tail -1 || true)
grep -ah '^SKIPPED' "$logs/end-to-end.log" "$logs/torture.log" 2>/dev/null || true
say
printf '%-28s %8s  %s\n' suite minutes result
printf '%s\n' "${rows[@]}"
printf '%-28s %8s\n' all "$(awk -v s=$((SECONDS - began_all)) 'BEGIN { printf "%.2f", s / 60 }')"
say
say "${closing:-0 passed, 0 failed, 0 skipped (the end-to-end cases did not run)}"
if [ ${#failed[@]} -gt 0 ]; then
  say "failed: ${failed[*]}"
  exit 1
fi
