"""The simulator's old sync peer: as careless as the worker that it plays, each carelessness by its rule."""

import json
import threading
import unittest

from support import Case, Upstream, eventually, exchange

EARLY, LATE = "2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"


def account(number=1, updated=EARLY, **more):
    return {"id": f"p{number}", "provider": "oidc", "authType": "oauth", "name": f"n{number}",
            "priority": number, "isActive": True, "accessToken": "at-1", "refreshToken": "rt-1",
            "updatedAt": updated, **more}


class SyncCase(Case):
    def setUp(self):
        super().setUp()
        self.sim = self.simulator()

    def ask(self, method, path, document=None, token=None, **headers):
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        body = None if document is None else json.dumps(document).encode()
        return exchange(self.sim.port, method, path, body, headers)

    def push(self, *providers, machine="m1", **more):
        answer = self.ask("POST", f"/sync/{machine}", {
            "providers": list(providers), "modelAliases": {"fast": "x/y"}, "combos": [],
            "apiKeys": [{"id": "k1", "key": "sk-1", "isActive": True}], **more})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def held(self, machine="m1"):
        return self.ask("GET", f"/sync/{machine}").json()["data"]

    def rules(self, **rules):
        self.sim.control(
            "POST", "sync/rules", {name.replace("_", "-"): on for name, on in rules.items()})

    def act(self, do, account="p1", **more):
        if do != "look":
            more["account"] = account
        return self.sim.control(
            "POST", "sync/act", {"machine": "m1", "do": do, **more})["outcome"]

    def deeds(self, what):
        deeds = self.sim.control("GET", "sync")["deeds"]
        return [deed for deed in deeds if deed["what"] == what]

    def session(self):
        self.sim.scenario({"oauth": {"servers": [{"shape": "oidc"}], "sessions": [{
            "server": "oidc", "subject": "u1", "access-token": "at-1", "refresh-token": "rt-1"}]}})


