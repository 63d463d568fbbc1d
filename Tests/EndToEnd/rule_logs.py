"""The case book in logs: a case's steps under the older gateways' merge rule and under ours, and what `replay` finds in what was written.

`casebook` plays the steps on a real log for each host, under either rule. Of the former's logs is told what `replay drift` points at;
of ours, in which it finds nothing, what of the same steps was refused or decided, and stands there.
"""

import json
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support import ROOT, program

FILE = ROOT / "Fixtures" / "incidents" / "cases.json"
HOSTS = "LMW"
#: Cases of sync and refresh in which nothing is merged and nothing older written over something newer, and what it is.
NOTHING_WRITTEN_OVER = {
    "S2": "a token is presented twice",
    "S6": "the newer token is written, into the account that a provider's name leads to",
    "S8": "a machine has another name after each start",
    "S10": "a key's status is not asked for",
    "S12": "a switch is on without an exchange, and a copy stays",
    "S13": "a copy is forgotten",
    "S14": "requests are in no sum",
    "S16": "nothing is at the other end",
    "S17": "a secret cannot be opened",
    "S18": "a name is made anew, and its id is another one",
    "T1": "nothing is refreshed",
    "T2": "an end is not stored",
    "T3": "a token is presented twice",
    "T4": "a provider signs out who refreshes too often",
    "T7": "a refusal is taken for the end of an account",
    "T8": "an account without a refresh token is taken for an expired one",
    "T9": "what is lost is within the secret, of which a log has a fingerprint",
    "T10": "a provider signs out who refreshes too often",
    "T11": "two accounts are taken for one by their mail",
}
#: What stands in a log because it was not taken.
REFUSALS = ("credential.stale_write_refused", "sync.conflict", "sync.failed")


def asked(directory, *words, allowed=(0, 1)):
    done = subprocess.run(
        [program("replay"), *words, "--log", str(directory), "--json"], capture_output=True, text=True, timeout=60)
    if done.returncode not in allowed:
        raise AssertionError(f"replay {words} of {directory}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def shown(value):
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else value


def drift(directory):
    """What undid or overwrote something, an edit a line."""
    edits = {}
    for found in asked(directory, "drift")["findings"]:
        edits.setdefault((found["edit"]["at"], found["stream"]), []).append(found)
    lines = []
    for (at, stream), group in edits.items():
        first, rules = group[0], dict.fromkeys(rule for one in group for rule in one["rules"])
        what = f".{first['field']} {shown(first['before'])} → {shown(first['after'])}" if len(group) == 1 else ""
        lines.append(f"{at} {first['edit']['kind']} {stream}{what}: {', '.join(rules)}")
    return lines


def refused(directory):
    """What was presented and not taken, and fields of which another edit was known."""
    lines = []
    for event in asked(directory, "window", "--from", "1")["timeline"]:
        place = f"{event['at']} {event['kind']}"
        if event["kind"].startswith(REFUSALS):
            lines.append(f"{place} {event['stream']}")
        if event["kind"].startswith("sync.reconciled"):
            for one in event["fields"]["decisions"]:
                if one["rule"] not in ("new", "same"):
                    field = f".{one['field']}" if one["field"] else ""
                    lines.append(f"{place} {one['stream']}{field}: {one['winner']}, {one['rule']}")
    return lines


def play(case):
    """What is found in the logs of the case's steps: under the old rule, under ours, and what is in no log because it
    was refused as a command."""
    with tempfile.TemporaryDirectory(prefix="signalbox-rule-") as place:
        directory = Path(place) / case["id"]
        done = subprocess.run(
            [program("casebook"), str(FILE), case["id"], str(directory)], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"casebook {case['id']}: exit {done.returncode}\n{done.stderr}")
        commands = done.stdout.splitlines()
        found = {"old": [], "here": [], "commands": commands}
        for host in HOSTS:
            old, ours = directory / "old" / host, directory / "ours" / host
            asked(old, "verify", allowed=(0,))
            found["old"] += [f"{host} {line}" for line in drift(old)]
            if f"{host} restart: the log is damaged and does not open" in commands:
                asked(ours, "verify", allowed=(3,))
                continue
            asked(ours, "verify", allowed=(0,))
            if again := drift(ours):
                raise AssertionError(f"{case['id']}: under our rule replay drift finds {again} at {host}")
            found["here"] += [f"{host} {line}" for line in refused(ours)]
        return found


def is_played(case):
    return "logs" in case


def faults(case):
    """Whether the logs say what the row says, and point at something."""
    found = play(case)
    if not found["old"]:
        return [f"{case['id']}: replay drift points at nothing in the logs of the old rule"]
    return [] if found == case["logs"] else [f"{case['id']}: the logs give {json.dumps(found, ensure_ascii=False)}"]


def all_faults(book):
    with ThreadPoolExecutor(2) as pool:
        return [fault for some in pool.map(faults, filter(is_played, book)) for fault in some]


def told(case):
    """The lines of a case, from its logs."""
    found = play(case)
    return ([f"     old log   {line} (replay drift)" for line in found["old"]]
            + ["     our log   nothing (replay drift)"]
            + [f"     on record {line}" for line in found["here"]]
            + [f"     refused   {line}" for line in found["commands"]])
