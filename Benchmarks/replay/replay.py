"""Row 12: how many recorded decisions `replay verify` makes again in a second of one core's time.

`LogBenchmark decisions` writes a log whose decisions are the router's own, under every strategy, with edits and cooldowns
in between. `replay verify` then checks all of it: bytes, hashes, revisions and every decision. The whole process's
processor time counts, opening included; none may come out otherwise, and every run must print the same bytes.
"""

import json
import os
import subprocess
import time


class Broken(Exception):
    pass


def run(argv):
    """Standard output, seconds of processor time, seconds, and bytes of memory at most."""
    began = time.monotonic()
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    output = child.stdout.read()
    child.stdout.close()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise Broken(f"{' '.join(map(str, argv))}: exit {child.returncode}\n{output[-500:].decode(errors='replace')}")
    return output, used.ru_utime + used.ru_stime, time.monotonic() - began, used.ru_maxrss * 1024


def fill(filler, directory, count, seed=1):
    """A new log with this many requests; how many events it has."""
    output, *_ = run(
        [filler, "decisions", "--dir", directory, "--seed", str(seed), "--count", str(count), "--segment", str(64 << 20)])
    return int(json.loads(output)["events"])


def measure(replay, directory, rounds):
    """Per round: decisions a second and core, and memory; besides, how long opening takes."""
    found, first = [], None
    for _ in range(rounds):
        output, processor, _, memory = run([replay, "verify", "--json", "--log", directory])
        if first is not None and output != first:
            raise Broken("two runs of verify printed different bytes")
        first = output
        decisions = json.loads(output)["decisions"]
        if decisions["differing"] or decisions["notReproducible"]:
            raise Broken(f"verify found {decisions['differing']} decisions that differ in an unchanged build")
        found.append({"decisions": decisions["remade"], "rate": decisions["remade"] / processor, "memory": memory})
    opening = min(run([replay, "history", "settings", "--limit", "1", "--log", directory])[2] for _ in range(5))
    return found, opening * 1e3
