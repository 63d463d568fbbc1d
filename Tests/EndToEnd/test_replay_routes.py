"""`/api/replay/…`: a gateway answers with the documents that `replay --json` prints of its log."""

import json
from urllib.parse import urlencode

from story import Story


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
            ("what-if", {"remove": account, "from": f"request:{ids[0]}"},
             ["what-if", "--remove", account, "--from", f"request:{ids[0]}"]),
            ("what-if", {"set": f"{account}.isActive=false; settings.maxAttempts=1"},
             ["what-if", "--set", f"{account}.isActive=false", "--set", "settings.maxAttempts=1"]),
        ]
        self.box.login()
        for verb, query, command in calls:
            with self.subTest(verb, **query):
                got = self.inquire(verb, **query)
                self.assertEqual(got.status, 200, got.body)
                printed = json.loads(self.box.replay(*command, "--json", codes=(0, 1, 4)))
                self.assertEqual(got.json(), printed)
                self.assertEqual(printed["version"], 1)

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
        ):
            with self.subTest(verb, **query):
                got = self.inquire(verb, **query)
                self.assertEqual(got.status, 400, got.body)
                error = got.json()["error"]
                self.assertEqual(error.get("field"), field, error)
                self.assertIn(word, error["message"])
        for verb, field in (("show", "id"), ("explain", "id"), ("blame", "stream"), ("bisect", "predicate"), ("diff", "from")):
            with self.subTest(verb, asked="without a query"):
                got = self.box.admin("GET", f"/api/replay/{verb}")
                self.assertEqual(got.status, 400, got.body)
                self.assertEqual(got.json()["error"].get("field"), field)
        for verb, query in (("explain", {"id": "none"}), ("blame", {"stream": "alias/none"})):
            self.assertEqual(self.inquire(verb, **query).status, 404)
