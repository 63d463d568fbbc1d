"""Signing in at providers: every row of the table at a server of its shape, and every way in which it comes to nothing."""

import base64
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from support import Case, configuration, eventually, exchange, message, program, replay

REDIRECT = "http://localhost:8080/callback"
SECRET = "kS9-client-secret-0Qd7wX"
#: kind → shape of the server, and its paths where they are not the usual ones.
SERVERS = {
    "generic": ("oidc", {}),
    "claude": ("claude", {}),
    "codex": ("codex", {}),
    "gemini-cli": ("gemini", {}),
    "qwen": ("qwen", {}),
    "iflow": ("iflow", {"userInfoUrl": "getUserInfo"}),
    "github": ("github", {"deviceUrl": "login/device/code", "tokenUrl": "login/oauth/access_token",
                          "userInfoUrl": "user"}),
    "kiro": ("kiro", {"deviceUrl": "device_authorization"}),
    "kiro-social": ("kiro", {"tokenUrl": "refreshToken"}),
    "minimax": ("minimax", {"deviceUrl": "code"}),
}
NOT_ROUTED = {"codex", "gemini-cli", "github", "kiro", "kiro-social", "cursor"}
SUBJECTS = [{"name": "u1"}, {"name": "u2"},
            {"name": "u1-at-b", "email": "u1@example.test", "workspace": "ws-b"}]


