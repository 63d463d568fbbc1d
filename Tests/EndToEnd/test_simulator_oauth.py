"""The simulator's OAuth servers: every shape's words, and every way in which a token call goes wrong."""

import base64
import hashlib
import http.client
import json
import threading
import unittest
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from support import Case, eventually, exchange, message

REDIRECT = "http://127.0.0.1:1455/auth/callback"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123456789"
CHALLENGE = base64.urlsafe_b64encode(
    hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def plain(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def claims(token):
    return json.loads(plain(token.split(".")[1]))


class OAuthCase(Case):
    def setUp(self):
        super().setUp()
        self.sim = self.simulator()

    def serve(self, shape="oidc", sessions=None, **rules):
        """One server of the shape, and a session of `u1` whose tokens are `at-1` and `rt-1`."""
        if sessions is None:
            sessions = [{"server": shape, "subject": "u1", "access-token": "at-1",
                         "refresh-token": "rt-1"}]
        self.sim.scenario(
            {"oauth": {"servers": [{"shape": shape, **rules}], "sessions": sessions}})

    def form(self, path, headers=None, **fields):
        return exchange(
            self.sim.port, "POST", "/oauth/" + path, urlencode(fields).encode(),
            {"content-type": "application/x-www-form-urlencoded", **(headers or {})})

    def json(self, path, **fields):
        return exchange(self.sim.port, "POST", "/oauth/" + path, json.dumps(fields).encode())

    def refresh(self, token, server="oidc", **more):
        return self.form(
            f"{server}/token", grant_type="refresh_token", refresh_token=token,
            client_id="client", **more)

    def get(self, path, token=None):
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return exchange(self.sim.port, "GET", "/oauth/" + path, headers=headers)

    def authorize(self, server, **more):
        query = {
            "client_id": "abc", "response_type": "code", "redirect_uri": REDIRECT, "state": "s 1",
            "code_challenge": CHALLENGE, "code_challenge_method": "S256", **more}
        return self.get(f"{server}/authorize?{urlencode(query)}")

    def code(self, server, subject="u1", **more):
        """The code that an approved visit sends home."""
        answer = self.authorize(server, approve=subject, **more)
        self.assertEqual(answer.status, 302, answer.body)
        query = parse_qs(urlsplit(answer.header("location")).query)
        self.assertEqual(query["state"], ["s 1"])
        return query["code"][0]

    def exchange_code(self, server, code, verifier=VERIFIER, headers=None, **more):
        return self.form(
            f"{server}/token", headers, grant_type="authorization_code", code=code,
            client_id="abc", redirect_uri=REDIRECT, code_verifier=verifier, **more)

    def chat(self, token):
        return exchange(
            self.sim.port, "POST", "/v1/chat/completions",
            json.dumps(message(model="gpt-4o")).encode(), {"authorization": f"Bearer {token}"})

    def report(self):
        return self.sim.control("GET", "oauth")

    def outcomes(self):
        return [call["outcome"] for call in self.report()["calls"]]

    def refused(self, path, document, part):
        answer = exchange(
            self.sim.port, "POST", "/_control/" + path, json.dumps(document).encode())
        self.assertEqual(answer.status, 400, answer.body)
        self.assertIn(part, answer.json()["error"])


class RefreshTests(OAuthCase):
    def test_a_single_use_token_rotates_and_its_reuse_revokes_the_family(self):
        self.serve()
        first = self.refresh("rt-1").json()
        self.assertEqual(first["expires_in"], 3600)
        self.assertNotIn(first["refresh_token"], ("rt-1", None))
        self.assertEqual(self.chat(first["access_token"]).status, 200)
        self.assertEqual(self.chat("at-1").status, 200)
        again = self.refresh("rt-1")
        self.assertEqual((again.status, again.json()["error"]), (400, "invalid_grant"))
        # The family is gone: the newest tokens too.
        self.assertEqual(self.refresh(first["refresh_token"]).status, 400)
        self.assertEqual(self.chat(first["access_token"]).status, 401)
        family = self.report()["families"][0]
        self.assertEqual(
            (family["generation"], family["revoked"], family["revokedBy"], family["reuses"]),
            (2, True, "reuse", 1))
        self.assertEqual(self.outcomes(), ["refreshed", "reused", "revoked"])
        self.assertNotIn("rt-1", json.dumps(self.report()))

    def test_reuse_may_be_only_refused_or_forgiven_for_a_while(self):
        self.serve(reuse="refuse")
        newest = self.refresh("rt-1").json()["refresh_token"]
        self.assertEqual(self.refresh("rt-1").status, 400)
        self.assertEqual(self.refresh(newest).status, 200)
        self.serve(grace="10s")
        first = self.refresh("rt-1").json()
        second = self.refresh("rt-1").json()
        self.assertEqual(first["refresh_token"], second["refresh_token"])
        self.assertEqual(self.outcomes(), ["refreshed", "repeated"])
        self.sim.control("POST", "clock", {"advance": "11s"})
        self.assertEqual(self.refresh("rt-1").status, 400)
        self.assertTrue(self.report()["families"][0]["revoked"])

    def test_without_grace_even_the_same_instant_is_reuse(self):
        self.serve()
        self.sim.control("POST", "clock", {"stopped": True})
        self.assertEqual([self.refresh("rt-1").status for _ in range(2)], [200, 400])

    def test_rotation_may_be_rolling_or_none(self):
        self.serve(rotation="reusable")
        self.assertEqual(self.refresh("rt-1").json()["refresh_token"], "rt-1")
        self.assertEqual(self.refresh("rt-1").status, 200)
        self.serve(rotation="rolling")
        self.assertNotEqual(self.refresh("rt-1").json()["refresh_token"], "rt-1")
        self.assertEqual(self.refresh("rt-1").status, 200)

    def test_old_access_tokens_may_die_with_a_refresh(self):
        self.serve(**{"old-access": "revoked"})
        fresh = self.refresh("rt-1").json()["access_token"]
        self.assertEqual(self.chat("at-1").status, 401)
        self.assertEqual(self.chat(fresh).status, 200)

    def test_a_revoked_family_may_keep_its_access_tokens(self):
        self.serve(revocation="refresh-only")
        self.sim.control("POST", "oauth/revoke", {"server": "oidc", "subject": "u1"})
        self.assertEqual(self.refresh("rt-1").status, 400)
        self.assertEqual(self.chat("at-1").status, 200)

    def test_tokens_expire_by_the_simulators_clock(self):
        self.serve(**{"access-lifetime": "1h", "refresh-lifetime": "2h"})
        self.assertEqual(self.chat("at-1").status, 200)
        self.sim.control("POST", "clock", {"advance": "61m"})
        self.assertEqual(self.chat("at-1").status, 401)
        fresh = self.refresh("rt-1").json()
        self.assertEqual(self.chat(fresh["access_token"]).status, 200)
        self.sim.control("POST", "clock", {"advance": "3h"})
        self.assertEqual(self.refresh(fresh["refresh_token"]).status, 400)
        self.assertEqual(self.outcomes()[-1], "expired")
        self.sim.control("POST", "clock", {"advance": "-4h"})
        self.assertEqual(self.chat(fresh["access_token"]).status, 200)

    def test_the_clock_stops(self):
        first = self.sim.control("POST", "clock", {"stopped": True})["now"]
        self.assertEqual(self.sim.control("GET", "clock")["now"], first)
        moved = self.sim.control("POST", "clock", {"advance": "2h"})
        self.assertNotEqual(moved["now"], first)
        self.assertTrue(moved["stopped"])
        self.refused("clock", {"advance": "2 hours"}, "clock.advance")

    def test_an_access_token_expires_on_demand(self):
        self.serve()
        self.sim.control("POST", "oauth/expire", {"server": "oidc", "subject": "u1"})
        self.assertEqual(self.chat("at-1").status, 401)
        self.assertEqual(self.refresh("rt-1").status, 200)
        self.refused("oauth/expire", {"server": "oidc", "subject": "none"}, "no live family")

    def test_siblings_of_one_client_invalidate_each_other(self):
        sessions = [
            {"server": "codex", "subject": name, "client": "shared", "access-token": f"at-{name}",
             "refresh-token": f"rt-{name}"} for name in ("a", "b")]
        self.serve("codex", sessions, siblings="invalidated")
        # Adding B has taken A with it already.
        self.assertEqual(
            self.refresh("rt-a", "codex").json()["error"]["code"], "refresh_token_invalidated")
        self.assertEqual(self.refresh("rt-b", "codex").status, 200)
        rows = self.report()["families"]
        self.assertEqual([row.get("revokedBy") for row in rows], ["sibling", None])

    def test_too_many_refreshes_at_once_revoke_the_whole_client(self):
        names = [f"u{n}" for n in range(5)]
        sessions = [
            {"server": "codex", "subject": name, "refresh-token": f"rt-{name}"} for name in names]
        self.serve("codex", sessions, spacing={"refreshes": 3, "within": "14s"})
        self.sim.control("POST", "clock", {"stopped": True})
        got = [self.refresh(f"rt-{name}", "codex").status for name in names]
        self.assertEqual(got, [200, 200, 200, 401, 401])
        self.assertEqual({row["revokedBy"] for row in self.report()["families"]}, {"spacing"})
        # The same ones, well apart.
        self.serve("codex", sessions, spacing={"refreshes": 3, "within": "14s"})
        for name in names:
            self.assertEqual(self.refresh(f"rt-{name}", "codex").status, 200)
            self.sim.control("POST", "clock", {"advance": "5s"})

    def test_of_many_refreshes_at_once_one_wins(self):
        self.serve()
        self.sim.control("POST", "oauth/next", {"times": 8, "behaviour": {"hold": "before"}})
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.refresh("rt-1").status))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(self.report()["held"]) == 8, "eight held calls")
        self.assertEqual(self.sim.control("POST", "release", {})["released"], 8)
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(answers), [200] + [400] * 7)
        self.assertEqual(self.outcomes().count("refreshed"), 1)

    def test_a_client_with_a_secret_must_prove_itself(self):
        self.serve(**{"client-id": "client", "client-secret": "hush"})
        for more in ({}, {"client_secret": "wrong"}):
            answer = self.refresh("rt-1", **more)
            self.assertEqual((answer.status, answer.json()["error"]), (401, "invalid_client"))
        self.assertEqual(self.refresh("rt-1", client_secret="hush").status, 200)

    def test_keys_that_nobody_issued_are_refused_where_oauth_is_configured(self):
        self.assertEqual(self.chat("anything").status, 200)
        self.serve()
        self.assertEqual(self.chat("anything").status, 401)
        self.assertEqual(self.sim.state()["requests"]["unknownKeys"], 1)
        self.sim.scenario({"oauth": {"strict": False}})
        self.assertEqual(self.chat("anything").status, 200)

    def test_requests_count_under_the_subject(self):
        self.serve()
        self.chat("at-1")
        self.assertEqual(self.sim.state()["requests"]["byAccount"], {"u1": 1})


