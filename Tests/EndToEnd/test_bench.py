"""The instruments of `make bench`: do they see what they are there to see? No figure is judged here."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import unittest

from support import BIN, CLIENT_KEY, ROOT, Case, Upstream, eventually, free_port

PROXY = ROOT / "Benchmarks" / "proxy"
FRAMES = 5


def plain(connection, body=b"{}", status=b"200 OK"):
    connection.sendall(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))


def chunk(payload):
    return b"%x\r\n%s\r\n" % (len(payload), payload)


def frame(label, number, late=0):
    due = time.monotonic_ns() // 1_000 - late
    return b'data: {"choices":[{"delta":{"content":"%08d %08d %016d"}}]}\n\n' % (label, number, due)


END = [b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
       b'data: {"choices":[],"usage":{"total_tokens":1}}\n\n', b"data: [DONE]\n\n"]


class LoadTests(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.place = ROOT / ".build" / "test"
        cls.place.mkdir(parents=True, exist_ok=True)
        cls.tool = cls.place / "load"
        subprocess.run(
            [shutil.which("cc") or "clang", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", cls.tool,
             PROXY / "load.c"], check=True)

    def load(self, *words, status=0):
        done = subprocess.run(
            [self.tool, *(str(word) for word in words)], capture_output=True, text=True, timeout=60,
            env={"BENCH_KEY": CLIENT_KEY})
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout) if status == 0 else done.stderr

    def upstream(self, answer):
        upstream = Upstream(answer)
        self.addCleanup(upstream.close)
        return upstream

    def test_a_standstill_makes_everything_late_that_was_due_meanwhile(self):
        # Given an upstream that stands still for a second at its 50th answer
        def answer(connection, number, _):
            if number == 50:
                time.sleep(1)
            plain(connection)

        # When 100 requests a second are due for two seconds
        found = self.load("rate", 100, 2, 1, 2, self.upstream(answer).port)
        # Then all of them were measured, and not one but about a hundred were late
        target = found["targets"][0]
        self.assertEqual(target["count"], 200)
        self.assertGreaterEqual(target["max"], 950_000)
        self.assertGreaterEqual(target["p90"], 500_000)

    def test_what_is_not_answered_counts(self):
        # Given an upstream that never answers its 10th request
        found = self.load(
            "rate", 100, 1, 1, 2, self.upstream(lambda connection, number, _: number < 10 and plain(connection)).port)
        self.assertEqual(found["targets"][0]["count"], 100)
        self.assertEqual(found["unanswered"], 91)

    def test_a_wrong_answer_ends_the_slice(self):
        for what, answer in (
                ("a status other than 200", lambda connection, *_: plain(connection, status=b"503 No")),
                ("an answer of another length", lambda connection, *_: plain(connection, b"{} "))):
            with self.subTest(what):
                self.assertIn(what, self.load("rate", 100, 1, 1, 2, self.upstream(answer).port, status=1))

    def test_the_reader_of_streams_sees_each_fault(self):
        right = lambda label: [frame(label, number) for number in range(FRAMES)] + END
        cases = {
            None: right,
            "a frame out of order, missing or twice": lambda label: [
                frame(label, number) for number in (0, 2, 1, 3, 4)] + END,
            "an end before the last frame": lambda label: right(label)[:3] + END,
            "[DONE] before the last frame": lambda label: right(label)[:3] + END[-1:],
            "a frame of another stream": lambda label: [frame(label, 0), frame(label + 1, 1)],
            "a frame more than 200 ms after it was due": lambda label: [frame(label, 0, late=250_000)],
            "no usage that was asked for": lambda label: right(label)[:FRAMES] + END[-1:],
            "an end without [DONE]": lambda label: right(label)[:FRAMES],
            "an event that the upstream never sent": lambda label: [b'data: {"error":{"code":"x"}}\n\n'],
            "an event behind [DONE]": lambda label: right(label) + END[-1:],
        }
        for reason, make in cases.items():
            with self.subTest(reason):
                def answer(connection, _, body):
                    label = int(re.search(rb"stream-(\d+)", body)[1])
                    connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                    # Cut where a proxy may cut: anywhere.
                    text = b"".join(make(label))
                    for at in range(0, len(text), 37):
                        connection.sendall(chunk(text[at:at + 37]))
                    connection.sendall(chunk(b""))

                found = self.load("streams", self.upstream(answer).port, 3, 0, FRAMES)
                self.assertEqual(found["reason"], reason)
                self.assertEqual(found["holds"], reason is None)
                if reason is None:
                    self.assertEqual((found["ended"], found["frames"]), (3, 3 * FRAMES))

    def test_a_refused_or_broken_stream_is_not_held(self):
        for reason, answer in (
                ("a status other than 200", lambda connection, *_: plain(connection, status=b"503 No")),
                ("a connection closed before the end", lambda connection, *_: connection.shutdown(socket.SHUT_RDWR))):
            with self.subTest(reason):
                self.assertEqual(self.load("streams", self.upstream(answer).port, 2, 0, 5)["reason"], reason)

    def test_the_paced_upstream_sends_what_its_reader_wants(self):
        port = free_port()
        server = subprocess.Popen([self.tool, "serve", str(port), "20"])
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

        def is_open():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        eventually(is_open, "the paced upstream listens")
        # A machine that stands still for 200 ms is not the instrument's fault; wrong frames are.
        eventually(
            lambda: self.frames_of(port, 16) == 16 * 20, "16 streams of 20 frames, none of them late", patience=60)

    def frames_of(self, port, count):
        found = self.load("streams", port, count, 100, 20)
        if not found["holds"]:
            self.assertEqual(found["reason"], "a frame more than 200 ms after it was due")
        return found["frames"]


class RowsTests(Case):
    def test_every_row_is_printed_with_its_bounds_and_a_verdict(self):
        for name in ("nginx", "wrk"):
            if not shutil.which(name):
                raise unittest.SkipTest(f"no {name} on PATH")
        done = subprocess.run(
            [sys.executable, PROXY / "proxy.py", "--quick", "--json", "--bin", BIN], capture_output=True, text=True,
            timeout=300)
        # 3: the machine was too unsteady for a conclusion, which is none of this case's concern.
        self.assertIn(done.returncode, (0, 3), done.stderr)
        rows = json.loads(done.stdout)
        self.assertEqual(list(rows), ["1", "2", "3", "4", "5", "15"])
        parts = {name: list(row["parts"]) for name, row in rows.items()}
        self.assertEqual(parts, {
            "1": ["rate", "cpu"], "2": ["added"],
            "3": ["standard32", "strict32", "standard256", "strict256"], "4": ["streams"], "5": ["memory", "start"],
            "15": ["rate", "cpu"]})
        for name, row in rows.items():
            for part in [row, *row["parts"].values()]:
                with self.subTest(name, what=part["what"]):
                    self.assertIn(part["verdict"], ("goal", "must", "BELOW MUST", "unsteady"))
                    for key in ("ours", "yardstickFigure", "must", "goal"):
                        self.assertIsInstance(part[key], (int, float), key)
                    self.assertGreaterEqual(len(part["pairs"]), 1)
                    if part["ratio"] is not None:
                        self.assertLessEqual(part["ratioLow"], part["ratio"])
                        self.assertLessEqual(part["ratio"], part["ratioHigh"])
