"""Credentials that are refreshed: one call for many refusals, no token reused after a crash or by a copy."""

import shutil
import threading
import time

from test_command_line import signalbox
from support import Case, configuration, eventually, message, of_kind, window

SESSION = {"server": "oidc", "subject": "a1", "client": "client",
           "access-token": "at-1", "refresh-token": "rt-1"}


class CredentialCase(Case):
    """One account with a refresh token, at the simulator's OAuth server with single-use tokens."""

    rules = {}
    lead = 300

    def setUp(self):
        super().setUp()
        self.upstream = self.simulator(self.document())
        self.box = self.gateway(configuration(self.upstream, accounts=1))
        changed = self.box.admin("PUT", "/api/provider-nodes/mock", {"oauth": {
            "tokenUrl": f"http://127.0.0.1:{self.upstream.port}/oauth/oidc/token",
            "clientId": "client", "leadSeconds": self.lead}})
        self.assertEqual(changed.status, 200, changed.body)

    def document(self):
        return {"oauth": {"servers": [{"shape": "oidc", **self.rules}], "sessions": [SESSION]}}

    def issue(self, **more):
        issued = self.box.admin("PUT", "/api/providers/a1/credential", {
            "accessToken": "at-1", "refreshToken": "rt-1", **more})
        self.assertEqual(issued.status, 200, issued.body)
        return issued.json()["connection"]["credential"]

    def credential(self):
        return self.box.admin("GET", "/api/providers/a1").json()["connection"]["credential"]

    def until(self, what, **wanted):
        def look():
            shown = self.credential()
            return shown if all(shown[name] == value for name, value in wanted.items()) else None

        return eventually(look, f"{what}: {wanted}")

    def calls(self):
        """Outcomes of the token calls, in order."""
        return [call["outcome"] for call in self.upstream.control("GET", "oauth")["calls"]
                if call["endpoint"] == "token"]

    def family(self):
        families = self.upstream.control("GET", "oauth")["families"]
        self.assertEqual(len(families), 1, families)
        return families[0]

    def expire(self):
        self.upstream.control("POST", "oauth/expire", {"server": "oidc", "subject": "a1"})

    def begin(self, path):
        """Makes a call whose answer is not waited for."""
        def call():
            try:
                self.box.admin("POST", path)
            except OSError:
                pass

        self.box.login()
        started = threading.Thread(target=call)
        started.start()
        self.addCleanup(started.join)


