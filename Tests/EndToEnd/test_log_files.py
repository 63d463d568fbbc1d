"""docs/file-format.md is enough to read the log: a reader in Python finds what the gateway and `replay` say."""

import json
import shutil
import subprocess
import sys

from log_reader import Broken, Log
from support import ROOT, Case, configuration, message, program, scenario

#: The chain value of Fixtures/log at its end, as Tests/EventStoreTests has it.
GOLDEN_CHAIN = "1d6a5c543c1217f5c75bcc5d370937715d04f6f08dcc0e752ad5d59ec9842256"


class LogFilesTests(Case):
    def golden(self):
        seg = self.directory / "log" / "seg"
        seg.mkdir(parents=True)
        shutil.copy(ROOT / "Fixtures" / "log" / "small.esl", seg / f"{1:020}.esl")
        return seg.parent

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

    def test_the_program_says_where_it_stopped(self):
        directory = self.golden()
        path = directory / "seg" / f"{1:020}.esl"
        path.write_bytes(path.read_bytes()[:-8])
        done = subprocess.run(
            [sys.executable, str(ROOT / "Tests" / "EndToEnd" / "log_reader.py"), str(directory)],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("after position 12: block.", done.stderr)