class MishapTests(OAuthCase):
    def befall(self, behaviour, **match):
        self.sim.control("POST", "oauth/next", {"behaviour": behaviour, **match})

    def generation(self):
        return self.report()["families"][0]["generation"]

    def test_what_is_lost_after_the_commit_has_used_the_token_up(self):
        for fault in ("lose-answer", "reset-answer", "cut-answer"):
            self.serve()
            self.befall({"fault": fault})
            with self.assertRaises(
                    (http.client.HTTPException, ConnectionResetError), msg=fault):
                self.refresh("rt-1")
            self.assertEqual(self.generation(), 2, fault)
            self.assertEqual(self.refresh("rt-1").status, 400, fault)
            self.assertEqual(self.outcomes(), ["refreshed", "reused"], fault)
            self.assertEqual(self.report()["calls"][0]["mishap"], fault)

    def test_what_is_dropped_before_the_commit_can_be_tried_again(self):
        self.serve()
        self.befall({"fault": "drop-before-commit"})
        with self.assertRaises(http.client.RemoteDisconnected):
            self.refresh("rt-1")
        self.assertEqual(self.outcomes(), ["not committed"])
        self.assertEqual(self.refresh("rt-1").status, 200)

    def test_hanging_and_slow_answers_keep_the_caller_waiting(self):
        for behaviour, generation in (
                ({"fault": "hang-before-commit"}, 1), ({"fault": "hang-after-commit"}, 2),
                ({"before": "1m"}, 1), ({"latency": "1m"}, 2)):
            self.serve()
            self.befall(behaviour)
            with self.assertRaises(TimeoutError):
                exchange(
                    self.sim.port, "POST", "/oauth/oidc/token",
                    urlencode({"grant_type": "refresh_token", "refresh_token": "rt-1"}).encode(),
                    {"content-type": "application/x-www-form-urlencoded"}, timeout=0.3)
            self.assertEqual(self.generation(), generation, behaviour)

    def test_answers_that_say_nothing(self):
        for fault, expected in (("garbage", b"not json {"), ("empty", b""), ("html", b"<!DOCTYPE")):
            self.serve()
            self.befall({"fault": fault})
            answer = self.refresh("rt-1")
            self.assertEqual(answer.status, 200)
            self.assertTrue(answer.body.startswith(expected), answer.body)
            self.assertEqual(self.generation(), 2, fault)

    def test_fields_go_missing_and_null(self):
        self.serve()
        self.befall({"omit": ["refresh_token", "expires_in"], "null": ["scope"]})
        answer = self.refresh("rt-1").json()
        self.assertNotIn("refresh_token", answer)
        self.assertNotIn("expires_in", answer)
        self.assertIsNone(answer["scope"])
        self.assertIn("access_token", answer)

    def test_statuses_come_without_a_commit_and_with_one(self):
        self.serve()
        self.befall({"status": 429, "retry-after": 7, "body": "slow down"})
        answer = self.refresh("rt-1")
        self.assertEqual((answer.status, answer.header("retry-after"), answer.body),
                         (429, "7", b"slow down"))
        self.assertEqual(self.generation(), 1)
        self.befall({"status": 502, "commits": True})
        self.assertEqual(self.refresh("rt-1").status, 502)
        self.assertEqual(self.generation(), 2)

    def test_an_oauth_error_is_worded_by_the_shape(self):
        self.serve("codex")
        self.befall({"error": "refresh_token_reused"})
        answer = self.refresh("rt-1", "codex")
        self.assertEqual((answer.status, answer.json()["error"]["code"]),
                         (401, "refresh_token_reused"))
        self.assertEqual(self.refresh("rt-1", "codex").status, 200)

    def test_a_held_call_waits_before_or_after_it_takes_effect(self):
        for where, generation in (("before", 1), ("after", 2)):
            self.serve()
            self.befall({"hold": where})
            answers = []
            thread = threading.Thread(target=lambda: answers.append(self.refresh("rt-1").status))
            thread.start()
            eventually(lambda: self.report()["held"] == [f"oidc token {where}"], "a held call")
            self.assertEqual(self.generation(), generation, where)
            self.sim.control("POST", "release", {"label": "oidc token"})
            thread.join()
            self.assertEqual(answers, [200])
            self.assertEqual(self.generation(), 2)

    def test_mishaps_strike_whom_they_are_meant_for_and_the_scenarios_come_in_turn(self):
        self.serve(calls=[{"times": 2, "behaviour": {"status": 500}}])
        self.befall({"status": 503}, server="oidc", endpoint="token", subject="u1")
        self.befall({"status": 504}, subject="u2")
        got = [self.refresh("rt-1").status for _ in range(4)]
        self.assertEqual(got, [503, 500, 500, 200])
        self.assertEqual(self.report()["queued"], 1)

    def test_bad_mishaps_are_refused_by_name(self):
        for behaviour, part in (
                ({"fault": "explode"}, "fault"), ({"retry-after": 1}, "retry-after"),
                ({"status": 500, "fault": "empty"}, "exclude"), ({"speed": 1}, "speed"),
                ({"before": "1 year"}, "before")):
            self.refused("oauth/next", {"behaviour": behaviour}, part)
        self.refused("oauth/next", {"times": 2}, "behaviour")


