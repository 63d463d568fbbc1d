"""What survives a kill, and how the gateway stops when asked."""

import http.client
import json
import random
import socket
import threading

from log_reader import Log
from support import (
    CLIENT_KEY, Child, Spine, eventually, free_port, message, of_kind, program)


class Stream(threading.Thread):
    """One client that streams again and again until the gateway goes away, and notes what it saw."""

    def __init__(self, port, seed, lengths):
        super().__init__(daemon=True)
        self.port, self.dice, self.lengths = port, random.Random(seed), lengths
        #: Ids of answers that were whole, `[DONE]` and the last chunk included.
        self.whole = []
        #: The id of the answer that was cut off.
        self.open = None

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            while True:
                self.one(connection)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def one(self, connection):
        body = json.dumps(message(
            stream=True, max_tokens=self.dice.choice(self.lengths))).encode()
        connection.request(
            "POST", "/v1/chat/completions", body,
            {"authorization": f"Bearer {CLIENT_KEY}", "content-type": "application/json"})
        response = connection.getresponse()
        identity = response.headers["x-request-id"]
        assert response.status == 200, response.status
        self.open = identity
        data = response.read()
        assert data.rstrip().endswith(b"data: [DONE]"), data[-100:]
        self.whole.append(identity)
        self.open = None


class KillTests(Spine):
    behaviour = {"chunk-pace": "10ms", "chunks": 100_000}

    def test_after_kill_nothing_whole_is_missing_nothing_is_doubled_and_the_rest_is_interrupted(self):
        seed = random.SystemRandom().randrange(1 << 32)
        print(f"        seed {seed}")
        # Short ones that complete, and long ones that are certainly in flight at the kill.
        clients = [
            Stream(self.box.port, seed + n, (1, 2, 5) if n % 2 == 0 else (90_000,))
            for n in range(32)]
        for client in clients:
            client.start()
        eventually(
            lambda: sum(len(client.whole) for client in clients) >= 200
            and all(client.open for client in clients[1::2]), "200 whole streams", 60)
        # After 100 ms in flight it is recorded that they are.
        long_ones = {client.open for client in clients[1::2]}

        def are_recorded():
            return long_ones <= {row["id"] for row in of_kind(self.box.window(), "request.dispatched")}

        eventually(are_recorded, "the long ones as dispatched", 60)
        self.box.kill()
        for client in clients:
            client.join(10)
            self.assertFalse(client.is_alive())

        self.restart(self.box)
        found = self.box.window()
        finished = [row["id"] for row in of_kind(found, "request.finished")]
        interrupted = [row["id"] for row in of_kind(found, "request.interrupted")]
        whole = [identity for client in clients for identity in client.whole]
        self.assertEqual(len(set(whole)), len(whole))
        self.assertEqual(len(set(finished)), len(finished), "a request was recorded twice")
        self.assertEqual(set(whole) - set(finished), set(), "an acknowledged request is missing")
        self.assertEqual(len(set(interrupted)), len(interrupted))
        self.assertEqual(set(interrupted) & set(finished), set())
        self.assertEqual({client.open for client in clients[1::2]}, long_ones)
        self.assertEqual(len(long_ones), 16)
        self.assertEqual(long_ones - set(interrupted), set(), "in flight, and not marked so")

        last_start = of_kind(found, "gateway.started")[-1]
        self.assertFalse(last_start["previousStopWasClean"])
        self.assertEqual(last_start["interruptedRequests"], len(interrupted))
        said = self.box.text()
        self.assertIn("interrupted", said, "start-up does not say what it found")
        self.assertIn(str(len(interrupted)), said)
        self.box.replay("verify")
        # And it serves.
        self.assertEqual(self.box.chat(message(max_tokens=1)).status, 200)


