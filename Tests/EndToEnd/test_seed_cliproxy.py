"""CLIProxyAPI's provider operations: the daily checks as they are written, and each playbook's effect."""

import subprocess

from seeds import Seed, left_out, whole
from support import CLIENT_KEY, eventually, program

STEPS = {
    "daily 1: health": "curl -sS http://localhost:8317/health",
    "daily 2: model inventory":
        """curl -sS http://localhost:8317/v1/models -H "Authorization: Bearer <api-key>" | jq '.data | length'""",
    "daily 3: provider metrics": "curl -sS http://localhost:8317/v1/metrics/providers | jq",
    "daily 4: log scan": "GET /api/usage/logs?status=4xx",
    "models": "GET /v1/models",
    "sign in by a device": "GET /api/oauth/{provider}/device-code",
    "look whether somebody did": 'POST /api/oauth/{provider}/poll {"deviceCode": "<device-code>"}',
    "bring a token": 'POST /api/oauth/{provider}/import {"accessToken": "<access-token>", "refreshToken": "<refresh-token>"}',
    "token freshness": "GET /api/providers/{id}",
    "refresh": "POST /api/providers/{id}/credential/refresh",
}

LeftOut = left_out(globals(), {
    "Kiro IAM: a canary request": "requests to Kiro are not translated: its accounts are kept and refreshed, and a request is 400",
    "iFlow: the list of one provider's models": "asks about one provider's own service; the case of drift reads a list anew",
})
TableTests = whole(globals())

#: What an operator adds to the file for a new provider.
ONBOARDED = """\
providers:
  - id: fresh
    protocol: openai
    base-url: {base}
    prefix: canary
    models: [{{name: gpt-4o, alias: stable}}]
    accounts: [{{name: fresh-1, api-key: sk-upstream-290}}]
"""


