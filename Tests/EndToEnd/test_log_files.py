"""docs/file-format.md is enough to read the log: a reader in Python finds what the gateway and `replay` say."""

import json
import random
import shutil
import subprocess
import sys

from log_reader import Broken, Log
from mixed_log import mixed_log
from support import ROOT, Case, configuration, message, program, scenario

FIXTURES = ROOT / "Fixtures" / "log"

#: The chain value of Fixtures/log at its end, as Tests/EventStoreTests has it.
GOLDEN_CHAIN = "1d6a5c543c1217f5c75bcc5d370937715d04f6f08dcc0e752ad5d59ec9842256"
#: Of Fixtures/log/sealed: each segment's file and last position, the chain value there, and the Merkle root over its events.
GOLDEN_SEGMENTS = [
    ("00000000000000000001.sealed", 25,
     "fe725f3aaa0c5349fe73dfbd6e3e6ba794440fcca1e455e8115f082aa3fe5ef3",
     "0f947088b4ee322ddbbf6f5b3cfda1016fe9fcba1b835384f575b4af77237c27"),
    ("00000000000000000026.sealed", 50,
     "378b11246e846d2ada9882368785bb320ee203ac3fe94a8b7e9c6823b59b4bc7",
     "2be1cafd70fd22fb161fae369c262cbfa218037e69437933efadde00df4eb8a3"),
    ("00000000000000000051.esl", 75,
     "ca284263758a425b7fc325a46fe05a98cb0ef21e33d5f2e62ffcde8aec5df33c",
     "09768dd47d1d784ff513bf717f7fc9034f636d37057ba039e4f45fa9c765f7f6"),
    ("00000000000000000076.esl", 80,
     "2ae238d15c1ecf3827d0698de72491b2da116e697662b54c3e0e70afcb22e419",
     "1410ec1577e097b8989415d74beaa13b21110fe20659fc4c98fdebe2031f9f56"),
]


