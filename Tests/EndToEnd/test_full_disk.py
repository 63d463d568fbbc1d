"""A disk without space, and a disk that fails: what is served, what is recorded, what is said."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from support import (
    Case, configuration, eventually, exchange, message, of_kind, scenario, window)

#: Bytes of the file system under the log; 8 MiB of it are the log's reserve.
SIZE = 32 << 20
#: What the ballast leaves free: a few hundred requests' worth.
LEFT = 192 << 10
#: Requests after which a disk that is not full yet never will be.
BOUND = 20_000


def mount(directory):
    """A small file system of its own at `directory`; nil, or why there is none."""
    directory.mkdir(mode=0o700)
    result = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "signalbox-test",
         str(directory)], capture_output=True, text=True)
    return None if result.returncode == 0 else result.stderr.strip() or "mount failed"


class FullDiskTests(Case):
    options = ()

    def setUp(self):
        super().setUp()
        data = self.directory / "data"
        refusal = mount(data)
        if refusal:
            self.skipTest(f"a small file system needs CAP_SYS_ADMIN: {refusal}")
        self.addCleanup(self.unmount, data)
        self.upstream = self.simulator(scenario())

    def unmount(self, data):
        for child in reversed(self.children):
            child.kill()
        subprocess.run(["umount", str(data)], check=True)

    def start(self, *options):
        self.box = self.gateway(configuration(self.upstream), *options)
        self.ballast = self.box.data / "ballast"

    def free(self):
        found = os.statvfs(self.box.data)
        return found.f_bavail * found.f_frsize

    def fill(self):
        with self.ballast.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            os.posix_fallocate(file.fileno(), 0, self.free() - LEFT)

    def readiness(self):
        return exchange(self.box.port, "GET", "/v1/status/readyz")

    def recording(self):
        return self.readiness().json()["recording"]

    def until_full(self, step):
        """Calls `step` until the log says that the disk is full."""
        for round in range(BOUND):
            step()
            if round % 16 == 0 and self.recording()["state"] == "disk_full":
                return
        self.fail(f"not full after {BOUND} requests, {self.free()} bytes are free")

    def until_recording(self):
        eventually(lambda: self.recording()["state"] == "recording", "requests are recorded again")
        self.assertEqual(self.readiness().status, 200)
        self.assertEqual(self.readiness().json()["status"], "ready")
        self.assertEqual(exchange(self.box.port, "GET", "/health").json()["status"], "ok")

    def gaps(self):
        """Position of each `gap_opened`; fields of each `gap_closed`; ids of `finished` in between."""
        found = self.events()
        opened, closed, between, is_open = [], [], [], False
        for event in found:
            if event["kind"].startswith("gateway.gap_opened"):
                opened.append(int(event["at"].split(":")[1]))
                is_open = True
            elif event["kind"].startswith("gateway.gap_closed"):
                closed.append(event["fields"])
                is_open = False
            elif is_open and event["kind"].startswith("request."):
                between.append(event)
        return opened, closed, between

    def events(self):
        return window(self.box.data)

    def finished(self):
        return [row["id"] for row in of_kind(self.events(), "request.finished")]


class ServingTests(FullDiskTests):
    def test_standard_goes_on_serving_and_counts_and_recovers_by_itself(self):
        self.start()
        self.fill()
        asked = []

        def ask():
            answer = self.box.chat(message())
            self.assertEqual(answer.status, 200, answer.body)
            asked.append(answer.header("x-request-id"))

        self.until_full(ask)
        for _ in range(50):
            ask()
        ready = self.readiness()
        self.assertEqual((ready.status, ready.json()["status"]), (200, "degraded"))
        self.assertEqual(ready.json()["components"]["log"], "degraded")
        said = ready.json()["recording"]
        missing = len(asked) - len(self.finished())
        self.assertGreaterEqual(missing, 50)
        self.assertEqual(
            said, {"mode": "standard", "state": "disk_full", "reserve": "in_use",
                   "missing": missing, "gap_opened": said["gap_opened"]})
        health = exchange(self.box.port, "GET", "/health")
        self.assertEqual((health.status, health.json()["status"]), (200, "degraded"))
        # What the operator does is recorded, from the reserve.
        edit = self.box.admin(
            "PUT", "/api/models/alias", {"alias": "late", "model": "mock/gpt-4o"})
        self.assertEqual(edit.status, 200, edit.body)
        opened, closed, between = self.gaps()
        self.assertEqual((len(opened), closed, between), (1, [], []))
        self.assertEqual(opened, [int(said["gap_opened"])])
        self.assertIn(
            f"since position {opened[0]}", self.box.replay("state", "--at", str(opened[0])))

        self.ballast.unlink()
        self.until_recording()
        ask()
        opened, closed, between = self.gaps()
        self.assertEqual(closed, [{"opened": opened[0], "count": missing}])
        self.assertEqual(between, [], "a request in the middle of a gap")
        finished = self.finished()
        self.assertEqual(len(finished), len(set(finished)))
        self.assertEqual(set(finished) - set(asked), set())
        self.assertEqual(len(set(asked) - set(finished)), missing)
        self.assertEqual(finished[-1], asked[-1])
        text = self.box.text()
        for words in ("the disk is full: requests are served, not recorded, and counted",
                      "free space on the file system of the log",
                      "the disk has space again: requests are recorded again"):
            self.assertEqual(text.count(words), 1, words)
        self.box.replay("verify")
        self.assertIn(f"{missing} outcomes missing", self.box.replay("verify"))
        self.assertIn(f"{missing} requests in 1 time", self.box.replay("window"))
        self.assertEqual(self.box.stop(), 0)
        self.box.replay("verify")

    def test_a_stop_in_a_gap_tells_the_count_and_a_kill_does_not(self):
        self.start()
        for ending in ("stop", "kill"):
            with self.subTest(ending):
                self.fill()
                self.until_full(lambda: self.assertEqual(self.box.chat(message()).status, 200))
                missing = self.recording()["missing"]
                getattr(self.box, ending)()
                before = self.gaps()[1]
                self.ballast.unlink()
                self.restart(self.box)
                self.until_recording()
                opened, closed, _ = self.gaps()
                self.assertEqual(len(opened), len(closed))
                self.assertEqual(
                    closed[-1],
                    {"opened": opened[-1], "count": missing if ending == "stop" else None})
                # A stop says it at once, after a kill only the next life can.
                self.assertEqual(len(closed) - len(before), 0 if ending == "stop" else 1)
                self.assertEqual(self.box.chat(message()).status, 200)
                self.box.replay("verify")


class StrictTests(FullDiskTests):
    def test_strict_refuses_requests_until_there_is_space(self):
        self.start("--recording", "strict")
        self.fill()
        statuses = []

        def ask():
            answer = self.box.chat(message())
            statuses.append(answer.status)
            if answer.status == 503:
                self.assertEqual(answer.json()["error"]["code"], "recording_unavailable")
            else:
                self.assertEqual(answer.status, 200, answer.body)

        self.until_full(ask)
        calls = self.upstream.total()
        for _ in range(20):
            ask()
        self.assertEqual(statuses[-20:], [503] * 20)
        self.assertEqual(self.upstream.total(), calls, "a refused request was sent upstream")
        ready = self.readiness()
        self.assertEqual((ready.status, ready.json()["components"]["log"]), (503, "unhealthy"))
        self.assertEqual(exchange(self.box.port, "GET", "/health").status, 503)
        self.assertIn("requests are refused with 503 recording_unavailable", self.box.text())

        self.ballast.unlink()
        self.until_recording()
        ask()
        self.assertEqual(statuses[-1], 200)
        opened, closed, between = self.gaps()
        # A refusal is an outcome too.
        self.assertEqual(
            closed, [{"opened": opened[0], "count": statuses.count(503)}])
        self.assertEqual(between, [])
        self.assertEqual(len(self.finished()), statuses.count(200))
        self.box.replay("verify")


#: Stands between the gateway and its disk: while TRIGGER exists, no sync of a segment succeeds.
FAULT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fdatasync(int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t size = readlink(link, path, sizeof path - 1);
  path[size < 0 ? 0 : size] = 0;
  if (strstr(path, "/seg/") && access(getenv("TRIGGER"), F_OK) == 0) {
    errno = EIO;
    return -1;
  }
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  return real(file);
}
"""