class ProviderOperationsTests(Seed):
    steps = STEPS

    def listed(self, key=CLIENT_KEY):
        return {row["id"] for row in self.step("models", admin=False).json()["data"]}

    def metrics(self, provider):
        return self.step("daily 3: provider metrics").json()[provider]

    def test_daily_checks(self):
        pool = self.pool(1)
        health = self.step("daily 1: health", admin=False).json()
        self.assertEqual(health["status"], "ok")
        count = self.step("daily 2: model inventory", admin=False, api_key=CLIENT_KEY).json()
        self.pool(1, models=("brand-new",))
        self.assertEqual(
            self.step("daily 2: model inventory", admin=False, api_key=CLIENT_KEY).json(), count + 1)
        self.step("daily 3: provider metrics", status=401, admin=False)
        self.good(pool.model, 3)
        self.assertEqual(self.chat("nobody/offers").status, 404)
        rows = self.step("daily 4: log scan").json()["logs"]
        self.assertEqual(rows[0]["status"], 404)
        self.assertTrue(all(400 <= row["status"] < 500 for row in rows))

    def test_quota_pressure_shows_as_429_and_a_falling_success_ratio(self):
        pool = self.pool(2)
        self.good(pool.model, 3)
        self.assertEqual(self.metrics(pool.provider)["success_rate"], 1)
        self.upstream.next({"status": 429, "retry-after": 600}, account=pool.accounts[0])
        self.good(pool.model)
        shown = self.metrics(pool.provider)
        self.assertEqual(shown["statuses"], {"200": 4, "429": 1})
        self.assertEqual(
            (shown["request_count"], shown["success_count"], shown["failure_count"]), (5, 4, 1))
        self.assertAlmostEqual(shown["success_rate"], 0.8)

    def test_a_new_provider_is_onboarded_by_the_file(self):
        file = self.directory / "onboard.yaml"
        file.write_text(ONBOARDED.format(base=self.upstream.base_url))
        done = subprocess.run(
            [program("signalbox"), "apply", str(file), "--data", str(self.box.data)],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertLessEqual({"canary/gpt-4o", "canary/stable"}, self.listed())
        self.good("canary/gpt-4o")
        self.good("canary/stable")
        self.assertEqual(self.calls(), {"a290": 2})
        self.assertEqual(self.metrics("fresh")["request_count"], 2)

    def by_device(self, provider, subject):
        begun = self.step("sign in by a device", provider=provider).json()
        self.upstream.control("POST", "oauth/approve", {"user-code": begun["user_code"], "subject": subject})

        def look():
            answer = self.step("look whether somebody did", provider=provider, device_code=begun["device_code"]).json()
            return None if answer.get("pending") else answer["connection"]

        return eventually(look, "the device's sign-in")

    def test_kiro_iam_each_sign_in_has_credentials_of_its_own_and_requests_are_refused_by_name(self):
        provider = self.signed_in("kiro", "kiro")
        first, second = self.by_device(provider, "u1"), self.by_device(provider, "u2")
        self.assertNotEqual(first["id"], second["id"])
        self.assertEqual({first["routing"], second["routing"]}, {"protocol_not_supported"})
        shown = [self.step("token freshness", id=one["id"]).json()["connection"] for one in (first, second)]
        self.assertNotEqual(shown[0]["fingerprint"], shown[1]["fingerprint"])
        for one in shown:
            self.assertTrue(one["expiresAt"], "the metadata of the token")
            fresh = self.step("refresh", id=one["id"]).json()["connection"]
            self.assertEqual(
                (fresh["credential"]["generation"], fresh["credential"]["standing"]), (2, "usable"))
        answer = self.chat(f"{provider}/gpt-4o-mini")
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (400, "unsupported_operation"))

    def test_repeated_401_the_refresh_path_of_a_token_that_was_brought(self):
        provider = self.signed_in()
        made = self.upstream.control("POST", "oauth/session", {"server": "oidc", "subject": "u1", "client": "abc"})
        identity = self.step(
            "bring a token", provider=provider, access_token=made["accessToken"],
            refresh_token=made["refreshToken"]).json()["connection"]["id"]
        self.good(f"{provider}/gpt-4o-mini", 2)
        self.upstream.control("POST", "oauth/expire", {"server": "oidc", "subject": "u1"})
        self.good(f"{provider}/gpt-4o-mini", 2)
        shown = self.step("token freshness", id=identity).json()["connection"]["credential"]
        self.assertEqual((shown["generation"], shown["standing"], shown["failures"]), (2, "usable", 0))

    def test_repeated_401_a_new_credential_serves_from_the_next_request_on(self):
        pool = self.pool(1)
        self.play(accounts={pool.accounts[0]: {"behaviour": {"status": 401}}})
        self.assertNotEqual(self.ask(pool.model), [200])
        self.assertEqual(self.metrics(pool.provider)["statuses"], {"401": 1})
        self.must("PUT", f"/api/providers/{pool.ids[0]}", {"apiKey": "sk-upstream-291"})
        self.forget_calls()
        self.good(pool.model, 2)
        self.assertEqual(self.calls(), {"a291": 2})

    def test_repeated_429_more_capacity_another_prefix_or_fewer_models(self):
        limited, other = self.pool(1), self.pool(1)
        self.play(accounts={limited.accounts[0]: {"behaviour": {"status": 429, "retry-after": 600}}})
        self.assertEqual(self.ask(limited.model), [429])
        # More capacity.
        self.account(limited.provider, "a292", 2)
        self.forget_calls()
        self.good(limited.model, 2)
        self.assertEqual(self.calls(), {"a292": 2})
        # Traffic to another prefix.
        self.must("PUT", "/api/models/alias", {"alias": "shifted", "model": limited.model})
        self.must("PUT", "/api/models/alias", {"alias": "shifted", "model": other.model})
        self.forget_calls()
        self.good("shifted")
        self.assertEqual(self.calls(), {other.accounts[0]: 1})
        # What is dear is no longer offered.
        self.must("PUT", f"/api/provider-nodes/{other.provider}", {"excludedModels": ["gpt-4o"]})
        self.assertNotIn(other.other, self.listed())
        self.forget_calls()
        self.assertEqual(self.ask(other.other), [404])
        self.assertEqual(self.calls(), {})
        self.good(other.model)

    def test_wrong_provider_prefixes_are_forced_and_collisions_are_refused(self):
        first, second = self.pool(1), self.pool(1)
        self.assertEqual(self.calls(), {})
        self.good(second.model)
        self.assertEqual(self.calls(), {second.accounts[0]: 1}, "an explicit prefix is what is asked")
        self.must("PATCH", "/api/settings", {"forceModelPrefix": True})
        try:
            self.forget_calls()
            self.assertNotEqual(self.ask("gpt-4o-mini"), [200])
            self.assertEqual(self.calls(), {})
            self.good(first.model)
        finally:
            self.must("PATCH", "/api/settings", {"forceModelPrefix": False})
        taken = self.box.admin("POST", "/api/provider-nodes", {
            "id": "collides", "prefix": first.provider, "baseUrl": self.upstream.base_url,
            "models": [{"name": "gpt-4o"}]})
        self.assertEqual(taken.status, 409, taken.body)
        meant = self.must("GET", f"/api/models/alias?resolve={second.model}")
        self.assertIn(second.accounts[0], str(meant))

    def test_missing_models_come_back_with_the_provider(self):
        pool = self.pool(1)
        self.assertIn(pool.model, self.listed())
        self.must("PUT", f"/api/provider-nodes/{pool.provider}", {"isActive": False})
        self.assertNotIn(pool.model, self.listed())
        self.must("PUT", f"/api/provider-nodes/{pool.provider}", {"isActive": True})
        self.assertIn(pool.model, self.listed())
        self.good(pool.model)

    def test_drift_of_a_list_is_read_anew_and_compared(self):
        self.play(models=["gpt-4o-mini", "gpt-4o", "gpt-5"])
        pool = self.pool(1)
        before = self.listed()
        refreshed = self.must("POST", f"/api/providers/{pool.ids[0]}/models/refresh")
        self.assertIn("gpt-5", refreshed["added"])
        self.assertEqual(self.listed() - before, {f"{pool.provider}/gpt-5"})
        self.play({}, models=["gpt-4o-mini", "gpt-4o", "gpt-5"], **{"model-list": {"status": 401}})
        failed = self.box.admin("POST", f"/api/providers/{pool.ids[0]}/models/refresh")
        self.assertEqual(failed.json()["error"]["upstreamStatus"], 401, "the credential's fault, not the list's")
        self.assertIn(f"{pool.provider}/gpt-5", self.listed(), "the last good list stays")
