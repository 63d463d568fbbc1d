"""Who is let in: passwords, sign-in, tiers, over real sockets."""

import json
import re
import subprocess

from support import (
    ADMIN_PASSWORD, CLIENT_KEY, Case, Spine, configuration, eventually, exchange, program, scenario)


def sign_in(port, password, headers=None):
    return exchange(
        port, "POST", "/api/auth/login", json.dumps({"password": password}).encode(), headers)


class TierTests(Spine):
    def rows(self):
        answer = self.box.admin("GET", "/api/settings/authz-inventory")
        self.assertEqual(answer.status, 200, answer.body)
        inventory = answer.json()
        self.assertTrue(inventory["policies_active"])
        return [(tier["name"], row) for tier in inventory["tiers"] for row in tier["routes"]]

    def test_every_administrative_row_is_closed_to_strangers_and_to_clients(self):
        rows = [row for tier, row in self.rows() if tier == "admin"]
        self.assertGreater(len(rows), 20)
        stranger = {"authorization": "Bearer sk-stranger"}
        client = {"authorization": f"Bearer {CLIENT_KEY}"}
        forged = {"cookie": "auth_token=eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."}
        for row in rows:
            path = re.sub(r"\{[^}]*\}", "x", row["path"])
            for name, headers in [
                    ("nobody", {}), ("a stranger", stranger), ("a client", client),
                    ("a client by x-api-key", {"x-api-key": CLIENT_KEY}), ("a forger", forged)]:
                with self.subTest(f"{row['method']} {path} by {name}"):
                    body = None if row["method"] == "GET" else b"{}"
                    answer = exchange(self.box.port, row["method"], path, body, headers)
                    if "client" in name and row["admitsKeys"]:
                        # Let in, and there is nothing of its organisation by that name.
                        self.assertEqual(answer.status, 404, answer.body)
                    else:
                        self.assertEqual(answer.status, 401, answer.body)
                        self.assertIn(b'"unauthorized"', answer.body)
                        self.assertEqual(answer.header("www-authenticate"), "Bearer")

    def test_no_row_is_missing_a_tier(self):
        rows = self.rows()
        names = [(row["method"], row["path"]) for _, row in rows]
        self.assertEqual(len(names), len(set(names)))
        for tier, row in rows:
            self.assertIn(tier, ("client", "admin", "public", "peer", "local"))
            if tier in ("admin", "client", "peer", "local"):
                self.assertTrue(row["checks"], row)


class SignInTests(Spine):
    def test_guessing_is_slowed_down_whatever_the_headers_say(self):
        statuses = []
        for number in range(8):
            address = f"198.51.100.{number}"
            answer = sign_in(self.box.port, f"guess-{number}", {
                "x-forwarded-for": address, "x-real-ip": address, "forwarded": f"for={address}",
                "cf-connecting-ip": address, "true-client-ip": address})
            statuses.append(answer.status)
        self.assertEqual(statuses, [401] * 5 + [429] * 3)
        self.assertGreaterEqual(int(answer.header("retry-after")), 1)
        self.assertLessEqual(int(answer.header("retry-after")), 60)
        self.assertEqual(answer.json()["error"]["code"], "too_many_attempts")
        # The right password is not looked at either, and a session that is open goes on.
        self.assertEqual(sign_in(self.box.port, ADMIN_PASSWORD).status, 429)

    def test_an_open_session_is_not_touched_by_guesses(self):
        session = self.box.login()
        for _ in range(6):
            sign_in(self.box.port, "wrong")
        self.assertEqual(
            exchange(self.box.port, "GET", "/api/settings", None, session).status, 200)

    def test_bad_bodies_are_no_attempts(self):
        for body, field in [
                (b"", None), (b"{", None), (b"[]", None), (b"{}", "password"),
                (b'{"password":1}', "password"), (b'{"password":null}', "password"),
                (b'{"password":"x","password":"y"}', None), (b'{"passwort":"x"}', "password"),
                (b'{"password":"x","user":"admin"}', "user")] * 2:
            answer = exchange(self.box.port, "POST", "/api/auth/login", body)
            self.assertEqual(answer.status, 400, (body, answer.body))
            if field:
                self.assertEqual(answer.json()["error"]["field"], field, answer.body)
        self.assertEqual(sign_in(self.box.port, ADMIN_PASSWORD).status, 200)


