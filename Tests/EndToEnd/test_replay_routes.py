"""`/api/replay/…`: a gateway answers with the documents that `replay --json` prints of its log."""

import json
import re
import subprocess
from urllib.parse import urlencode

from story import Story
from support import ROOT, program
from test_openapi import closed

try:
    import jsonschema_rs
except ImportError:
    jsonschema_rs = None


class ReplayRouteTests(Story):
    def inquire(self, verb, **query):
        return self.box.admin("GET", f"/api/replay/{verb}?{urlencode(query)}")

    def world(self):
        """Requests with failovers and refusals, an account taken out, an alias changed twice by two writers."""
        pool = self.pool(2)
        self.must("PUT", "/api/models/alias", {"alias": "swift", "model": pool.model})
        self.play(accounts={pool.accounts[0]: {"behaviour": {"status": 500, "probability": 0.5}}})
        ids = [self.chat("swift").header("x-request-id") for _ in range(8)]
        self.must("PUT", f"/api/providers/{pool.ids[0]}", {"isActive": False})
        ids += [self.chat("swift").header("x-request-id") for _ in range(4)]
        self.must("PUT", "/api/models/alias", {"alias": "swift", "model": pool.other})
        return pool, ids

    def test_every_verb_answers_what_replay_prints(self):
        pool, ids = self.world()
        account = f"account/{pool.ids[0]}"
        calls = [
            ("window", {"limit": 5}, ["window", "--limit", 5]),
            ("window", {"account": pool.ids[0], "status": "200"},
             ["window", "--account", pool.ids[0], "--status", "200", "--limit", 1000]),
            ("show", {"id": ids[0]}, ["show", ids[0]]),
            ("show", {"id": "1"}, ["show", "1"]),
            ("explain", {"id": ids[0]}, ["explain", ids[0]]),
            ("explain", {"id": ids[-1]}, ["explain", ids[-1]]),
            ("state", {}, ["state"]),
            ("state", {"at": f"request:{ids[0]}", "part": "accounts"},
             ["state", "--at", f"request:{ids[0]}", "--part", "accounts"]),
            ("diff", {"from": "1"}, ["state", "--at", 1, "--diff", "-0s"]),
            ("drift", {"stream": "alias/swift"}, ["drift", "--stream", "alias/swift"]),
            ("blame", {"stream": f"{account}.isActive"}, ["blame", f"{account}.isActive"]),
            ("bisect", {"predicate": f"{account}.isActive = false"},
             ["bisect", "--predicate", f"{account}.isActive = false"]),
            ("bisect", {"predicate": "errors > 1% over 5m of 2"},
             ["bisect", "--predicate", "errors > 1% over 5m of 2"]),
            ("window", {"from": f"request:{ids[1]}", "interval": "1s", "baseline": "1h", "top": 3, "type": "request",
                        "model": "swift"},
             ["window", "--from", f"request:{ids[1]}", "--interval", "1s", "--baseline", "1h", "--top", 3, "--type", "request",
              "--model", "swift"]),
            ("window", {"org": "default", "interval": "5s"}, ["window", "--org", "default", "--interval", "5s"]),
            ("report", {}, ["report"]),
            ("report", {"from": f"request:{ids[0]}", "availability": "99.95", "firstByte": "2s", "inTime": "90"},
             ["report", "--from", f"request:{ids[0]}", "--availability", "99.95", "--first-byte", "2s", "--in-time", "90"]),
            ("what-if", {"remove": account, "from": f"request:{ids[0]}"},
             ["what-if", "--remove", account, "--from", f"request:{ids[0]}"]),
            ("what-if", {"set": f"{account}.isActive=false; settings.maxAttempts=1"},
             ["what-if", "--set", f"{account}.isActive=false", "--set", "settings.maxAttempts=1"]),
        ]
        self.box.login()
        described = closed(self.box.admin("GET", "/openapi.json").json())
        for verb, query, command in calls:
            with self.subTest(verb, **query):
                got = self.inquire(verb, **query)
                self.assertEqual(got.status, 200, got.body)
                if jsonschema_rs:
                    answers = described["paths"][f"/api/replay/{verb}"]["get"]["responses"]["200"]["content"]
                    schema = {**answers["application/json"]["schema"], "components": described["components"]}
                    self.assertEqual([fault.message for fault in jsonschema_rs.iter_errors(schema, got.json())], [])
                printed = json.loads(self.box.replay(*command, "--json", codes=(0, 1, 4)))
                self.assertEqual(got.json(), printed)
                self.assertEqual(printed["version"], 1)

    def test_the_manual_names_the_members_of_every_document(self):
        manual = (ROOT / "docs" / "replay.md").read_text().split("\n## As JSON\n")[1].split("\n## ")[0]
        table = {}
        for line in manual.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if len(cells) == 3 and cells[0].startswith("`"):
                table[cells[0].replace("`", "")] = [set(re.findall("`([^`]+)`", cell)) for cell in cells[1:]]
        _, ids = self.world()
        # A stop signs a checkpoint; the other cases want the gateway again.
        self.assertEqual(self.box.stop(), 0)
        self.box.start()
        self.children.append(self.box.child)
        bundle = str(self.directory / "made.bundle")
        asked = {
            "window": [["window"], ["window", "--interval", "1m", "--baseline", "1h", "--top", "3"]],
            "report": [["report"]],
            "show of a request": [["show", ids[0]]],
            "show of an event": [["show", "1"]],
            "explain": [["explain", ids[0]]],
            "state": [["state"], ["state", "--part", "usage"]],
            "state-diff": [["state", "--at", "1", "--diff", "-0s"]],
            "what-if": [["what-if", "--set", "settings.maxAttempts=2"]],
            "bisect": [["bisect", "--predicate", "alias/swift exists"],
                       ["bisect", "--predicate", "errors > 1% over 1ms of 1"],
                       ["bisect", "--predicate", "errors > 1% over 1h of 1", "--log", bundle]],
            "drift": [["drift"]],
            "blame": [["blame", "alias/swift"]],
            "history": [["history", "alias/swift"]],
            "verify": [["verify"]],
            "run": [["run", "--against", program("replay")]],
            "plan": [["run", "--plan", str(self.directory / "made.plan")]],
            "bundle": [["bundle", "--from", f"request:{ids[2]}", "-o", bundle]],
            "checkpoint": [["checkpoint"]],
        }
        self.assertEqual(set(table), set(asked))
        # The bundle first, since others are asked of it.
        for name in sorted(asked, key=lambda name: name != "bundle"):
            members, sometimes = table[name]
            seen = set()
            for command in asked[name]:
                with self.subTest(name, command=command):
                    where = [] if "--log" in command else ["--log", str(self.box.data)]
                    done = subprocess.run(
                        [program("replay"), *command, "--json", *where], capture_output=True, text=True, timeout=60)
                    self.assertIn(done.returncode, (0, 1, 4), done.stderr)
                    document = json.loads(done.stdout)
                    self.assertEqual(list(document)[:2], ["replay", "version"])
                    self.assertEqual((document["replay"], document["version"]), (name.split()[0], 1))
                    found = set(document) - {"replay", "version"}
                    self.assertEqual((members - found, found - members - sometimes), (set(), set()))
                    seen |= found
            self.assertEqual(seen, members | sometimes, name)

    def test_a_report_is_also_a_page_and_a_text(self):
        self.world()
        self.box.login()
        last = self.inquire("report").json()["last"]
        page = self.inquire("report", to=last, format="html")
        self.assertEqual((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"))
        policy = page.header("content-security-policy")
        for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
            self.assertIn(part, policy)
        self.assertNotIn("script", policy)
        self.assertEqual(page.header("x-content-type-options"), "nosniff")
        written = self.box.data.parent / "incident.html"
        self.box.replay("report", "--to", last, "-o", str(written))
        self.assertEqual(page.body, written.read_bytes())
        text = self.inquire("report", to=last, format="md")
        self.assertEqual((text.status, text.header("content-type")), (200, "text/markdown; charset=utf-8"))
        self.assertEqual(text.body.decode(), self.box.replay("report", "--to", last))
        refused = self.inquire("report", format="pdf")
        self.assertEqual((refused.status, refused.json()["error"]["field"]), (400, "format"))

    def test_a_name_that_nobody_has_is_no_silence(self):
        pool, _ = self.world()
        self.box.login()
        near = pool.accounts[0] + "x"
        for name, value, word in (("account", near, pool.accounts[0]), ("key", "nobody", "key"),
                                  ("org", "nobody", "default"), ("provider", "nobody", "provider"), ("kind", "aliases", "alias,")):
            with self.subTest(name):
                got = self.inquire("window", **{name: value})
                self.assertEqual(got.status, 404, got.body)
                error = got.json()["error"]
                self.assertEqual(error["field"], name)
                self.assertIn(f"`{value}`", error["message"])
                self.assertIn(word, error["message"])
                result = subprocess.run(
                    [program("replay"), "window", "--log", str(self.box.data), f"--{name}", value], capture_output=True, text=True)
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertEqual(result.stderr, f"replay: --{name}: {error['message']}\n")

    def test_what_is_asked_wrongly_is_refused_by_name(self):
        for verb, query, field, word in (
            ("window", {"from": "yesterday"}, "from", "yesterday"),
            ("window", {"status": "999"}, "status", "999"),
            ("state", {"at": "-1x"}, "at", "-1x"),
            ("state", {"part": "weather"}, "part", "accounts"),
            ("explain", {}, "id", "id"),
            ("diff", {"to": "1"}, "from", "from"),
            ("bisect", {"predicate": "it rains"}, "predicate", "it rains"),
            ("what-if", {}, "set", "supposed"),
            ("what-if", {"set": "weather.sun=1"}, "set", "weather"),
            ("window", {"baseline_": "7d"}, "baseline_", "means nothing"),
            ("window", {"from": "2026-11-20T14:00:00 01:00"}, "from", "%2B"),
            ("window", {"interval": "soon"}, "interval", "soon"),
            ("window", {"interval": "+5m"}, "interval", "no length of time"),
            ("report", {"firstByte": "+2s"}, "firstByte", "no length of time"),
            ("window", {"interval": "1ms"}, "interval", "too short"),
            ("window", {"baseline": "1000000h"}, "baseline", "1970"),
            ("window", {"top": "1001"}, "top", "1000"),
            ("window", {"kind": "alias", "type": "key"}, "type", "the same"),
            ("report", {"availability": "100"}, "availability", "percentage"),
            ("report", {"firstByte": "fast"}, "firstByte", "length of time"),
            ("what-if", {"set": "settings.maxAttempts=lots"}, "set", "a whole number"),
            ("what-if", {"set": "settings.nothing=1"}, "set", "has no field"),
            ("what-if", {"set": "settings.maxAttempts=0"}, "set", "refused"),
            ("what-if", {"remove": "settings"}, "remove", "removed"),
            ("what-if", {"remove": "account/none"}, "remove", "account/none"),
        ):
            with self.subTest(verb, **query):
                got = self.inquire(verb, **query)
                self.assertEqual(got.status, 400, got.body)
                error = got.json()["error"]
                self.assertEqual(error.get("field"), field, error)
                self.assertIn(word, error["message"])
                self.assertNotIn("--", error["message"])
        for verb, field in (("show", "id"), ("explain", "id"), ("blame", "stream"), ("bisect", "predicate"), ("diff", "from")):
            with self.subTest(verb, asked="without a query"):
                got = self.box.admin("GET", f"/api/replay/{verb}")
                self.assertEqual(got.status, 400, got.body)
                self.assertEqual(got.json()["error"].get("field"), field)
        got = self.box.admin("GET", "/v1/metrics/providers?window=%2B5m")
        self.assertEqual((got.status, got.json()["field"]), (400, "window"))
        for verb, query in (("explain", {"id": "none"}), ("blame", {"stream": "alias/none"}), ("drift", {"stream": "alias/none"})):
            self.assertEqual(self.inquire(verb, **query).status, 404)