class MergeTests(SyncCase):
    def test_the_newer_stamp_takes_the_whole_record(self):
        self.push(account(name="theirs"))
        self.push(account(name="theirs"))
        # The second push was stamped with the peer's own time, so an older one loses everything.
        third = self.push(account(name="mine", isActive=False))
        self.assertEqual(third["changes"], {"updated": [], "fromWorker": ["p1"]})
        kept = third["data"]["providers"]["p1"]
        self.assertEqual((kept["name"], kept["isActive"]), ("theirs", True))
        fourth = self.push(account(name="mine", updated=LATE))
        self.assertEqual(fourth["changes"], {"updated": ["p1"], "fromWorker": []})
        self.assertEqual(fourth["data"]["providers"]["p1"]["name"], "mine")

    def test_a_first_push_is_taken_with_its_own_stamp_and_the_second_restamped(self):
        self.assertEqual(self.push(account())["data"]["providers"]["p1"]["updatedAt"], EARLY)
        stamped = self.push(account())["data"]["providers"]["p1"]["updatedAt"]
        self.assertGreater(stamped, EARLY)
        self.rules(restamp=False)
        self.assertEqual(
            self.push(account(updated=LATE))["data"]["providers"]["p1"]["updatedAt"], LATE)

    def test_off_the_whole_record_only_the_tokens_go_by_time(self):
        self.rules(whole_record=False)
        self.push(account(accessToken="new", updated="2026-01-01T00:00:00Z"))
        merged = self.push(account(name="mine"))["data"]["providers"]["p1"]
        self.assertEqual((merged["name"], merged["accessToken"]), ("mine", "new"))

    def test_health_is_lost_and_turns_green(self):
        sick = account(testStatus="unavailable", backoffLevel=5, lastError="x", errorCode=429)
        kept = self.push(sick)["data"]["providers"]["p1"]
        self.assertNotIn("testStatus", kept)
        self.assertNotIn("backoffLevel", kept)
        self.assertEqual((kept["status"], kept["lastError"], kept["errorCode"]),
                         ("active", "x", 429))
        self.rules(whitelist=False, status_active=False)
        kept = self.push(account(updated=LATE, backoffLevel=5))["data"]["providers"]["p1"]
        self.assertEqual(kept["backoffLevel"], 5)
        self.assertNotIn("status", kept)

    def test_what_is_not_pushed_is_gone(self):
        self.push(account(1), account(2))
        self.assertEqual(list(self.push(account(2))["data"]["providers"]), ["p2"])
        self.rules(missing_is_deleted=False)
        self.assertEqual(sorted(self.push(account(1))["data"]["providers"]), ["p1", "p2"])

    def test_an_empty_push_empties_everything(self):
        self.push(account(), combos=[{"id": "c1"}])
        data = self.push(modelAliases={}, apiKeys=[])["data"]
        self.assertEqual((data["providers"], data["modelAliases"], data["apiKeys"]), ({}, {}, []))
        # What is absent, or null, is kept.
        self.push(combos=[{"id": "c1"}])
        self.assertEqual(self.push(combos=None)["data"]["combos"], [{"id": "c1"}])
        self.rules(wholesale=False)
        data = self.push(modelAliases={"slow": "a/b"}, combos=[{"id": "c2"}])["data"]
        self.assertEqual(sorted(data["modelAliases"]), ["fast", "slow"])
        self.assertEqual([row["id"] for row in data["combos"]], ["c1", "c2"])

    def test_without_a_stamp_the_peer_is_always_newer(self):
        bare = account(name="mine")
        del bare["updatedAt"]
        self.push(account())
        self.assertEqual(self.push(bare)["changes"]["fromWorker"], ["p1"])

    def test_a_skewed_clock_decides_who_wins(self):
        now = self.sim.control("GET", "clock")["now"]
        for skew, winner in (("-10m", "updated"), ("10m", "fromWorker")):
            self.rules(skew=skew, cache="0")
            self.push(account(), machine=skew)
            self.push(account(), machine=skew)
            self.assertEqual(
                self.push(account(updated=now), machine=skew)["changes"][winner], ["p1"], skew)