class ProxyTests(Spine):
    options = ("--trusted-proxy", "127.0.0.0/8")

    def test_behind_a_proxy_each_client_has_its_own_count(self):
        for number in range(6):
            answer = sign_in(
                self.box.port, "wrong", {"x-forwarded-for": f"1.1.1.{number}, 198.51.100.7"})
            self.assertEqual(answer.status, 401 if number < 5 else 429)
        other = sign_in(self.box.port, ADMIN_PASSWORD, {
            "x-forwarded-for": "198.51.100.8", "x-forwarded-proto": "https"})
        self.assertEqual(other.status, 200, other.body)
        self.assertIn("; Secure", other.header("set-cookie"))

    def test_the_address_of_the_client_is_what_events_carry(self):
        session = sign_in(self.box.port, ADMIN_PASSWORD, {"x-forwarded-for": "198.51.100.9"})
        cookie = session.header("set-cookie").split(";")[0]
        exchange(
            self.box.port, "PUT", "/api/models/alias",
            b'{"alias":"far","model":"mock/gpt-4o"}',
            {"cookie": cookie, "x-forwarded-for": "192.0.2.66, 198.51.100.9, 127.0.0.3"})
        text = self.box.replay("window", "--from", "1", "--limit", "0", "--json")
        self.assertIn("198.51.100.9", text)
        self.assertNotIn("192.0.2.66", text)


class PasswordTests(Case):
    def serve(self, *options, **environment):
        return subprocess.run(
            [program("signalbox"), "serve", "--listen", "127.0.0.1:0", "--data",
             str(self.directory / "data"), *options],
            capture_output=True, text=True, timeout=60,
            env={"PATH": "/usr/bin:/bin", **environment})

    def test_a_known_weak_first_password_starts_nothing(self):
        for password, why in [
                ("123456", "fewer than 12 characters"), ("admin", "fewer than 12 characters"),
                ("changeme", "fewer than 12 characters"), ("signalbox-admin", "tries first"),
                ("Password123456!", "tries first"), ("aaaaaaaaaaaaaaa", "repeats")]:
            done = self.serve(SIGNALBOX_ADMIN_PASSWORD=password)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("SIGNALBOX_ADMIN_PASSWORD", done.stderr)
            self.assertIn(why, done.stderr)
            if password != "admin":
                self.assertNotIn(password, done.stderr)
            self.assertFalse((self.directory / "data").exists())

    def test_a_bad_block_of_proxies_is_wrong_usage(self):
        for text in ("10.0.0.1/8", "localhost", "10.0.0.0/33", ""):
            done = self.serve("--trusted-proxy", text)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("10.0.0.0/8", done.stderr)

    def test_the_environments_password_does_not_come_back_after_a_change(self):
        upstream = self.simulator(scenario())
        box = self.gateway(configuration(upstream))
        first = box.login()
        second = box.sign_in()
        changed = box.admin("PATCH", "/api/settings", {
            "currentPassword": ADMIN_PASSWORD, "newPassword": "lantern-over-the-frame"})
        self.assertEqual(changed.status, 200, changed.body)
        self.assertIn("Max-Age=0", changed.header("set-cookie"))
        for session in (first, second):
            self.assertEqual(
                exchange(box.port, "GET", "/api/settings", None, session).status, 401)
        box.stop()
        self.restart(box)
        self.assertEqual(sign_in(box.port, ADMIN_PASSWORD).status, 401)
        self.assertEqual(sign_in(box.port, "lantern-over-the-frame").status, 200)
        eventually(
            lambda: "SIGNALBOX_ADMIN_PASSWORD is not the administrator's password" in box.text(),
            "what became of the variable")
        self.assertNotIn(ADMIN_PASSWORD, box.text())

    def test_a_sample_key_in_the_file_is_refused_with_its_line(self):
        upstream = self.simulator(scenario())
        text = configuration(upstream)
        for given, line in [
                (text.replace("sk-upstream-1", "sk-..."), 8),
                (text.replace("sk-upstream-1", "your-api-key"), 8),
                (text.replace('"${SIGNALBOX_CLIENT_KEY}"', "test-123"), 11),
                (text.replace('"${SIGNALBOX_CLIENT_KEY}"', "ollama"), 11)]:
            path = self.directory / "sample.yaml"
            path.write_text(given)
            done = self.serve("--config", str(path), SIGNALBOX_CLIENT_KEY=CLIENT_KEY)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(f"line {line}", done.stderr)
            self.assertFalse((self.directory / "data").exists())
        path.write_text(text)
        done = self.serve("--config", str(path), SIGNALBOX_CLIENT_KEY="${OTHER}")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("the name of a variable", done.stderr)
