"""One routing rule changed in a build of its own: `verify` and `run` find exactly the requests that it concerns.

The changed build is this tree's `replay` with another line in Route.swift: fill-first takes the last account instead of the
first. Which requests that concerns follows from what was asked of the gateway, not from anything that `replay` says.
"""

import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import ROOT, Spine, message, program

DEBUG = ROOT / ".build" / "debug"
RULE = "for index in accounts(of: target) where obstacle(index, target, &local) == nil {\n      guard chosen == nil else {"
CHANGED = RULE.replace("accounts(of: target)", "accounts(of: target).reversed()", 1)
FEATURES = ["ExistentialAny", "MemberImportVisibility", "InternalImportsByDefault", "NonisolatedNonsendingByDefault"]


def other_build(place):
    """`replay` with the changed rule: Domain compiled anew, everything else linked as it was built."""
    objects = DEBUG / "replay.product" / "Objects.LinkFileList"
    if not objects.exists() or not shutil.which("swiftc"):
        raise unittest.SkipTest("no debug build of replay to link against, or no swiftc on PATH")
    sources = place / "Domain"
    shutil.copytree(ROOT / "Sources" / "Domain", sources)
    route = sources / "Routing" / "Route.swift"
    text = route.read_text()
    assert text.count(RULE) == 1, "Route.swift has another form; change the rule that is changed here"
    route.write_text(text.replace(RULE, CHANGED))
    features = [word for name in FEATURES for word in ("-enable-upcoming-feature", name)]
    subprocess.run(
        ["swiftc", "-c", "-wmo", "-Onone", "-swift-version", "6", *features, "-package-name", "signalbox", "-module-name",
         "Domain", "-parse-as-library", "-o", place / "Domain.o", *sorted(sources.rglob("*.swift"))], check=True)
    kept = [line.strip().strip("'\"") for line in objects.read_text().splitlines()]
    kept = [line for line in kept if "/Domain.build/" not in line]
    subprocess.run(
        ["swiftc", "-o", place / "replay", *kept, place / "Domain.o", "-llz4", "-lsqlite3", "-lstdc++",
         # A debug build names the entry after the program, so that tests can link it too.
         "-Xlinker", "--defsym=main=replay_main"], check=True)
    return place / "replay"


class OtherBuildTests(Spine):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.place = tempfile.TemporaryDirectory(prefix="signalbox-other-")
        cls.addClassCleanup(cls.place.cleanup)
        cls.other = other_build(Path(cls.place.name))

    def ask(self, binary, *arguments, code):
        done = subprocess.run(
            [binary, *arguments, "--log", str(self.box.data), "--json"], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout[-1500:] + done.stderr[-1500:])
        return json.loads(done.stdout)

    def identities(self, count, **more):
        return {self.box.chat(message(**more)).header("x-request-id") for _ in range(count)}

    def enable(self, is_active):
        account = next(
            row for row in self.box.admin("GET", "/api/providers").json()["connections"] if row["name"] == "a2")
        answer = self.box.admin("PUT", f"/api/providers/{account['id']}", {"isActive": is_active})
        self.assertEqual(answer.status, 200, answer.body)

    def test_verify_and_run_find_the_requests_that_the_changed_rule_concerns_and_no_others(self):
        # Given requests between two accounts, and requests for which there is one account or none
        concerned = self.identities(7)
        self.enable(False)
        others = self.identities(5)
        self.enable(True)
        concerned |= self.identities(4)
        others |= self.identities(3, model="mock/nobody-has-this")
        self.box.stop()
        # When the build that made them decides them anew, all of it holds
        unchanged = self.ask(program("replay"), "verify", code=0)["decisions"]
        self.assertEqual((unchanged["remade"], unchanged["differing"]), (16, 0))
        same = self.ask(program("replay"), "run", "--against", program("replay"), code=0)
        self.assertEqual((same["compared"], same["differing"]), (19, 0))
        # Then the changed build finds those between two accounts, and only those
        changed = self.ask(self.other, "verify", code=1)["decisions"]
        self.assertEqual((changed["remade"], changed["differing"]), (16, 11))
        self.assertLessEqual({found["request"] for found in changed["differences"]}, concerned)
        found = self.ask(program("replay"), "run", "--against", str(self.other), code=1)
        self.assertEqual((found["compared"], found["differing"], found["requests"]), (19, 11, 11))
        self.assertEqual([group["decisions"] for group in found["groups"]], [11])
        # And every one of them, asked for alone, differs, and none of the others does
        for identity in concerned | others:
            alone = self.ask(
                program("replay"), "run", "--against", str(self.other), "--from", f"request:{identity}", "--to",
                f"request:{identity}", code=1 if identity in concerned else 0)
            self.assertEqual(alone["differing"], 1 if identity in concerned else 0)

    def test_what_is_no_other_build_is_said(self):
        self.box.stop()
        for against in ("/nowhere/replay", "/bin/true", "/bin/echo"):
            with self.subTest(against):
                done = subprocess.run(
                    [program("replay"), "run", "--against", against, "--log", str(self.box.data)], capture_output=True,
                    text=True, timeout=60)
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr, re.escape(against))
