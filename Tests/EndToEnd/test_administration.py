"""The administrator's API, and what replay says of it while the gateway runs."""

import json
import subprocess

from support import (
    ADMIN_PASSWORD, CLIENT_KEY, Case, Spine, configuration, events, exchange, message, of_kind,
    replay, scenario)


class EditsTests(Spine):
    def test_the_next_request_is_routed_by_what_was_just_added(self):
        box = self.box
        added = box.admin("POST", "/api/provider-nodes", {
            "id": "second", "protocol": "openai", "baseUrl": self.upstream.base_url,
            "prefix": "second", "models": [{"name": "gpt-4o"}]})
        self.assertEqual(added.status, 201, added.body)
        account = box.admin(
            "POST", "/api/providers",
            {"provider": "second", "name": "s1", "apiKey": "sk-upstream-3"})
        self.assertEqual(account.status, 201, account.body)
        self.assertNotIn(b"sk-upstream-3", account.body)
        alias = box.admin("PUT", "/api/models/alias", {"alias": "quick", "model": "second/gpt-4o"})
        self.assertEqual(alias.status, 200, alias.body)
        created = box.admin("POST", "/api/keys", {"name": "new", "organisation": "acme"})
        self.assertEqual(created.status, 201, created.body)

        answer = box.chat(message(model="quick"), key=created.json()["key"])
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(self.upstream.state()["requests"]["byAccount"], {"a3": 1})

    def test_an_alias_edit_is_seen_by_the_very_next_request(self):
        for round in range(20):
            target = ("mock/gpt-4o", "mock/gpt-4o-mini")[round % 2]
            edit = self.box.admin("PUT", "/api/models/alias", {"alias": "fast", "model": target})
            self.assertEqual(edit.status, 200, edit.body)
            answer = self.box.chat(message(model="fast"))
            self.assertEqual(answer.json()["model"], target.removeprefix("mock/"), round)

    def test_a_disabled_account_is_not_called_and_a_revoked_key_is_refused(self):
        rows = self.box.admin("GET", "/api/providers").json()["connections"]
        first = next(row for row in rows if row["name"] == "a1")
        changed = self.box.admin("PUT", f"/api/providers/{first['id']}", {"isActive": False})
        self.assertEqual(changed.status, 200, changed.body)
        self.assertEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.upstream.state()["requests"]["byAccount"], {"a2": 1})

        keys = self.box.admin("GET", "/api/keys").json()["keys"]
        gone = self.box.admin("DELETE", f"/api/keys/{keys[0]['id']}")
        self.assertEqual(gone.status, 200, gone.body)
        refused = self.box.chat(message())
        self.assertEqual(refused.status, 401)
        self.assertEqual(refused.json()["error"]["code"], "key_revoked")

    def test_a_write_on_an_old_revision_is_refused_with_the_current_one(self):
        got = self.box.admin("GET", "/api/provider-nodes/mock")
        tag = got.header("etag")
        self.assertTrue(tag)
        first = self.box.admin(
            "PUT", "/api/provider-nodes/mock", {"name": "one"}, {"if-match": tag})
        self.assertEqual(first.status, 200, first.body)
        second = self.box.admin(
            "PUT", "/api/provider-nodes/mock", {"name": "two"}, {"if-match": tag})
        self.assertEqual(second.status, 412, second.body)
        self.assertEqual(
            self.box.admin("GET", "/api/provider-nodes/mock").json()["node"]["name"], "one")

    def test_unknown_fields_and_targets_are_refused_by_name(self):
        odd = self.box.admin("PUT", "/api/provider-nodes/mock", {"colour": "red"})
        self.assertEqual(odd.status, 400, odd.body)
        self.assertIn("colour", odd.json()["error"]["message"])
        lost = self.box.admin(
            "PUT", "/api/models/alias", {"alias": "lost", "model": "mock/gpt-4o-minni"})
        self.assertGreaterEqual(lost.status, 400)
        self.assertIn(b"mock/gpt-4o-mini", lost.body)


