#!/usr/bin/env python3
"""Are all decisions of a long log made again just as they were?

`LogBenchmark decisions --unrest N` writes requests of which three in four go through several hands, with an edit of
aliases, combos, policies, accounts, providers, cooldowns, credentials or the strategy after every N of them. `replay verify`
is asked twice about all of it and once about each of some random windows: no decision may differ or be unknown, the two
answers have the same bytes, and the decisions in neighbouring windows are together those of the log. What is recorded is counted
by the writer, not by `verify`. Exit 1 if anything is otherwise.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from replay import Broken, run  # noqa: E402


def note(text):
    print(text, file=sys.stderr, flush=True)


def check(options, directory):
    output, *_ = run(
        [options.filler, "decisions", "--dir", directory, "--seed", str(options.seed), "--count", str(options.count),
         "--segment", str(32 << 20), "--unrest", str(options.unrest)])
    made = {name: int(value) for name, value in json.loads(output).items()}
    note(f"{options.count} requests, {made['decisions']} decisions, {made['edits']} edits; seed {options.seed}")

    def verify(*window):
        began = time.monotonic()
        output, _, _, memory = run([options.replay, "verify", "--json", "--log", directory, *window])
        found = json.loads(output)["decisions"]
        note(f"  {' '.join(window) or 'all'}: {found['remade']} made again, {found['differing']} differ, "
             f"{found['notReproducible']} unknown; {time.monotonic() - began:.1f} s, {memory >> 20} MB")
        if found["differing"] or found["notReproducible"]:
            raise Broken(json.dumps(found["differences"] + found["reasons"], indent=1))
        return output, found["remade"]

    (first, remade), (second, _) = verify(), verify()
    if first != second:
        raise Broken("two runs over the same log printed different bytes")
    if remade != made["decisions"]:
        raise Broken(f"{remade} decisions were made again, {made['decisions']} were recorded")
    dice, parts, begin = random.Random(options.seed), 0, 1
    cuts = sorted(dice.sample(range(1, made["events"]), options.windows - 1))
    for cut in [*cuts, made["events"]]:
        parts += verify("--from", str(begin), "--to", str(cut))[1]
        begin = cut + 1
    if parts != remade:
        raise Broken(f"the windows have {parts} decisions, the log {remade}")
    return {"requests": options.count, **made, "windows": options.windows, "differing": 0, "seed": options.seed}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replay", required=True)
    parser.add_argument("--filler", required=True, help="the program LogBenchmark")
    parser.add_argument("--count", type=int, default=1_000_000, help="requests")
    parser.add_argument("--unrest", type=int, default=50, help="requests between two edits")
    parser.add_argument("--windows", type=int, default=4, help="neighbouring windows that are the whole log together")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="signalbox-unrest-") as directory:
        try:
            result = check(options, f"{directory}/log")
        except Broken as reason:
            print(f"FAILED, seed {options.seed}: {reason}", file=sys.stderr)
            return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
