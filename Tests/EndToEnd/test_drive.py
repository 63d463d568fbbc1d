"""`replay run --plan` and `simulator drive`: the recorded load of one gateway, sent to another one again."""

import collections
import json
import os
import socket
import subprocess

from support import CLIENT_KEY, Gateway, Spine, configuration, free_port, message, program

CANARY = "the-canary-of-a-prompt"
GOOD, REFUSED, UNKNOWN = "mock/gpt-4o-mini", "mock/gpt-4o", "nobody/offers"


class DriveTests(Spine):
    def setUp(self):
        super().setUp()
        self.upstream.scenario({
            "models": [{"name": "gpt-4o-mini"}, {"name": "gpt-4o", "behaviour": {"status": 400}}],
            "accounts": [{"name": f"a{n}", "key": f"sk-upstream-{n}"} for n in (1, 2)]})

    def record(self):
        """A load of several models, statuses and shapes."""
        for number in range(24):
            model = (GOOD, "fast", REFUSED, UNKNOWN)[number % 4]
            self.box.chat(message(f"{CANARY} {number} " + "x" * 50 * number, model=model, stream=number % 3 == 0))

    def plan(self, name="load.plan", code=0, data=None):
        path = self.directory / name
        done = subprocess.run(
            [program("replay"), "run", "--plan", str(path), "--log", str(data or self.box.data)],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stderr)
        return path, done.stdout + done.stderr

    def drive(self, path, *arguments, to=None, code=0, key=CLIENT_KEY):
        done = subprocess.run(
            [program("simulator"), "drive", str(path), "--to", to or f"http://127.0.0.1:{self.box.port}",
             "--key-env", "DRIVE_KEY", *map(str, arguments)],
            capture_output=True, text=True, timeout=120, env={**os.environ, "DRIVE_KEY": key, "OTHER_KEY": CLIENT_KEY})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code in (0, 1) else done.stderr

    def ended(self, box):
        """How many requests of each model and shape ended with which status, as the log itself has them."""
        rows = map(json.loads, box.replay("export", "--ndjson").splitlines())
        return collections.Counter((row["model_asked"], row["status"], row["is_stream"]) for row in rows)

    def test_another_gateway_gets_the_same_load_and_gives_the_same_answers(self):
        self.record()
        path, said = self.plan()
        self.assertIn("24 requests within ", said)
        head, *lines, end = [json.loads(line) for line in path.read_text().splitlines()]
        self.assertEqual((head["plan"], head["version"], end["requests"]), ("signalbox", 1, 24))
        self.assertEqual(min(line["at"] for line in lines), 0)
        # What the plan says is what the log says.
        first = min(lines, key=lambda line: line["at"])
        self.assertEqual((first["organisation"], first["key"], first["operation"]), ("acme", "default", "chat.completions"))
        self.assertEqual([(it["provider"], it["account"], it["status"]) for it in first["attempts"]], [("mock", "a1", 200)])
        self.assertEqual(
            collections.Counter((it["model"], it["status"], int(it["stream"])) for it in lines), self.ended(self.box))
        for secret in (CANARY, CLIENT_KEY, "sk-upstream", "127.0.0.1"):
            self.assertNotIn(secret, path.read_text())
        # The same bytes again, and never over what is there.
        again, _ = self.plan("again.plan")
        self.assertEqual(again.read_bytes(), path.read_bytes())
        _, said = self.plan(code=2)
        self.assertIn("exists already", said)

        other = self.directory / "other"
        other.mkdir()
        box = Gateway(other, configuration(self.upstream))
        self.children.append(box.child)
        report = json.loads(self.drive(path, "--json", "--speed", 4, to=f"http://127.0.0.1:{box.port}"))
        self.assertEqual((report["answered"], report["withoutAnswer"], report["failures"]), (24, 0, {}))
        for row in report["statuses"]:
            self.assertEqual(row["answered"], row["recorded"], row)
        self.assertEqual({row["model"] for row in report["statuses"]}, {GOOD, "fast", REFUSED, UNKNOWN})
        # None was sent before it was due.
        last = max(line["at"] for line in lines)
        self.assertGreaterEqual(report["microseconds"], last // 4)
        self.assertLess(0, report["late"]["p50"])
        self.assertLessEqual(report["late"]["max"], report["latency"]["max"])
        # The other gateway's own log says the same; its requests have about the recorded sizes.
        self.assertEqual(self.ended(box), self.ended(self.box))
        sizes = [sorted(json.loads(row)["request_bytes"] for row in one.replay("export", "--ndjson").splitlines())
                 for one in (self.box, box)]
        for recorded, sent in zip(*sizes):
            self.assertLess(abs(recorded - sent), 120)
        text = self.drive(path, "--speed", 1000, "--limit", 4, to=f"http://127.0.0.1:{box.port}")
        self.assertIn("answered 4, without an answer 0", text)
        self.assertIn(f"same 200 {GOOD}: 1, recorded 1\n", text)

    def test_a_load_that_is_answered_otherwise_shows(self):
        self.record()
        path, _ = self.plan()
        self.upstream.scenario({
            "accounts": [{"name": f"a{n}", "key": f"sk-upstream-{n}"} for n in (1, 2)]})
        report = json.loads(self.drive(path, "--json", "--speed", 100))
        rows = {(row["model"], row["status"]): (row["recorded"], row["answered"]) for row in report["statuses"]}
        self.assertEqual(rows[REFUSED, 400], (6, 0))
        self.assertEqual(rows[REFUSED, 200], (0, 6))
        # A key that nobody has: every request is answered, with 401.
        report = json.loads(self.drive(path, "--json", "--speed", 100, key="sb-nobodys"))
        self.assertEqual({row["status"] for row in report["statuses"] if row["answered"]}, {401})
        # The plan's keys by name: another variable for the one that it names.
        report = json.loads(self.drive(path, "--json", "--speed", 100, "--key-env", "default=OTHER_KEY", key="sb-x"))
        self.assertEqual(sum(row["answered"] for row in report["statuses"] if row["status"] == 401), 0)

    def test_a_gateway_that_never_answers_does_not_hold_it(self):
        self.record()
        path, _ = self.plan()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            report = json.loads(self.drive(
                path, "--json", "--speed", 1000, "--timeout", 1, "--connections", 2,
                to=f"http://127.0.0.1:{silent.getsockname()[1]}", code=1))
        self.assertEqual((report["answered"], report["withoutAnswer"]), (0, 24))
        self.assertEqual(report["failures"], {"timeout": 2, "not sent in time": 22})

    def test_a_key_that_the_plan_does_not_have_is_refused_with_those_that_it_has(self):
        self.record()
        path, _ = self.plan()
        before = sum(self.ended(self.box).values())
        said = self.drive(path, "--key-env", "nope=OTHER_KEY", code=64)
        self.assertIn("--key-env: the plan has no key nope; its keys are default", said)
        self.assertEqual(sum(self.ended(self.box).values()), before)

    def test_what_is_no_plan_and_no_place_for_one_is_said(self):
        self.record()
        path, _ = self.plan()
        for target, words in [
                ("http://192.0.2.1:8080", "is not this machine"), ("http://example.org", "is not this machine"),
                ("http://127.0.0.1.example.org", "is not this machine"), ("https://127.0.0.1", "http://HOST:PORT is expected"),
                ("127.0.0.1:80", "http://HOST:PORT is expected")]:
            self.assertIn(words, self.drive(path, to=target, code=64))
        self.assertIn("no variable NOBODY_SET", self.drive(path, "--key-env", "NOBODY_SET", code=64))
        self.assertIn("0.01…1000", self.drive(path, "--speed", 0, code=64))
        nobody = self.drive(path, "--speed", 1000, to=f"http://127.0.0.1:{free_port()}", code=1)
        self.assertIn("no answer 24: connect", nobody)
        lines = path.read_text().splitlines()
        for name, changed, words in [
                ("cut", lines[:-1], "cut off"), ("short", lines[:-2] + lines[-1:], "cut off"),
                ("newer", [lines[0].replace('"version": 1', '"version": 9').replace('"version":1', '"version":9'), *lines[1:]],
                 "line 1: version: 1 is expected"),
                ("other", ["{}"], "line 1: plan:"), ("none", ["no JSON"], "line 1: a JSON object"),
                ("bad", [lines[0], lines[1].replace('"at"', '"when"'), *lines[2:]], "line 2: at:"),
                ("more", [*lines, lines[1]], "nothing is expected behind the end")]:
            bad = self.directory / f"{name}.plan"
            bad.write_text("\n".join(changed) + "\n")
            done = subprocess.run(
                [program("simulator"), "drive", str(bad), "--to", "http://127.0.0.1:1"], capture_output=True, text=True,
                timeout=60)
            self.assertEqual(done.returncode, 1, name)
            self.assertIn(words, done.stderr, name)
        for arguments in [(), ("--plan", "-", "--json"), ("--plan", "x", "--against", "y")]:
            done = subprocess.run(
                [program("replay"), "run", *arguments, "--log", str(self.box.data)], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, arguments)
        # Of a bundle the same load, with the same times between.
        bundle = self.directory / "it.bundle"
        self.box.replay("bundle", "-o", bundle)
        bundled, _ = self.plan("bundled.plan", data=bundle)
        self.assertEqual(bundled.read_text().splitlines()[1:], lines[1:])
