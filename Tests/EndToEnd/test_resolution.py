"""Combos, policies and the rights of keys decide where real requests go, and `replay verify` makes each decision again."""

import datetime
import http.client
import json
import math

from support import CLIENT_KEY, PATIENCE, Spine, eventually, exchange, message

POLICIES = "/v1/admin/routing/policies"


class Resolution(Spine):
    """`mock` with a1 and a2, `second` with s1; the simulator knows s1 as a3."""

    def setUp(self):
        super().setUp()
        self.must("POST", "/api/provider-nodes", {
            "id": "second", "baseUrl": self.upstream.base_url, "prefix": "second",
            "models": [{"name": "gpt-4o-mini"}, {"name": "gpt-4o"}]}, 201)
        self.must("POST", "/api/providers", {
            "provider": "second", "name": "s1", "apiKey": "sk-upstream-3"}, 201)

    def must(self, method, path, document=None, status=200):
        answer = self.box.admin(method, path, document)
        self.assertEqual(answer.status, status, f"{method} {path}: {answer.body!r}")
        return answer.json()

    def served(self):
        return self.upstream.state()["requests"]["byAccount"]

    def ask(self, model, times, key=CLIENT_KEY):
        """The statuses of so many requests, on one connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.box.port, timeout=PATIENCE)
        statuses = []
        try:
            for _ in range(times):
                connection.request(
                    "POST", "/v1/chat/completions", json.dumps(message(model=model)),
                    {"authorization": f"Bearer {key}", "content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
        finally:
            connection.close()
        return statuses

    def served_by(self, model, times=5):
        """Who served so many requests, each of which went well."""
        self.upstream.control("POST", "reset")
        self.assertEqual(self.ask(model, times), [200] * times)
        return self.served()

    def verified(self, at_least):
        """Every decision of the log is made again, and comes out the same."""
        decisions = json.loads(self.box.replay("verify", "--json"))["decisions"]
        self.assertGreaterEqual(decisions["remade"], at_least, decisions)
        self.assertEqual((decisions["differing"], decisions["notReproducible"]), (0, 0), decisions)


class ComboTests(Resolution):
    def test_a_combo_falls_back_to_its_next_model_and_comes_back(self):
        self.must("POST", "/api/combos", {
            "name": "safe", "models": ["mock/gpt-4o", "second/gpt-4o-mini"]}, 201)
        self.assertEqual(self.served_by("safe"), {"a1": 5})

        for name in ("a1", "a2"):
            self.must("PUT", f"/api/providers/{name}", {"isActive": False})
        self.assertEqual(self.served_by("safe"), {"a3": 5})
        self.must("PUT", "/api/providers/a2", {"isActive": True})
        self.assertEqual(self.served_by("safe"), {"a2": 5})

        self.must("POST", "/v1/admin/routing/backends/a2/degrade", {"reason": "slow answers"})
        self.assertEqual(self.served_by("safe"), {"a3": 5})
        self.must("PUT", "/api/combos/safe", {"models": ["second/gpt-4o"]})
        self.assertEqual(self.served_by("safe"), {"a3": 5})
        self.must("DELETE", "/api/combos/safe")
        self.assertEqual(self.ask("safe", 1), [404])
        self.verified(25)

    def test_a_model_that_fails_upstream_is_followed_by_the_next(self):
        self.must("POST", "/api/combos", {
            "name": "safe", "models": ["mock/gpt-4o", "second/gpt-4o-mini"]}, 201)
        for name in ("a1", "a2"):
            self.upstream.next({"status": 500}, account=name)
        answer = self.box.chat(message(model="safe"))
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.json()["model"], "gpt-4o-mini")
        self.assertEqual(self.served(), {"a1": 1, "a2": 1, "a3": 1})
        attempts = self.box.recorded(answer.header("x-request-id"))["attempts"]
        self.assertEqual([row["status"] for row in attempts], [500, 500, 200])
        self.verified(3)


class PolicyTests(Resolution):
    def test_weights_share_requests_out_and_an_edit_counts_from_the_next_request(self):
        body = {
            "policy_id": "policy-123", "organization_id": "acme", "model": "gpt-4o-mini",
            "backends": [
                {"backend_id": "a1", "weight": 80}, {"backend_id": "s1", "weight": 20}],
            "failover_threshold": 3}
        self.must("POST", POLICIES, body)
        total, share = 1000, 0.8
        # `gpt-4o-mini` is offered by two providers: without the policy it is ambiguous.
        served = self.served_by("gpt-4o-mini", total)
        self.assertEqual(set(served), {"a1", "a3"})
        bound = 5 * math.sqrt(total * share * (1 - share))
        self.assertLess(abs(served["a1"] - total * share), bound, served)

        self.must("PUT", f"{POLICIES}/acme/gpt-4o-mini", {
            "backends": [{"backend_id": "a2", "weight": 1}, {"backend_id": "a1", "weight": 0}]})
        self.assertEqual(self.served_by("gpt-4o-mini", 20), {"a2": 20})
        self.must("PUT", "/api/providers/a2", {"isActive": False})
        self.assertEqual(self.ask("gpt-4o-mini", 1), [503])
        self.must("DELETE", f"{POLICIES}/acme/gpt-4o-mini")
        self.assertEqual(self.ask("gpt-4o-mini", 1), [404])
        self.verified(total + 20)

    def test_an_organisations_own_policy_goes_before_everybodys(self):
        for organisation, account in (("*", "a1"), ("acme", "s1")):
            self.must("POST", POLICIES, {
                "organization_id": organisation, "model": "gpt-4o-mini",
                "backends": [{"backend_id": account, "weight": 1}]})
        self.assertEqual(self.served_by("gpt-4o-mini"), {"a3": 5})
        other = self.must("POST", "/api/keys", {"name": "outside"}, 201)["key"]
        self.upstream.control("POST", "reset")
        self.assertEqual(self.ask("gpt-4o-mini", 5, key=other), [200] * 5)
        self.assertEqual(self.served(), {"a1": 5})
        self.verified(10)


class KeyTests(Resolution):
    def key(self, **rights):
        made = self.must("POST", "/api/keys", {"name": "k", "organisation": "acme", **rights}, 201)
        return made["id"], made["key"]

    def refusal(self, key, model="mock/gpt-4o"):
        answer = self.box.chat(message(model=model), key=key)
        return answer.status, answer.json()["error"]["code"]

    def names(self, key):
        listed = exchange(
            self.box.port, "GET", "/v1/models", headers={"authorization": f"Bearer {key}"})
        return {model["id"] for model in listed.json()["data"]}

    def test_a_key_sees_and_asks_for_its_models_only(self):
        identity, key = self.key(allowedModels=["mock/*"])
        self.assertEqual(self.ask("mock/gpt-4o", 1, key=key), [200])
        self.assertEqual(self.refusal(key, "second/gpt-4o"), (403, "model_not_allowed"))
        # The alias leads to a model of `mock`.
        self.assertEqual(self.names(key), {"mock/gpt-4o", "mock/gpt-4o-mini", "fast"})
        self.assertIn("second/gpt-4o", self.names(CLIENT_KEY))
        self.must("PUT", f"/api/keys/{identity}", {"allowedModels": ["second/gpt-4o"]})
        self.assertEqual(self.ask("second/gpt-4o", 1, key=key), [200])
        self.assertEqual(self.refusal(key), (403, "model_not_allowed"))
        self.verified(2)

    def test_a_key_is_served_by_its_accounts_only(self):
        _, key = self.key(allowedAccounts=["a2"])
        self.assertEqual(self.ask("mock/gpt-4o", 5, key=key), [200] * 5)
        self.assertEqual(self.served(), {"a2": 5})
        self.must("PUT", "/api/providers/a2", {"isActive": False})
        self.assertEqual(self.refusal(key), (503, "no_account_available"))
        self.assertEqual(self.ask("mock/gpt-4o", 1), [200])
        self.verified(6)

    def test_paused_revoked_and_expired_keys_are_not_let_in(self):
        identity, key = self.key()
        self.assertEqual(self.ask("mock/gpt-4o", 1, key=key), [200])
        self.must("PUT", f"/api/keys/{identity}", {"isActive": False})
        self.assertEqual(self.refusal(key), (401, "key_paused"))
        self.must("PUT", f"/api/keys/{identity}", {"isActive": True})
        self.assertEqual(self.ask("mock/gpt-4o", 1, key=key), [200])

        self.must("PUT", "/api/organisations/acme", {"isActive": False})
        for given in (key, CLIENT_KEY):
            self.assertEqual(self.refusal(given), (401, "key_paused"))
        shown = self.must("GET", f"/api/keys/{identity}")["key"]
        self.assertEqual((shown["status"], shown["organisationIsActive"]), ("active", False))
        self.must("PUT", "/api/organisations/acme", {"isActive": True})
        self.assertEqual(self.ask("mock/gpt-4o", 1, key=key), [200])

        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        self.must("PUT", f"/api/keys/{identity}", {"expiresAt": soon.strftime("%Y-%m-%dT%H:%M:%S.%fZ")})
        eventually(lambda: self.ask("mock/gpt-4o", 1, key=key) == [401], "the key's end")
        self.assertGreaterEqual(datetime.datetime.now(datetime.timezone.utc), soon)
        self.assertEqual(self.refusal(key), (401, "key_expired"))
        self.must("PUT", f"/api/keys/{identity}", {"expiresAt": None})
        self.assertEqual(self.ask("mock/gpt-4o", 1, key=key), [200])

        self.must("DELETE", f"/api/keys/{identity}")
        self.assertEqual(self.refusal(key), (401, "key_revoked"))
        self.verified(4)
