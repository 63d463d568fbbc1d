#!/usr/bin/env bash
# stamp.sh PROGRAM…: writes into finished programs which commit they were built from, and when.
. "$(dirname "$0")/lib.sh"
[ $# -gt 0 ] || die "usage: stamp.sh PROGRAM…"
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || commit=$commit-changed
stamp=$(mktemp)
trap 'rm -f "$stamp"' EXIT
printf '%s\n%s\n' "$commit" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$stamp"
truncate -s 128 "$stamp"
for program in "$@"; do
  objcopy --update-section .signalbox_build="$stamp" "$program"
done