class RepeatedKillTests(Spine):
    def test_configuration_and_requests_survive_five_kills(self):
        identities = []
        for round in range(5):
            edit = self.box.admin(
                "PUT", "/api/models/alias", {"alias": f"alias-{round}", "model": "mock/gpt-4o"})
            self.assertEqual(edit.status, 200, edit.body)
            for _ in range(20):
                answer = self.box.chat(message())
                self.assertEqual(answer.status, 200)
                identities.append(answer.header("x-request-id"))
            self.box.kill()
            self.restart(self.box)
        found = self.box.window()
        finished = [row["id"] for row in of_kind(found, "request.finished")]
        self.assertEqual(sorted(finished), sorted(identities))
        aliases = self.box.admin("GET", "/api/models/alias").json()["aliases"]
        self.assertEqual(
            {name for name in aliases if name.startswith("alias-")},
            {f"alias-{round}" for round in range(5)})
        self.assertEqual(len(of_kind(found, "gateway.started")), 6)
        self.box.replay("verify")


class TornTailTests(Spine):
    def test_a_torn_tail_is_set_aside_recorded_and_named_at_the_start(self):
        identity = self.box.chat(message()).header("x-request-id")
        self.box.kill()
        segment = sorted((self.box.data / "seg").glob("*.esl"))[-1]
        torn = b"an append that never became whole" * 3
        last, _ = list(Log(self.box.data).segments())[-1]
        self.assertEqual(last.path, segment)
        with segment.open("r+b") as file:
            # Behind the last block, over the zeros that stand ahead of it.
            file.seek(last.end)
            file.write(torn)
        self.restart(self.box)
        cut = of_kind(self.box.window(), "gateway.tail_truncated")
        self.assertEqual(len(cut), 1)
        self.assertEqual(cut[0]["bytes"], len(torn))
        self.assertTrue(any(
            torn in path.read_bytes() for path in (self.box.data / "quarantine").iterdir()))
        self.assertIn("quarantine", self.box.text())
        self.assertIn(
            identity, [row["id"] for row in of_kind(self.box.window(), "request.finished")])
        self.box.replay("verify")


class DrainTests(Spine):
    behaviour = {"chunk-pace": "50ms", "chunks": 40}

    def test_a_running_stream_completes_after_sigterm(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.box.port, timeout=30)
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(message(stream=True)).encode(),
            {"authorization": f"Bearer {CLIENT_KEY}", "content-type": "application/json"})
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        first = response.read1(64)
        self.box.child.process.terminate()
        rest = first + response.read()
        connection.close()
        self.assertTrue(rest.rstrip().endswith(b"data: [DONE]"), rest[-200:])
        self.assertEqual(rest.count(b'"content":"'), 41)
        # No second signal: that one would mean "at once".
        self.assertEqual(self.box.child.process.wait(20), 0)
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", self.box.port), timeout=1).close()
        for line in ("shutting down gracefully", "API router service stopped"):
            self.assertIn(line, self.box.text())

        found = self.box.window()
        ended = of_kind(found, "request.finished")
        self.assertEqual([row["ending"] for row in ended], ["completed"])
        self.assertEqual(of_kind(found, "gateway.stopped")[-1]["cutRequests"], 0)
        self.restart(self.box)
        found = self.box.window()
        self.assertTrue(of_kind(found, "gateway.started")[-1]["previousStopWasClean"])


class ModesTests(Spine):
    def test_every_recording_mode_serves_and_says_which_it_is(self):
        for mode in ("strict", "relaxed", "off", "standard"):
            with self.subTest(mode):
                self.box.stop()
                self.box.options = ["--recording", mode]
                self.restart(self.box)
                answer = self.box.chat(message())
                self.assertEqual(answer.status, 200)
                identity = answer.header("x-request-id")
                found = self.box.window()
                self.assertEqual(of_kind(found, "gateway.started")[-1]["recording"], mode)
                if mode == "off":
                    self.assertNotIn(
                        identity, [row["id"] for row in of_kind(found, "request.finished")])
                else:
                    eventually(lambda: self.is_recorded(identity), "the record", 5)

    def is_recorded(self, identity):
        found = self.box.window()
        return identity in [row["id"] for row in of_kind(found, "request.finished")]

    def test_a_second_gateway_on_the_same_directory_is_refused(self):
        child = Child(
            [program("signalbox"), "serve", "--data", str(self.box.data), "--listen",
             f"127.0.0.1:{free_port()}"], self.directory / "second.log", self.box.environment)
        self.children.append(child)
        self.assertNotEqual(child.process.wait(20), 0)
        self.assertIn("lock", child.text().lower())
        self.assertEqual(self.box.chat(message()).status, 200)
