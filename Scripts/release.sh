#!/usr/bin/env bash
# Builds the three programs, checks what they link, and packs them with a checksum into .build/dist.
. "$(dirname "$0")/lib.sh"
Scripts/setup.sh run
build_release
Scripts/check-replay.sh
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || commit=$commit-changed
name=signalbox-$commit-$(uname -m)
dist=$ROOT/.build/dist
rm -rf "${dist:?}/$name"
mkdir -p "$dist/$name"
for program in signalbox replay simulator; do
  strip -o "$dist/$name/$program" "$RELEASE/$program"
  if [ "$program" = signalbox ]; then Scripts/stamp.sh "$dist/$name/$program"; fi
  say "$program: $(stat -c %s "$dist/$name/$program") bytes, links: $(
    ldd "$dist/$name/$program" | awk '{print $1}' | grep -v -e linux-vdso -e ld-linux | sort | tr '\n' ' ')"
done
mkdir -p "$dist/$name/man/man1"
cp docs/man/*.1 "$dist/$name/man/man1/"
tar -C "$dist" --sort=name --owner=0 --group=0 --numeric-owner -czf "$dist/$name.tar.gz" "$name"
(cd "$dist" && sha256sum "$name.tar.gz" | tee "$name.tar.gz.sha256")