def unsigned(claims):
    """A token with claims, as one that is brought."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims)}.c2lnbmF0dXJl"


class OAuthCase(Case):
    def setUp(self):
        super().setUp()
        shapes = sorted({shape for shape, _ in SERVERS.values()})
        self.upstream = self.simulator({"oauth": {"servers": [
            {"shape": shape, "device-interval": "1ms", "subjects": SUBJECTS} for shape in shapes]}})
        self.box = self.gateway(configuration(self.upstream, accounts=1))

    # MARK: The two sides

    def provider(self, kind, identity=None, **more):
        shape, own = SERVERS[kind]
        paths = {"tokenUrl": "token", "authorizeUrl": "authorize", "deviceUrl": "device/code", **own}
        oauth = {"kind": kind, "clientId": "abc", "scopes": ["openid"], "clientSecret": SECRET,
                 "encoding": "json" if kind in ("claude", "kiro", "kiro-social") else "form", **{
                     name: f"http://127.0.0.1:{self.upstream.port}/oauth/{shape}/{path}"
                     for name, path in paths.items()}, **more}
        answer = self.box.admin("POST", "/api/provider-nodes", {
            "id": identity or kind, "baseUrl": self.upstream.base_url,
            "models": [{"name": "gpt-4o-mini"}], "oauth": oauth})
        self.assertEqual(answer.status, 201, answer.body)

    def call(self, method, path, document=None, status=200, headers=None):
        answer = self.box.admin(method, "/api/oauth/" + path, document, headers)
        self.assertEqual(answer.status, status, answer.body)
        return answer.json()

    def refused(self, code, method, path, document=None, status=400, headers=None):
        error = self.call(method, path, document, status, headers)["error"]
        self.assertEqual(error["code"], code, error)
        return error

    def begin(self, provider, **query):
        return self.call(
            "GET", f"{provider}/authorize?" + urlencode({"redirect_uri": REDIRECT, **query}))

    def visit(self, begun, subject="u1"):
        """What the browser brings back: code and state."""
        url = urlsplit(begun["authUrl"])
        answer = exchange(
            self.upstream.port, "GET", f"{url.path}?{url.query}&approve={subject}")
        if answer.status == 200:
            return {"code": answer.json()["code"]}
        self.assertEqual(answer.status, 302, answer.body)
        self.assertTrue(answer.header("location").startswith(begun["redirectUri"]))
        back = parse_qs(urlsplit(answer.header("location")).query)
        return {"code": back["code"][0], "state": back["state"][0]}

    def sign_in(self, provider, subject="u1", **query):
        begun = self.begin(provider, **query)
        return self.call("POST", f"{provider}/exchange", self.visit(begun, subject))["connection"]

    def device(self, provider, subject="u1"):
        begun = self.call("GET", f"{provider}/device-code")
        self.upstream.control(
            "POST", "oauth/approve", {"user-code": begun["user_code"], "subject": subject})
        return self.poll(provider, begun)["connection"]

    def poll(self, provider, begun):
        def look():
            answer = self.call("POST", f"{provider}/poll", {
                "deviceCode": begun["device_code"], "codeVerifier": begun["codeVerifier"],
                "extraData": None})
            return None if answer.get("pending") else answer

        return eventually(look, "the device's sign-in")

    def account(self, connection):
        return self.box.admin("GET", f"/api/providers/{connection['id']}").json()["connection"]

    def token_calls(self):
        return [call for call in self.upstream.control("GET", "oauth")["calls"]
                if call["endpoint"] == "token"]

    def mishap(self, server, endpoint="token", **behaviour):
        self.upstream.control("POST", "oauth/next", {
            "server": server, "endpoint": endpoint, "behaviour": behaviour})

    def chat(self, provider):
        return self.box.chat(message(model=f"{provider}/gpt-4o-mini"))

    def works(self, kind, connection, refreshes=True):
        """Requests go where they may, and the credential is refreshed."""
        self.assertEqual(
            connection["routing"], "protocol_not_supported" if kind in NOT_ROUTED else "routed")
        if kind in NOT_ROUTED:
            answer = self.chat(kind)
            self.assertEqual(
                (answer.status, answer.json()["error"]["code"]), (400, "unsupported_operation"))
        else:
            self.assertEqual(self.chat(kind).status, 200)
        self.assertEqual(connection["canRefresh"], refreshes)
        path = f"/api/providers/{connection['id']}/credential/refresh"
        answer = self.box.admin("POST", path)
        if not refreshes:
            self.assertEqual(
                (answer.status, answer.json()["error"]["code"]), (409, "not_refreshable"))
            return
        self.assertEqual(answer.status, 200, answer.body)
        shown = answer.json()["connection"]["credential"]
        self.assertEqual((shown["generation"], shown["standing"]), (2, "usable"))
        self.assertIsNotNone(shown["expiresAt"])
        if kind not in NOT_ROUTED:
            self.assertEqual(self.chat(kind).status, 200)
        # Nothing of the sign-in was lost by that.
        if connection["subject"]:
            again = self.sign_in(kind)
            self.assertEqual(
                (again["id"], again["isNew"], again["credentialGeneration"]),
                (connection["id"], False, 3))


class ProviderTests(OAuthCase):
    """Each row, with its quirks, from the sign-in to the refresh."""

    def test_generic(self):
        self.provider("generic")
        begun = self.begin("generic")
        query = parse_qs(urlsplit(begun["authUrl"]).query)
        self.assertEqual(query["code_challenge_method"], ["S256"])
        self.assertEqual(query["code_challenge"], [begun["codeChallenge"]])
        self.assertIn("nonce", query)
        self.assertEqual(
            (begun["codeVerifier"], begun["redirectUri"], begun["callbackPath"], begun["fixedPort"]),
            (begun["state"], REDIRECT, "/callback", None))
        connection = self.call("POST", "generic/exchange", {
            **self.visit(begun), "redirectUri": begun["redirectUri"],
            "codeVerifier": begun["codeVerifier"]})["connection"]
        self.assertEqual(
            (connection["subject"], connection["email"], connection["isNew"]),
            ("u1", "u1@example.test", True))
        shown = self.account(connection)
        self.assertEqual(
            (shown["authType"], shown["name"], shown["credential"]["kind"]),
            ("oauth", "u1@example.test", "oauth"))
        self.works("generic", connection)

    def test_generic_by_a_device(self):
        self.provider("generic")
        connection = self.device("generic")
        self.assertEqual(connection["subject"], "u1")
        self.works("generic", connection)

    def test_claude(self):
        self.provider("claude")
        begun = self.begin("claude")
        self.assertEqual(begun["redirectUri"], "https://console.anthropic.com/oauth/code/callback")
        back = self.visit(begun)
        self.assertIn("#" + begun["state"], back["code"], "as it is shown to people")
        connection = self.call("POST", "claude/exchange", back)["connection"]
        self.assertEqual(
            (connection["subject"], connection["workspace"]), ("acct-u1", "ws-u1"))
        self.works("claude", connection)

    def test_codex(self):
        self.provider("codex")
        begun = self.begin("codex")
        self.assertEqual((begun["fixedPort"], begun["callbackPath"]), (1455, "/auth/callback"))
        connection = self.call("POST", "codex/exchange", self.visit(begun))["connection"]
        self.assertEqual((connection["subject"], connection["workspace"]), ("u1", "ws-u1"))
        self.works("codex", connection)

    def test_gemini_cli(self):
        self.provider("gemini-cli")
        connection = self.sign_in("gemini-cli")
        self.assertTrue(connection["canRefresh"], "it was asked for offline access")
        self.works("gemini-cli", connection)

    def test_qwen(self):
        self.provider("qwen")
        connection = self.device("qwen")
        self.assertIsNone(connection["subject"])
        self.works("qwen", connection)

    def test_iflow(self):
        self.provider("iflow")
        connection = self.sign_in("iflow")
        self.assertEqual(connection["email"], "u1@example.test")
        self.assertIsNone(connection["expiresAt"], "it is a key that does not end")
        self.works("iflow", connection, refreshes=False)
        self.upstream.control("POST", "clock", {"advance": "3d"})
        self.assertEqual(self.chat("iflow").status, 200)

    def test_github(self):
        self.provider("github")
        connection = self.device("github")
        self.assertTrue(connection["subject"].isdigit(), "an id and not a name that may change hands")
        # What models take lasts half an hour; GitHub's own token, which does not end, brings the next one.
        self.assertEqual(
            (connection["routing"], connection["canRefresh"], connection["credentialGeneration"]),
            ("protocol_not_supported", True, 1))
        left = datetime.fromisoformat(connection["expiresAt"]) - datetime.now(timezone.utc)
        self.assertTrue(1200 < left.total_seconds() <= 1500, left)
        path = f"/api/providers/{connection['id']}/credential/refresh"
        answer = self.box.admin("POST", path)
        self.assertEqual(answer.status, 200, answer.body)
        shown = answer.json()["connection"]["credential"]
        self.assertEqual((shown["generation"], shown["standing"]), (2, "usable"))
        # A refusal by the one place says nothing of GitHub's token, which is kept and works again.
        self.mishap("github", endpoint="short", status=403)
        self.assertNotEqual(self.box.admin("POST", path).status, 200)
        held = self.account(connection)["credential"]
        self.assertEqual((held["generation"], held["standing"]), (2, "usable"))
        again = self.device("github")
        self.assertEqual(
            (again["id"], again["isNew"], again["credentialGeneration"]), (connection["id"], False, 3))
        calls = self.upstream.control("GET", "oauth")["calls"]
        self.assertEqual([call["endpoint"] for call in calls].count("short"), 4)
        self.assertEqual([call for call in calls if call.get("grant") == "refresh_token"], [])

    def test_github_by_a_token_that_is_brought(self):
        self.provider("github")
        for number, name in ((1, "accessToken"), (2, "refreshToken")):
            begun = self.upstream.control("POST", "oauth/session", {"server": "github", "subject": f"u{number}"})
            connection = self.call("POST", "github/import", {name: begun["accessToken"]})["connection"]
            self.assertEqual(
                (connection["isNew"], connection["canRefresh"], connection["expiresAt"] is None), (True, True, False))
            answer = self.box.admin("POST", f"/api/providers/{connection['id']}/credential/refresh")
            self.assertEqual(answer.json()["connection"]["credential"]["generation"], 2, answer.body)
        # Without Copilot there is nothing to be had for it, and nobody is signed in.
        begun = self.upstream.control("POST", "oauth/session", {"server": "github", "subject": "u1-at-b"})
        before = len(self.box.admin("GET", "/api/providers").json()["connections"])
        self.mishap("github", endpoint="short", status=404)
        error = self.refused("sign_in_refused", "POST", "github/import", {"accessToken": begun["accessToken"]})
        self.assertEqual(error["reason"], "server_error", "the simulator's word in what it queues")
        self.assertEqual(len(self.box.admin("GET", "/api/providers").json()["connections"]), before)
        self.assertNotIn(begun["accessToken"], replay(self.box.data, "tail", "-n", 1000, "--json"))

    def test_github_s_short_token_is_renewed_before_it_ends(self):
        self.upstream.scenario({"oauth": {"servers": [
            {"shape": "github", "device-interval": "1ms", "subjects": SUBJECTS, "short-lifetime": "6s"}]}})
        self.provider("github")
        connection = self.device("github")
        # At half of its life; nobody asks for it.
        eventually(lambda: self.account(connection)["credential"]["generation"] >= 2, "the next short token")
        self.assertEqual(self.account(connection)["credential"]["standing"], "usable")

    def test_kiro(self):
        self.provider("kiro")
        connection = self.device("kiro")
        self.works("kiro", connection)
        # The device's own call names its client in another place, which the simulator does not list.
        refreshing = {
            call["client"] for call in self.token_calls() if call["grant"] == "refresh_token"}
        self.assertEqual(len(refreshing), 1, "the client that the sign-in registered refreshes")
        self.assertTrue(refreshing.pop().startswith("kiro-client-"))

    def test_kiro_social_is_brought_by_its_refresh_token(self):
        self.provider("kiro-social")
        tokens = self.upstream.control(
            "POST", "oauth/session", {"server": "kiro", "subject": "u1"})
        refresh = tokens.get("refresh-token") or tokens.get("refreshToken")
        connection = self.call(
            "POST", "kiro-social/import", {"refreshToken": refresh})["connection"]
        self.works("kiro-social", connection)

    def session(self, server):
        return self.upstream.control("POST", "oauth/session", {"server": server, "subject": "u1"})["refreshToken"]

    def test_a_refresh_token_that_is_brought_again_is_not_presented_again(self):
        self.provider("kiro-social")
        refresh = self.session("kiro")
        first = self.call("POST", "kiro-social/import", {"refreshToken": refresh})["connection"]
        for document in ({"refreshToken": refresh}, {"refreshToken": refresh, "accessToken": "at-older-4hQ"},
                         {"refreshToken": refresh, "account": first["id"]}):
            again = self.call("POST", "kiro-social/import", document)["connection"]
            self.assertEqual(again, first | {"isNew": False})
        path = f"/api/providers/{first['id']}/credential"
        refused = self.box.admin("PUT", path, {"accessToken": "at-older-4hQ", "refreshToken": refresh})
        self.assertEqual((refused.status, refused.json()["error"]["code"]), (409, "token_given_up"))
        self.assertEqual(len(self.token_calls()), 1)
        # After a refresh, too, and then the family is still alive.
        for _ in range(2):
            self.assertEqual(self.box.admin("POST", path + "/refresh").status, 200)
            self.call("POST", "kiro-social/import", {"refreshToken": refresh})
        self.assertEqual([call["outcome"] for call in self.token_calls()], ["refreshed"] * 3)
        other = self.call("POST", "kiro-social/import", {"refreshToken": self.session("kiro")})["connection"]
        self.refused(
            "signed_in_as_another", "POST", "kiro-social/import",
            {"refreshToken": refresh, "account": other["id"]}, 409)

    def test_one_refresh_token_brought_by_many_at_once_is_presented_once(self):
        self.provider("kiro-social")
        refresh = self.session("kiro")
        self.mishap("kiro", hold="after")

        def bring():
            return self.call("POST", "kiro-social/import", {"refreshToken": refresh})["connection"]

        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(bring)]
            eventually(self.token_calls, "a call whose answer is held")
            asked += [pool.submit(bring) for _ in range(7)]
            self.upstream.control("POST", "release", {"label": "token", "count": 1})
            told = [one.result() for one in asked]
        self.assertEqual(len({one["id"] for one in told}), 1)
        self.assertEqual([call["outcome"] for call in self.token_calls()], ["refreshed"])
        self.assertEqual({one["credentialGeneration"] for one in told}, {1})

    def test_what_a_refresh_token_gave_is_kept_where_the_import_fails_behind_it(self):
        self.provider("iflow")
        refresh = self.session("iflow")
        self.mishap("iflow", endpoint="userinfo", fault="drop-before-commit")
        self.refused("sign_in_failed", "POST", "iflow/import", {"refreshToken": refresh}, 502)
        connection = self.call("POST", "iflow/import", {"refreshToken": refresh})["connection"]
        self.assertEqual([call["outcome"] for call in self.token_calls()], ["refreshed"])
        self.assertEqual(connection["subject"], "u1@example.test")

    def test_a_token_with_a_senseless_end_is_one_without_an_end(self):
        for end in (-2 ** 63, 2 ** 63 - 1):
            token = unsigned({"sub": f"auth0|{end}", "exp": end})
            connection = self.call("POST", "cursor/import", {"accessToken": token})["connection"]
            self.assertIsNone(connection["expiresAt"])

    def test_minimax(self):
        self.provider("minimax")
        connection = self.device("minimax")
        self.assertIsNotNone(connection["expiresAt"], "a moment in milliseconds")
        self.works("minimax", connection)

    def test_cursor_is_brought_and_makes_its_provider(self):
        token = unsigned({"sub": "auth0|user_1", "exp": 1_900_000_000})
        brought = {"accessToken": token, "machineId": "m-1"}
        first = self.call("POST", "cursor/import", brought)["connection"]
        self.assertEqual(
            (first["provider"], first["subject"], first["routing"], first["canRefresh"]),
            ("cursor", "auth0|user_1", "protocol_not_supported", False))
        self.assertEqual(first["expiresAt"][:4], "2030")
        node = self.box.admin("GET", "/api/provider-nodes/cursor").json()["node"]
        self.assertEqual(node["baseUrl"], "https://api2.cursor.sh")
        # The same again is no event; another token of the same subject is its next generation.
        again = self.call("POST", "cursor/import", brought)["connection"]
        self.assertEqual((again["id"], again["credentialGeneration"]), (first["id"], 1))
        later = unsigned({"sub": "auth0|user_1", "exp": 1_900_000_001})
        again = self.call("POST", "cursor/import", {"accessToken": later})["connection"]
        self.assertEqual((again["id"], again["credentialGeneration"]), (first["id"], 2))

    def test_a_key_is_brought_where_keys_are_used(self):
        self.provider("generic")
        self.upstream.control("POST", "oauth/session", {
            "server": "oidc", "subject": "u2", "access-token": "sk-brought-9aXw3"})
        connection = self.call(
            "POST", "generic/import", {"apiKey": "sk-brought-9aXw3"})["connection"]
        self.assertEqual(self.account(connection)["authType"], "apikey")
        self.assertEqual(self.chat("generic").status, 200)

    def test_the_table_says_what_there_is(self):
        rows = {row["kind"]: row for row in self.box.admin("GET", "/api/oauth").json()["providers"]}
        self.assertLessEqual(set(SERVERS) | {"cursor", "roo"}, set(rows))
        self.assertEqual({kind for kind, row in rows.items() if not row["isRouted"]}, NOT_ROUTED)
        self.assertEqual(rows["claude"]["flows"], ["authorization_code", "import"])
        self.provider("generic", "corp")
        rows = {row["kind"]: row for row in self.box.admin("GET", "/api/oauth").json()["providers"]}
        self.assertEqual(rows["generic"]["configured"], ["corp"])


class AccountTests(OAuthCase):
    """Whose a sign-in is."""

    def setUp(self):
        super().setUp()
        self.provider("codex")
        self.provider("generic")

    def test_one_mail_in_two_workspaces_is_two_accounts(self):
        first, second = self.sign_in("codex", "u1"), self.sign_in("codex", "u1-at-b")
        self.assertEqual(first["email"], second["email"])
        self.assertNotEqual(first["id"], second["id"])
        self.assertNotEqual(first["name"], second["name"])
        again = self.sign_in("codex", "u1")
        self.assertEqual(
            (again["id"], again["isNew"], again["credentialGeneration"]), (first["id"], False, 2))
        self.assertEqual(self.account(second)["credential"]["generation"], 1)

    def test_a_reconnect_keeps_the_id_the_name_and_what_points_to_it(self):
        first = self.sign_in("generic")
        key = self.box.admin("POST", "/api/keys", {
            "name": "pinned", "allowedAccounts": [first["id"]]})
        self.assertIn(key.status, (200, 201), key.body)
        self.box.admin("PUT", f"/api/providers/{first['id']}", {"name": "mine", "priority": 3})
        again = self.sign_in("generic", account="mine")
        self.assertEqual((again["id"], again["name"]), (first["id"], "mine"))
        self.assertEqual(self.account(again)["priority"], 3)
        # By itself too, without its being named; and after the credential was taken away.
        self.assertEqual(self.sign_in("generic")["id"], first["id"])
        shown = self.box.admin("GET", f"/api/keys/{key.json()['id']}").json()
        self.assertIn(first["id"], json.dumps(shown))

    def test_somebody_else_does_not_take_an_account_over(self):
        first = self.sign_in("generic", "u1")
        begun = self.begin("generic", account=first["id"])
        back = self.visit(begun, "u2")
        self.refused("signed_in_as_another", "POST", "generic/exchange", back, 409)
        self.assertEqual(self.account(first)["credential"]["generation"], 1)
        self.refused(
            "unknown_account", "GET", "codex/authorize?" + urlencode({"account": first["id"]}),
            status=404)

    def test_what_a_sign_in_brought_survives_a_restart_and_what_waits_does_not(self):
        first = self.sign_in("generic")
        begun = self.begin("generic")
        back = self.visit(begun)
        self.box.stop()
        self.restart(self.box)
        self.refused("sign_in_state", "POST", "generic/exchange", back)
        self.assertEqual(self.chat("generic").status, 200)
        self.assertEqual(self.sign_in("generic")["id"], first["id"])


class StateTests(OAuthCase):
    """A state is good once, for who began it, where it was begun, for a while."""

    def setUp(self):
        super().setUp()
        self.provider("generic")
        self.provider("codex")

    def reason(self, path, document, headers=None):
        return self.refused("sign_in_state", "POST", path, document, headers=headers)["reason"]

    def test_forged_used_and_misplaced_states(self):
        begun = self.begin("generic")
        back = self.visit(begun)
        self.assertEqual(
            self.reason("generic/exchange", {**back, "state": "A" * 43}), "unknown")
        self.assertEqual(self.reason("codex/exchange", back), "other_provider")
        self.assertEqual(
            self.reason("generic/poll", {"deviceCode": back["state"]}), "other_provider")
        other = self.box.sign_in()
        self.assertEqual(self.reason("generic/exchange", back, other), "other_session")
        # None of that spoilt it.
        self.call("POST", "generic/exchange", back)
        self.assertEqual(self.reason("generic/exchange", back), "used")
        self.assertEqual([call["outcome"] for call in self.token_calls()], ["issued"])

    def test_a_code_of_another_sign_in_fails_at_the_verifier(self):
        mine, other = self.begin("generic"), self.begin("generic")
        error = self.refused("sign_in_refused", "POST", "generic/exchange", {
            "code": self.visit(other)["code"], "state": mine["state"]})
        self.assertEqual(error["reason"], "invalid_grant")
        self.assertEqual(self.token_calls()[-1]["outcome"], "bad-code: code_verifier")

    def test_a_code_that_was_used_signs_nobody_in(self):
        begun = self.begin("generic")
        back = self.visit(begun)
        self.call("POST", "generic/exchange", back)
        self.refused("sign_in_refused", "POST", "generic/exchange", {
            "code": back["code"], "state": self.begin("generic")["state"]})

    def test_bodies_that_are_wrong(self):
        begun = self.begin("generic")
        for document, code in (
                ({"state": begun["state"]}, "missing_field"), ({"code": "c"}, "missing_field"),
                ({"code": "a b", "state": begun["state"]}, "invalid_field"),
                ({"code": "c", "state": begun["state"], "more": 1}, "unknown_field")):
            self.refused(code, "POST", "generic/exchange", document)
        for more in ({"redirectUri": REDIRECT + "2"}, {"codeVerifier": "x" * 43}):
            begun = self.begin("generic")
            self.refused(
                "invalid_field", "POST", "generic/exchange", {**self.visit(begun), **more})

    def test_only_so_many_wait(self):
        for _ in range(32):
            self.begin("generic")
        self.refused(
            "overloaded", "GET", "generic/authorize?" + urlencode({"redirect_uri": REDIRECT}),
            status=503)

    def test_redirects_lead_home(self):
        for uri in ("http://example.test/", "http://localhost.example.test/", "ftp://localhost/",
                    "http://localhost/#x", "https://a@b.test/", "javascript:alert(1)"):
            self.refused(
                "invalid_field", "GET", "generic/authorize?" + urlencode({"redirect_uri": uri}))
        self.refused("missing_field", "GET", "generic/authorize")

    def test_providers_without_that_way(self):
        self.refused("unknown_provider", "GET", "none/authorize", status=404)
        for path in ("cursor/authorize", "claude/device-code", "qwen/authorize", "mock/authorize"):
            self.refused(
                "sign_in_unavailable", "GET", path + "?" + urlencode(
                    {} if path.endswith("code") else {"redirect_uri": REDIRECT}), status=409)
        # Whose client has a secret that nobody set.
        self.refused(
            "sign_in_unavailable", "GET",
            "gemini-cli/authorize?" + urlencode({"redirect_uri": REDIRECT}), status=409)

    def test_nobody_signs_in_without_being_signed_in(self):
        for method, path in (("GET", "/api/oauth"), ("GET", "/api/oauth/claude/authorize"),
                             ("POST", "/api/oauth/claude/exchange"),
                             ("POST", "/api/oauth/cursor/import")):
            body = b"{}" if method == "POST" else None
            self.assertEqual(exchange(self.box.port, method, path, body).status, 401)


class TroubleTests(OAuthCase):
    """Answers that are lost, late or not what they should be."""

    def test_an_exchange_without_an_answer_signs_nobody_in(self):
        self.provider("generic")
        before = len(self.box.admin("GET", "/api/providers").json()["connections"])
        for behaviour, code, status in (
                ({"fault": "lose-answer"}, "sign_in_failed", 502),
                ({"fault": "drop-before-commit"}, "sign_in_failed", 502),
                ({"fault": "garbage"}, "sign_in_failed", 502),
                ({"fault": "html"}, "sign_in_failed", 502),
                ({"omit": ["access_token"]}, "sign_in_failed", 502),
                ({"status": 500, "body": "broken s3cr3t-text"}, "sign_in_failed", 502),
                ({"status": 302}, "sign_in_failed", 502),
                ({"error": "invalid_grant"}, "sign_in_refused", 400),
                ({"status": 400, "body": "{\"error\": \"s3cr3t-text\"}"}, "sign_in_refused", 400)):
            with self.subTest(behaviour=behaviour):
                begun = self.begin("generic")
                back = self.visit(begun)
                self.mishap("oidc", **behaviour)
                error = self.refused(code, "POST", "generic/exchange", back, status)
                self.assertNotIn("s3cr3t-text", json.dumps(error))
                # It may have taken effect: the state is used up in any case.
                self.refused("sign_in_state", "POST", "generic/exchange", back)
        after = self.box.admin("GET", "/api/providers").json()["connections"]
        self.assertEqual(len(after), before)

    def test_an_id_token_for_somebody_else_is_no_identity(self):
        self.provider("generic", "mine", clientId="abc")
        begun = self.begin("mine")
        back = self.visit(begun)
        self.mishap("oidc", body=json.dumps({
            "access_token": "at-x", "expires_in": 60,
            "id_token": unsigned({"sub": "u1", "aud": "another-client"})}))
        error = self.refused("sign_in_failed", "POST", "mine/exchange", back, 502)
        self.assertEqual(error["reason"], "bad_id_token")

    def test_an_id_token_that_was_not_made_for_this_sign_in_is_no_identity(self):
        self.provider("generic", "mine", clientId="abc", scopes=["openid"])
        soon = int(time.time()) + 600
        for claims, is_good in (
                ({"exp": soon}, False), ({"nonce": 5, "exp": soon}, False),
                ({"nonce": "another", "exp": soon}, False),
                ({"nonce": "NONCE", "exp": soon - 4_200}, False), ({"nonce": "NONCE", "exp": soon}, True)):
            with self.subTest(claims=claims):
                begun = self.begin("mine")
                query = parse_qs(urlsplit(begun["authUrl"]).query)
                if claims.get("nonce") == "NONCE":
                    claims = {**claims, "nonce": query["nonce"][0]}
                back = self.visit(begun)
                self.mishap("oidc", body=json.dumps({
                    "access_token": "at-x", "expires_in": 60,
                    "id_token": unsigned({"sub": "u1", "aud": "abc", **claims})}))
                if is_good:
                    self.assertTrue(self.call("POST", "mine/exchange", back)["success"])
                else:
                    error = self.refused("sign_in_failed", "POST", "mine/exchange", back, 502)
                    self.assertEqual(error["reason"], "bad_id_token")

    def test_a_device_waits_slows_down_and_is_denied_or_too_late(self):
        self.provider("generic")
        begun = self.call("GET", "generic/device-code")
        self.assertNotIn("dc-", json.dumps(begun), "the provider's own code stays here")
        poll = {"deviceCode": begun["device_code"]}
        waiting = self.call("POST", "generic/poll", poll)
        self.assertEqual(
            (waiting["success"], waiting["pending"], waiting["error"]),
            (False, True, "authorization_pending"))
        self.upstream.control("POST", "oauth/deny", {"user-code": begun["user_code"]})
        ended = self.poll("generic", begun)
        self.assertEqual((ended["success"], ended["error"]), (False, "access_denied"))
        self.refused("sign_in_state", "POST", "generic/poll", poll)

        begun = self.call("GET", "generic/device-code")
        self.upstream.control("POST", "clock", {"advance": "16m"})
        self.assertEqual(self.poll("generic", begun)["error"], "expired_token")

        begun = self.call("GET", "generic/device-code")
        self.mishap("oidc", error="slow_down")
        slowed = self.call("POST", "generic/poll", {"deviceCode": begun["device_code"]})
        self.assertEqual((slowed["pending"], slowed["error"]), (True, "slow_down"))
        calls = len(self.token_calls())
        for _ in range(5):
            self.call("POST", "generic/poll", {"deviceCode": begun["device_code"]})
        self.assertEqual(len(self.token_calls()), calls, "the provider is left in peace")

    def test_a_poll_whose_answer_is_lost_is_asked_again(self):
        self.provider("generic")
        begun = self.call("GET", "generic/device-code")
        self.mishap("oidc", fault="drop-before-commit")
        lost = self.call("POST", "generic/poll", {"deviceCode": begun["device_code"]})
        self.assertTrue(lost["pending"])
        self.upstream.control(
            "POST", "oauth/approve", {"user-code": begun["user_code"], "subject": "u1"})
        self.assertTrue(self.poll("generic", begun)["success"])

    def test_imports_that_are_wrong(self):
        self.provider("generic")
        self.provider("kiro-social")
        for document, code in (
                ({}, "missing_field"), ({"accessToken": "a b"}, "invalid_field"),
                ({"accessToken": ""}, "invalid_field"), ({"accessToken": 7}, "invalid_field"),
                ({"accessToken": "x" * 16_385}, "invalid_field"),
                ({"accessToken": "at-9", "apiKey": "sk-9Kx2"}, "invalid_field"),
                ({"accessToken": "at-9", "clientId": "c-9"}, "missing_field"),
                ({"accessToken": "at-9", "expiresAt": "soon"}, "invalid_field"),
                ({"accessToken": "at-9", "cookie": "x"}, "unknown_field")):
            with self.subTest(document=document):
                self.refused(code, "POST", "generic/import", document)
        error = self.refused(
            "sign_in_refused", "POST", "kiro-social/import", {"refreshToken": "aor-unknown"})
        self.assertEqual(error["reason"], "invalid_grant")

    def test_nothing_secret_is_said_or_written(self):
        self.provider("generic")
        begun = self.begin("generic")
        back = self.visit(begun)
        answer = json.dumps(self.call("POST", "generic/exchange", back))
        connection = json.loads(answer)["connection"]
        seen = answer + json.dumps(self.account(connection))
        self.box.stop()
        seen += self.box.text() + replay(self.box.data, "window", "--from", "1", "--limit", "0", "--json")
        log = b"".join(path.read_bytes() for path in Path(self.box.data).rglob("*") if path.is_file())
        for word in (back["code"], back["state"], SECRET):
            self.assertNotIn(word, seen)
            self.assertNotIn(word.encode(), log)
        # Whose it is, is sealed with the tokens but for the name that was made of it.
        self.assertNotIn(b"signed-in.subject", log)


class CommandTests(OAuthCase):
    def run_verb(self, *arguments, text="", code=0):
        done = subprocess.run(
            [program("signalbox"), "accounts", *arguments, "--data", str(self.box.data)],
            input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def test_a_browser_is_sent_away_and_its_address_is_pasted(self):
        self.provider("generic")
        process = subprocess.Popen(
            [program("signalbox"), "accounts", "sign-in", "generic", "--data", str(self.box.data)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        url = process.stdout.readline().split()[1]
        parts = urlsplit(url)
        answer = exchange(
            self.upstream.port, "GET", f"{parts.path}?{parts.query}&approve=u1")
        out, _ = process.communicate(answer.header("location") + "\n", timeout=30)
        self.assertEqual(process.returncode, 0, out)
        self.assertIn("u1@example.test", out)
        self.assertEqual(self.chat("generic").status, 200)

    def test_a_device_is_waited_for(self):
        self.provider("minimax")
        process = subprocess.Popen(
            [program("signalbox"), "accounts", "sign-in", "minimax", "--data", str(self.box.data)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        process.stdout.readline()
        code = process.stdout.readline().split()[1]
        self.upstream.control("POST", "oauth/approve", {"user-code": code, "subject": "u1"})
        out, _ = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0, out)
        self.assertEqual(self.chat("minimax").status, 200)

    def test_a_token_is_brought_from_a_file_with_or_without_a_gateway(self):
        token = self.directory / "token"
        token.write_text(unsigned({"sub": "s1", "exp": 1_900_000_000}) + "\n")
        first = self.run_verb("import", "cursor", "--access-token-file", str(token))
        self.assertIn("protocol_not_supported", first)
        self.box.stop()
        self.assertIn("cursor", self.run_verb("import", "cursor", "--access-token-file", str(token)))
        refused = self.run_verb("sign-in", "claude", code=1)
        self.assertIn("gateway_not_running", refused)