class SignInTests(OAuthCase):
    def test_a_code_is_exchanged_once_and_its_second_use_revokes(self):
        self.serve(sessions=[])
        code = self.code("oidc")
        tokens = self.exchange_code("oidc", code).json()
        self.assertEqual(self.chat(tokens["access_token"]).status, 200)
        self.assertEqual(self.exchange_code("oidc", code).status, 400)
        self.assertEqual(self.chat(tokens["access_token"]).status, 401)
        self.assertEqual(self.report()["families"][0]["revokedBy"], "code-reuse")

    def test_the_verifier_the_client_and_the_redirect_are_checked(self):
        self.serve(sessions=[])
        self.assertEqual(
            self.exchange_code("oidc", self.code("oidc"), verifier="another").status, 400)
        self.assertEqual(self.outcomes()[-1], "bad-code: code_verifier")
        code = self.code("oidc")
        answer = self.form(
            "oidc/token", grant_type="authorization_code", code=code, client_id="other",
            redirect_uri=REDIRECT, code_verifier=VERIFIER)
        self.assertEqual((answer.status, self.outcomes()[-1]), (400, "bad-code: client"))
        answer = self.form(
            "oidc/token", grant_type="authorization_code", code=code, client_id="abc",
            redirect_uri=REDIRECT + "x", code_verifier=VERIFIER)
        self.assertEqual((answer.status, self.outcomes()[-1]), (400, "bad-code: redirect_uri"))
        self.sim.control("POST", "clock", {"advance": "11m"})
        self.assertEqual(self.exchange_code("oidc", code).status, 400)
        self.assertEqual(self.outcomes()[-1], "bad-code: expired")

    def test_visits_that_are_wrong_are_refused(self):
        for more, part in (
                ({"redirect_uri": "https://example.test/"}, "redirect_uri"),
                ({"redirect_uri": "http://127.0.0.1.example.test/"}, "redirect_uri"),
                ({"code_challenge_method": "plain"}, "S256"), ({"response_type": "token"}, "code")):
            answer = self.authorize("oidc", approve="u1", **more)
            self.assertEqual(answer.status, 400)
            self.assertIn(part, answer.json()["error_description"])
        self.serve(**{"client-id": "mine"})
        self.assertEqual(self.authorize("oidc", approve="u1").status, 401)

    def test_a_visit_waits_for_the_control_or_is_denied(self):
        visit = self.authorize("oidc").json()
        self.assertEqual(
            self.report()["authorizations"], [{"request": visit["request"], "server": "oidc"}])
        decided = self.sim.control(
            "POST", "oauth/approve", {"request": visit["request"], "subject": "u1"})
        self.assertTrue(decided["location"].startswith(REDIRECT + "?code="))
        self.refused("oauth/approve", {"request": visit["request"], "subject": "u1"}, "no author")
        denied = self.authorize("oidc", deny="1").header("location")
        self.assertEqual(parse_qs(urlsplit(denied).query)["error"], ["access_denied"])
        visit = self.authorize("oidc").json()
        denied = self.sim.control("POST", "oauth/deny", {"request": visit["request"]})
        self.assertIn("error=access_denied", denied["location"])

    def test_a_server_may_approve_everything(self):
        self.serve(sessions=[], **{"auto-approve": "u7"})
        self.assertEqual(self.authorize("oidc").status, 302)
        self.assertEqual(self.report()["calls"][0]["subject"], "u7")

    def test_a_device_is_pending_hasty_approved_and_used(self):
        device = self.form("oidc/device/code", client_id="abc").json()
        self.assertEqual(device["interval"], 5)

        def poll():
            answer = self.form("oidc/token", grant_type=DEVICE_GRANT, client_id="abc",
                               device_code=device["device_code"])
            return answer.status if answer.status == 200 else answer.json()["error"]

        self.sim.control("POST", "clock", {"stopped": True})
        self.assertEqual([poll(), poll()], ["authorization_pending", "slow_down"])
        self.sim.control("POST", "clock", {"advance": "9s"})
        self.assertEqual(poll(), "slow_down")
        self.sim.control("POST", "clock", {"advance": "20s"})
        self.assertEqual(poll(), "authorization_pending")
        self.sim.control(
            "POST", "oauth/approve", {"user-code": device["user_code"], "subject": "u1"})
        self.sim.control("POST", "clock", {"advance": "20s"})
        self.assertEqual([poll(), poll()], [200, "invalid_grant"])

    def test_a_device_is_denied_or_expires(self):
        for end, error in (("denied", "access_denied"), ("expired", "expired_token")):
            device = self.form("oidc/device/code", client_id="abc").json()
            if end == "denied":
                self.sim.control("POST", "oauth/deny", {"user-code": device["user_code"]})
            else:
                self.sim.control("POST", "clock", {"advance": "16m"})
            answer = self.form("oidc/token", grant_type=DEVICE_GRANT, client_id="abc",
                               device_code=device["device_code"])
            self.assertEqual(answer.json()["error"], error)

    def test_a_token_is_taken_back(self):
        self.serve()
        self.assertEqual(self.form("oidc/revoke", token="rt-1").status, 200)
        self.assertEqual(self.chat("at-1").status, 401)
        self.assertEqual(self.report()["families"][0]["revokedBy"], "client")


