"""A system of the older protocol: what it tells is compared field by field, and none of its old damage comes about here.

The simulator plays the worker as careless as it was: whole records, the newer time wins, everything is stamped anew.
"""

import json
import unittest

from support import Spine, exchange, message, scenario

KEY = "a-token-of-the-old-peer"


class OldPeerCase(Spine):
    """A gateway that exchanges with the simulator's worker, which keeps its blob without a cache."""

    def setUp(self):
        super().setUp()
        self.rules(cache="0s")
        self.settings(
            cloudUrl=f"http://127.0.0.1:{self.upstream.port}", cloudToken=KEY, cloudProtocol="9router", machineId="m1")
        done = self.act("enable")
        self.assertEqual(done.status, 200, done.body)
        self.account = self.accounts()[0]["id"]

    def settings(self, **fields):
        answer = self.box.admin("PATCH", "/api/settings", fields)
        self.assertEqual(answer.status, 200, answer.body)

    def act(self, action):
        return self.box.admin("POST", "/api/sync/cloud", {"action": action})

    def sync(self):
        done = self.act("sync")
        self.assertEqual(done.status, 200, done.body)
        return done.json()

    def accounts(self):
        return self.box.admin("GET", "/api/providers").json()["connections"]

    def mine(self):
        return next(it for it in self.accounts() if it["id"] == self.account)

    def there(self):
        blob = exchange(self.upstream.port, "GET", "/sync/m1", None, {"authorization": f"Bearer {KEY}"})
        return blob.json()["data"] if blob.status == 200 else None

    def told(self):
        return self.there()["providers"][self.account]

    def peer_sets(self, **fields):
        self.upstream.control("POST", "sync/act", {
            "do": "set", "machine": "m1", "account": self.account, "fields": fields})

    def rules(self, **rules):
        self.upstream.control("POST", "sync/rules", {name.replace("_", "-"): on for name, on in rules.items()})

    def events(self, kind):
        page = self.box.admin("GET", "/api/events?limit=1000").json()
        return [event for event in page["events"] if event["kind"] == kind]

    def change(self, **fields):
        answer = self.box.admin("PUT", f"/api/providers/{self.account}", fields)
        self.assertEqual(answer.status, 200, answer.body)

    def writes(self, **data):
        """The worker's blob becomes another one; an isolate of its own writes it."""
        blob = {**self.there(), **data}
        blob["providers"] = list(blob["providers"].values())
        answer = exchange(
            self.upstream.port, "POST", "/sync/m1", self.encoded(blob), {"authorization": f"Bearer {KEY}"})
        self.assertEqual(answer.status, 200)

    def decisions(self):
        return [one for event in self.events("sync.mirrored.v1") for one in event["fields"]["decisions"]]

    def drift(self):
        return [row for peer in self.box.admin("GET", "/api/sync/cloud").json()["peers"] for row in peer["drift"]]

    def candidates(self):
        return [
            (event["kind"].split(".")[1], event["fields"].get("code"), event["fields"].get("isFinal"))
            for event in self.box.admin("GET", "/api/events?limit=1000").json()["events"][::-1]
            if event["kind"].startswith("sync.candidate_")]

    def generation(self):
        return self.mine()["credential"]["generation"]

    @staticmethod
    def encoded(document):
        return json.dumps(document).encode()


