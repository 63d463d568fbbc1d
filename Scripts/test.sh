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

# told LOG: what of a failed step's output says what failed, at most 12 lines: the issues of a Swift suite, the failed
# end-to-end cases with what they ended on, violations, errors of a compiler or script. Its last lines if there is none.
told() {
  local lines
  lines=$(awk '
    function over() { if (name != "") print name where (last != "" ? ": " last : ""); name = where = last = "" }
    /^[A-Za-z]+ +[0-9.]+ s  / || /^[0-9]+ passed, [0-9]+ failed/ { over() }
    /^FAILED +[0-9.]+ s  / { name = $0; next }
    name != "" && /^  File "/ { at = $2 ":" $4; sub(/.*\//, "", at); gsub(/[",]/, "", at); where = where " " at }
    # A traceback ends with the exception, which alone of it is not indented.
    name != "" { if (/^[A-Za-z_][A-Za-z_.0-9]*(: |$)/) last = $0; next }
    / recorded an issue / { print; isIssue = 1; next }
    isIssue && /^ *↳/ { print; next }
    { isIssue = 0 }
    /(^|[ :])([Ff]atal )?error: / || /no test matched/ { print }
    /^  again: torture / { print before; print }
    { before = $0 }
    END { over() }
  ' "$1" | cut -c1-400)
  [ -n "$lines" ] || lines=$(tail -n 5 "$1" | cut -c1-400)
  # A warning that counts as an error is said twice, by the compiler and by the build.
  lines=$(awk '!seen[$0]++' <<<"$lines")
  head -n 12 <<<"$lines" | sed 's/^/  /'
  local more=$(($(wc -l <<<"$lines") - 12))
  [ $more -le 0 ] || say "  and $more lines more in ${1#"$ROOT"/}"
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
for name in "${failed[@]}"; do
  [ "${outcome[$name]}" = failed ] || continue
  say "FAILED $name:"
  told "$logs/${name// /-}.log"
done
say "${closing:-0 passed, 0 failed, 0 skipped (the end-to-end cases did not run)}"
if [ ${#failed[@]} -gt 0 ]; then
  say "failed: ${failed[*]}"
  exit 1
fi
