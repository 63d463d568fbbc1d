"""`/api/events` of a real gateway: followed over restarts and kills, by readers that stop, and by many at once."""

import http.client
import json
import os
import signal
import socket
import threading
import time

from support import PATIENCE, Spine, eventually, message


class Follower(threading.Thread):
    """Follows the log like a browser's EventSource: comes again with the last id whenever its connection ends."""

    def __init__(self, box, query=""):
        super().__init__(daemon=True)
        self.box, self.query = box, query
        self.last, self.frames, self.connections, self.cut = None, [], 0, 0
        self.ended = threading.Event()
        self.begun = threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            try:
                self.follow()
            except (OSError, http.client.HTTPException, AssertionError):
                # The gateway is down, or cut the connection: what was read so far counts.
                self.cut += 1
            time.sleep(0.01)

    def follow(self):
        head = {**self.box.login(), "accept": "text/event-stream"}
        if self.last is not None:
            head["last-event-id"] = self.last
        connection = http.client.HTTPConnection("127.0.0.1", self.box.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/api/events" + self.query, headers=head)
            answer = connection.getresponse()
            if answer.status != 200:
                raise AssertionError(answer.read())
            self.connections += 1
            frame = {}
            while not self.ended.is_set():
                line = answer.readline().decode()
                if not line:
                    return
                if line == "\n":
                    if "id" in frame:
                        self.last = frame["id"]
                        self.begun.set()
                    if "data" in frame:
                        self.frames.append((frame["id"], frame["event"], json.loads(frame["data"])))
                    frame = {}
                elif not line.startswith(":"):
                    name, _, value = line.rstrip("\n").partition(": ")
                    frame[name] = value
        finally:
            connection.close()

    def positions(self):
        return [int(place.split(":")[1]) for place, _, _ in self.frames]


class EventsTests(Spine):
    def follower(self, query=""):
        found = Follower(self.box, query)
        self.addCleanup(found.ended.set)
        self.assertTrue(found.begun.wait(PATIENCE), "the stream's beginning")
        return found

    def last(self):
        return int(self.box.admin("GET", "/api/events?limit=1").json()["events"][0]["at"].split(":")[1])

    def chats(self, count):
        for _ in range(count):
            self.assertEqual(self.box.chat(message()).status, 200)

    def test_a_follower_loses_and_repeats_nothing_over_stops_and_kills(self):
        self.box.login()
        first = self.last()
        follower = self.follower()
        for end in (self.box.stop, self.box.kill, self.box.stop):
            self.chats(500)
            end()
            self.box.start()
            self.children.append(self.box.child)
        self.chats(500)
        last = self.last()
        eventually(lambda: follower.positions()[-1:] == [last], "the last event")
        follower.ended.set()
        self.assertEqual(follower.positions(), list(range(first + 1, last + 1)))
        self.assertGreaterEqual(len(follower.frames), 2000)
        self.assertGreaterEqual(follower.connections, 4)
        # What it was told is what pages and `replay` tell.
        page = self.box.admin("GET", f"/api/events?after={first}&limit=1000").json()["events"]
        self.assertEqual([data for _, _, data in follower.frames[:1000]], page)
        shown = [event for event in self.box.window() if int(event["at"].split(":")[1]) > first]
        for ours, theirs in zip(page, shown):
            for name, value in ours.items():
                self.assertEqual(value, theirs[name])
        for place, kind, data in follower.frames:
            self.assertEqual((place, kind), (data["at"], data["kind"]))

    def test_twelve_followers_see_the_same_and_a_stop_ends_each_cleanly(self):
        self.box.login()
        first = self.last()
        followers = [self.follower() for _ in range(12)]
        narrow = self.follower("?type=request.finished")
        self.chats(100)
        last = self.last()
        for follower in followers:
            eventually(lambda: follower.positions()[-1:] == [last], "the last event")
            self.assertEqual(follower.positions(), list(range(first + 1, last + 1)))
        eventually(lambda: len(narrow.frames) == 100, "the requests' ends")
        self.assertEqual({kind.rsplit(".", 1)[0] for _, kind, _ in narrow.frames}, {"request.finished"})
        for follower in followers + [narrow]:
            follower.ended.set()
        began = time.monotonic()
        self.assertEqual(self.box.stop(), 0)
        self.assertLess(time.monotonic() - began, 10, "followers held the stop up")
        # None was cut in the midst of a chunk.
        self.assertEqual([follower.cut for follower in followers], [0] * 12)

    def test_a_reader_who_stops_costs_no_memory_and_holds_up_neither_requests_nor_the_stop(self):
        self.box.login()
        self.chats(50)

        def memory():
            with open(f"/proc/{self.box.child.pid}/status") as file:
                return int(next(line for line in file if line.startswith("VmRSS")).split()[1])

        readers = []
        for _ in range(8):
            reader = socket.socket()
            self.addCleanup(reader.close)
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", self.box.port))
            head = "".join(f"{name}: {value}\r\n" for name, value in self.box.login().items())
            reader.sendall(
                f"GET /api/events?follow=true&after=0 HTTP/1.1\r\nhost: 127.0.0.1:{self.box.port}\r\n{head}\r\n"
                .encode())
            readers.append(reader)
        for reader in readers:
            self.assertIn(b"200", reader.recv(64))
        before = memory()
        self.chats(1500)
        # Eight times what was appended meanwhile would be some 20 MB.
        self.assertLess(memory() - before, 12 << 10)
        began = time.monotonic()
        self.assertEqual(self.box.stop(), 0)
        self.assertLess(time.monotonic() - began, 10)