class OldPeerTests(OldPeerCase):
    def test_what_is_here_is_told_without_any_secret(self):
        told = self.told()
        self.assertEqual((told["name"], told["isActive"]), (self.mine()["name"], True))
        for field in ("apiKey", "accessToken", "refreshToken"):
            self.assertNotIn(field, told)
        self.assertEqual(self.there()["apiKeys"], [])
        self.assertEqual(self.sync()["changes"], {"updated": [], "fromWorker": []}, "nothing is new")

    def test_an_edit_there_is_taken_and_one_here_is_told_whatever_the_times_say(self):
        for skew in ("0s", "10m", "-10m"):
            with self.subTest(skew=skew):
                self.rules(skew=skew)
                self.peer_sets(priority=7)
                self.change(isActive=False)
                self.sync()
                mine, told = self.mine(), self.told()
                self.assertEqual((mine["priority"], mine["isActive"]), (7, False))
                self.assertEqual((told["priority"], told["isActive"]), (7, False))
                self.change(priority=2, isActive=True)
                self.sync()
                self.assertEqual((self.told()["priority"], self.told()["isActive"]), (2, True))
                self.assertEqual((self.mine()["priority"], self.mine()["isActive"]), (2, True))

    def test_both_edited_one_field_so_ours_holds_and_that_is_on_record(self):
        self.peer_sets(priority=7)
        self.change(priority=4)
        done = self.sync()
        self.assertEqual((self.mine()["priority"], self.told()["priority"], done["conflicts"]), (4, 4, 1))
        self.assertEqual(self.sync()["conflicts"], 0, "told once")

    def test_how_credentials_go_there_is_said(self):
        said = lambda: self.box.admin("GET", "/api/sync/cloud").json()["credentials"]
        self.assertEqual(said(), "none")
        self.settings(syncSecrets=True)
        self.assertEqual(said(), "bare")
        self.settings(cloudProtocol="signalbox", syncSecrets=False)
        self.assertEqual(said(), "sealed")

    def test_its_idea_of_health_is_its_own(self):
        before = self.mine()
        self.peer_sets(
            testStatus="error", status="banned", lastError="x", errorCode=403,
            rateLimitedUntil="2099-01-01T00:00:00.000Z")
        self.sync()
        after = self.mine()
        for field in ("testStatus", "lastError", "isActive", "revision"):
            self.assertEqual(after.get(field), before.get(field), field)

    def test_what_it_forgot_was_not_removed(self):
        self.assertEqual(self.box.admin(
            "PUT", "/api/models/alias", {"alias": "quick", "model": "mock/gpt-4o-mini"}).status, 200)
        self.sync()
        self.assertIn("quick", self.there()["modelAliases"])
        before = self.accounts()
        exchange(self.upstream.port, "DELETE", "/sync/m1", None, {"authorization": f"Bearer {KEY}"})
        self.sync()
        self.assertEqual([it["id"] for it in self.accounts()], [it["id"] for it in before])
        self.assertIn("quick", self.there()["modelAliases"], "told again")
        self.assertIn(self.account, self.there()["providers"])
        self.assertIn("sync_shrunken", str(self.events("sync.failed.v2")))

    def test_what_only_the_worker_can_use_is_left_to_it_and_on_record(self):
        aliases = {"opus": "kiro/claude-opus", "odd": {"target": "sk-in-an-odd-place"}, "many": 7, "big": "m" * 2_000_000}
        combos = [
            {"id": "c1", "name": "best", "models": ["kiro/claude-opus"], "strategy": "rr"}, {"id": "c2", "name": "bare"},
            {"id": "c3"}]
        self.writes(modelAliases=aliases, combos=combos, apiKeys=[{"id": "k", "key": "sk-of-a-client"}])
        self.sync()
        self.assertEqual(self.box.admin(
            "PUT", "/api/models/alias", {"alias": "quick", "model": "mock/gpt-4o-mini"}).status, 200)
        self.sync()
        there = self.there()
        ours = {"fast": "mock/gpt-4o-mini", "quick": "mock/gpt-4o-mini"}
        self.assertTrue(there["modelAliases"] == {**aliases, **ours}, list(there["modelAliases"]))
        self.assertEqual(there["combos"], combos)
        self.assertEqual(there["apiKeys"], [{"id": "k", "key": "sk-of-a-client"}])
        refused = {one["stream"] for one in self.decisions() if one["rule"] == "refused"}
        wanted = {"alias/opus", "alias/odd", "alias/many", "alias/big", "combo/best", "combo/bare"}
        self.assertEqual(refused, wanted)
        self.assertEqual({row["stream"] for row in self.drift() if row["rule"] == "refused"}, wanted)
        self.assertNotIn("sk-in-an-odd-place", json.dumps(self.decisions()))
        self.assertNotIn("mmmm", json.dumps(self.decisions()))
        self.assertEqual(self.sync()["decisions"], 0, "told once")
        # What can be here from now on is taken then.
        added = self.box.admin("POST", "/api/provider-nodes", {
            "id": "kiro", "baseUrl": f"http://127.0.0.1:{self.upstream.port}/v1", "models": [{"name": "claude-opus"}]})
        self.assertEqual(added.status, 201, added.body)
        self.sync()
        self.assertEqual(self.box.admin("GET", "/api/models/alias").json()["aliases"]["opus"], "kiro/claude-opus")
        self.assertEqual({row["stream"] for row in self.drift()}, wanted - {"alias/opus", "combo/best"})

    def test_an_edit_beside_a_record_that_was_forgotten_is_taken(self):
        self.assertEqual(self.box.admin(
            "PUT", "/api/models/alias", {"alias": "quick", "model": "mock/gpt-4o-mini"}).status, 200)
        self.sync()
        there = self.there()
        there["providers"][self.account]["priority"] = 7
        # The simulator's worker puts lists together; it forgets only what was removed there by itself.
        exchange(self.upstream.port, "DELETE", "/sync/m1", None, {"authorization": f"Bearer {KEY}"})
        blob = {**there, "providers": list(there["providers"].values()), "modelAliases": {}}
        exchange(self.upstream.port, "POST", "/sync/m1", self.encoded(blob), {"authorization": f"Bearer {KEY}"})
        self.sync()
        self.assertIn("sync_shrunken", str(self.events("sync.failed.v2")))
        self.assertEqual((self.mine()["priority"], self.told()["priority"]), (7, 7))
        self.assertIn("quick", self.there()["modelAliases"], "told again")
        self.assertIn(
            ("priority", "successor", "theirs"),
            [(one["field"], one["rule"], one["winner"]) for one in self.decisions()])

    def test_more_than_can_be_taken_in_is_said_to_be_too_large(self):
        self.writes(modelAliases={f"x{number}": "mock/gpt-4o" for number in range(6000)})
        self.assertIn("sync_too_large", self.act("sync").body.decode())

    def test_what_was_removed_here_does_not_come_back(self):
        alias = {"alias": "quick", "model": "mock/gpt-4o-mini"}
        self.assertEqual(self.box.admin("PUT", "/api/models/alias", alias).status, 200)
        self.sync()
        stale = self.there()
        self.assertEqual(self.box.admin("DELETE", "/api/models/alias?alias=quick").status, 200)
        self.sync()
        self.assertNotIn("quick", self.there()["modelAliases"])
        # An isolate writes the blob that it read before.
        stale["providers"] = list(stale["providers"].values())
        answer = exchange(
            self.upstream.port, "POST", "/sync/m1", self.encoded(stale), {"authorization": f"Bearer {KEY}"})
        self.assertEqual(answer.status, 200)
        self.sync()
        self.assertNotIn("quick", self.there()["modelAliases"])
        self.assertNotIn("quick", str(self.box.admin("GET", "/api/models/alias").json()))

    def test_an_older_token_is_refused_and_named(self):
        self.settings(syncSecrets=True)
        self.sync()
        old = self.told()["apiKey"]
        issued = self.box.admin(
            "PUT", f"/api/providers/{self.account}/credential", {"accessToken": "sk-second-of-this-account"})
        self.assertEqual(issued.status, 200, issued.body)
        self.rules(skew="10m")
        self.peer_sets(accessToken=old)
        self.sync()
        refused = self.events("credential.stale_write_refused.v1")
        self.assertEqual(len(refused), 1, refused)
        self.assertIn("older", str(refused[0]))
        self.assertEqual(self.told()["accessToken"], "sk-second-of-this-account", "set right there too")
        self.sync()
        self.assertEqual(len(self.events("credential.stale_write_refused.v1")), 1, "told once")

    def test_a_token_that_nobody_here_knows_and_that_is_refused_is_not_taken(self):
        self.settings(syncSecrets=True)
        self.sync()
        before = self.mine()
        self.peer_sets(apiKey="sk-of-somebody-else")
        done = self.sync()
        self.assertEqual((done["conflicts"], self.sync()["conflicts"]), (1, 0), "told once")
        self.assertEqual([it[0] for it in self.candidates()], ["candidate_kept", "candidate_refused"])
        self.assertEqual(self.candidates()[1][2], True)
        self.assertEqual(self.mine().get("credential"), before.get("credential"))
        self.assertEqual(self.told()["apiKey"], "sk-of-somebody-else", "nor is ours forced on it")
        self.assertEqual([row["rule"] for row in self.drift()], ["candidate"])
        # The next one that is issued here is newer than that.
        issued = self.box.admin(
            "PUT", f"/api/providers/{self.account}/credential", {"accessToken": "sk-second-of-this-account"})
        self.assertEqual(issued.status, 200, issued.body)
        self.sync()
        self.assertEqual(self.told()["accessToken"], "sk-second-of-this-account")
        self.assertEqual(self.drift(), [])
        self.assertNotIn("sk-of-somebody-else", self.box.text() + json.dumps(
            self.box.admin("GET", "/api/events?limit=1000").json()))

    def test_a_token_that_nobody_here_knows_and_that_works_is_the_next_generation(self):
        self.settings(syncSecrets=True)
        self.sync()
        before = self.generation()
        self.peer_sets(apiKey="sk-upstream-5")
        done = self.sync()
        self.assertEqual(done["changes"]["fromWorker"], [f"credential/{self.account}"])
        self.assertEqual(self.generation(), before + 1)
        self.assertEqual(self.told()["apiKey"], "sk-upstream-5")
        issued = self.events("credential.issued.v1")[0]
        self.assertEqual(issued["provenance"]["actor"], "peer:9router", issued)
        self.assertEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.upstream.control("GET", "requests?last=1")["requests"][0]["account"], "a5")
        self.assertEqual((self.sync()["changes"]["fromWorker"], self.drift()), ([], []))
        # The one before it is an older one from now on.
        self.peer_sets(apiKey="sk-upstream-1")
        self.sync()
        self.assertIn("older", str(self.events("credential.stale_write_refused.v1")))
        self.assertEqual(self.told()["apiKey"], "sk-upstream-5")

    def provider_at(self, address):
        changed = self.box.admin("PUT", "/api/provider-nodes/mock", {"baseUrl": address})
        self.assertEqual(changed.status, 200, changed.body)

    def test_a_token_of_which_nobody_can_tell_is_asked_about_again_after_a_crash(self):
        self.settings(syncSecrets=True)
        self.sync()
        before = self.generation()
        self.provider_at("http://127.0.0.1:9")
        self.peer_sets(apiKey="sk-upstream-5")
        self.sync()
        self.sync()
        self.assertEqual([it[2] for it in self.candidates()], [None, False], "said once")
        self.assertEqual((self.generation(), self.told()["apiKey"]), (before, "sk-upstream-5"))
        self.box.kill()
        self.restart(self.box)
        self.provider_at(self.upstream.base_url)
        self.sync()
        self.assertEqual((self.generation(), self.told()["apiKey"]), (before + 1, "sk-upstream-5"))
        self.assertEqual(self.drift(), [])

    def test_it_cannot_write_into_an_account_by_the_name_of_a_provider(self):
        answer = exchange(
            self.box.port, "PUT", "/api/cloud/credentials/update",
            self.encoded({"provider": "mock", "credentials": {"accessToken": "at-b", "refreshToken": "rt-b"}}),
            {"authorization": f"Bearer {KEY}", "content-type": "application/json"})
        self.assertEqual(answer.status, 404)

    def test_an_answer_that_is_none_changes_nothing(self):
        for behaviour in ({"status": 502}, {"fault": "html"}, {"status": 401}):
            with self.subTest(behaviour=behaviour):
                self.upstream.control("POST", "sync/next", {"endpoint": "read", "behaviour": behaviour})
                before = self.accounts()
                self.assertEqual(self.act("sync").status, 502)
                self.assertEqual(self.accounts(), before)
        self.assertEqual(self.sync()["success"], True)

    def test_disabling_takes_the_copy_away(self):
        done = self.act("disable")
        self.assertEqual((done.status, done.json()["copyRemoved"]), (200, True))
        self.assertIsNone(self.there())



