"""One byte of a copied data directory is flipped, anywhere: `replay` names the place, or its answers are the same.

By default a sample of every file and every part of it, for about 40 s; FLIP_SECONDS takes more, FLIP_SEED repeats one. Every
byte (of RESERVE, which has no meaning, every 65,536th), some hours:

    FLIP_BYTES=all .build/venv/bin/python Tests/EndToEnd/run.py test_flipped_bytes
"""

import json
import os
import random
import shutil
import struct
import subprocess
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from log_reader import Index, Log
from mixed_log import mixed_log
from support import Case, program

#: Seconds after which a sample takes no further byte, though each part of each file gets one.
BUDGET = float(os.environ.get("FLIP_SECONDS", 40))
WORKERS = 2


class Answers:
    """What `replay` says of a directory."""

    def __init__(self, directory):
        self.directory = directory

    def ask(self, verb, *arguments):
        """Exit status, document (None if it is no JSON), and what it said beside."""
        done = subprocess.run(
            [program("replay"), verb, *arguments, "--json", "--log", str(self.directory)],
            capture_output=True, text=True, timeout=60)
        try:
            document = json.loads(done.stdout)
        except json.JSONDecodeError:
            document = None
        return done.returncode, document, done.stderr

    def all(self, request):
        return {
            "window": self.ask("window", "--from", "1", "--limit", "0"),
            "show": self.ask("show", request),
            "state": self.ask("state"),
            # A moment in the middle, which may be answered from a snapshot.
            "past": self.ask("state", "--at", f"request:{request}"),
        }


