#!/usr/bin/env bash
# usage: [SECONDS_EACH=60] fuzz.sh [TARGET…]     every fuzz target of the package in Fuzz/, for so long each
. "$(dirname "$0")/lib.sh"
[ -f Fuzz/Package.swift ] || die "Fuzz/Package.swift is missing"
each=${SECONDS_EACH:-60}
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  mapfile -t targets < <(sed -nE '/\.executableTarget\($/{n;p}; /\.executableTarget\(name/p' Fuzz/Package.swift |
    sed -nE 's/.*name: "([A-Za-z0-9]+)".*/\1/p')
fi
[ ${#targets[@]} -gt 0 ] || die "Fuzz/Package.swift has no executable target"
mkdir -p .build/fuzz
for target in "${targets[@]}"; do
  say "── $target, $each s"
  swift build -c release --package-path Fuzz --scratch-path .build/fuzz --product "$target"
  ".build/fuzz/release/$target" --seconds "$each"
done
