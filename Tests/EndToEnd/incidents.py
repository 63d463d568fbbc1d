#!/usr/bin/env python3
"""Acts incidents out at real gateways and asks their bundles for the culprit; ends with 1 if an answer does not name it.

Beside each stands what the older gateways' rule makes of the cases that it is about, gone through at a worker and an OAuth server, and
what `replay drift` points at in logs that are written under that rule, and finds refused in those under ours.

usage: incidents.py [--keep] [NAME...]     --keep: replace what Fixtures/incidents has of them
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cases
import rule_logs
from bundle_reader import Bundle
from incident_acts import INCIDENTS, SECRETS, Stage
from incident_stage import require
from support import ROOT, Simulator, program

KEPT = ROOT / "Fixtures" / "incidents"
FILE = "incident.signalbox"
#: A kept bundle's size, in bytes.
LARGEST = 64 << 10


def asked(directory, words):
    """What a verb says of a directory's bundle, and its status; nothing in the environment leads to a log."""
    done = subprocess.run(
        [program("replay"), *words, "--log", FILE], cwd=directory, capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "TZ": "UTC"})
    if done.returncode not in (0, 1, 4):
        raise AssertionError(f"replay {words}: exit {done.returncode}\n{done.stderr}")
    return f"{done.stdout}exit {done.returncode}\n"


def named(pattern, at, answer):
    return re.search(pattern.replace("{at}", rf"(?<![\d:]){re.escape(at)}"), answer, re.M) is not None


def leaked(path, more=()):
    """The secrets, and of `more`, that are in a bundle's bytes, as they are or unpacked."""
    data = path.read_bytes()
    everything = b"\0".join([data, *Bundle(data).unpacked])
    return [secret for secret in [*SECRETS, *more] if secret.encode() in everything]


def perform(incident, directory):
    """Acts it out, leaves the bundle in the directory, and tells what it is to show."""
    with tempfile.TemporaryDirectory(prefix="signalbox-incident-") as place, Stage(place) as stage:
        incident.act(stage)
        stage.box.stop()
        if not incident.questions:
            return {"reports": incident.reports, "page": incident.page, "outcome": stage.outcome}
        made = subprocess.run(
            [program("replay"), "bundle", "--log", str(stage.box.data), "-o", str(directory / FILE), *stage.range],
            capture_output=True, text=True, timeout=60)
        if made.returncode != 0:
            raise AssertionError(made.stderr)
        require(not leaked(directory / FILE, stage.secrets), "a token is in the bundle")
        words = {**stage.words, "{request}": stage.request, "{key}": getattr(stage, "key", None)}
    questions = []
    for question, pattern in incident.questions:
        for word, value in words.items():
            question = [part.replace(word, value) if word in part else part for part in question]
        questions.append({"ask": question, "names": pattern})
    return {"reports": incident.reports, "page": incident.page, "outcome": stage.outcome,
            "culprit": {"at": stage.at, **stage.event}, "questions": questions}


def faults(directory, told):
    """What is wrong with a bundle; and whether each verb names the culprit."""
    if "questions" not in told:
        return [], []
    path, verbs = directory / FILE, []
    found = [f"{secret[:6]}… is in the bundle" for secret in leaked(path)]
    if path.stat().st_size > LARGEST:
        found.append(f"{path.stat().st_size} bytes, more than {LARGEST}")
    for question in told["questions"]:
        answer = asked(directory, question["ask"])
        if question["names"] is not None:
            verbs.append((question["ask"][0], named(question["names"], told["culprit"]["at"], answer)))
            if not verbs[-1][1]:
                found.append(f"replay {' '.join(question['ask'])} does not name {told['culprit']['at']}:\n{answer}")
    return found, verbs


def names(verbs):
    """The verbs that name the culprit, each once."""
    return list(dict.fromkeys(verb for verb, is_named in verbs if is_named))


def answers(directory, told):
    """The golden outputs by file name."""
    return {
        f"{number}-{question['ask'][0]}.txt": asked(directory, question["ask"])
        for number, question in enumerate(told["questions"], 1)}