class WorkerRefreshTests(OldPeerCase):
    """Both have one refresh token, as after a move from the older system, and each token is good for one refresh."""

    def setUp(self):
        super().setUp()
        self.upstream.scenario({
            **scenario(), "sync": {"oauth": [{"provider": "mock", "server": "oidc"}]},
            "oauth": {"servers": [{"shape": "oidc"}], "sessions": [
                {"server": "oidc", "subject": "a1", "client": "client", "access-token": "at-1", "refresh-token": "rt-1"}]}})
        changed = self.box.admin("PUT", "/api/provider-nodes/mock", {"oauth": {
            "tokenUrl": f"http://127.0.0.1:{self.upstream.port}/oauth/oidc/token", "clientId": "client"}})
        self.assertEqual(changed.status, 200, changed.body)
        issued = self.box.admin("PUT", f"/api/providers/{self.account}/credential", {
            "accessToken": "at-1", "refreshToken": "rt-1"})
        self.assertEqual(issued.status, 200, issued.body)
        self.settings(syncSecrets=True)

    def refresh(self):
        return self.box.admin("POST", f"/api/providers/{self.account}/credential/refresh")

    def test_what_the_worker_refreshed_is_taken_whole_and_only_one_refreshes_from_then_on(self):
        self.rules(cache="0s")
        self.sync()
        before = self.generation()
        self.assertEqual(self.told()["accessToken"], "at-1")
        # The worker still has the refresh token that it had before, and uses it.
        self.peer_sets(refreshToken="rt-1")
        done = self.upstream.control("POST", "sync/act", {"do": "refresh", "machine": "m1", "account": self.account})
        self.assertEqual(done["outcome"], "refreshed", done)
        newer = self.told()["accessToken"]
        self.assertNotEqual(newer, "at-1")
        self.sync()
        self.assertEqual(self.generation(), before + 1)
        self.assertTrue(self.mine()["credential"]["canRefresh"])
        self.assertEqual((self.told()["accessToken"], self.told()["refreshToken"]), (newer, None))
        self.assertEqual(self.box.chat(message()).status, 200)
        # The refresh token that came with it is the family's newest: ours was used up there.
        refreshed = self.refresh()
        self.assertEqual(refreshed.status, 200, refreshed.body)
        self.assertEqual(self.generation(), before + 2)
        self.sync()
        self.assertNotEqual(self.told()["accessToken"], newer)
        self.assertNotIn("rt-", json.dumps(self.there()))
        self.assertEqual(self.box.chat(message()).status, 200)

    def test_what_stands_beside_a_refresh_token_of_before_is_not_taken(self):
        self.rules(cache="0s")
        self.sync()
        refreshed = self.refresh()
        self.assertEqual(refreshed.status, 200, refreshed.body)
        before = self.generation()
        self.peer_sets(accessToken="at-of-nobody", refreshToken="rt-1")
        self.sync()
        self.assertEqual([it[1:] for it in self.candidates()], [("given_up", True)])
        self.assertEqual(self.generation(), before)
        self.assertNotIn("at-of-nobody", json.dumps(self.there()), "set right there")
        self.assertEqual(self.box.chat(message()).status, 200)


if __name__ == "__main__":
    unittest.main()
