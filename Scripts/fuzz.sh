#!/usr/bin/env bash
# usage: [SECONDS_EACH=60] fuzz.sh [TARGET…]     every fuzz target of the package in Fuzz/, for so long each
# Finds are kept in .build/fuzz/TARGET; what the fuzzer learnt stays in .build/fuzz/corpus/TARGET for the next run.
. "$(dirname "$0")/lib.sh"
[ -f Fuzz/Package.swift ] || die "Fuzz/Package.swift is missing"
each=${SECONDS_EACH:-60}
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  mapfile -t targets < <(sed -nE '/\.executableTarget\($/{n;p}; /\.executableTarget\(name/p' Fuzz/Package.swift |
    sed -nE 's/.*name: "([A-Za-z0-9]+)".*/\1/p')
fi
[ ${#targets[@]} -gt 0 ] || die "Fuzz/Package.swift has no executable target"
Scripts/setup.sh run
# Address sanitizer and edge coverage in the code under test; the fuzz targets link libFuzzer itself.
flags=(-c release --package-path Fuzz --scratch-path .build/fuzz/build --sanitize=address
  -Xswiftc "-sanitize-coverage=edge,indirect-calls,trace-cmp,inline-8bit-counters,pc-table")
for target in "${targets[@]}"; do
  swift build "${flags[@]}" --product "$target"
done
for target in "${targets[@]}"; do
  say "── $target, $each s"
  name=$(tr '[:upper:]' '[:lower:]' <<<"${target%Fuzz}")s
  corpus=.build/fuzz/corpus/$target
  finds=.build/fuzz/$target/
  mkdir -p "$corpus" "$finds"
  seeds=()
  [ ! -d "Fuzz/corpus/$name" ] || seeds=("Fuzz/corpus/$name")
  # No input may have more memory taken for it than twice the greatest block.
  .build/fuzz/build/release/"$target" -max_total_time="$each" -print_final_stats=1 -malloc_limit_mb=32 \
    -artifact_prefix="$finds" "$corpus" "${seeds[@]}"
done