class FileTests(CredentialCase):
    """The first tokens and the way to the next ones stand in the file."""

    def test_a_file_seeds_what_a_refresh_renews_and_never_sets_it_back(self):
        file = self.directory / "corp.yaml"
        file.write_text(f"""\
providers:
- id: corp
  protocol: openai
  base-url: http://127.0.0.1:{self.upstream.port}/v1
  models: [{{name: gpt-4o-mini}}]
  oauth: {{token-url: "http://127.0.0.1:{self.upstream.port}/oauth/oidc/token", client-id: client, refresh-lead: 5m}}
  accounts:
  - {{name: u1, access-token: "${{U1_ACCESS}}", refresh-token: "${{U1_REFRESH}}"}}
""")
        environment = {"U1_ACCESS": "at-1", "U1_REFRESH": "rt-1"}

        def apply(*more):
            done = signalbox(self.box.data, "apply", str(file), *more, environment=environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotRegex(done.stdout + done.stderr, "at-1|rt-1")
            return done.stdout

        self.assertIn("refresh-lead none → 300s", apply())
        self.assertEqual(self.box.chat(message(model="corp/gpt-4o-mini")).status, 200)
        self.expire()
        self.assertEqual(self.box.chat(message(model="corp/gpt-4o-mini")).status, 200)
        self.assertEqual(self.calls(), ["refreshed"])
        for more in [(), ("--overwrite",)]:
            self.assertIn("it was refreshed since, and a file never sets one back", apply(*more))
        shown = self.box.admin("GET", "/api/providers/corp-u1").json()["connection"]["credential"]
        self.assertEqual((shown["generation"], shown["kind"], shown["standing"]), (2, "token", "usable"))
        self.assertEqual(self.box.chat(message(model="corp/gpt-4o-mini")).status, 200)


class RefreshTests(CredentialCase):
    def test_32_refusals_at_once_are_one_refresh_and_32_answers(self):
        self.issue()
        self.assertEqual(self.box.chat(message()).status, 200)
        self.expire()
        statuses = []
        gate = threading.Barrier(32)

        def ask():
            gate.wait()
            statuses.append(self.box.chat(message()).status)

        askers = [threading.Thread(target=ask) for _ in range(32)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        self.assertEqual(statuses, [200] * 32)
        self.assertEqual(self.calls(), ["refreshed"])
        shown = self.credential()
        self.assertEqual((shown["generation"], shown["standing"]), (3, "usable"))
        # Nothing was booked against the account, and the decisions can be made again.
        health = self.box.admin("GET", "/api/providers/a1").json()["connection"]
        self.assertEqual((health["cooldowns"], health["lastError"]), ([], None))
        attempted = of_kind(window(self.box.data), "credential.refresh_attempted")
        self.assertEqual([row["cause"] for row in attempted], ["reactive"])
        self.box.child.stop()
        self.box.replay("verify")

    def test_it_is_refreshed_before_it_ends_though_nobody_asks(self):
        self.issue(expiresIn=4)
        self.box.admin("PUT", "/api/providers/a1", {"isActive": False})
        self.until("refreshed ahead", generation=3)
        self.assertEqual(self.calls(), ["refreshed"])
        self.assertIsNotNone(self.credential()["nextRefreshAt"])

    def test_a_refused_refresh_token_leaves_the_access_token_in_use(self):
        issued = self.issue()
        self.upstream.control("POST", "oauth/next", {
            "server": "oidc", "endpoint": "token", "behaviour": {"error": "invalid_grant"}})
        answer = self.box.admin("POST", "/api/providers/a1/credential/refresh")
        self.assertEqual(answer.status, 502, answer.body)
        self.assertEqual(answer.json()["error"]["code"], "refresh_failed")
        shown = self.until("refused", standing="reauth_required", reason="invalid_grant")
        self.assertEqual(shown["generation"], issued["generation"])
        self.assertEqual(self.box.chat(message()).status, 200)
        position = [int(event["at"].split(":")[1]) for event in window(self.box.data)
                    if event["kind"] == "credential.refresh_attempted.v1"]
        self.assertEqual([shown["attempt"]], position)
        # A newer one makes it whole.
        session = self.upstream.control("POST", "oauth/session", {**SESSION,
            "access-token": "at-9", "refresh-token": "rt-9"})
        self.assertTrue(session)
        self.box.admin("PUT", "/api/providers/a1/credential",
                       {"accessToken": "at-9", "refreshToken": "rt-9"})
        self.assertEqual(self.credential()["standing"], "usable")

    def test_tokens_that_were_refused_are_no_remedy_and_it_says_what_is(self):
        self.issue()
        self.upstream.control("POST", "oauth/revoke", {"server": "oidc", "subject": "a1"})
        self.box.admin("POST", "/api/providers/a1/credential/refresh")
        shown = self.until("refused", standing="reauth_required")
        self.assertIn("Sign in anew", shown["remedy"])
        again = self.box.admin("PUT", "/api/providers/a1/credential", {
            "accessToken": "at-1", "refreshToken": "rt-1"})
        self.assertEqual((again.status, again.json()["error"]["code"]), (409, "token_given_up"))

    def test_a_failing_endpoint_changes_nothing_and_is_asked_again_later(self):
        self.issue()
        self.upstream.control("POST", "oauth/next", {
            "server": "oidc", "endpoint": "token", "behaviour": {"status": 503, "retry-after": 60}})
        self.assertEqual(
            self.box.admin("POST", "/api/providers/a1/credential/refresh").status, 502)
        shown = self.credential()
        self.assertEqual((shown["standing"], shown["failures"]), ("usable", 1))
        self.assertIn(shown["lastFailure"]["code"], ("status_503", "server_error"))
        # An operator does not wait.
        again = self.box.admin("POST", "/api/providers/a1/credential/refresh")
        self.assertEqual(again.status, 200, again.body)
        self.assertEqual(self.credential()["failures"], 0)

    def test_a_test_of_the_account_refreshes_what_ended_and_says_so(self):
        self.issue()
        self.expire()
        test = self.box.admin("POST", "/api/providers/a1/test").json()
        self.assertEqual((test["valid"], test["refreshed"]), (True, True), test)
        test = self.box.admin("POST", "/api/providers/a1/test").json()
        self.assertEqual((test["valid"], test["refreshed"]), (True, False), test)

    def test_what_cannot_be_refreshed_says_why(self):
        answer = self.box.admin("POST", "/api/providers/a1/credential/refresh")
        self.assertEqual(answer.status, 409, answer.body)
        self.assertEqual(answer.json()["error"]["code"], "not_refreshable")

    def test_no_secret_is_seen_anywhere(self):
        self.issue()
        self.expire()
        self.assertEqual(self.box.chat(message()).status, 200)
        self.box.admin("POST", "/api/providers/a1/credential/refresh")
        shown = b"".join(
            self.box.admin("GET", path).body
            for path in ("/api/providers/a1", "/api/providers", "/api/provider-nodes"))
        self.box.child.stop()
        everything = shown + self.box.text().encode()
        for file in self.box.data.rglob("*"):
            if file.is_file():
                everything += file.read_bytes()
        for secret in (b"at-1", b"rt-1"):
            self.assertNotIn(secret, everything)


class CrashTests(CredentialCase):
    """The process ends at one step of a refresh; the account ends as the provider knows it."""

    def crash(self):
        self.box.child.kill()
        self.restart(self.box)

    def token_next(self, **behaviour):
        self.upstream.control("POST", "oauth/next", {
            "server": "oidc", "endpoint": "token", "behaviour": behaviour})

    def test_before_the_attempt_is_written_nothing_happened(self):
        self.issue()
        self.crash()
        self.assertEqual(self.credential()["standing"], "usable")
        self.assertEqual(self.calls(), [])
        self.assertEqual(self.box.admin("POST", "/api/providers/a1/credential/refresh").status, 200)
        self.assertFalse(self.family()["revoked"])

    def test_between_attempt_and_commit_one_retry_with_the_old_token_is_enough(self):
        for turn in range(3):
            with self.subTest(turn=turn):
                # A token of its own: one that a newer one was given for is not taken again.
                token = f"rt-of-turn-{turn}"
                document = self.document()
                document["oauth"]["sessions"] = [{**SESSION, "refresh-token": token}]
                self.upstream.control("POST", "scenario", document)
                issued = self.issue(refreshToken=token, idToken=f"turn-{turn}")
                self.token_next(fault="hang-before-commit")
                self.begin("/api/providers/a1/credential/refresh")
                self.until("a refresh under way", refreshing=True)
                # Durable comes before the call: a crash between the two would leave the fault to the next call.
                eventually(
                    lambda: self.upstream.control("GET", "oauth")["queued"] == 0,
                    "the call's arrival at the provider")
                self.crash()
                shown = self.credential()
                self.assertEqual((shown["standing"], shown["reason"]), ("uncertain", "unfinished"))
                self.assertEqual(shown["generation"], issued["generation"])
                # As long as the access token works nobody presents the other one.
                self.assertEqual(self.box.chat(message()).status, 200)
                self.expire()
                self.assertEqual(self.box.chat(message()).status, 200)
                self.assertEqual(self.credential()["standing"], "usable")
                self.assertFalse(self.family()["revoked"])

    def test_after_the_commit_the_account_is_used_until_its_token_ends_and_then_said_to_be_lost(self):
        issued = self.issue()
        self.token_next(fault="hang-after-commit")
        self.begin("/api/providers/a1/credential/refresh")
        eventually(lambda: self.family()["generation"] == 2, "the provider's commit")
        self.crash()
        shown = self.credential()
        self.assertEqual((shown["standing"], shown["reason"]), ("uncertain", "unfinished"))
        attempt = shown["attempt"]
        for _ in range(3):
            self.assertEqual(self.box.chat(message()).status, 200)
        self.assertFalse(self.family()["revoked"], "our own reuse revoked the family")
        self.expire()
        self.assertEqual(self.box.chat(message()).status, 502)
        shown = self.credential()
        self.assertEqual(shown["standing"], "reauth_required")
        self.assertEqual((shown["generation"], shown["attempt"]), (issued["generation"], attempt))

    def test_after_the_token_is_written_it_is_used(self):
        self.issue()
        self.assertEqual(self.box.admin("POST", "/api/providers/a1/credential/refresh").status, 200)
        self.crash()
        shown = self.credential()
        self.assertEqual((shown["generation"], shown["standing"]), (3, "usable"))
        self.assertEqual(self.box.chat(message()).status, 200)
        self.assertFalse(self.family()["revoked"])

    def test_killed_at_any_moment_of_many_refreshes_nothing_is_reused(self):
        base = self.issue()["generation"] - 1
        found = {"before": 0, "after": 0, "in between": 0}
        for turn in range(16):
            with self.subTest(turn=turn):
                before = self.credential()["generation"]
                self.token_next(latency="40ms")
                self.begin("/api/providers/a1/credential/refresh")
                time.sleep(turn * 0.006)
                self.crash()
                shown = self.credential()
                self.assertIn(shown["standing"], ("usable", "uncertain"))
                self.assertFalse(self.family()["revoked"])
                self.assertEqual(self.box.chat(message()).status, 200)
                ours, theirs = shown["generation"] - base, self.family()["generation"]
                self.assertIn(theirs - ours, (0, 1))
                if theirs > ours:
                    # The instant that nobody can close: on record, and the access token still works.
                    self.assertEqual(shown["standing"], "uncertain")
                if shown["standing"] == "uncertain":
                    found["in between"] += 1
                    refused = self.box.admin("POST", "/api/providers/a1/credential/refresh")
                    self.assertEqual(refused.status, 409, refused.body)
                    self.upstream.control("POST", "scenario", self.document())
                    base = self.issue(idToken=f"turn-{turn}")["generation"] - 1
                else:
                    found["after" if shown["generation"] > before else "before"] += 1
                self.assertNotIn("reused", self.calls())
        self.assertGreater(found["in between"], 0, found)

    def test_a_clean_stop_waits_for_the_refresh_under_way(self):
        self.issue()
        self.token_next(latency="700ms")
        self.begin("/api/providers/a1/credential/refresh")
        self.until("a refresh under way", refreshing=True)
        self.box.child.stop()
        self.restart(self.box)
        shown = self.credential()
        self.assertEqual((shown["generation"], shown["standing"]), (3, "usable"))


class CopyTests(CredentialCase):
    def test_a_copy_uses_its_access_token_and_refreshes_only_after_a_release(self):
        self.issue()
        self.box.child.stop()
        backup = self.directory / "backup"
        shutil.copytree(self.box.data, backup)
        # The original goes on and refreshes.
        self.restart(self.box)
        self.assertEqual(self.credential()["standing"], "usable")
        self.assertEqual(self.box.admin("POST", "/api/providers/a1/credential/refresh").status, 200)
        self.box.child.stop()
        shutil.rmtree(self.box.data)
        shutil.copytree(backup, self.box.data)

        self.restart(self.box)
        shown = self.credential()
        self.assertEqual((shown["standing"], shown["reason"]), ("uncertain", "restored"))
        self.assertEqual(self.box.chat(message()).status, 200)
        refused = self.box.admin("POST", "/api/providers/a1/credential/refresh")
        self.assertEqual((refused.status, refused.json()["error"]["code"]), (409, "not_refreshable"))
        self.expire()
        self.assertNotEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.calls(), ["refreshed"])
        self.assertFalse(self.family()["revoked"])
        restored = of_kind(window(self.box.data), "gateway.restored")
        self.assertEqual(len(restored), 1)
        self.assertNotEqual(restored[0]["incarnation"], restored[0]["previous"])

        released = self.box.admin("POST", "/api/providers/a1/credential/release")
        self.assertEqual(released.json()["connection"]["credential"]["standing"], "usable")
        # It is not a copy any more.
        self.box.child.stop()
        self.restart(self.box)
        self.assertEqual(len(of_kind(window(self.box.data), "gateway.restored")), 1)


class SpacingTests(CredentialCase):
    """Two accounts of one client, whose provider revokes what is refreshed too close to another one."""

    rules = {"spacing": {"refreshes": 1, "within": "30s"}}

    def document(self):
        return {"oauth": {"servers": [{"shape": "oidc", **self.rules}], "sessions": [
            SESSION, {**SESSION, "subject": "a2", "access-token": "at-2", "refresh-token": "rt-2"}]}}

    def setUp(self):
        super().setUp()
        added = self.box.admin("POST", "/api/providers", {
            "provider": "mock", "name": "second", "apiKey": "sk-brought-4pQ8zL", "priority": 2})
        self.assertEqual(added.status, 201, added.body)
        self.second = added.json()["connection"]["id"]
        changed = self.box.admin("PUT", "/api/provider-nodes/mock", {"oauth": {
            "tokenUrl": f"http://127.0.0.1:{self.upstream.port}/oauth/oidc/token", "clientId": "client",
            "leadSeconds": 300, "family": "per-client", "spacingSeconds": 30}})
        self.assertEqual(changed.status, 200, changed.body)

    def test_whoever_asks_too_early_is_told_until_when_and_nobody_waits(self):
        self.issue()
        issued = self.box.admin("PUT", f"/api/providers/{self.second}/credential", {
            "accessToken": "at-2", "refreshToken": "rt-2"})
        self.assertEqual(issued.status, 200, issued.body)
        self.assertEqual(self.box.admin("POST", "/api/providers/a1/credential/refresh").status, 200)
        began = time.monotonic()
        early = self.box.admin("POST", f"/api/providers/{self.second}/credential/refresh")
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual((early.status, early.json()["error"]["code"]), (409, "refresh_waits"))
        self.assertTrue(0 < int(early.headers["retry-after"]) <= 30, early.headers)
        self.assertRegex(early.json()["error"]["until"], r"^\d{4}-\d\d-\d\dT")
        # Nobody presented it, and a stop waits for nothing.
        self.assertEqual(self.calls(), ["refreshed"])
        self.assertEqual(self.box.child.stop(), 0)
        revoked = [row["revoked"] for row in self.upstream.control("GET", "oauth")["families"]]
        self.assertEqual(revoked, [False, False])


class HomeTests(CredentialCase):
    def test_only_its_home_refreshes_a_credential(self):
        self.issue()
        unknown = self.box.admin("POST", "/api/providers/a1/credential/home", {"node": "node-other"})
        self.assertEqual((unknown.status, unknown.json()["error"]["code"]), (409, "not_home"))
        self.assertIn("`force`", unknown.json()["error"]["remedy"])
        moved = self.box.admin(
            "POST", "/api/providers/a1/credential/home", {"node": "node-other", "force": True})
        self.assertEqual(moved.status, 200, moved.body)
        shown = moved.json()["connection"]["credential"]
        self.assertEqual((shown["home"], shown["isHome"], shown["homeEpoch"]), ("node-other", False, 1))
        refused = self.box.admin("POST", "/api/providers/a1/credential/refresh")
        self.assertEqual(refused.json()["error"]["code"], "not_refreshable")
        self.expire()
        self.assertNotEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.calls(), [])
        back = self.box.admin("POST", "/api/providers/a1/credential/home")
        self.assertEqual((back.status, back.json()["error"]["code"]), (409, "not_home"))
        back = self.box.admin("POST", "/api/providers/a1/credential/home", {"force": True})
        self.assertTrue(back.json()["connection"]["credential"]["isHome"])
        self.assertEqual(self.box.admin("POST", "/api/providers/a1/credential/refresh").status, 200)