class AccessTests(Spine):
    def test_administration_needs_a_session(self):
        for path in ("/api/providers", "/api/keys", "/api/settings", "/api/usage/logs"):
            self.assertEqual(exchange(self.box.port, "GET", path).status, 401, path)
            self.assertEqual(
                exchange(self.box.port, "GET", path, None,
                         {"authorization": f"Bearer {CLIENT_KEY}"}).status, 401, path)

    def test_a_wrong_password_opens_nothing(self):
        answer = exchange(
            self.box.port, "POST", "/api/auth/login", json.dumps({"password": "x"}).encode())
        self.assertEqual(answer.status, 401)
        self.assertIsNone(answer.header("set-cookie"))

    def test_another_host_name_is_refused(self):
        answer = exchange(
            self.box.port, "GET", "/api/providers", None,
            {**self.box.login(), "host": "evil.example"})
        self.assertEqual(answer.status, 403)

    def test_state_paths_are_public(self):
        for path in ("/health", "/api/health/ping", "/v1/status/healthz", "/v1/status/readyz"):
            self.assertEqual(exchange(self.box.port, "GET", path).status, 200, path)

    def test_no_secret_is_on_disk_or_in_the_output_in_clear(self):
        self.box.chat(message("a prompt that nobody may keep"))
        self.box.login()
        secrets = [b"sk-upstream-1", CLIENT_KEY.encode(), ADMIN_PASSWORD.encode(),
                   b"a prompt that nobody"]
        files = [path for path in self.box.data.rglob("*") if path.is_file()]
        self.assertTrue(files)
        for path in files:
            data = path.read_bytes()
            for secret in secrets:
                self.assertNotIn(secret, data, path)
        for secret in secrets:
            self.assertNotIn(secret.decode(), self.box.text())

    def test_the_data_directory_is_for_its_owner_alone(self):
        self.assertEqual(self.box.data.stat().st_mode & 0o777, 0o700)
        for path in self.box.data.rglob("*"):
            allowed = 0o700 if path.is_dir() else 0o600
            self.assertEqual(path.stat().st_mode & 0o777 & ~allowed, 0, path)


class ReplayTests(Spine):
    def test_window_show_state_and_verify_on_the_live_directory(self):
        identity = self.box.chat(message()).header("x-request-id")
        self.box.admin("PUT", "/api/models/alias", {"alias": "slow", "model": "mock/gpt-4o"})

        found = events(self.box.replay("window", "--from", "-5m", "--json"))
        kinds = [event["kind"] for event in found]
        for kind in ("gateway.started", "provider.added", "account.added", "credential.issued",
                     "alias.set", "key.created", "request.finished"):
            self.assertTrue(any(k.startswith(kind) for k in kinds), f"{kind} not in {kinds}")
        finished = of_kind(found, "request.finished")
        self.assertEqual([row["id"] for row in finished], [identity])
        self.assertEqual(finished[0]["usage"]["output"], 16)
        self.assertGreater(finished[0]["totalMicroseconds"], 0)

        shown = self.box.replay("show", identity)
        self.assertIn(identity, shown)
        self.assertIn("gpt-4o-mini", shown)
        self.assertEqual(self.box.recorded(identity)["attempts"][0]["status"], 200)

        state = json.loads(self.box.replay("state", "--json"))
        text = json.dumps(state)
        for name in ("mock", "a1", "a2", "fast", "slow"):
            self.assertIn(f'"{name}"', text)
        verdict = self.box.replay("verify")
        self.assertTrue(verdict.strip())

    def test_state_at_an_earlier_position_does_not_know_later_edits(self):
        before = self.box.admin("GET", "/health").json()["position"].split(":")[1]
        self.box.admin("PUT", "/api/models/alias", {"alias": "later", "model": "mock/gpt-4o"})
        self.assertNotIn('"later"', self.box.replay("state", "--at", before, "--json"))
        self.assertIn('"later"', self.box.replay("state", "--json"))

    def test_the_same_question_gets_the_same_bytes(self):
        self.box.chat(message())
        first, second = (
            self.box.replay("window", "--from", "1", "--to", "10", "--json") for _ in range(2))
        self.assertEqual(first, second)

    def test_what_is_not_there_is_said_by_exit_status(self):
        unknown = "01890000-0000-7000-8000-000000000000"
        self.box.replay("show", unknown, codes=(2,))
        self.box.replay("window", "--from", "yesterday-ish", codes=(2,))

    def test_a_damaged_copy_is_found_and_named(self):
        for _ in range(50):
            self.box.chat(message())
        self.box.stop()
        copy = self.directory / "copy"
        subprocess.run(["cp", "-a", str(self.box.data), str(copy)], check=True)
        segment = max((copy / "seg").glob("*.esl"), key=lambda path: path.stat().st_size)
        data = bytearray(segment.read_bytes())
        middle = len(data.rstrip(b"\0")) // 2
        data[middle] ^= 0x10
        segment.write_bytes(data)
        replay(self.box.data, "verify", codes=(0,))
        replay(copy, "verify", codes=(3,))


class FirstStartTests(Case):
    def test_a_generated_password_is_shown_once_and_works(self):
        upstream = self.simulator(scenario())
        box = self.gateway(
            configuration(upstream), environment={"SIGNALBOX_ADMIN_PASSWORD": ""})
        text = box.text()
        words = [word.strip(".,:;'\"`") for line in text.splitlines()
                 if "password" in line.lower() for word in line.split()]
        statuses = []
        for word in words:
            if len(word) < 12:
                continue
            answer = exchange(
                box.port, "POST", "/api/auth/login", json.dumps({"password": word}).encode())
            statuses.append(answer.status)
            if answer.status == 200:
                break
        self.assertIn(200, statuses, text)
        box.stop()
        self.restart(box)
        self.assertNotIn(word, box.text())
