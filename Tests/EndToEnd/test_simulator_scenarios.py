"""Every scenario that is kept does what its first line says."""

import datetime
import http.client
import json
import time
import unittest
from urllib.parse import parse_qs, urlencode, urlsplit

from support import ROOT, Case, exchange, message

PLACE = ROOT / "Fixtures" / "scenarios"
REDIRECT = "http://127.0.0.1:1455/callback"


def account(**more):
    return {"id": "p1", "provider": "claude", "refreshToken": "rt-u1-1", "accessToken": "at-u1-1", **more}


class ScenarioTests(Case):
    def start(self, name):
        self.sim = self.simulator()
        answer = exchange(
            self.sim.port, "POST", "/_control/scenario", (PLACE / f"{name}.yaml").read_bytes())
        self.assertEqual(answer.status, 200, answer.body)

    def refresh(self, token, server="corp"):
        return exchange(
            self.sim.port, "POST", f"/oauth/{server}/token",
            json.dumps({"grant_type": "refresh_token", "refresh_token": token}).encode())

    def chat(self, token):
        return exchange(
            self.sim.port, "POST", "/v1/chat/completions",
            json.dumps(message(model="gpt-4o")).encode(), {"authorization": f"Bearer {token}"}).status

    def families(self):
        return self.sim.control("GET", "oauth")["families"]

    def push(self, *providers, timeout=10):
        return exchange(
            self.sim.port, "POST", "/sync/m1", json.dumps({"providers": providers}).encode(),
            {"authorization": "Bearer peer-token"}, timeout=timeout)

    def test_all_can_be_read(self):
        names = sorted(path.stem for path in PLACE.glob("*.yaml"))
        listed = (PLACE / "README.md").read_text()
        for name in names:
            with self.subTest(name):
                self.start(name)
        for name in set(names) - {"default", "flaky", "rate-limited"}:
            self.assertIn(f"`{name}.yaml`", listed)

    def test_one_family(self):
        self.start("one-family")
        self.assertEqual(self.chat("at-u1-1"), 200)
        fresh = self.refresh("rt-u1-1").json()["access_token"]
        self.assertEqual((self.chat("at-u1-1"), self.chat(fresh)), (401, 200))
        self.assertEqual(self.refresh("rt-u1-1").status, 400)
        self.assertEqual(self.chat(fresh), 401)

    def test_shared_client(self):
        self.start("shared-client")
        got = [self.refresh(f"rt-u{n}-1", "codex").status for n in (1, 2, 3)]
        self.assertEqual(got, [200, 200, 401])
        self.assertEqual([row["revokedBy"] for row in self.families()], ["spacing"] * 3)

    def test_sibling_invalidated(self):
        self.start("sibling-invalidated")
        self.sim.control(
            "POST", "oauth/session", {"server": "codex", "subject": "b", "client": "app"})
        self.assertEqual(self.chat("at-a-1"), 401)

    def test_expiry_untold(self):
        self.start("expiry-untold")
        first = self.refresh("rt-u1-1").json()
        self.assertNotIn("expires_in", first)
        second = self.refresh(first["refresh_token"]).json()
        self.assertEqual((second["expires_in"], second["refresh_token"]), (None, None))
        self.sim.control("POST", "clock", {"advance": "61s"})
        self.assertEqual(self.chat(second["access_token"]), 401)

    def test_refused_once(self):
        self.start("refused-once")
        self.assertEqual(self.refresh("rt-u1-1").json()["error"], "invalid_grant")
        self.assertEqual(self.chat("at-u1-1"), 200)
        self.assertEqual(self.refresh("rt-u1-1").status, 200)

    def test_never_refreshed(self):
        self.start("never-refreshed")
        headers = {"authorization": "token gho_octo_1"}
        short = exchange(
            self.sim.port, "GET", "/oauth/github/copilot_internal/v2/token", headers=headers).json()
        lifetime = short["expires_at"] - time.time()
        self.assertTrue(1490 <= lifetime <= 1500, lifetime)
        self.sim.control("POST", "clock", {"advance": "300d"})
        self.assertEqual((self.chat("gho_octo_1"), self.chat(short["token"])), (200, 401))
        self.assertNotIn("refreshFingerprint", self.families()[0])

    def test_two_workspaces(self):
        self.start("two-workspaces")
        told = []
        for subject in ("u1-work", "u1-home"):
            query = urlencode({
                "client_id": "c", "response_type": "code", "redirect_uri": REDIRECT,
                "code_challenge": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
                "code_challenge_method": "S256", "approve": subject})
            visit = exchange(self.sim.port, "GET", f"/oauth/codex/authorize?{query}")
            code = parse_qs(urlsplit(visit.header("location")).query)["code"][0]
            tokens = exchange(
                self.sim.port, "POST", "/oauth/codex/token", json.dumps({
                    "grant_type": "authorization_code", "code": code, "code_verifier": ""}).encode())
            token = tokens.json()["access_token"]
            who = exchange(self.sim.port, "GET", "/oauth/codex/userinfo",
                           headers={"authorization": f"Bearer {token}"}).json()
            told.append((who["email"], who["workspace"]))
        self.assertEqual(
            told, [("u1@example.test", "ws-work"), ("u1@example.test", "ws-home")])

    def test_lost_rotation(self):
        self.start("lost-rotation")
        for number in range(1, 6):
            try:
                self.assertIn(self.refresh(f"rt-u{number}-1").status, (200, 502))
            except (http.client.HTTPException, ConnectionResetError):
                pass
        self.assertEqual([row["generation"] for row in self.families()], [2] * 5)
        self.assertEqual(
            {self.refresh(f"rt-u{number}-1").status for number in range(1, 6)}, {400})
        self.assertEqual({row["revokedBy"] for row in self.families()}, {"reuse"})

    def test_old_peer(self):
        self.start("old-peer")
        self.push(account())
        done = self.sim.control(
            "POST", "sync/act", {"do": "refresh", "machine": "m1", "account": "p1"})
        self.assertEqual(done["outcome"], "refreshed")
        self.assertEqual(self.refresh("rt-u1-1").status, 400)
        self.assertTrue(self.families()[0]["revoked"])

    def test_skewed_peer(self):
        self.start("skewed-peer")
        # What the gateway stored five minutes ago is newer than what the peer refreshes now.
        now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=5)
        stamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.push(account(updatedAt=stamp))
        self.sim.control("POST", "sync/act", {
            "do": "refresh", "machine": "m1", "account": "p1", "isolate": "http"})
        merged = self.push(account(updatedAt=stamp)).json()
        self.assertEqual(merged["changes"]["updated"], ["p1"])
        self.assertEqual(merged["data"]["providers"]["p1"]["refreshToken"], "rt-u1-1")

    def test_failing_peer(self):
        self.start("failing-peer")
        self.assertEqual(self.push().status, 502)
        self.assertEqual(self.push().body, b"<html>Not found</html>")
        self.assertIn("text/html", self.push().header("content-type"))
        with self.assertRaises(TimeoutError):
            self.push(account(), timeout=0.3)
        self.assertEqual(self.push(account()).status, 200)
        headers = {"authorization": "Bearer peer-token"}
        with self.assertRaises(http.client.RemoteDisconnected):
            exchange(self.sim.port, "DELETE", "/sync/m1", headers=headers)
        self.assertEqual(exchange(self.sim.port, "GET", "/sync/m1", headers=headers).status, 200)


if __name__ == "__main__":
    unittest.main()