class VerbTests(CredentialCase):
    def verb(self, *words, environment=None):
        return signalbox(self.box.data, *words, environment=environment)

    def test_operators_issue_refresh_release_and_move_by_the_command_line(self):
        issued = self.verb(
            "accounts", "issue", "a1", "--access-token-env", "AT", "--refresh-token-env", "RT",
            "--expires-in", "3600", environment={"AT": "at-1", "RT": "rt-1"})
        self.assertEqual(issued.returncode, 0, issued.stderr)
        shown = self.credential()
        self.assertEqual((shown["kind"], shown["canRefresh"]), ("token", True))
        self.assertEqual(self.verb("accounts", "refresh", "a1").returncode, 0)
        self.assertEqual(self.credential()["generation"], 3)
        unknown = self.verb("accounts", "move-home", "a1", "--node", "n2")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("No node n2 is known here", unknown.stderr)
        self.assertEqual(
            self.verb("accounts", "move-home", "a1", "--node", "n2", "--force").returncode, 0)
        self.assertFalse(self.credential()["isHome"])
        self.assertEqual(self.verb("accounts", "refresh", "a1").returncode, 1)
        refused = self.verb("accounts", "move-home", "a1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("Only node n2 gives this credential away", refused.stderr)
        self.assertEqual(self.verb("accounts", "move-home", "a1", "--force").returncode, 0)
        self.assertEqual(self.verb("accounts", "release", "a1").returncode, 0)

    def test_metrics_count_refreshes_and_show_standings(self):
        self.issue(expiresIn=3600)
        self.box.admin("POST", "/api/providers/a1/credential/refresh")
        self.token_refused()

        def page():
            text = self.box.admin("GET", "/metrics").body.decode()
            return text if 'result="rejected"} 1' in text else None

        text = eventually(page, "the counters")
        self.assertIn('signalbox_credential_refreshes_total{provider="mock",result="refreshed"} 1', text)
        self.assertIn('signalbox_credentials{provider="mock",standing="reauth_required"} 1', text)
        self.assertIn('signalbox_credential_expires_timestamp_seconds{account=', text)

    def token_refused(self):
        self.upstream.control("POST", "oauth/next", {
            "server": "oidc", "endpoint": "token", "behaviour": {"error": "invalid_grant"}})
        self.box.admin("POST", "/api/providers/a1/credential/refresh")
