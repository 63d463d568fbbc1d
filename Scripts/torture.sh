#!/usr/bin/env bash
# usage: [SECONDS_=600] torture.sh
# Does to the event log what the world may do to it, for so long: crashes on a simulated disk, kills of a real process,
# system calls that fail. Seeds are printed; a failure prints the command that shows it again.
. "$(dirname "$0")/lib.sh"
total=${SECONDS_:-600}
[[ $total =~ ^[0-9]+$ ]] || die "SECONDS_ must be a number of seconds, not $total"
Scripts/setup.sh test
swift build "${RELEASE_FLAGS[@]}" --product torture
failed=()
run() {
  say "── torture $*"
  "$RELEASE/torture" "$@" || failed+=("$1")
}
# What is bounded by its own nature first, the rest for the campaign.
began=$SECONDS
run inject --seconds $((total / 10 + 1))
run kills --seconds $((total / 10 + 1))
left=$((total - (SECONDS - began)))
run crash --seconds $((left > 1 ? left : 1))
[ ${#failed[@]} -eq 0 ] || die "failed: ${failed[*]}"
