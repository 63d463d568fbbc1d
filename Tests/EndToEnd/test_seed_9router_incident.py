"""9router's incident playbook: each call that it names, and what it does here."""

from seeds import Seed, left_out, whole
from story import later, seconds_until
from support import ADMIN_PASSWORD, exchange

STEPS = {
    "usage logs": "GET /api/usage/logs",
    "request logs": "GET /api/usage/request-logs",
    "keys": "GET /api/keys",
    "models of a key": 'curl "$BASE_URL/v1/models" -H "Authorization: Bearer $API_KEY"',
    "accounts": "GET /api/providers",
    "switch an account on": 'PUT /api/providers/[id] {"isActive": true}',
    "test an account": "POST /api/providers/[id]/test",
    "route an alias elsewhere": 'PUT /api/models/alias {"alias": "prod", "model": "<healthy-model>"}',
    "order a combo": 'PUT /api/combos/{name} {"models": ["<healthy-model>", "<other-model>"]}',
    "fallback model list": "GET /api/v1/models",
    "settings": "GET /api/settings",
    "adjust the strategy": 'PATCH /api/settings {"fallbackStrategy": "round-robin", "stickyRoundRobinLimit": 1}',
    "clear a stale error":
        'PUT /api/providers/[id] {"testStatus": "active", "lastError": null, "rateLimitedUntil": null}',
    "log in": 'POST /api/auth/login {"password": "<PASSWORD>"}',
    "reset the password":
        'PATCH /api/settings {"currentPassword": "<PASSWORD>", "newPassword": "<NEW-PASSWORD>"}',
    "aliases": "GET /api/models/alias",
    "combos": "GET /api/combos",
    "usage history": "GET /api/usage/history",
    "pricing": "GET /api/pricing",
    "sync": 'POST /api/sync/cloud {"action": "sync"}',
    "switch sync off": 'POST /api/sync/cloud {"action": "disable"}',
    "switch sync on": 'POST /api/sync/cloud {"action": "enable"}',
    "sign in": "GET /api/oauth/{provider}/authorize?redirect_uri=http://localhost:1455/callback",
    "sign in again": "GET /api/oauth/{provider}/authorize?account={id}&redirect_uri=http://localhost:1455/callback",
    "bring what the browser brought": 'POST /api/oauth/{provider}/exchange {"code": "<code>", "state": "<state>"}',
}

LeftOut = left_out(globals(), {
    "triage: provider status in the dashboard": "needs a browser page of the old system",
    "scenario 4: JWT_SECRET, and a clean browser profile": "needs a browser, and a start with another environment",
    "scenario 7: usage.json and log.txt": "there are no such files; the log is looked at with `replay verify`",
})
TableTests = whole(globals())