def least(directory, told):
    """The questions whose answer, from the least of the bundle that still gives it, does not name the culprit."""
    lost = []
    for question in told.get("questions", []):
        verb, words = question["ask"][0], question["ask"][1:]
        if question["names"] is None or verb not in ("bisect", "drift", "explain"):
            continue
        finding = f"{verb} {words[-1] if words else told['culprit']['stream']}"
        with tempfile.TemporaryDirectory(prefix="signalbox-least-") as place:
            file = Path(place) / FILE
            made = subprocess.run(
                [program("replay"), "bundle", "--log", str(directory / FILE), "--minimize", "--keeps", finding,
                 "-o", str(file)], capture_output=True, text=True, timeout=60)
            if made.returncode != 0:
                lost.append(f"bundle --minimize --keeps {finding!r}: exit {made.returncode}\n{made.stderr}")
            elif leaked(file) or not named(question["names"], told["culprit"]["at"], asked(place, question["ask"])):
                lost.append(f"what --minimize --keeps {finding!r} leaves does not name {told['culprit']['at']}, or leaks")
    return lost


def keep(name, directory, told):
    place = KEPT / name
    shutil.rmtree(place, ignore_errors=True)
    (place / "expected").mkdir(parents=True)
    shutil.copyfile(directory / FILE, place / FILE)
    kept = {key: value for key, value in told.items() if key != "outcome"}
    (place / "incident.json").write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
    for file, text in answers(place, told).items():
        (place / "expected" / file).write_text(text)


def act_out(incident, keeps=False):
    with tempfile.TemporaryDirectory(prefix="signalbox-bundle-") as place:
        try:
            told = perform(incident, Path(place))
            found, verbs = faults(Path(place), told)
            found += least(Path(place), told)
            for case in cases.of_act(incident.name):
                found += cases.act_faults(case, told["outcome"], names(verbs))
        except AssertionError as error:
            return incident, None, [str(error)], []
        if keeps and not found and "questions" in told:
            keep(incident.name, Path(place), told)
        return incident, told, found, verbs


def act_all(incidents, keeps=False):
    """Two at a time: each has a gateway and a provider of its own."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield from pool.map(lambda one: act_out(one, keeps), incidents)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    unknown = set(options.names) - {one.name for one in INCIDENTS}
    if unknown:
        parser.error(f"no such incident: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="signalbox-old-rule-") as place:
        old = Simulator(place)
        try:
            bad = tell(options, old)
        finally:
            old.child.kill()
    print(f"{bad} faults")
    return 1 if bad else 0


def tell(options, old):
    """Prints what is acted out and the case book, whose old rule is gone through at `old`; how many faults there are."""
    bad = 0
    print(f"{'incident':27} {'culprit':40} verbs that name it")
    for incident, told, found, verbs in act_all(
            [one for one in INCIDENTS if one.name in options.names or not options.names], options.keep):
        event = told.get("culprit") if told else None
        culprit = f"{event['at']} {event['stream']} {event['kind']}" if event else "-"
        said = ", ".join(f"{verb} {'yes' if is_named else 'NO'}" for verb, is_named in verbs)
        print(f"{incident.name:27} {culprit:40} {said}", flush=True)
        print(f"     {incident.page}", flush=True)
        for case in cases.of_act(incident.name) if told else []:
            print("\n".join(cases.told(case, told["outcome"], names(verbs), old)), flush=True)
        for fault in found:
            bad += 1
            print(f"  FAULT {fault}", flush=True)
    if options.names:
        return bad
    print()
    for case in cases.cases():
        if case["act"] is None:
            print("\n".join(cases.told(case, simulator=old)))
        for fault in cases.faults(case, old):
            bad += 1
            print(f"  FAULT {fault}")
    for fault in rule_logs.all_faults(cases.cases()):
        bad += 1
        print(f"  FAULT {fault}")
    print(f"\n{cases.LEGEND}")
    return bad


if __name__ == "__main__":
    sys.exit(main())
