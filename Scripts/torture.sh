#!/usr/bin/env bash
# usage: torture.sh [SECONDS]
# Does to the event log what the world may do to it, for so long (120 s): system calls that fail, kills of a real process,
# crashes on a simulated disk. Seeds are printed; a failure prints the command that shows it again.
. "$(dirname "$0")/lib.sh"
total=${1:-120}
[[ $total =~ ^[0-9]+$ ]] || die "a number of seconds is wanted, not $total"
Scripts/setup.sh test
swift build "${RELEASE_FLAGS[@]}" --product torture
exec "$RELEASE/torture" all --seconds "$total"