class IncidentTests(Seed):
    steps = STEPS

    def test_scenario_5_what_is_edited_here_and_there_is_settled_and_nothing_reverts(self):
        pool = self.pool(1)
        self.must("PATCH", "/api/settings", {
            "cloudUrl": f"http://127.0.0.1:{self.upstream.port}", "cloudToken": "a-token-of-the-old-peer",
            "cloudProtocol": "9router", "machineId": "m5"})
        self.upstream.control("POST", "sync/rules", {"cache": "0s"})
        self.assertIs(self.step("settings").json()["cloudEnabled"], False)
        self.assertIs(self.step("switch sync on").json()["success"], True)
        self.assertIs(self.step("settings").json()["cloudEnabled"], True)
        # The old cloud stamps everything anew and edits one field; another one is edited here.
        self.upstream.control("POST", "sync/act", {
            "do": "set", "machine": "m5", "account": pool.ids[0], "fields": {"priority": 7}})
        self.must("PUT", f"/api/providers/{pool.ids[0]}", {"isActive": False})
        synced = self.step("sync").json()
        self.assertEqual(synced["changes"]["fromWorker"], [f"account/{pool.ids[0]}"])
        row = self.connection(pool.ids[0])
        self.assertEqual((row["priority"], row["isActive"]), (7, False))
        updated = row["updatedAt"]
        self.assertEqual(self.step("sync").json()["changes"]["fromWorker"], [], "there is nothing left to settle")
        self.assertEqual(self.connection(pool.ids[0])["updatedAt"], updated, "and nothing was written")
        self.step("switch sync off")
        self.assertIs(self.step("settings").json()["cloudEnabled"], False)
        self.upstream.control("POST", "sync/act", {
            "do": "set", "machine": "m5", "account": pool.ids[0], "fields": {"priority": 9}})
        self.assertEqual(self.connection(pool.ids[0])["priority"], 7, "local state is stable while it is off")
        self.step("switch sync on")
        self.step("switch sync off")

    def connection(self, identity):
        (row,) = [row for row in self.step("accounts").json()["connections"] if row["id"] == identity]
        return row

    def test_scenario_1_all_requests_fail_because_every_account_is_switched_off(self):
        pool = self.pool(2)
        for identity in pool.ids:
            self.must("PUT", f"/api/providers/{identity}", {"isActive": False})
        self.assertEqual(self.ask(pool.model, 3), [503] * 3)
        self.assertEqual(self.calls(pool), {}, "zero calls to accounts that are switched off")
        self.assertIn("default", [row["name"] for row in self.step("keys").json()["keys"]])
        row = self.connection(pool.ids[0])
        self.assertEqual((row["isActive"], row["rateLimitedUntil"]), (False, None))
        self.assertIn("testStatus", row)
        for logs in (self.step("usage logs").json()["logs"], self.step("request logs").json()["logs"]):
            self.assertEqual(
                [(row["model"], row["status"], row["errorCode"]) for row in logs[:3]],
                [(pool.model, 503, "no_account_available")] * 3)
        self.step("models of a key", admin=False)
        self.step("switch an account on", id=pool.ids[1])
        tested = self.step("test an account", id=pool.ids[1]).json()
        self.assertEqual((tested["valid"], tested["status"]), (True, 200))
        self.forget_calls()
        self.good(pool.model, 5)
        self.assertEqual(self.calls(pool), {pool.accounts[1]: 5})

    def test_scenario_1_traffic_is_routed_to_what_is_healthy(self):
        broken, healthy = self.pool(1), self.pool(1)
        self.must("PUT", "/api/models/alias", {"alias": "prod", "model": broken.model})
        self.must("POST", "/api/combos", {"name": "both", "models": [broken.model, healthy.model]}, 201)
        self.good("prod")
        self.assertEqual(self.calls(), {broken.accounts[0]: 1})
        changed = self.step("route an alias elsewhere", healthy_model=healthy.model).json()
        self.assertEqual(changed["model"], healthy.model)
        self.step("order a combo", name="both", healthy_model=healthy.model, other_model=broken.model)
        self.forget_calls()
        self.good("prod")
        self.good("both", 2)
        self.assertEqual(self.calls(), {healthy.accounts[0]: 3}, "from the next request on")
        names = [row["id"] for row in self.step("fallback model list", admin=False).json()["data"]]
        self.assertLessEqual({healthy.model, "prod", "both"}, set(names))

    def test_scenario_2_a_cooled_account_shows_until_when_and_a_test_after_recovery_clears_it(self):
        pool = self.pool(1)
        name, identity = pool.accounts[0], pool.ids[0]
        limited = {"status": 429, "retry-after": 900}
        self.play(accounts={name: {"behaviour": limited}})
        self.assertEqual(self.ask(pool.model), [429])
        self.cooled(identity)
        row = self.connection(identity)
        self.assertEqual((row["testStatus"], row["errorCode"]), ("unavailable", 429))
        self.assertIsNotNone(row["lastError"])
        self.assertTrue(800 < seconds_until(row["rateLimitedUntil"]) <= 900, row["rateLimitedUntil"])
        self.forget_calls()
        self.assertEqual(self.ask(pool.model, 5), [429] * 5)
        self.assertEqual(self.calls(pool), {}, "it is left alone while it cools")
        failed = self.step("test an account", id=identity).json()
        self.assertEqual((failed["valid"], failed["cooldownEnded"]), (False, False))
        self.assertIsNotNone(self.connection(identity)["rateLimitedUntil"], "a failed test clears nothing")
        # Upstream has recovered.
        self.play()
        passed = self.step("test an account", id=identity).json()
        self.assertEqual((passed["valid"], passed["cooldownEnded"]), (True, True))
        row = self.connection(identity)
        self.assertEqual(
            (row["testStatus"], row["rateLimitedUntil"], row["lastError"]), ("active", None, None))
        self.forget_calls()
        self.good(pool.model, 3)
        self.assertEqual(self.calls(pool), {name: 3})

    def test_scenario_2_a_stale_error_is_cleared_by_an_update_of_the_account(self):
        pool = self.pool(2)
        self.must("PUT", f"/api/providers/{pool.ids[0]}", {
            "rateLimitedUntil": later(3600), "errorCode": 429, "testStatus": "unavailable"})
        self.good(pool.model, 2)
        self.assertEqual(self.calls(pool), {pool.accounts[1]: 2})
        cleared = self.step("clear a stale error", id=pool.ids[0]).json()["connection"]
        self.assertEqual(
            (cleared["testStatus"], cleared["rateLimitedUntil"], cleared["lastError"]), ("active", None, None))
        self.forget_calls()
        self.good(pool.model, 2)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 2})

    def test_scenario_2_and_checklist_the_strategy_is_adjusted_for_the_next_request(self):
        pool = self.pool(2)
        settings = self.step("settings").json()
        self.assertEqual((settings["fallbackStrategy"], settings["stickyRoundRobinLimit"]), ("fill-first", 3))
        try:
            self.step("adjust the strategy")
            self.good(pool.model, 10)
            self.assertEqual(self.calls(pool), {name: 5 for name in pool.accounts})
        finally:
            self.must("PATCH", "/api/settings", {"fallbackStrategy": "fill-first", "stickyRoundRobinLimit": 3})
        self.forget_calls()
        self.good(pool.model, 4)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 4})

    def test_scenario_3_a_refused_credential_shows_in_the_test_and_a_new_one_serves(self):
        pool = self.pool(1)
        self.play(accounts={pool.accounts[0]: {"behaviour": {"status": 401}}})
        tested = self.step("test an account", id=pool.ids[0]).json()
        self.assertEqual((tested["valid"], tested["status"], tested["refreshed"]), (False, 401, False))
        self.assertEqual(self.connection(pool.ids[0])["testStatus"], "unavailable" if self.cooling(pool.ids[0]) else "error")
        self.play()
        self.must("PUT", f"/api/providers/{pool.ids[0]}", {"apiKey": "sk-upstream-300"})
        self.assertTrue(self.step("test an account", id=pool.ids[0]).json()["valid"])
        self.assertEqual(self.connection(pool.ids[0])["testStatus"], "active")
        self.forget_calls()
        self.good(pool.model)
        self.assertEqual(self.calls(), {"a300": 1}, "with the new credential")

    def sign_in(self, provider, account=""):
        begun = (self.step("sign in again", provider=provider, id=account) if account else self.step("sign in", provider=provider)).json()
        return self.step("bring what the browser brought", provider=provider, **self.visit(begun)).json()["connection"]

    def test_scenario_3_a_token_that_ended_is_refreshed_by_a_test_and_the_new_one_is_kept(self):
        provider = self.signed_in()
        identity = self.sign_in(provider)["id"]
        before = self.connection(identity)
        self.assertTrue(before["expiresAt"] and before["credential"]["canRefresh"], before)
        self.upstream.control("POST", "oauth/expire", {"server": "oidc", "subject": "u1"})
        tested = self.step("test an account", id=identity).json()
        self.assertEqual((tested["valid"], tested["status"], tested["refreshed"]), (True, 200, True))
        after = self.connection(identity)
        self.assertNotEqual(after["fingerprint"], before["fingerprint"])
        self.assertGreaterEqual(after["expiresAt"], before["expiresAt"])
        self.kill()
        self.assertEqual(self.connection(identity)["fingerprint"], after["fingerprint"], "it was kept")
        tested = self.step("test an account", id=identity).json()
        self.assertEqual((tested["valid"], tested["refreshed"]), (True, False))
        self.good(f"{provider}/gpt-4o-mini", 3)

    def test_scenario_3_a_refused_refresh_token_ends_with_a_sign_in_of_the_same_account(self):
        provider = self.signed_in()
        identity = self.sign_in(provider)["id"]
        self.upstream.control("POST", "oauth/revoke", {"server": "oidc", "subject": "u1"})
        tested = self.step("test an account", id=identity).json()
        self.assertEqual((tested["valid"], tested["refreshed"]), (False, False))
        row = self.connection(identity)
        self.assertEqual((row["credential"]["standing"], row["isActive"]), ("reauth_required", True))
        self.assertEqual(self.sign_in(provider, identity)["id"], identity)
        tested = self.step("test an account", id=identity).json()
        self.assertEqual((tested["valid"], tested["status"]), (True, 200))
        row = self.connection(identity)
        self.assertEqual((row["credential"]["standing"], row["testStatus"]), ("usable", "active"))
        self.good(f"{provider}/gpt-4o-mini", 3)

    def test_scenario_4_the_password_is_reset_and_old_sessions_end(self):
        session = self.box.sign_in()
        new = "another-hedgehog-at-the-lamp"
        self.step("reset the password", PASSWORD=ADMIN_PASSWORD, NEW_PASSWORD=new)
        self.step("log in", status=401, admin=False, PASSWORD=ADMIN_PASSWORD)
        token = self.step("log in", admin=False, PASSWORD=new).json()["token"]
        fresh = {"authorization": f"Bearer {token}"}
        self.assertEqual(exchange(self.box.port, "GET", "/api/settings", None, session).status, 401)
        self.assertEqual(exchange(self.box.port, "GET", "/api/settings", None, fresh).status, 200)
        # As it was, for the other cases.
        self.box.session = fresh
        self.step("reset the password", PASSWORD=new, NEW_PASSWORD=ADMIN_PASSWORD)
        self.box.session = None

    def test_scenario_6_what_a_name_means_is_what_is_asked(self):
        first, second = self.pool(1), self.pool(1)
        self.must("PUT", "/api/models/alias", {"alias": "route-me", "model": first.model})
        self.must("POST", "/api/combos", {"name": "fall-back", "models": [first.model, second.model]}, 201)
        self.assertEqual(self.step("aliases").json()["aliases"]["route-me"], first.model)
        (combo,) = [row for row in self.step("combos").json()["combos"] if row["name"] == "fall-back"]
        self.assertEqual(combo["models"], [first.model, second.model])
        self.assertIn("route-me", [row["id"] for row in self.step("fallback model list", admin=False).json()["data"]])
        self.good("route-me")
        self.assertEqual(self.calls(), {first.accounts[0]: 1})
        self.play(accounts={first.accounts[0]: {"behaviour": {"status": 503}}})
        self.good("fall-back")
        self.assertEqual(self.calls(), {first.accounts[0]: 1, second.accounts[0]: 1})
        refused = self.refused(
            "PUT", "/api/models/alias", {"alias": "route-me", "model": f"{first.provider}/retired"}, 400,
            "unknown_target")
        self.assertIn("remedy", refused)

    def test_scenario_7_one_request_is_one_entry_with_its_cost(self):
        pool = self.pool(1)
        self.must("PATCH", "/api/pricing", {pool.provider: {"gpt-4o-mini": {"input": 10, "output": 20}}})
        self.assertEqual(
            self.step("pricing").json()[pool.provider]["gpt-4o-mini"]["output"], 20)
        self.play({"prompt-tokens": 100, "completion-tokens": 50})
        before, logs = self.step("usage history").json(), self.step("usage logs").json()["logs"]
        answer = self.chat(pool.model)
        self.assertEqual(answer.status, 200)
        after, now = self.step("usage history").json(), self.step("usage logs").json()["logs"]
        self.assertEqual(after["totalRequests"], before["totalRequests"] + 1)
        self.assertEqual(after["totalPromptTokens"], before["totalPromptTokens"] + 100)
        self.assertAlmostEqual(after["totalCost"] - before["totalCost"], 0.002, places=9)
        self.assertEqual(now[0]["requestId"], answer.header("x-signalbox-request-id") or answer.header("x-request-id"))
        self.assertEqual(now[1:3], logs[:2])
