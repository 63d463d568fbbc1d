#!/usr/bin/env bash
# `replay` must carry no network stack: looks for the modules' mangled names among its symbols.
. "$(dirname "$0")/lib.sh"
binary=${1:-$RELEASE/replay}
[ -x "$binary" ] || die "$binary is not built"
symbols=$(nm "$binary" 2>/dev/null || true)
# A stripped binary would pass any look for names, so what must be there is looked for first.
grep -q '10EventStore' <<<"$symbols" || die "$binary has no symbols of EventStore: stripped, or not ours"
# shellcheck disable=SC2016  # $s is how mangled Swift names begin
found=$(grep -oE '\$s(7NIOCore|8NIOPosix|8NIOHTTP1|6NIOSSL|11Hummingbird|15HummingbirdCore|15AsyncHTTPClient|9DataPlane|12ControlPlane)' \
  <<<"$symbols" | sort | uniq -c || true)
if [ -n "$found" ]; then
  say "$binary holds symbols of modules that it must not link:" >&2
  say "$found" >&2
  exit 1
fi
say "replay links no network stack ($(grep -c . <<<"$symbols") symbols looked at)"