class ShapeTests(OAuthCase):
    """Each real service's words, quirk by quirk."""

    def test_claude_wants_json_and_shows_its_code_with_the_state(self):
        query = {"redirect_uri": "https://console.anthropic.com/oauth/code/callback",
                 "code": "true"}
        shown = self.authorize("claude", approve="u1", **query).json()["code"]
        code, state = shown.split("#")
        self.assertEqual(state, "s 1")
        fields = {"grant_type": "authorization_code", "code": code, "state": state,
                  "client_id": "abc", "redirect_uri": query["redirect_uri"],
                  "code_verifier": VERIFIER}
        refused = self.form("claude/token", **fields)
        self.assertEqual((refused.status, refused.json()["error"]), (400, "invalid_request"))
        tokens = self.json("claude/token", **fields).json()
        self.assertEqual(tokens["expires_in"], 28800)
        self.assertTrue(tokens["access_token"].startswith("sk-ant-oat01-"))
        self.assertEqual(tokens["account"]["email_address"], "u1@example.test")
        self.assertEqual(tokens["organization"]["uuid"], "ws-u1")
        fresh = self.json("claude/token", grant_type="refresh_token", client_id="abc",
                          refresh_token=tokens["refresh_token"]).json()
        self.assertTrue(fresh["refresh_token"].startswith("sk-ant-ort01-"))
        self.sim.control("POST", "clock", {"advance": "9h"})
        self.assertEqual(
            self.chat(fresh["access_token"]).json()["error"]["type"], "authentication_error")

    def test_codex_names_the_workspace_in_a_signed_id_token(self):
        self.serve("codex", [], subjects=[
            {"name": "u1", "email": "a@b.test", "workspace": "acc-9"}])
        tokens = self.exchange_code("codex", self.code("codex", nonce="n1")).json()
        told = claims(tokens["id_token"])
        self.assertEqual(told["https://api.openai.com/auth"]["chatgpt_account_id"], "acc-9")
        self.assertEqual((told["email"], told["nonce"]), ("a@b.test", "n1"))
        self.assertEqual(tokens["expires_in"], 864000)
        self.assertEqual(self.chat(tokens["access_token"]).status, 200)
        refreshed = self.json(
            "codex/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        self.assertIn("id_token", refreshed.json())
        reused = self.form("codex/token", grant_type="refresh_token", client_id="abc",
                           refresh_token=tokens["refresh_token"])
        self.assertEqual((reused.status, reused.json()["error"]["code"]),
                         (401, "refresh_token_reused"))
        self.assertEqual(
            self.chat(refreshed.json()["access_token"]).json()["error"]["code"], "token_revoked")

    def test_gemini_gives_a_refresh_token_once_and_only_offline(self):
        online = self.exchange_code("gemini", self.code("gemini")).json()
        self.assertNotIn("refresh_token", online)
        offline = self.exchange_code("gemini", self.code("gemini", access_type="offline")).json()
        for _ in range(2):
            fresh = self.form(
                "gemini/token", grant_type="refresh_token", client_id="abc",
                refresh_token=offline["refresh_token"])
            self.assertEqual(fresh.status, 200)
            self.assertNotIn("refresh_token", fresh.json())
        told = self.get("gemini/userinfo", fresh.json()["access_token"]).json()
        self.assertEqual(told["email"], "u1@example.test")

    def test_qwen_is_a_device_flow_with_pkce_and_a_resource_url(self):
        self.assertEqual(self.form("qwen/device/code", client_id="abc").status, 400)
        device = self.form("qwen/device/code", client_id="abc", code_challenge=CHALLENGE,
                           code_challenge_method="S256").json()
        self.assertNotIn("interval", device)
        poll = {"grant_type": DEVICE_GRANT, "client_id": "abc",
                "device_code": device["device_code"]}
        self.assertEqual(self.form("qwen/token", **poll).status, 400)
        self.assertEqual(self.form("qwen/token", **poll).status, 429)
        self.sim.control(
            "POST", "oauth/approve", {"user-code": device["user_code"], "subject": "u1"})
        self.sim.control("POST", "clock", {"advance": "1m"})
        tokens = self.form("qwen/token", **poll, code_verifier=VERIFIER).json()
        self.assertEqual(tokens["resource_url"], "portal.qwen.ai")
        self.assertEqual(
            self.refresh(tokens["refresh_token"], "qwen").status, 400, "another client")

    def test_iflow_wants_basic_and_its_user_info_is_where_the_key_is(self):
        query = {"client_id": "abc", "redirect": REDIRECT, "state": "s 1", "approve": "u1",
                 "loginMethod": "phone", "type": "phone"}
        answer = self.get(f"iflow/authorize?{urlencode(query)}")
        code = parse_qs(urlsplit(answer.header("location")).query)["code"][0]
        self.assertEqual(self.exchange_code("iflow", code).status, 401)
        basic = {"authorization": "Basic " + base64.b64encode(b"abc:secret").decode()}
        tokens = self.exchange_code("iflow", code, headers=basic).json()
        told = self.get(f"iflow/getUserInfo?accessToken={tokens['access_token']}").json()
        self.assertTrue(told["success"])
        self.assertEqual(self.chat(told["data"]["apiKey"]).status, 200)

    def test_github_says_its_errors_under_200_and_copilot_has_a_token_of_its_own(self):
        device = self.form("github/login/device/code", client_id="abc").json()
        poll = {"client_id": "abc", "device_code": device["device_code"],
                "grant_type": DEVICE_GRANT}
        pending = self.form("github/login/oauth/access_token", **poll)
        self.assertEqual((pending.status, pending.json()["error"]),
                         (200, "authorization_pending"))
        self.sim.control(
            "POST", "oauth/approve", {"user-code": device["user_code"], "subject": "octo"})
        self.sim.control("POST", "clock", {"advance": "1m"})
        tokens = self.form("github/login/oauth/access_token", **poll).json()
        self.assertEqual(
            sorted(tokens), ["access_token", "scope", "token_type"])
        short = self.get("github/copilot_internal/v2/token", tokens["access_token"]).json()
        self.assertEqual(self.chat(short["token"]).status, 200)
        self.assertEqual(self.get("github/user", tokens["access_token"]).json()["login"], "octo")
        self.sim.control("POST", "clock", {"advance": "26m"})
        self.assertEqual(self.chat(short["token"]).status, 401)
        again = self.get("github/copilot_internal/v2/token", tokens["access_token"]).json()
        self.assertNotEqual(again["token"], short["token"])
        self.sim.control("POST", "oauth/revoke", {"server": "github", "subject": "octo"})
        self.assertEqual(
            self.get("github/copilot_internal/v2/token", tokens["access_token"]).status, 401)

    def test_kiro_registers_a_client_and_speaks_camel_case(self):
        client = self.json("kiro/client/register", clientName="t", clientType="public").json()
        known = {key: client[key] for key in ("clientId", "clientSecret")}
        device = self.json("kiro/device_authorization", **known, startUrl="https://x").json()
        poll = {**known, "deviceCode": device["deviceCode"], "grantType": DEVICE_GRANT}
        self.assertEqual(self.json("kiro/token", **poll).json()["error"], "authorization_pending")
        self.sim.control(
            "POST", "oauth/approve", {"user-code": device["userCode"], "subject": "u1"})
        self.sim.control("POST", "clock", {"advance": "1m"})
        tokens = self.json("kiro/token", **poll).json()
        wrong = {**known, "clientSecret": "no"}
        refresh = {"grantType": "refresh_token", "refreshToken": tokens["refreshToken"]}
        self.assertEqual(self.json("kiro/token", **wrong, **refresh).status, 401)
        fresh = self.json("kiro/token", **known, **refresh).json()
        self.assertEqual(self.chat(fresh["accessToken"]).status, 200)
        social = self.json("kiro/refreshToken", refreshToken=fresh["refreshToken"]).json()
        self.assertIn("profileArn", social)
        self.sim.control("POST", "clock", {"advance": "2h"})
        self.assertEqual(self.chat(social["accessToken"]).status, 403)

    def test_minimax_polls_by_the_user_code_and_counts_in_milliseconds(self):
        self.sim.control("POST", "clock", {"stopped": True})
        device = self.form(
            "minimax/code", response_type="code", client_id="abc", code_challenge=CHALLENGE,
            code_challenge_method="S256", state="s1").json()
        self.assertEqual((device["state"], device["interval"]), ("s1", 5000))
        poll = {"grant_type": "urn:ietf:params:oauth:grant-type:user_code", "client_id": "abc",
                "user_code": device["user_code"], "code_verifier": VERIFIER}
        pending = self.form("minimax/token", **poll)
        self.assertEqual((pending.status, pending.json()["status"]), (200, "pending"))
        self.sim.control(
            "POST", "oauth/approve", {"user-code": device["user_code"], "subject": "u1"})
        self.sim.control("POST", "clock", {"advance": "10s"})
        tokens = self.form("minimax/token", **poll).json()
        self.assertEqual(tokens["status"], "success")
        self.assertEqual(tokens["expired_in"] - device["expired_in"], (86400 + 10 - 900) * 1000)

    def test_roo_trades_a_ticket_for_a_client_token_and_that_for_short_sessions(self):
        answer = self.get("roo/extension/sign-in?" + urlencode(
            {"state": "s 1", "auth_redirect": REDIRECT, "approve": "u1"}))
        ticket = parse_qs(urlsplit(answer.header("location")).query)["code"][0]
        signed = self.form("roo/v1/client/sign_ins", strategy="ticket", ticket=ticket)
        session = signed.json()["response"]["created_session_id"]
        client = {"authorization": "Bearer " + signed.header("authorization")}
        for _ in range(2):
            jwt = self.form(f"roo/v1/client/sessions/{session}/tokens", client,
                            _is_native="1").json()["jwt"]
        self.assertEqual(self.chat(jwt).status, 200)
        self.sim.control("POST", "clock", {"advance": "2m"})
        self.assertEqual(self.chat(jwt).status, 401)
        wrong = self.form(f"roo/v1/client/sessions/{session}/tokens",
                          {"authorization": "Bearer none"})
        self.assertEqual(wrong.status, 401)
        self.assertIn("errors", wrong.json())

    def test_oidc_is_discovered_and_signs_what_it_says(self):
        found = self.get("oidc/.well-known/openid-configuration").json()
        base = f"http://127.0.0.1:{self.sim.port}/oauth/oidc"
        self.assertEqual(found["issuer"], base)
        self.assertEqual(found["token_endpoint"], base + "/token")
        key = self.get("oidc/jwks").json()["keys"][0]
        self.assertEqual((key["crv"], key["alg"]), ("P-256", "ES256"))
        tokens = self.exchange_code("oidc", self.code("oidc")).json()
        signed, _, signature = tokens["id_token"].rpartition(".")
        x, y = (int.from_bytes(plain(key[name]), "big") for name in "xy")
        r, s = (int.from_bytes(half, "big") for half in (plain(signature)[:32], plain(signature)[32:]))
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        public.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
        with self.assertRaises(InvalidSignature):
            public.verify(encode_dss_signature(r, s), b"other", ec.ECDSA(hashes.SHA256()))
        told = claims(tokens["id_token"])
        self.assertEqual((told["iss"], told["aud"], told["sub"]), (base, "abc", "u1"))
        self.assertEqual(self.get("oidc/userinfo", tokens["access_token"]).json()["sub"], "u1")
        self.assertEqual(self.get("oidc/userinfo", "none").status, 401)

    def test_paths_methods_and_servers_that_do_not_exist(self):
        self.assertEqual(self.get("none/authorize").status, 404)
        self.assertEqual(self.get("oidc/none").status, 404)
        self.assertEqual(self.get("oidc/token").status, 405)

    def test_scenarios_are_read_strictly(self):
        for document, part in (
                ({"servers": [{"name": "x"}]}, "shape"),
                ({"servers": [{"shape": "oidc", "colour": "red"}]}, "colour"),
                ({"servers": [{"shape": "oidc"}, {"shape": "oidc"}]}, "twice"),
                ({"servers": [{"shape": "oidc", "rotation": "never"}]}, "rotation"),
                ({"servers": [{"shape": "oidc", "spacing": {"refreshes": 3}}]}, "within"),
                ({"sessions": [{"server": "none", "subject": "u"}]}, "server"),
                ({"sessions": [{"server": "oidc"}]}, "subject"), ({"speed": 1}, "speed")):
            self.refused("scenario", {"oauth": document}, part)

    def test_a_session_is_made_on_demand(self):
        made = self.sim.control(
            "POST", "oauth/session", {"server": "claude", "subject": "u9", "expires-in": "1m"})
        self.assertEqual(self.chat(made["accessToken"]).status, 200)
        self.sim.control("POST", "clock", {"advance": "2m"})
        self.assertEqual(self.chat(made["accessToken"]).status, 401)
        self.refused("oauth/session", {"server": "none", "subject": "u"}, "server")


if __name__ == "__main__":
    unittest.main()