class LogFilesTests(Case):
    def golden(self):
        seg = self.directory / "log" / "seg"
        seg.mkdir(parents=True)
        shutil.copy(FIXTURES / "small.esl", seg / f"{1:020}.esl")
        return seg.parent

    def sealed(self):
        """A copy of the golden log that has sealed segments."""
        return shutil.copytree(FIXTURES / "sealed", self.directory / "sealed")

    def reader(self, *arguments):
        return subprocess.run(
            [sys.executable, str(ROOT / "Tests" / "EndToEnd" / "log_reader.py"), *map(str, arguments)],
            capture_output=True, text=True)

    def verdict(self, directory):
        done = subprocess.run(
            [program("replay"), "verify", "--log", str(directory), "--json"], capture_output=True,
            text=True)
        return json.loads(done.stdout)

    def test_the_golden_log_has_its_chain_value(self):
        log = Log(self.golden())
        events = list(log.events())
        self.assertEqual((len(events), log.last, log.chain.hex()), (13, 13, GOLDEN_CHAIN))

    def test_a_changed_byte_is_noticed(self):
        directory = self.golden()
        path = directory / "seg" / f"{1:020}.esl"
        whole = path.read_bytes()
        for at in range(0, len(whole), 97):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            with self.subTest(at), self.assertRaises(Broken):
                list(Log(directory).events())

    def test_a_gateways_log_reads_as_replay_reads_it(self):
        upstream = self.simulator(scenario())
        box = self.gateway(configuration(upstream))
        identities = [box.chat(message()).header("x-request-id") for _ in range(5)]
        box.child.kill()
        log = Log(box.data)
        events = list(log.events())
        verdict = self.verdict(box.data)["integrity"]
        self.assertEqual((log.last, log.chain.hex()), (verdict["last"], verdict["chain"]))
        finished = [event for event in events if event["kind"].startswith("request.finished.")]
        for identity in identities:
            raw = identity.replace("-", "")
            self.assertEqual(sum(raw in event["keys"] for event in finished), 1, identity)

    def test_the_golden_segments_have_their_chain_values_and_roots(self):
        found = [
            (segment.path.name, segment.blocks[-1].first + len(segment.blocks[-1].events) - 1,
             segment.chain.hex(), segment.root.hex())
            for segment, _ in Log(FIXTURES / "sealed").segments()]
        self.assertEqual(found, GOLDEN_SEGMENTS)

    def test_sealed_files_alone_give_the_chain_value_behind_them(self):
        directory = self.sealed()
        for path in list((directory / "seg").iterdir()):
            if path.suffix != ".sealed":
                path.unlink()
        log = Log(directory)
        self.assertEqual(len(list(log.events())), 50)
        self.assertEqual(log.chain.hex(), GOLDEN_SEGMENTS[1][2])

    def check_answers(self, directory, sample=None):
        """Every answer of every index against all events; returns how many indexes there are."""
        indexes = 0
        for segment, index in Log(directory).segments():
            if index is not None:
                indexes += 1
                index.compare(segment)
        holders = {}
        for event in Log(directory).events():
            for text in [event["id"], *event["keys"]]:
                holders.setdefault(text, []).append(int(event["position"].split(":")[1]))
        log = Log(directory)
        segments = list(log.segments())
        for text in random.Random(1).sample(sorted(holders), min(sample or len(holders), len(holders))):
            data = bytes.fromhex(text)
            self.assertEqual(Log.find_in(segments, data), holders[text], text)
            self.assertEqual(Log.find_in(segments, data + b"?"), [], text)
        return indexes

    def test_every_answer_of_the_golden_indexes_is_right(self):
        self.assertEqual(self.check_answers(FIXTURES / "sealed"), 3)

    def test_a_wrong_index_is_told_from_a_right_one(self):
        directory = self.sealed()
        for name in ("00000000000000000026.sealed", "00000000000000000051.idx"):
            path = directory / "seg" / name
            whole = path.read_bytes()
            for at in range(0, len(whole), 61):
                path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
                with self.subTest(name, at=at), self.assertRaises(Broken):
                    self.check_answers(directory)
            path.write_bytes(whole)
        self.assertEqual(self.check_answers(directory), 3)

    def test_the_original_counts_while_the_sealed_file_is_not_whole(self):
        directory = self.sealed()
        path = directory / "seg" / "00000000000000000001.sealed"
        whole = path.read_bytes()
        (_, index), *_ = Log(directory).segments()
        # What a sealed file has before its index is a segment like any other.
        path.with_suffix(".esl").write_bytes(whole[:index.end_of_blocks])
        path.write_bytes(whole[:-1])
        log = Log(directory)
        self.assertEqual([segment.path.suffix for segment, _ in log.segments()],
                         [".esl", ".sealed", ".esl", ".esl"])
        self.assertEqual(log.chain.hex(), GOLDEN_SEGMENTS[-1][2])
        path.write_bytes(whole)
        self.assertEqual(next(Log(directory).segments())[0].path, path)

    def test_a_log_of_every_kind_of_file_reads_as_replay_reads_it(self):
        box = mixed_log(self)
        log = Log(box.data)
        events = list(log.events())
        verdict = self.verdict(box.data)["integrity"]
        self.assertEqual(
            (log.last, log.chain.hex(), verdict["gaps"]), (verdict["last"], verdict["chain"], []))
        self.assertEqual(len(events), log.last)
        self.assertEqual(self.check_answers(box.data, sample=300), 3)

    def test_the_program_finds_what_it_is_asked_for(self):
        event = list(Log(FIXTURES / "sealed").events())[39]
        found = self.reader(FIXTURES / "sealed", "--find", event["id"])
        self.assertEqual((found.returncode, found.stdout), (0, "40\n"))
        rows = self.reader(FIXTURES / "sealed", "--segments").stdout.splitlines()
        self.assertEqual([json.loads(row)["root"] for row in rows], [row[3] for row in GOLDEN_SEGMENTS])

    def test_the_program_says_where_it_stopped(self):
        directory = self.golden()
        path = directory / "seg" / f"{1:020}.esl"
        path.write_bytes(path.read_bytes()[:-8])
        done = self.reader(directory)
        self.assertEqual(done.returncode, 1)
        self.assertIn("after position 12: block.", done.stderr)