class StoreTests(SyncCase):
    def test_nobody_is_asked_for_a_key_unless_told(self):
        self.push(account())
        self.assertEqual(self.held()["providers"]["p1"]["accessToken"], "at-1")
        self.sim.scenario({"sync": {"token": "hush"}})
        for token, status in ((None, 401), ("wrong", 401), ("hush", 404)):
            self.assertEqual(self.ask("GET", "/sync/m1", token=token).status, status)

    def test_a_machine_is_deleted_and_bad_pushes_are_refused(self):
        self.push(account())
        self.assertEqual(self.ask("DELETE", "/sync/m1").json()["success"], True)
        self.assertEqual(self.ask("GET", "/sync/m1").status, 404)
        self.assertEqual(
            self.ask("POST", "/sync/m1", {}).json(), {"error": "Missing providers array"})
        self.assertEqual(self.ask("POST", "/sync/m1", [1]).json(), {"error": "Invalid JSON body"})
        self.assertEqual(self.ask("PUT", "/sync/m1", {}).status, 405)
        self.assertEqual(self.ask("GET", "/health").status, 200)

    def test_a_paused_key_still_verifies(self):
        self.assertEqual(self.ask("GET", "/m1/v1/verify", token="sk-1").status, 404)
        self.push(account(), apiKeys=[{"id": "k1", "key": "sk-1", "isActive": False}])
        self.assertEqual(
            self.ask("GET", "/m1/v1/verify", token="sk-1").json(),
            {"valid": True, "machineId": "m1", "providersCount": 1})
        self.assertEqual(self.ask("GET", "/m1/v1/verify").status, 401)
        self.assertEqual(self.ask("GET", "/m1/v1/verify", token="sk-2").status, 401)
        self.rules(paused_keys_work=False)
        self.assertEqual(self.ask("GET", "/m1/v1/verify", token="sk-1").status, 401)

    def test_a_machine_that_was_off_for_a_week_is_forgotten(self):
        self.push(account())
        self.sim.control("POST", "clock", {"advance": "6d"})
        self.assertEqual(self.ask("GET", "/sync/m1").status, 200)
        self.sim.control("POST", "clock", {"advance": "2d"})
        self.assertEqual(self.ask("GET", "/m1/v1/verify", token="sk-1").status, 404)
        self.assertEqual(self.deeds("purge")[0]["machine"], "m1")

    def test_an_isolate_with_an_old_idea_of_the_blob_undoes_a_push(self):
        self.push(account(1), account(2))
        self.act("look", isolate="a")
        self.push(account(1), modelAliases={"new": "x/y"})
        self.act("cooldown", isolate="a")
        data = self.ask("GET", "/sync/m1", **{"x-isolate": "fresh"}).json()["data"]
        # The deleted account is back, the new alias is gone.
        self.assertEqual(sorted(data["providers"]), ["p1", "p2"])
        self.assertEqual(data["modelAliases"], {"fast": "x/y"})
        self.assertEqual(data["providers"]["p1"]["status"], "unavailable")
        # Without the cache it reads again.
        self.rules(cache="0")
        self.push(account(1), modelAliases={"new": "x/y"})
        self.act("clear", isolate="a")
        self.assertEqual(self.held()["modelAliases"], {"new": "x/y"})

    def test_a_held_write_lands_on_top_of_what_came_between(self):
        self.push(account(1))
        self.rules(cache="0")
        outcomes = []
        thread = threading.Thread(target=lambda: outcomes.append(self.act("cooldown", hold=True)))
        thread.start()
        eventually(lambda: self.sim.control("GET", "sync")["held"], "a held act")
        self.push(account(1), account(2))
        self.sim.control("POST", "release", {"label": "peer act"})
        thread.join()
        self.assertEqual(outcomes, ["written"])
        self.assertEqual(list(self.held()["providers"]), ["p1"])

    def test_calls_fail_as_told(self):
        for behaviour, status in (({"status": 502}, 502), ({"fault": "html"}, 200),
                                  ({"error": "nope"}, 400)):
            self.sim.control("POST", "sync/next", {"endpoint": "sync", "behaviour": behaviour})
            self.assertEqual(
                self.ask("POST", "/sync/m1", {"providers": []}).status, status)
        self.assertEqual(
            [(deed["outcome"], deed["mishap"]) for deed in self.deeds("sync")],
            [("not committed", "status 502"), ("answered", "html"), ("not committed", "error nope")])
        with self.assertRaises(TimeoutError):
            self.sim.control(
                "POST", "sync/next", {"behaviour": {"fault": "hang-after-commit"}})
            exchange(self.sim.port, "POST", "/sync/m2", b'{"providers":[]}', timeout=0.3)
        self.assertEqual(self.ask("GET", "/sync/m2").status, 200)

    def test_secrets_are_shown_as_fingerprints(self):
        self.push(account(providerSpecificData={"copilotToken": "tid-secret"}))
        shown = json.dumps(self.sim.control("GET", "sync"))
        for secret in ("at-1", "rt-1", "sk-1", "tid-secret"):
            self.assertNotIn(secret, shown)