class FailedDiskTests(Case):
    @unittest.skipUnless(shutil.which("cc"), "a failing disk needs a C compiler to be imitated")
    def test_a_failed_sync_turns_health_red_and_the_stop_says_what_to_do(self):
        source, library = self.directory / "fault.c", self.directory / "fault.so"
        source.write_text(FAULT)
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
        trigger = self.directory / "trigger"
        upstream = self.simulator(scenario())
        box = self.gateway(
            configuration(upstream),
            environment={"LD_PRELOAD": str(library), "TRIGGER": str(trigger)})
        self.assertEqual(box.chat(message()).status, 200)
        trigger.touch()
        self.assertEqual(box.chat(message()).status, 200)

        def look():
            return exchange(box.port, "GET", "/v1/status/readyz")

        eventually(lambda: look().status == 503, "readyz is red")
        self.assertEqual(look().json()["components"]["log"], "unhealthy")
        self.assertEqual(look().json()["recording"]["state"], "failed")
        self.assertEqual(exchange(box.port, "GET", "/health").status, 503)
        # Standard: who asks is served; what would have to be kept is refused.
        for _ in range(3):
            self.assertEqual(box.chat(message()).status, 200)
        edit = box.admin("PUT", "/api/models/alias", {"alias": "x", "model": "mock/gpt-4o"})
        self.assertEqual(edit.status, 503)
        # Nothing heals by itself: what a failed sync left in memory is not to be trusted.
        trigger.unlink()
        self.assertEqual(look().status, 503)
        self.assertEqual(box.stop(), 1)
        text = box.text()
        segment = f"{sorted((box.data / 'seg').glob('*.esl'))[-1]}: "
        # The first of the five is in the log, the last three are not; the second may be either.
        missing = 5 - len(of_kind(window(box.data), "request.finished"))
        self.assertIn(missing, (3, 4))
        for words in (
                "critical", "fdatasync failed", segment, "(errno 5)", "poisoned",
                "start the gateway again", "sets an unfinished end aside", f"records missing={missing}"):
            self.assertIn(words, text)

        self.restart(box)
        self.assertEqual(look().status, 200)
        self.assertEqual(box.chat(message()).status, 200)
        box.replay("verify")
