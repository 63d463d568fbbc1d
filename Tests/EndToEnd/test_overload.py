"""More than it can take: what a real process does with readers and senders that stand still, too many connections, and
an end in the middle of it."""

import contextlib
import http.client
import json
import resource
import socket
import threading
import time
from pathlib import Path

from support import CLIENT_KEY, Case, Upstream, eventually, message, of_kind

MIB = 1 << 20


def head(length):
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: s\r\nauthorization: Bearer {CLIENT_KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n").encode()


def chunk(payload):
    return b"%x\r\n%s\r\n" % (len(payload), payload)


FRAME = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % (b"x" * 4_000)
LAST = (b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
        b"data: [DONE]\n\n")


class OverloadCase(Case):
    def setUp(self):
        super().setUp()
        self.sent = 0
        self.gone = 0
        self.lock = threading.Lock()
        self.frames, self.frame = 2_000, FRAME
        self.upstream = Upstream(self.answer)
        self.addCleanup(self.upstream.close)

    def answer(self, connection, _, body):
        """`"stream": true`: about 8 MB as fast as they are taken; else a short answer."""
        if not json.loads(body).get("stream"):
            text = (b'{"object":"chat.completion","choices":[{"message":{"content":"ok"},"finish_reason":"stop"}],'
                    b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}')
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text))
            return
        try:
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            piece = chunk(self.frame)
            for _ in range(self.frames):
                connection.sendall(piece)
                with self.lock:
                    self.sent += len(piece)
            connection.sendall(chunk(LAST) + chunk(b""))
        except OSError:
            with self.lock:
                self.gone += 1
            raise

    def start(self, *options, **more):
        self.box = self.gateway(f"""\
providers:
  - id: mock
    protocol: openai
    base-url: http://127.0.0.1:{self.upstream.port}/v1
    prefix: mock
    models: [{{name: gpt-4o-mini}}]
    accounts: [{{name: a1, api-key: sk-upstream-1}}, {{name: a2, api-key: sk-upstream-2}}]
keys: [{{name: default, key: {CLIENT_KEY}, organisation: acme}}]
""", *options, **more)

    def resident(self):
        for line in Path(f"/proc/{self.box.child.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def told(self, connection):
        """What came so far over a connection that does not block."""
        try:
            return connection.recv(4_096, socket.MSG_PEEK)
        except OSError:
            return b""

    def connect(self, receive=None):
        connection = socket.socket()
        self.addCleanup(connection.close)
        if receive:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", self.box.port))
        return connection

    def settled(self, figure, what):
        """The figure once it has not moved for ten looks."""
        seen = []

        def look():
            seen.append(figure())
            return len(seen) > 10 and len(set(seen[-10:])) == 1

        eventually(look, what)
        return seen[-1]


class SlowReaderTests(OverloadCase):
    def test_readers_that_stand_still_hold_no_memory_and_nobody_else_up(self):
        # Given 32 clients that ask for 48 MB each, more than the kernel's own buffers take, and read nothing
        self.frames = 12_000
        self.start()
        self.assertEqual(self.box.chat(message()).status, 200)
        before = self.resident()
        body = json.dumps(message(stream=True)).encode()
        readers = [self.connect(receive=4_096) for _ in range(32)]
        for reader in readers:
            reader.sendall(head(len(body)) + body)
        eventually(lambda: self.upstream.count >= 33, "32 streams under way")
        # When the upstream can send no more
        sent = self.settled(lambda: self.sent, "an upstream that is held back")
        # Then it was held back long before the end, and the gateway holds less than half a megabyte a stream
        self.assertLess(sent, 32 * self.frames * len(FRAME) // 2)
        self.assertLess(self.resident() - before, 32 * MIB // 2)
        # and others are served
        self.assertEqual(self.box.chat(message()).status, 200)
        # and a reader that goes on gets everything
        with readers[0].makefile("rb") as reading:
            taken = 0
            while line := reading.readline():
                taken += line.count(b"x" * 4_000)
                if line.startswith(b"data: [DONE]"):
                    break
        self.assertEqual(taken, self.frames)
        # and the calls of those that leave are given up.
        for reader in readers[1:]:
            reader.close()
        eventually(lambda: self.gone == 31, "31 upstream calls given up")
        self.assertEqual(self.box.stop(), 0)
        endings = [row["ending"] for row in of_kind(self.box.window(), "request.finished")]
        self.assertEqual({ending: endings.count(ending) for ending in endings}, {"completed": 3, "client_hung_up": 31})


    def test_what_readers_of_large_frames_held_is_given_back_when_they_leave(self):
        # Given 100 clients that read nothing of frames of 60 kB
        self.frames, self.frame = 1_000, FRAME.replace(b"x" * 4_000, b"x" * 60_000)
        self.start()
        self.assertEqual(self.box.chat(message()).status, 200)
        before = self.resident()
        body = json.dumps(message(stream=True)).encode()
        readers = [self.connect(receive=4_096) for _ in range(100)]
        for reader in readers:
            reader.sendall(head(len(body)) + body)
        eventually(lambda: self.upstream.count >= 101, "100 streams under way")
        self.settled(lambda: self.sent, "an upstream that is held back")
        # Then none of them costs half a megabyte
        self.assertLess(self.resident() - before, 100 * MIB // 2)
        # and when they leave, what is not given back by and by is less than what is worth the work.
        for reader in readers:
            reader.close()
        eventually(lambda: self.gone == 100, "100 upstream calls given up")
        eventually(lambda: self.resident() - before < 24 * MIB, "memory given back")


class SlowSenderTests(OverloadCase):
    def test_half_sent_bodies_are_bounded_together(self):
        # Given clients that announce 20 MiB each, all together more than the gateway may hold, and send almost all of it
        self.start()
        before = self.resident()
        senders, part = [], b" " * MIB
        for _ in range(30):
            sender = self.connect()
            senders.append(sender)
            # Who was refused hangs up on a sender that does not stop.
            with contextlib.suppress(OSError):
                sender.sendall(head(20 * MIB))
                for _ in range(19):
                    sender.sendall(part)
            sender.setblocking(False)
        # Then it says so to the surplus
        told = eventually(lambda: [text for text in map(self.told, senders) if text], "a refusal")
        for answer in told:
            self.assertIn(b" 503 ", answer.split(b"\r\n")[0])
            self.assertIn(b"retry-after:", answer.lower())
        # and holds no more than it may
        self.assertLess(self.resident() - before, 640 * MIB)
        # and serves again once they have left, with nothing of theirs kept.
        for sender in senders:
            sender.close()
        eventually(lambda: self.box.chat(message()).status == 200, "an answer after the flood")


class DescriptorTests(OverloadCase):
    def test_a_flood_of_connections_takes_neither_the_upstreams_nor_the_logs_descriptors(self):
        # Given a gateway that may open 256 files
        self.start(under=["prlimit", "--nofile=256:256"])
        self.assertEqual(self.box.chat(message()).status, 200)
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.box.port, timeout=30)) as early:
            # Connections are let in by the loop that gets them: only who was answered is surely in.
            self.assertEqual(self.ask(early), 200)
            # When 300 clients connect and say nothing
            flood = []
            for _ in range(300):
                connection = socket.socket()
                self.addCleanup(connection.close)
                connection.setblocking(False)
                connection.connect_ex(("127.0.0.1", self.box.port))
                flood.append(connection)
            # Then those beyond the limit are told so
            eventually(lambda: any(b" 503 " in self.told(it) for it in flood), "a refusal")
            # and whoever is in gets answers as soon as the surplus is turned away
            eventually(lambda: self.ask(early) == 200, "an answer to who was in before the flood")
            self.assertEqual([self.ask(early) for _ in range(3)], [200] * 3)
        for connection in flood:
            connection.close()
        # and once they have left everybody does.
        eventually(lambda: self.can_chat(), "an answer after the flood")
        self.assertEqual(self.box.stop(), 0)
        found = self.box.window()
        self.assertEqual(of_kind(found, "health.cooldown_started"), [])
        blamed = {attempt["errorClass"] for row in of_kind(found, "request.finished") for attempt in row["attempts"]}
        self.assertLessEqual(blamed, {None, "gateway"})

    def ask(self, client):
        client.request(
            "POST", "/v1/chat/completions", json.dumps(message()), {"authorization": f"Bearer {CLIENT_KEY}"})
        answer = client.getresponse()
        answer.read()
        return answer.status

    def test_no_account_is_blamed_for_this_machine_having_no_descriptor_left(self):
        # Given a client that is connected, and a gateway that may open nothing more
        self.start()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.box.port, timeout=30)) as client:
            client.request("GET", "/health")
            client.getresponse().read()
            pid = self.box.child.pid
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
            # When it asks
            try:
                client.request(
                    "POST", "/v1/chat/completions", json.dumps(message()), {"authorization": f"Bearer {CLIENT_KEY}"})
                answer = client.getresponse()
                body = json.loads(answer.read())
            finally:
                resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            # Then it is told that the gateway is overloaded and when to come again
            self.assertEqual((answer.status, body["error"]["code"]), (503, "overloaded"))
            self.assertEqual(answer.getheader("retry-after"), "1")
            self.assertEqual(self.upstream.count, 0)
        # and with descriptors both accounts are as good as before.
        self.assertEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.box.stop(), 0)
        found = self.box.window()
        self.assertEqual(of_kind(found, "health.cooldown_started"), [])
        attempts = of_kind(found, "request.finished")[0]["attempts"]
        self.assertEqual({attempt["errorClass"] for attempt in attempts}, {"gateway"})

    def can_chat(self):
        try:
            return self.box.chat(message()).status == 200
        except (OSError, http.client.HTTPException):
            return False