class RefreshTests(SyncCase):
    def test_the_peer_refreshes_by_itself_and_both_lose_the_family(self):
        self.session()
        self.push(account())
        self.assertEqual(self.act("refresh"), "refreshed")
        # An isolate of its own has written; wait out the cache of the one that answers us.
        fresh = self.ask("GET", "/sync/m1", **{"x-isolate": "fresh"}).json()["data"]
        record = fresh["providers"]["p1"]
        self.assertNotEqual(record["refreshToken"], "rt-1")
        self.assertGreater(record["updatedAt"], EARLY)
        # Whoever still holds the old token ends it for both.
        self.push(account(updated=LATE))
        self.sim.control("POST", "clock", {"advance": "6s"})
        self.assertEqual(self.act("refresh"), "refresh refused: reused")
        family = self.sim.control("GET", "oauth")["families"][0]
        self.assertEqual((family["revoked"], family["revokedBy"]), (True, "reuse"))
        record = self.ask(
            "GET", "/sync/m1", **{"x-isolate": "other"}).json()["data"]["providers"]["p1"]
        self.assertEqual((record["status"], record["errorCode"]), ("error", 401))

    def test_a_refresh_is_told_home_by_provider_only(self):
        told = []

        def answer(connection, count, body):
            told.append(json.loads(body))
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

        home = Upstream(answer)
        self.addCleanup(home.close)
        self.session()
        self.sim.scenario({
            "oauth": {"servers": [{"shape": "oidc"}], "sessions": [
                {"server": "oidc", "subject": "u1", "refresh-token": "rt-1"}]},
            "sync": {"callback": {"url": f"http://127.0.0.1:{home.port}", "key": "sk-home"}}})
        self.push(account(1, refreshToken="none"), account(2))
        self.assertEqual(self.act("refresh", "p2"), "refreshed")
        eventually(lambda: self.deeds("callback"), "the callback's outcome")
        self.assertEqual(self.deeds("callback")[0]["outcome"], "answered 200")
        self.assertEqual(sorted(told[0]), ["credentials", "provider"])
        self.assertEqual(told[0]["provider"], "oidc")
        self.assertEqual(told[0]["credentials"]["expiresIn"], 3600)

    def test_a_home_that_is_not_there_is_said(self):
        self.sim.scenario({
            "oauth": {"sessions": [{"server": "claude", "subject": "u1", "refresh-token": "rt-1"}]},
            "sync": {"callback": {"url": "http://127.0.0.1:1", "key": "k"},
                     "oauth": [{"provider": "oidc", "server": "claude"}]}})
        self.push(account())
        self.assertEqual(self.act("refresh"), "refreshed")
        eventually(lambda: self.deeds("callback"), "the callback's outcome")
        self.assertEqual(self.deeds("callback")[0]["outcome"], "not connected")

    def test_a_record_is_set_as_told(self):
        self.push(account())
        self.act("set", fields={"name": "other", "priority": 7, "isActive": False, "tag": "007"})
        record = self.ask(
            "GET", "/sync/m1", **{"x-isolate": "x"}).json()["data"]["providers"]["p1"]
        self.assertEqual(
            (record["name"], record["priority"], record["isActive"], record["tag"]),
            ("other", 7, False, "007"))
        self.assertEqual(self.act("clear", "p9"), "no such account")


class ReaderTests(SyncCase):
    def test_what_is_wrong_is_named(self):
        for path, document, part in (
                ("scenario", {"sync": {"colour": 1}}, "colour"),
                ("scenario", {"sync": {"rules": {"restamp": "perhaps"}}}, "sync.rules.restamp"),
                ("scenario", {"sync": {"callback": {"url": "http://example.test", "key": "k"}}},
                 "sync.callback.url"),
                ("scenario", {"sync": {"callback": {"url": "http://127.0.0.1:9"}}}, "key"),
                ("sync/rules", {"skew": "much"}, "skew"),
                ("sync/act", {"do": "dance"}, "do"),
                ("sync/act", {"do": "refresh", "machine": "m1"}, "account"),
                ("sync/act", {"do": "set", "machine": "m1", "account": "p1"}, "fields"),
                ("sync/next", {"behaviour": {"speed": 1}}, "speed")):
            answer = self.ask("POST", "/_control/" + path, document)
            self.assertEqual(answer.status, 400, document)
            self.assertIn(part, answer.json()["error"])
        self.assertEqual(self.ask("POST", "/_control/none", {}).status, 404)


if __name__ == "__main__":
    unittest.main()
