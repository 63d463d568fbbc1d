"""Snapshots beside the log make starts and answers faster; no answer depends on them."""

import shutil
from concurrent.futures import ThreadPoolExecutor

from support import Spine, eventually, message


class SnapshotTests(Spine):
    options = ("--segment-bytes", "65536")

    def files(self):
        return {path.name: path.read_bytes() for path in self.folder.glob("*.snap")}

    def finished_segments(self):
        """First positions of all segments but the last: behind each of these begins another one."""
        return sorted({path.name[:20] for path in (self.box.data / "seg").glob("*.*")})[:-1]

    def grow(self, segments):
        """Requests among edits, until so many segments are finished and have their snapshots."""
        edits = 0
        with ThreadPoolExecutor(8) as pool:
            while len(self.finished_segments()) < segments:
                edits += 1
                edit = self.box.admin(
                    "PUT", "/api/models/alias", {"alias": f"alias-{edits}", "model": "mock/gpt-4o"})
                self.assertEqual(edit.status, 200, edit.body)
                answers = list(pool.map(lambda _: self.box.chat(message()), range(100)))
                self.assertEqual({answer.status for answer in answers}, {200})
        eventually(lambda: len(self.files()) == len(self.finished_segments()), "every snapshot", 60)
        return answers[-1].header("x-request-id")

    def answers(self, last, identity):
        """What `replay` says of moments before, at and behind snapshots."""
        moments = [1, 17, last // 3, last // 2, last - 1]
        for name in self.whole:
            moments += [int(name[:20]) - 1, int(name[:20]), int(name[:20]) + 1]
        said = [self.box.replay("state", "--at", at, "--json") for at in moments]
        said += [self.box.replay("show", at) for at in moments]
        said += [self.box.replay("window", "--from", at, "--to", at + 20) for at in moments]
        said += [self.box.replay("state"), self.box.replay("show", identity)]
        return said

    def test_answers_and_starts_are_the_same_whatever_becomes_of_snapshots(self):
        self.folder = self.box.data / "snapshots"
        identity = self.grow(3)
        self.assertEqual(self.box.stop(), 0)
        self.whole = self.files()
        self.assertGreaterEqual(len(self.whole), 3)
        state = self.box.replay("state")
        last = max(int(name[:20]) for name in self.whole)
        verdict = self.box.replay("verify")
        self.assertIn(f"snapshots  ok: {len(self.whole)} snapshots made again", verdict)

        def none():
            shutil.rmtree(self.folder)

        def cut():
            for name, data in self.whole.items():
                (self.folder / name).write_bytes(data[:-3])

        def garbled():
            for name, data in self.whole.items():
                at = len(data) // 2
                (self.folder / name).write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1:])

        def swapped():
            names = sorted(self.whole)
            for name, other in zip(names, names[1:] + names[:1]):
                (self.folder / name).write_bytes(self.whole[other])

        def too_new():
            newest = max(self.whole)
            (self.folder / newest).rename(self.folder / f"{last + 10 ** 9:020}.snap")

        rules = {
            none: None, cut: "snapshot.length", garbled: "snapshot.", swapped: "snapshot.name",
            too_new: "snapshot."}
        for harm, rule in rules.items():
            with self.subTest(harm.__name__):
                # Each life adds to the log.
                truth = self.answers(last, identity)
                harm()
                self.assertEqual(self.answers(last, identity), truth)
                verdict = self.box.replay("verify")
                self.assertIn("integrity  ok", verdict)
                self.assertIn("snapshots  none" if rule is None else "unused  ", verdict)
                self.restart(self.box)
                if rule is not None:
                    self.assertIn("a snapshot was not used", self.box.text())
                    self.assertIn(rule, self.box.text())
                shown = self.box.admin("GET", "/api/models/alias").json()["aliases"]
                self.assertGreater(len(shown), 1)
                for name in shown:
                    self.assertIn(name, state)
                # They come back as they were, byte for byte.
                eventually(
                    lambda: {**self.files(), **self.whole} == self.files(), "the same snapshots", 60)
                self.assertEqual(self.box.stop(), 0)
                for name in self.files().keys() - self.whole.keys():
                    (self.folder / name).unlink()