class DrainTests(OverloadCase):
    def test_what_is_in_flight_at_the_end_finishes_or_is_recorded(self):
        # Given 32 clients that read their streams and 8 that do not
        self.start("--drain-seconds", "10")
        body = json.dumps(message(stream=True)).encode()
        slow = [self.connect(receive=4_096) for _ in range(8)]
        for client in slow:
            client.sendall(head(len(body)) + body)
        fast = [self.connect() for _ in range(32)]
        ends = [b""] * len(fast)
        for client in fast:
            client.sendall(head(len(body)) + body)
        eventually(lambda: self.upstream.count >= 40, "40 streams under way")

        def read(place):
            while part := fast[place].recv(MIB):
                ends[place] = (ends[place] + part)[-64:]

        # When the gateway is asked to stop before they have read anything
        began = time.monotonic()
        self.box.child.process.terminate()
        readers = [threading.Thread(target=read, args=(place,)) for place in range(len(fast))]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(30)
        # Then those that read have all of it, the process ends in time, and every request has its one end in the log.
        self.assertEqual(self.box.child.process.wait(40), 0)
        self.assertLess(time.monotonic() - began, 30)
        self.assertEqual([end.rstrip().endswith(b"data: [DONE]\n\n\r\n0") for end in ends], [True] * len(fast))
        endings = [row["ending"] for row in of_kind(self.box.window(), "request.finished")]
        self.assertEqual({ending: endings.count(ending) for ending in endings}, {"completed": 32, "drained": 8})
