"""9router's smoke checklist, before and after a deployment, command by command."""

from seeds import Seed, left_out, whole
from support import ADMIN_PASSWORD, CLIENT_KEY

JSON = '-H "Content-Type: application/json"'

STEPS = {
    "get models": 'curl -sS "$BASE_URL/api/v1/models"',
    "login check": f"""\
curl -i -sS -X POST "$BASE_URL/api/auth/login" \\
  {JSON} \\
  -d '{{"password":"<PASSWORD>"}}'""",
    "provider list": 'curl -sS "$BASE_URL/api/providers"',
    "models with the key": 'curl -sS "$BASE_URL/api/v1/models" -H "Authorization: Bearer $API_KEY"',
    "minimal chat": """\
curl -sS -X POST "$BASE_URL/v1/chat/completions" \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer $API_KEY" \\
  -d "{\\"model\\":\\"$MODEL\\",\\"messages\\":[{\\"role\\":\\"user\\",\\"content\\":\\"ping\\"}],\\"stream\\":false,\\"max_tokens\\":32}\"""",
    "usage quick read": 'curl -sS "$BASE_URL/api/usage/history"',
    "error budget quick scan": "GET /api/usage/logs",
    "routing strategy confirmation": "GET /api/settings",
    "critical aliases": "GET /api/models/alias",
    "critical combos": "GET /api/combos",
    "cloud sync (conditional)": f"""\
curl -sS -X POST "$BASE_URL/api/sync/cloud" \\
  {JSON} \\
  -d '{{"action":"sync"}}'""",
}

LeftOut = left_out(globals(), {
    "rollback": "a decision of people; what they look at is in the other cases",
})
TableTests = whole(globals())