def parts(directory):
    """Of every file the parts that a format gives it: (path in the directory, name of the part, first byte, end)."""
    found = []
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        name, size = str(path.relative_to(directory)), path.stat().st_size
        data = path.read_bytes()
        if path.suffix in (".esl", ".sealed"):
            at, = struct.unpack_from("<I", data, 12)
            found.append((name, "header", 0, at))
            # Zeros written ahead are no part of the log.
            end = (Index(data, True).end_of_blocks if path.suffix == ".sealed"
                   else len(data.rstrip(b"\0")))
            while at < end:
                count, _, stored = struct.unpack_from("<III", data, at + 24)
                body, after = at + 104, at + 104 + (stored + 7) // 8 * 8
                found.append((name, "block header" if count else "witness block", at, body))
                found.append((name, "body", body, body + stored))
                found.append((name, "padding", body + stored, after))
                at = after
        if path.suffix in (".idx", ".sealed"):
            index = Index(data, path.suffix == ".sealed")
            at = index.end_of_blocks if path.suffix == ".sealed" else 0
            found.append((name, "index magic", at, at + 8))
            at += 8
            for section in Index.SECTIONS:
                length = len(getattr(index, section))
                found.append((name, section, at, at + length))
                at += length
            found.append((name, "trailer", at, size))
        if path.suffix not in (".esl", ".idx", ".sealed"):
            step = max(64, size // 4)
            found += [(name, f"bytes from {at}", at, min(at + step, size))
                      for at in range(0, size, step)]
    return [part for part in found if part[2] < part[3]]


class FlippedBytesTests(Case):
    maxDiff = None

    def setUp(self):
        super().setUp()
        box = mixed_log(self)
        self.data = box.data
        log = Log(self.data)
        self.events = {int(event["position"].split(":")[1]): event for event in log.events()}
        finished = [event for event in self.events.values()
                    if event["kind"].startswith("request.finished.")]
        # In the middle of the log, and so in a sealed segment.
        self.request = str(uuid.UUID(finished[len(finished) // 3]["keys"][0]))
        self.intact = Answers(self.data).all(self.request)
        intact = {"verify": Answers(self.data).ask("verify"), **self.intact}
        for verb, (status, document, beside) in intact.items():
            self.assertEqual(status, 0, f"{verb}: {beside}{document}")
        self.timeline = {entry["at"]: entry for entry in self.intact["window"][1]["timeline"]}
        self.assertEqual(len(self.timeline), len(self.events))
        synced = max(
            struct.unpack_from("<Q", self.data.joinpath(name).read_bytes(), 48)[0]
            for name in ("MANIFEST-A", "MANIFEST-B"))
        last, _ = list(Log(self.data).segments())[-1]
        self.last_block = last.blocks[-1]
        # Nothing outside this block says that it was ever durable.
        self.is_unproven = synced < self.last_block.first and (
            last.end == self.last_block.offset + self.last_block.extent)

    def judge(self, directory, name, part, at, thorough):
        """One flip: what it came to. Fails if an answer is wrong, or a loss is not named."""
        answers = Answers(directory)
        status, verdict, beside = answers.ask("verify")
        self.assertIn(status, (0, 1, 2, 3) if name.startswith("views/") else (0, 2, 3), beside)
        others = answers.all(self.request) if thorough else {
            "window": answers.ask("window", "--from", "1", "--limit", "0")}
        for verb, (code, _, said) in others.items():
            self.assertIn(code, (0, 2, 3, 4), f"{verb}: {said}")
        if status in (0, 1):
            for verb, answer in others.items():
                self.assertEqual(answer[:2], self.intact[verb][:2], verb)
            if status == 0:
                return "harmless"
            # The log is as whole as before; the views are said not to be what it gives.
            self.assertTrue(verdict["integrity"]["isIntact"])
            self.assertIn(verdict["views"]["verdict"], ("differ", "unusable"))
            return "named, all events there"
        if verdict is None:
            # Nothing can be read as long as this stands; the sentence names the file.
            self.assertIn(str(directory), beside)
            for verb, (code, document, said) in others.items():
                self.assertEqual((code != 0, document), (True, None), verb)
                self.assertIn(str(directory), said, verb)
            return "refused"
        gaps = verdict["integrity"]["gaps"]
        self.assertTrue(gaps or verdict["integrity"]["revisionFaults"])
        if name.startswith("seg/"):
            file = name.removeprefix("seg/")
            self.assertTrue(any(gap["file"] == file for gap in gaps), f"{file}: {gaps}")
        tails = [gap for gap in gaps if gap["isUnprovenTail"]]
        if tails:
            self.assertTrue(self.is_unproven, tails)
            self.assertTrue(name.endswith(".esl"))
            self.assertGreaterEqual(at, self.last_block.offset)
        status, window, _ = others["window"]
        self.assertIsNotNone(window)
        seen = {entry["at"]: entry for entry in window["timeline"] if "kind" in entry}
        for place, entry in seen.items():
            # The line for people names accounts as the readable events name them.
            self.assertEqual({**entry, "text": ""}, {**self.timeline[place], "text": ""})
        for place in self.timeline.keys() - seen.keys():
            position = int(place.split(":")[1])
            self.assertTrue(any(
                gap["first"] <= position and (gap["last"] is None or position <= gap["last"])
                for gap in gaps), f"{place} is missing, and no gap names it: {gaps}")
        for verb, (code, document, _) in others.items():
            if code == 0:
                # What was asked for is whole. Where the log ends, and how many ranges of it are not, may be told beside.
                self.assertEqual(self.answer(document), self.answer(self.intact[verb][1]), verb)
        if tails:
            return "unproven tail"
        return "named" if len(seen) < len(self.timeline) else "named, all events there"

    @staticmethod
    def answer(document):
        return {name: value for name, value in document.items() if name not in ("log", "gaps")}

    def test_no_flipped_byte_passes_for_the_truth(self):
        takes_all = os.environ.get("FLIP_BYTES") == "all"
        seed = int(os.environ.get("FLIP_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"        seed {seed}")
        dice = random.Random(seed)
        everywhere = parts(self.data)
        if takes_all:
            places = [(name, part, at) for name, part, start, end in everywhere
                      for at in range(start, end, 65_536 if name == "RESERVE" else 1)]
        else:
            kinds = {}
            for name, part, start, end in everywhere:
                kinds.setdefault((name, part), []).append((start, end))
            places = []
            # One byte of each in every turn, more turns than there is time for.
            for turn in range(1_000):
                row = []
                for (name, part), ranges in kinds.items():
                    # The last block first: only there a tail may be unproven.
                    start, end = ranges[-1] if turn == 0 else dice.choice(ranges)
                    row.append((name, part, dice.randrange(start, end)))
                dice.shuffle(row)
                places += row
            first = len(kinds)
        outcomes, faults = {}, []
        lock = threading.Lock()
        queue = iter(enumerate(places))
        began = time.monotonic()

        def work(number):
            directory = shutil.copytree(self.data, self.directory / f"copy-{number}")
            while True:
                with lock:
                    turn, place = next(queue, (None, None))
                    mask = dice.randrange(1, 256)
                if place is None or len(faults) > 5:
                    return
                if not takes_all and turn >= first and time.monotonic() - began > BUDGET:
                    return
                name, part, at = place
                path = directory / name
                byte = path.read_bytes()[at]
                self.put(path, at, byte ^ mask)
                what = f"{name} byte {at} ({part}) ^ {mask}"
                try:
                    outcome = self.judge(directory, name, part, at, turn % 4 == 0)
                except Exception as fault:  # every kind of failure is one of this byte
                    outcome = "FAULT"
                    faults.append(f"{what}: {str(fault)[-2000:]}")
                self.put(path, at, byte)
                with lock:
                    key = (name.split("/")[0] if "/" not in name else path.suffix, part.split(" from")[0], outcome)
                    outcomes[key] = outcomes.get(key, 0) + 1

        with ThreadPoolExecutor(WORKERS) as pool:
            for done in [pool.submit(work, number) for number in range(WORKERS)]:
                done.result()
        for (file, part, outcome), count in sorted(outcomes.items()):
            print(f"        {file:12} {part:14} {outcome:24} {count}")
        self.assertFalse(faults, f"seed {seed}\n" + "\n\n".join(faults))
        self.assertIn("named", {outcome for _, _, outcome in outcomes})
        if self.is_unproven:
            self.assertIn("unproven tail", {outcome for _, _, outcome in outcomes})

    @staticmethod
    def put(path, at, byte):
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(bytes([byte]))
