"""Bundles of a real gateway's log: opened elsewhere, without anything that the log had."""

import json
import os
import shutil
import subprocess

from bundle_reader import Bundle
from log_reader import Broken, Log
from support import ADMIN_PASSWORD, CLIENT_KEY, Spine, message, program

PROMPT = "the canary sang of the 7.40 from Didcot"


def replay(*arguments, cwd):
    """Exit status and both outputs, with nothing in the environment that leads to a log."""
    done = subprocess.run(
        [program("replay"), *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=60,
        env={"PATH": os.environ["PATH"]})
    return done.returncode, done.stdout, done.stderr


class BundleTests(Spine):
    def setUp(self):
        super().setUp()
        self.answers = [self.box.chat(message(PROMPT, user="someone", model=model))
                        for model in ("mock/gpt-4o-mini", "fast", "fast", "nope/none", "fast")]
        self.identities = [answer.header("x-request-id") for answer in self.answers]
        subprocess.run(
            [program("signalbox"), "alias", "set", "fast", "mock/gpt-4o", "--data", self.box.data], check=True,
            capture_output=True, timeout=60)
        self.answers += [self.box.chat(message(PROMPT, model="fast")) for _ in range(3)]
        self.identities += [answer.header("x-request-id") for answer in self.answers[5:]]
        self.outside = self.directory / "outside"
        self.outside.mkdir()

    def told(self, log, verb, *arguments):
        code, out, said = replay(verb, "--log", log, "--json", *arguments, cwd=self.outside)
        self.assertNotEqual(out, "", said)
        answer = json.loads(out)
        answer.pop("log", None)
        return code, answer

    def test_a_bundle_answers_like_the_log_where_nothing_of_the_log_is(self):
        file = self.outside / "incident.bundle"
        first = f"request:{self.identities[2]}"
        made = ["bundle", "--log", self.box.data, "--from", first, "-o"]
        # Beside the running gateway.
        code, out, said = replay(*made, file, "--to", f"request:{self.identities[-1]}", "--with-addresses", cwd="/")
        self.assertEqual(code, 0, said)
        self.assertIn("all that was configured", out)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(replay(*made, file, cwd="/")[0], 2)
        again = self.outside / "again.bundle"
        replay(*made, again, "--to", f"request:{self.identities[-1]}", "--with-addresses", cwd="/")
        self.assertEqual(again.read_bytes(), file.read_bytes())
        bundle = Bundle(file.read_bytes())
        window = ["--from", bundle.first, "--to", bundle.last]
        questions = [
            ["window", *window], ["drift", *window], ["state", "--at", bundle.last],
            ["what-if", *window, "--set", "settings.fallbackStrategy=round-robin"],
            ["bisect", *window, "--predicate", "alias/fast.model = mock/gpt-4o"],
            ["blame", "alias/fast", "--at", bundle.last], ["show", bundle.first],
            *(["explain", identity] for identity in self.identities[2:]),
            *(["show", identity] for identity in self.identities[2:])]
        self.box.stop()
        whole = [self.told(self.box.data, *question) for question in questions]
        shutil.move(self.box.data, self.directory / "gone")
        for question, answer in zip(questions, whole):
            with self.subTest(question):
                code, told = self.told("incident.bundle", *question)
                if question[0] == "state":
                    # What was spent before it begins is not in a bundle, and it says so.
                    self.assertIsNone(told.pop("usage"))
                    self.assertIsNotNone(answer[1].pop("usage"))
                self.assertEqual((code, told), answer)
        code, verdict = self.told("incident.bundle", "verify")
        self.assertEqual((code, verdict["decisions"]["differing"]), (0, 0), verdict)
        for missing in (["explain", self.identities[0]], ["show", self.identities[0]]):
            self.assertEqual(replay(missing[0], "--log", file, missing[1], cwd="/")[0], 2)

    def test_neither_secrets_nor_prompts_nor_addresses_are_in_it(self):
        file = self.outside / "incident.bundle"
        self.assertEqual(replay("bundle", "--log", self.box.data, "-o", file, cwd="/")[0], 0)
        bundle = Bundle(file.read_bytes())
        everything = b"\0".join([file.read_bytes(), *bundle.unpacked])
        upstream = [f"sk-upstream-{number}" for number in (1, 2)]
        for canary in (PROMPT, CLIENT_KEY, ADMIN_PASSWORD, *upstream):
            self.assertNotIn(canary.encode(), everything)
        answered = self.answers[0].json()["choices"][0]["message"]["content"]
        self.assertNotIn(answered.encode(), everything)
        # What is configured is there, where clients came from is not.
        self.assertIn(self.upstream.base_url.encode(), everything)
        self.assertGreater(bundle.counts[2], 0)
        for event in bundle.events.values():
            if event["kind"].startswith(("request.", "key.", "access.")):
                self.assertNotIn(b"127.0.0.1", event["payload"], event["kind"])
        # A reader of the page's words comes to the chain of the log, and finds every change.
        self.box.stop()
        log = Log(self.box.data)
        positions = [int(event["position"].split(":")[1]) for event in log.events()]
        self.assertGreaterEqual(len(positions), bundle.last)
        whole = bytearray(file.read_bytes())
        for at in range(0, len(whole), 97):
            whole[at] ^= 1
            with self.assertRaises(Broken):
                Bundle(bytes(whole))
            if at % (97 * 8) == 0:
                changed = self.outside / "changed.bundle"
                changed.write_bytes(whole)
                self.assertIn(replay("window", "--log", changed, cwd="/")[0], (2, 3))
            whole[at] ^= 1

    def test_a_bundle_is_told_apart_from_what_is_none(self):
        other = self.outside / "other"
        other.write_text("no bundle")
        code, _, said = replay("bundle", "--inspect", other, cwd="/")
        self.assertEqual(code, 2)
        self.assertIn("this is no bundle", said)
        self.assertEqual(replay("window", "--log", other, cwd="/")[0], 2)
        self.assertEqual(replay("bundle", "--log", self.box.data, cwd="/")[0], 2)
        file = self.outside / "one.bundle"
        code, out, said = replay(
            "bundle", "--log", self.box.data, "--request", self.identities[2], "-o", file, "--json", cwd="/")
        self.assertEqual(code, 0, said)
        told = json.loads(out)
        self.assertEqual(told["first"], told["last"])
        self.assertEqual(told["digest"], Bundle(file.read_bytes()).digest)
        code, out, _ = replay("bundle", "--inspect", file, cwd="/")
        self.assertEqual(code, 0)
        self.assertIn(told["digest"], out)
        self.assertEqual(replay("explain", "--log", file, self.identities[2], cwd="/")[0], 0)

    def test_a_minimised_bundle_shows_its_finding_and_hardly_anything_else(self):
        predicate = "alias/fast.model = mock/gpt-4o"
        for _ in range(160):
            self.box.chat(message(PROMPT))
        whole, least = self.outside / "whole.bundle", self.outside / "least.bundle"
        made = ["bundle", "--log", self.box.data, "--from", f"request:{self.identities[0]}", "--json", "-o"]
        window = json.loads(replay(*made, whole, cwd="/")[1])
        code, out, said = replay(*made, least, "--minimize", "--keeps", f"bisect {predicate}", cwd="/")
        self.assertEqual(code, 0, said)
        told = json.loads(out)
        self.assertLessEqual((told["events"] + told["earlier"]) * 50, window["events"], told)
        self.assertLess(least.stat().st_size, whole.stat().st_size)
        self.box.stop()
        _, truth = self.told(self.box.data, "bisect", "--predicate", predicate)
        shutil.move(self.box.data, self.directory / "gone")
        code, answer = self.told(least, "bisect", "--predicate", predicate)
        self.assertEqual((code, answer["becameTrueAt"]), (1, truth["becameTrueAt"]))
        self.assertEqual(answer["turns"], truth["turns"])
        code, _, said = replay("verify", "--log", least, cwd="/")
        self.assertEqual(code, 0)
        self.assertIn("this bundle was minimised", said)
        Bundle(least.read_bytes())
        for wrong in (["--minimize"], ["--keeps", "drift alias/fast"], ["--minimize", "--keeps", "nothing"]):
            self.assertEqual(replay(*made, self.outside / "x", *wrong, cwd="/")[0], 2)