class SmokeTests(Seed):
    steps = STEPS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        self = cls()
        self.play()
        cls.first, cls.second = self.pool(2), self.pool(1)

    def chat_probe(self, model, **more):
        return self.step("minimal chat", admin=False, smoke_model=model, **more)

    def test_pre_1_reachability_the_list_has_data_without_any_credential(self):
        listed = self.step("get models", admin=False).json()
        self.assertIn(self.first.model, [row["id"] for row in listed["data"]])

    def test_pre_2_login_sets_the_cookie_and_a_wrong_password_does_not(self):
        text = self.step("login check", admin=False, PASSWORD=ADMIN_PASSWORD).text
        self.assertRegex(text, r"^HTTP/1\.1 200")
        self.assertRegex(text, r"(?im)^set-cookie: auth_token=\S+; Path=/;.* HttpOnly; SameSite=Lax")
        wrong = self.step("login check", status=401, admin=False, PASSWORD="not-the-password-of-this-box").text
        self.assertNotRegex(wrong, r"(?i)set-cookie")

    def test_pre_3_inventory_shows_each_account_and_who_is_switched_off(self):
        self.step("provider list", status=401, admin=False)
        rows = self.step("provider list").json()["connections"]
        self.assertLessEqual(
            set(self.first.accounts + self.second.accounts), {row["name"] for row in rows if row["isActive"]})
        self.must("PUT", f"/api/providers/{self.second.ids[0]}", {"isActive": False})
        try:
            rows = self.step("provider list").json()["connections"]
            self.assertEqual([row["name"] for row in rows if not row["isActive"]], self.second.accounts)
            self.forget_calls()
            self.assertEqual(self.ask(self.second.model, 3), [503] * 3)
            self.assertEqual(self.calls(self.second), {}, "zero calls to an account that is switched off")
        finally:
            self.must("PUT", f"/api/providers/{self.second.ids[0]}", {"isActive": True})

    def test_pre_4_a_key_sees_its_models_and_a_wrong_one_is_refused(self):
        listed = self.step("models with the key", admin=False).json()["data"]
        self.assertLessEqual({self.first.model, self.second.model}, {row["id"] for row in listed})
        self.step("models with the key", status=401, admin=False, key="sk-nobodys-key-at-all")

    def test_pre_5_and_6_a_chat_answers_and_usage_grows_by_exactly_one(self):
        before = self.step("usage quick read").json()
        answer = self.chat_probe(self.first.model).json()
        self.assertEqual(answer["choices"][0]["message"]["role"], "assistant")
        after = self.step("usage quick read").json()
        self.assertEqual(after["totalRequests"], before["totalRequests"] + 1)
        self.assertEqual(
            after["totalCompletionTokens"],
            before["totalCompletionTokens"] + answer["usage"]["completion_tokens"])
        self.assertGreater(
            after["recentRequests"][0]["timestamp"],
            before["recentRequests"][0]["timestamp"] if before["recentRequests"] else "")

    def test_pre_7_where_settings_say_that_it_is_synced_a_sync_succeeds(self):
        self.assertIs(self.step("routing strategy confirmation").json()["cloudEnabled"], False)
        self.step("cloud sync (conditional)", status=401, admin=False)
        self.must("PATCH", "/api/settings", {
            "cloudUrl": f"http://127.0.0.1:{self.upstream.port}", "cloudToken": "a-token-of-the-old-peer",
            "cloudProtocol": "9router", "machineId": "smoke"})
        self.must("POST", "/api/sync/cloud", {"action": "enable"})
        try:
            self.assertIs(self.step("routing strategy confirmation").json()["cloudEnabled"], True)
            self.assertIs(self.step("cloud sync (conditional)").json()["success"], True)
        finally:
            self.must("POST", "/api/sync/cloud", {"action": "disable"})
        self.assertIs(self.step("routing strategy confirmation").json()["cloudEnabled"], False)

    def test_post_2_the_logs_show_a_spike_of_failures(self):
        self.upstream.next({"status": 500}, times=1, account=self.second.accounts[0])
        self.chat_probe(self.second.model, status=500)
        self.chat_probe(self.second.model)
        self.chat_probe("nobody/offers-it", status=404)
        rows = self.step("error budget quick scan").json()["logs"][:3]
        self.assertEqual([row["status"] for row in rows], [404, 200, 500])
        text = self.must("GET", "/api/usage/logs?format=text&limit=3")
        self.assertIn("FAILED 404", text[0])

    def test_post_3_a_cooling_account_shows_until_when(self):
        pool = self.pool(1)
        self.upstream.next({"status": 429, "retry-after": 600}, account=pool.accounts[0])
        self.chat_probe(pool.model, status=429)
        self.cooled(pool.ids[0])
        (row,) = [row for row in self.step("provider list").json()["connections"] if row["id"] == pool.ids[0]]
        self.assertEqual(row["testStatus"], "unavailable")
        self.assertIsNotNone(row["rateLimitedUntil"])

    def test_post_4_the_strategy_is_the_one_that_routes(self):
        shown = self.step("routing strategy confirmation").json()
        self.assertEqual((shown["fallbackStrategy"], shown["stickyRoundRobinLimit"]), ("fill-first", 3))
        self.forget_calls()
        for _ in range(4):
            self.chat_probe(self.first.model)
        self.assertEqual(self.calls(self.first), {self.first.accounts[0]: 4})

    def test_post_5_aliases_and_combos_lead_where_they_say(self):
        self.must("PUT", "/api/models/alias", {"alias": "critical", "model": self.first.model})
        self.must("POST", "/api/combos", {
            "name": "critical-combo", "models": [self.second.model, self.first.model]}, 201)
        aliases = self.step("critical aliases").json()
        self.assertEqual((aliases["aliases"], aliases["unresolved"]), ({"critical": self.first.model}, []))
        (combo,) = self.step("critical combos").json()["combos"]
        self.assertEqual(combo["models"], [self.second.model, self.first.model])
        self.forget_calls()
        self.chat_probe("critical")
        self.chat_probe("critical-combo")
        self.assertEqual(self.calls(), {self.first.accounts[0]: 1, self.second.accounts[0]: 1})
        self.forget_calls()
        self.upstream.next({"status": 500}, account=self.second.accounts[0])
        self.chat_probe("critical-combo")
        self.assertEqual(
            self.calls(), {self.second.accounts[0]: 1, self.first.accounts[0]: 1}, "the combo falls back")
        # The next one is routed by the new alias.
        self.must("PUT", "/api/models/alias", {"alias": "critical", "model": self.second.model})
        self.forget_calls()
        self.chat_probe("critical")
        self.assertEqual(self.calls(), {self.second.accounts[0]: 1})
