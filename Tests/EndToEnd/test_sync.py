"""Two gateways that sync: real processes, real sockets, clocks that differ, and what goes wrong on the way."""

import base64
import json
import os
import shutil
import socket
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shifted_clock import ShiftedClock
from support import (
    Case, Gateway, configuration, eventually, exchange, message, of_kind, replay, scenario, window)
from test_command_line import signalbox
from test_credentials import SESSION

MASTER = {"SIGNALBOX_MASTER_KEY": "5a" * 32}


class Wire:
    """A way between two nodes on which a test reads, changes, keeps and loses what goes over it."""

    def __init__(self, port):
        self.target, self.is_cut, self.change, self.kept = port, False, None, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            if self.is_cut:
                return
            request = self.read(connection)
            if self.change:
                request = self.change(request, False)
            self.kept.append(request)
            if request is None:
                return
            with socket.create_connection(("127.0.0.1", self.target)) as there:
                there.sendall(request)
                answer = self.read(there)
            if self.change:
                answer = self.change(answer, True)
            if answer:
                connection.sendall(answer)

    @staticmethod
    def read(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return data
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                       if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            piece = connection.recv(65536)
            if not piece:
                break
            body += piece
        return head + b"\r\n\r\n" + body

    def close(self):
        self.server.close()


class SyncCase(Case):
    """`a` has providers and accounts, `b` is empty and comes to `a` with a token of its making."""

    master_b = MASTER
    ahead = 0
    interval = 86_400

    def scenario(self):
        return scenario()

    def setUp(self):
        super().setUp()
        self.upstream = self.simulator(self.scenario())
        self.a = self.node("a", configuration(self.upstream), MASTER)
        clock = {}
        if self.ahead:
            (self.directory / "clock").mkdir()
            self.clock = ShiftedClock(self.directory / "clock", time.time() + self.ahead)
            clock = self.clock.environment
        self.b = self.node("b", None, {**self.master_b, **clock})
        self.wire = Wire(self.a.port)
        self.addCleanup(self.wire.close)
        issued = self.a.admin("POST", "/api/sync/tokens", {"name": "b"})
        self.assertEqual(issued.status, 201, issued.body)
        self.token = issued.json()["token"]
        self.pair(self.token)

    def node(self, name, config, environment):
        place = self.directory / name
        place.mkdir()
        started = Gateway(place, config, environment=environment)
        self.children.append(started.child)
        return started

    def pair(self, token):
        changed = self.b.admin("PATCH", "/api/settings", {
            "cloudUrl": f"http://127.0.0.1:{self.wire.port}", "cloudToken": token,
            "syncIntervalSeconds": self.interval})
        self.assertEqual(changed.status, 200, changed.body)

    def restart(self, gateway):
        super().restart(gateway)
        if gateway is self.a:
            self.wire.target = gateway.port

    def act(self, action, status=200, by=None):
        answer = (by or self.b).admin("POST", "/api/sync/cloud", {"action": action})
        self.assertEqual(answer.status, status, answer.body)
        return answer.json()

    def reason(self, action="sync"):
        return self.act(action, 502)["error"]["reason"]

    def status(self, box):
        return box.admin("GET", "/api/sync/cloud").json()

    def peers(self, box):
        return self.status(box)["peers"]

    def drift(self, box):
        return [row for peer in self.peers(box) for row in peer["drift"]]

    def alias(self, box, name, target, **more):
        answer = box.admin(
            "PUT", "/api/models/alias", {"alias": name, "model": target, "allowUnresolved": True}, **more)
        self.assertEqual(answer.status, 200, answer.body)

    def aliases(self, box):
        return box.admin("GET", "/api/models/alias?limit=1000").json()["aliases"]

    def settle(self):
        for _ in range(5):
            if self.act("sync")["exchange"] is None:
                return
        self.fail("it never came to rest")

    def shared(self, box):
        """What both must agree on, as `replay state` tells it."""
        told = json.loads(replay(box.data, "state", "--json"))
        kept = {}
        for name in ("providers", "accounts", "aliases", "combos", "policies", "organisations"):
            kept[name] = [
                {field: value for field, value in row.items()
                 if field in ("id", "name", "target", "prefix", "baseUrl", "provider", "priority",
                              "weight", "isActive", "models", "members", "credentialGeneration")}
                for row in told.get(name, [])]
        return kept

    def equal(self):
        self.settle()
        self.assertEqual(self.shared(self.a), self.shared(self.b))


class BothWays(SyncCase):
    def test_what_is_edited_on_either_side_is_on_both(self):
        first = self.act("enable")
        self.assertTrue(first["verified"], first)
        self.assertEqual(self.aliases(self.b), self.aliases(self.a))
        # Accounts with their credentials, and with one master key the clients' keys: b serves.
        self.assertEqual(self.b.chat(message(model="fast")).status, 200)
        self.alias(self.b, "slow", "mock/gpt-4o")
        self.assertEqual(self.b.admin("PUT", "/api/providers/a2", {"priority": 7}).status, 200)
        self.assertEqual(self.b.admin(
            "POST", "/api/combos", {"name": "both", "models": ["mock/gpt-4o", "mock/gpt-4o-mini"]}).status, 201)
        issued = self.b.admin("PUT", "/api/providers/a1/credential", {"accessToken": "sk-upstream-3"})
        self.assertEqual(issued.status, 200, issued.body)
        # By itself, two seconds after the last edit.
        eventually(lambda: self.aliases(self.a).get("slow") == "mock/gpt-4o", "b's edits at a")
        self.assertEqual(self.a.chat(message(model="slow")).status, 200)
        self.equal()
        held = [box.admin("GET", "/api/providers/a1").json()["connection"]["credential"]
                for box in (self.a, self.b)]
        self.assertEqual([one["generation"] for one in held], [2, 2])
        self.assertEqual([one["isHome"] for one in held], [False, True])
        shown = self.b.admin("GET", "/api/sync/cloud").json()
        self.assertTrue(shown["enabled"] and shown["connected"] and shown["lastSync"], shown)
        # Nothing in clear on the way, and nowhere in the logs.
        for kept in self.wire.kept:
            self.assertNotIn(b"gpt-4o", kept)
        for text in [*(kept.decode("latin-1") for kept in self.wire.kept), self.a.text(), self.b.text()]:
            for secret in ("sk-upstream", self.token):
                self.assertNotIn(secret, text)
        page = exchange(self.b.port, "GET", "/metrics").body.decode()
        self.assertRegex(page, r'signalbox_sync_exchanges_total\{result="exchanged"\} [1-9]')
        self.assertRegex(page, r'signalbox_sync_last_success_timestamp_seconds\{peer="node-[0-9a-f]+"\} [1-9]')
        self.assertRegex(page, r'signalbox_sync_drift\{peer="node-[0-9a-f]+"\} 0')
        blamed = self.a.replay("blame", "alias/slow", codes=(0, 1))
        self.assertIn("peer:", blamed)

    def test_words_of_the_command_line(self):
        def said(*words):
            done = signalbox(self.b.data, "sync", *words)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout

        self.assertIn("off", said("status"))
        self.assertIn("node-", said("check"))
        self.assertIn("taken over", said("enable"))
        self.assertIn("taken over nothing", said("now"))
        self.assertIn("on, http", said("status"))
        self.assertTrue(json.loads(said("status", "--json"))["enabled"])
        self.assertIn("disabled", said("disable"))
        self.assertIn("off", said("status"))
        self.assertFalse(any(peer["enabled"] for peer in self.peers(self.a)))

    def test_edits_that_did_not_see_each_other_are_shown_and_the_next_one_settles_it(self):
        self.act("enable")
        self.alias(self.a, "fast", "mock/gpt-4o")
        self.alias(self.b, "fast", "mock/other")
        self.equal()
        self.assertEqual(self.aliases(self.a)["fast"], "mock/other")
        rows = [row for row in self.drift(self.a) if row["stream"] == "alias/fast"]
        self.assertEqual([(row["rule"], row["ours"], row["theirs"]) for row in rows],
                         [("concurrent", "mock/gpt-4o", "mock/other")], rows)
        self.assertTrue(rows[0]["since"])
        found = [it for it in of_kind(window(self.a.data), "sync.reconciled")
                 if any(d["rule"] == "concurrent" for d in it["decisions"])]
        self.assertEqual(len(found), 1)
        self.assertIn("concurrent", self.a.replay("window", "--from", "1", "--limit", "0"))
        self.alias(self.a, "fast", "mock/gpt-4o-mini")
        self.equal()
        self.assertEqual([row for row in self.drift(self.a) if row["stream"] == "alias/fast"], [])

    def test_a_removal_that_saw_the_edit_wins_and_an_edit_after_it_brings_it_back(self):
        self.act("enable")
        self.assertEqual(self.a.admin("DELETE", "/api/models/alias?alias=fast").status, 200)
        self.settle()
        self.assertNotIn("fast", self.aliases(self.b))
        self.alias(self.b, "fast", "mock/gpt-4o")
        self.equal()
        self.assertEqual(self.aliases(self.a)["fast"], "mock/gpt-4o")

    def test_only_the_home_refreshes_and_the_other_says_so(self):
        self.act("enable")
        issued = self.a.admin("PUT", "/api/providers/a1/credential", {
            "accessToken": "sk-upstream-3", "refreshToken": "rt-1"})
        self.assertEqual(issued.status, 200, issued.body)
        self.settle()
        held = self.b.admin("GET", "/api/providers/a1").json()["connection"]["credential"]
        self.assertEqual((held["isHome"], held["generation"]), (False, 2))
        moved = self.b.admin("POST", "/api/providers/a1/credential/home")
        self.assertEqual((moved.status, moved.json()["error"]["code"]), (409, "not_refreshable"), moved.body)
        for box in (self.a, self.b):
            # Where tokens are refreshed is each node's own.
            self.assertEqual(box.admin("PUT", "/api/provider-nodes/mock", {"oauth": {
                "tokenUrl": f"http://127.0.0.1:{self.upstream.port}/none", "clientId": "c"}}).status, 200)
        refused = self.b.admin("POST", "/api/providers/a1/credential/refresh")
        self.assertEqual(refused.status, 409, refused.body)
        self.assertIn("only node node-", refused.json()["error"]["message"].lower())


class OtherHome(SyncCase):
    """`a` refreshes the one account that both have, at a server that takes back the token before."""

    def scenario(self):
        return {**scenario(), "oauth": {"servers": [{"shape": "oidc", "old-access": "revoked"}], "sessions": [SESSION]}}

    def setUp(self):
        super().setUp()
        self.assertEqual(self.a.admin("PUT", "/api/provider-nodes/mock", {"oauth": {
            "tokenUrl": f"http://127.0.0.1:{self.upstream.port}/oauth/oidc/token",
            "clientId": "client"}}).status, 200)
        issued = self.a.admin("PUT", "/api/providers/a1/credential", {
            "accessToken": "at-1", "refreshToken": "rt-1"})
        self.assertEqual(issued.status, 200, issued.body)
        self.assertEqual(self.a.admin("PUT", "/api/providers/a2", {"isActive": False}).status, 200)
        self.act("enable")
        self.settle()

    def account(self, box, name="a1"):
        return box.admin("GET", f"/api/providers/{name}").json()["connection"]

    def test_a_token_that_was_refreshed_elsewhere_is_asked_for_when_it_is_refused(self):
        self.assertEqual(self.b.chat(message()).status, 200)
        refreshed = self.a.admin("POST", "/api/providers/a1/credential/refresh")
        self.assertEqual(refreshed.status, 200, refreshed.body)
        # b knows nothing of it, and does not refresh: eight at once ask `a`, and all are answered.
        self.assertEqual(self.account(self.b)["credential"]["generation"], 2)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: self.b.chat(message()).status, range(8)))
        self.assertEqual(answers, [200] * 8)
        held = self.account(self.b)
        self.assertEqual((held["credential"]["generation"], held["cooldowns"], held["lastError"]), (3, [], None))
        self.assertEqual(self.upstream.control("GET", "oauth")["calls"][-1]["outcome"], "refreshed")
        self.assertEqual(of_kind(window(self.b.data), "credential.refresh_attempted"), [])

    def test_nobody_is_asked_for_a_key_that_is_refused(self):
        issued = self.b.admin("PUT", "/api/providers/a2", {"apiKey": "sk-nobody", "isActive": True})
        self.assertEqual(issued.status, 200, issued.body)
        self.assertEqual(self.b.admin("PUT", "/api/providers/a1", {"isActive": False}).status, 200)
        self.settle()
        before = len(self.wire.kept)
        self.assertNotEqual(self.b.chat(message()).status, 200)
        self.assertEqual(len(self.wire.kept), before)

    def test_while_its_home_is_away_the_answer_is_the_providers_and_it_is_brought_later(self):
        self.assertEqual(self.a.admin("POST", "/api/providers/a1/credential/refresh").status, 200)
        self.assertEqual(self.status(self.b)["awaited"], [])
        self.wire.is_cut = True
        self.assertNotEqual(self.b.chat(message()).status, 200)
        # What it waits for is said where an operator looks.
        home = self.account(self.b)["credential"]["home"]
        row, = self.status(self.b)["awaited"]
        self.assertEqual((row["stream"], row["field"], row["ours"], row["rule"]), (
            "credential/mock-a1", "generation", 2, "awaited"))
        self.assertIn(f"refuses it here: waits for {home}, which refreshes it", row["why"])
        self.assertRegex(signalbox(self.b.data, "sync", "status").stdout, rf"(?m)^awaited    credential/mock-a1 .*{home}")
        self.assertIn("signalbox_sync_awaited 1\n", exchange(self.b.port, "GET", "/metrics").body.decode())
        self.wire.is_cut = False
        self.settle()
        self.assertEqual(self.status(self.b)["awaited"], [])
        self.assertEqual(self.b.chat(message()).status, 200)


class FamilyTests(SyncCase):
    """Two accounts of one client, whose provider revokes all of it where two are refreshed too close to each other."""

    def scenario(self):
        session = {"server": "oidc", "client": "c"}
        return {**scenario(), "oauth": {
            "servers": [{"shape": "oidc", "spacing": {"refreshes": 1, "within": "20s"}}],
            "sessions": [{**session, "subject": f"a{n}", "access-token": f"at-{n}",
                          "refresh-token": f"rt-{n}"} for n in (1, 2)]}}

    def setUp(self):
        super().setUp()
        self.client = {"tokenUrl": f"http://127.0.0.1:{self.upstream.port}/oauth/oidc/token",
                       "clientId": "c", "family": "per-client", "spacingSeconds": 120}

    def oauth(self, box):
        changed = box.admin("PUT", "/api/provider-nodes/mock", {"oauth": self.client})
        self.assertEqual(changed.status, 200, changed.body)

    def issue(self, box, number):
        issued = box.admin("PUT", f"/api/providers/a{number}/credential", {
            "accessToken": f"at-{number}", "refreshToken": f"rt-{number}", "expiresIn": 3600})
        self.assertEqual(issued.status, 200, issued.body)
        return issued.json()["connection"]["credential"]

    def homes(self, box):
        return {box.admin("GET", f"/api/providers/a{n}").json()["connection"]["credential"]["home"]
                for n in (1, 2)}

    def refresh(self, box, number):
        answer = box.admin("POST", f"/api/providers/a{number}/credential/refresh")
        return answer.status, (answer.json().get("error") or {}).get("code")

    def alive(self):
        return [not row["revoked"] for row in self.upstream.control("GET", "oauth")["families"]]

    def test_what_is_issued_at_the_other_node_is_refreshed_where_its_siblings_are(self):
        self.act("enable")
        self.oauth(self.a)
        self.issue(self.a, 1)
        self.settle()
        self.oauth(self.b)
        issued = self.issue(self.b, 2)
        self.assertFalse(issued["isHome"])
        self.settle()
        self.assertEqual(self.homes(self.a), {issued["home"]})
        self.assertEqual(self.homes(self.b), {issued["home"]})
        self.assertEqual(self.refresh(self.b, 2), (409, "not_refreshable"))
        self.assertEqual(self.alive(), [True, True])

    def test_of_two_homes_that_arose_apart_one_is_left_and_nobody_is_revoked(self):
        self.act("enable")
        self.settle()
        for box, number in ((self.a, 1), (self.b, 2)):
            self.oauth(box)
            self.issue(box, number)
        self.assertEqual(len(self.homes(self.a) | self.homes(self.b)), 2)
        self.settle()

        def one_home():
            self.settle()
            homes = self.homes(self.a) | self.homes(self.b)
            return homes if len(homes) == 1 else None

        home, = eventually(one_home, "one home")
        mine = [box.admin("GET", "/api/providers/a1").json()["connection"]["credential"]["isHome"]
                for box in (self.a, self.b)]
        self.assertEqual(sorted(mine), [False, True], home)
        keeper, other = (self.a, self.b) if mine[0] else (self.b, self.a)
        for number in (1, 2):
            self.assertEqual(self.refresh(other, number), (409, "not_refreshable"))
        # Within the pause that what came from the other node began.
        self.assertEqual(self.refresh(keeper, 1), (409, "refresh_waits"))
        self.assertEqual(self.alive(), [True, True])


class OtherMasterKey(SyncCase):
    master_b = {"SIGNALBOX_MASTER_KEY": "6b" * 32}

    def test_credentials_travel_and_clients_keys_are_withheld_on_record(self):
        self.act("enable")
        self.settle()
        self.assertEqual(
            self.b.admin("POST", "/api/providers/a1/test").status, 200, "the account's key is there")
        rows = self.status(self.b)["withheld"]
        keys = self.a.admin("GET", "/api/keys?limit=100").json()["keys"]
        self.assertEqual([row["stream"] for row in rows], sorted(f"key/{key['id']}" for key in keys))
        self.assertEqual({(row["field"], row["ours"], row["theirs"], row["rule"]) for row in rows}, {
            ("", False, True, "withheld")})
        self.assertIn("another master key", rows[0]["why"])
        # Once, and not with each peer that tells of it.
        self.assertEqual(self.drift(self.b), [])
        page = exchange(self.b.port, "GET", "/metrics").body.decode()
        self.assertIn(f"signalbox_sync_withheld {len(rows)}\n", page)
        shown = signalbox(self.b.data, "sync", "status")
        self.assertRegex(shown.stdout, rf"(?m)^withheld   {rows[0]['stream']} presence: ours false, theirs true ")


class Damage(SyncCase):
    def test_messages_that_were_changed_cut_or_sent_again_are_refused(self):
        self.act("enable")
        self.alias(self.b, "x", "mock/gpt-4o")
        self.settle()
        sent = [kept for kept in self.wire.kept if b"POST /api/sync/exchange HTTP" in kept]
        before = self.aliases(self.a)
        for request in sent[-2:]:
            body = request.partition(b"\r\n\r\n")[2]
            answer = exchange(self.a.port, "POST", "/api/sync/exchange", body)
            self.assertEqual(answer.status, 409, answer.body)
            self.assertEqual(answer.json()["error"]["code"], "sync_challenge_over")

        def flip(of_answers):
            def change(data, is_answer):
                if is_answer != of_answers or b'"sealed"' not in data:
                    return data
                at = data.index(b'"sealed"') + 60
                return data[:at] + (b"A" if data[at:at + 1] != b"A" else b"B") + data[at + 1:]
            return change

        self.alias(self.b, "y", "mock/gpt-4o")
        self.wire.change = flip(False)
        self.assertEqual(self.reason(), "sync_unauthorized")
        self.assertEqual(self.aliases(self.a), before)
        self.wire.change = flip(True)
        self.assertEqual(self.reason(), "sync_not_authentic")
        self.wire.change = None
        self.assertTrue(of_kind(window(self.a.data), "sync.failed"))
        self.equal()
        self.assertEqual([peer["failure"] for peer in self.peers(self.b)], [None])

    def test_wrong_and_revoked_tokens(self):
        self.act("enable")
        self.pair("sbs_unknown_" + self.token.split("_", 2)[2])
        self.assertEqual(self.reason("check"), "sync_unauthorized")
        self.pair("not-a-token")
        self.assertEqual(self.reason("check"), "sync_token_malformed")
        self.pair(self.token)
        self.act("check")
        listed = self.a.admin("GET", "/api/sync/tokens").json()["tokens"]
        self.assertTrue(listed[0]["lastUsedAt"])
        self.assertEqual(
            self.a.admin("DELETE", f"/api/sync/tokens/{listed[0]['id']}").status, 200)
        self.alias(self.b, "x", "mock/gpt-4o")
        self.assertEqual(self.reason(), "sync_unauthorized")
        self.assertNotIn("x", self.aliases(self.a))

    def test_of_two_directories_of_one_name_the_last_one_is_heard_also_after_a_restart(self):
        self.act("enable")
        self.b.stop()
        place = self.directory / "copy"
        place.mkdir()
        shutil.copytree(self.b.data, place / "data")
        self.restart(self.b)
        self.act("sync")
        copy = Gateway(place, None, environment=self.b.environment)
        self.children.append(copy.child)
        self.alias(copy, "of-the-copy", "mock/gpt-4o")
        self.act("sync", by=copy)
        self.assertEqual(self.reason(), "sync_copied_node")
        self.assertIn("sync_copied_node", [it["code"] for it in of_kind(window(self.a.data), "sync.failed")])
        for box in (self.a, self.b):
            box.kill()
            self.restart(box)
        self.assertEqual(self.reason(), "sync_copied_node", "a remembers it")
        # The first one is to go on: it begins another life, and the copy is heard no more.
        self.b.stop()
        (self.b.data / "node").unlink()
        self.restart(self.b)
        self.equal()
        self.assertIn("of-the-copy", self.aliases(self.b))
        self.alias(copy, "too-late", "mock/gpt-4o")
        refused = self.act("sync", 502, by=copy)
        self.assertEqual(refused["error"]["reason"], "sync_copied_node")
        self.assertNotIn("too-late", self.aliases(self.a))
        self.assertEqual(len({it["incarnation"] for it in of_kind(window(self.a.data), "sync.life_began")}), 3)

    def put_back(self, box, copy):
        """A copy of the directory takes its place, as from a backup."""
        box.kill()
        shutil.rmtree(box.data)
        shutil.copytree(copy, box.data)
        self.restart(box)

    def test_a_node_that_was_restored_gets_back_what_others_knew_of_its_edits(self):
        for box in (self.b, self.a):
            with self.subTest(box="a" if box is self.a else "b"):
                name = "b" if box is self.b else "a"
                self.act("enable")
                self.settle()
                box.stop()
                backup = self.directory / f"backup-{name}"
                shutil.copytree(box.data, backup)
                self.restart(box)
                self.alias(box, "fast", f"mock/before-{name}")
                self.alias(box, f"new-{name}", "mock/gpt-4o")
                self.settle()
                self.alias(box, f"unheard-{name}", "mock/gpt-4o")
                self.put_back(box, backup)
                self.equal()
                for there in (self.a, self.b):
                    self.assertEqual(self.aliases(there)["fast"], f"mock/before-{name}")
                    self.assertIn(f"new-{name}", self.aliases(there))
                    self.assertNotIn(f"unheard-{name}", self.aliases(there))
                shown = box.replay("window", "--from", "1", "--kind", "sync.reconciled")
                self.assertIn("edited here in a life before the directory was restored", shown)
                # Once more, and this time both lives edited the same.
                self.alias(box, "fast", f"mock/then-{name}")
                self.settle()
                # Nobody is told or asked before the edit.
                self.wire.is_cut = True
                self.put_back(box, backup)
                self.alias(box, "fast", f"mock/after-{name}")
                self.wire.is_cut = False
                self.equal()
                self.assertEqual(self.aliases(self.a)["fast"], f"mock/after-{name}")
                rows = [row for row in self.drift(self.a) if row["stream"] == "alias/fast"]
                self.assertEqual([(row["rule"], {row["ours"], row["theirs"]}) for row in rows],
                                 [("concurrent", {f"mock/after-{name}", f"mock/then-{name}"})], rows)
                box.replay("verify", codes=(0, 1))
                self.alias(box, "fast", "mock/gpt-4o")
                self.equal()
                self.assertEqual([row for row in self.drift(self.a) if row["stream"] == "alias/fast"], [])
                self.assertEqual([peer["failure"] for there in (self.a, self.b) for peer in self.peers(there)],
                                 [None, None])

    def test_a_log_that_was_taken_back_without_a_trace_begins_another_life(self):
        self.act("enable")
        self.settle()
        self.b.stop()
        kept = {file: file.read_bytes() for file in self.b.data.rglob("*") if file.is_file()}
        self.restart(self.b)
        self.alias(self.b, "fast", "mock/before")
        self.settle()
        self.b.kill()
        # The same files with their former content: as after a machine's snapshot was taken back.
        for file in list(self.b.data.rglob("*")):
            if file.is_file() and file not in kept:
                file.unlink()
        for file, data in kept.items():
            with open(file, "r+b") as there:
                there.truncate()
                there.write(data)
        self.restart(self.b)
        self.assertEqual(self.reason(), "sync_unknown_own_edit")
        self.b.stop()
        (self.b.data / "node").unlink()
        self.restart(self.b)
        self.equal()
        self.assertEqual(self.aliases(self.b)["fast"], "mock/before")

    def test_killed_nodes_lose_nothing_and_decide_nothing_twice(self):
        self.act("enable")
        for round in range(3):
            for number in range(20):
                self.alias(self.b, f"k{round}-{number}", "mock/gpt-4o")
            self.alias(self.a, f"o{round}", "mock/gpt-4o")
            asked = threading.Event()

            def change(data, is_answer):
                if b'"sealed"' in data and is_answer:
                    asked.set()
                return data

            self.wire.change = change
            self.b.login()
            killer = threading.Thread(target=lambda: (asked.wait(10), self.b.kill()))
            killer.start()
            try:
                self.b.admin("POST", "/api/sync/cloud", {"action": "sync"})
            except OSError:
                pass
            killer.join()
            self.wire.change = None
            self.a.kill()
            self.restart(self.a)
            self.restart(self.b)
        self.equal()
        for box in (self.a, self.b):
            seen = {}
            for it in of_kind(window(box.data), "sync.reconciled"):
                for decision in it["decisions"]:
                    name = (decision["stream"], decision["field"], json.dumps(decision["stamp"]))
                    self.assertNotIn(name, seen, "decided twice")
                    seen[name] = it
            box.replay("verify", codes=(0, 1))

    def test_a_cut_is_tried_again_ever_later_and_told_once(self):
        self.act("enable")
        self.settle()
        self.wire.is_cut = True
        self.alias(self.b, "x", "mock/gpt-4o")
        eventually(lambda: self.peers(self.b)[0]["failure"], "the failure is shown")
        self.alias(self.b, "y", "mock/gpt-4o")
        time.sleep(0.1)
        self.wire.is_cut = False
        eventually(lambda: "y" in self.aliases(self.a), "told when the way is there again")
        eventually(lambda: self.peers(self.b)[0]["failure"] is None, "and it is no failure any more")
        self.assertEqual(len(of_kind(window(self.b.data), "sync.failed")), 1)
        self.equal()


def sent_under(gateway, token, node, plain):
    """A sealed message as whoever holds a token can make it, under any name."""
    def text(raw):
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def raw(text):
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    def derived(key, salt, info):
        return HKDF(hashes.SHA256(), 32, salt, info).derive(key)

    _, name, secret = token.split("_", 2)
    nonce = os.urandom(32)
    asked = {"version": 1, "token": name, "node": node}
    hello = exchange(gateway.port, "POST", "/api/sync/exchange/hello",
                     json.dumps({**asked, "nonce": text(nonce)}).encode()).json()
    challenge = raw(hello["challenge"])
    names = b"".join(bytes([len(one)]) + one.encode() for one in (node, hello["node"]))
    key = derived(derived(raw(secret), None, b"signalbox sync token 1"), nonce + challenge,
                  b"signalbox sync 1" + bytes([1]) + names)
    header = b"\1" + bytes([len(name)]) + name.encode() + names + challenge
    start = os.urandom(12)
    sealed = start + AESGCM(key).encrypt(start, plain, header)
    return exchange(gateway.port, "POST", "/api/sync/exchange", json.dumps(
        {**asked, "challenge": hello["challenge"], "sealed": text(sealed)}).encode())


class Tokens(SyncCase):
    def third(self, token):
        third = self.node("third", None, MASTER)
        changed = third.admin("PATCH", "/api/settings", {
            "cloudUrl": f"http://127.0.0.1:{self.a.port}", "cloudToken": token, "syncIntervalSeconds": self.interval})
        self.assertEqual(changed.status, 200, changed.body)
        return third

    def name(self, box):
        return box.admin("GET", "/api/sync/cloud").json()["node"]

    def tokens(self):
        return self.a.admin("GET", "/api/sync/tokens").json()["tokens"]

    def test_a_token_is_one_nodes_over_restarts_and_restored_directories(self):
        self.act("enable")
        third = self.third(self.token)
        self.assertEqual(self.act("enable", 502, by=third)["error"]["reason"], "sync_token_of_another")
        self.a.kill()
        self.restart(self.a)
        third.admin("PATCH", "/api/settings", {"cloudUrl": f"http://127.0.0.1:{self.a.port}"})
        self.assertEqual(self.act("enable", 502, by=third)["error"]["reason"], "sync_token_of_another")
        self.assertEqual([peer["peer"] for peer in self.peers(self.a)], [self.name(self.b)])
        refused = of_kind(window(self.a.data), "sync.token_refused")
        self.assertEqual([(it["id"], it["node"]) for it in refused],
                         [(self.token.split("_")[1], self.name(third))])
        # Its own directory, restored, is the same node in another life.
        self.b.stop()
        shutil.copytree(self.b.data, self.directory / "backup")
        shutil.rmtree(self.b.data)
        shutil.copytree(self.directory / "backup", self.b.data)
        self.restart(self.b)
        self.pair(self.token)
        self.alias(self.b, "after", "mock/gpt-4o")
        self.equal()
        own = self.a.admin("POST", "/api/sync/tokens", {"name": "third", "node": self.name(third)})
        self.assertEqual((own.status, own.json()["node"]), (201, self.name(third)), own.body)
        third.admin("PATCH", "/api/settings", {"cloudToken": own.json()["token"]})
        self.act("enable", by=third)
        self.assertIn("after", self.aliases(third))

    def test_under_a_token_nobody_speaks_for_another_and_names_make_no_peers(self):
        self.act("enable")
        self.settle()
        evil = self.a.admin("POST", "/api/sync/tokens", {"name": "evil"}).json()["token"]
        before = self.peers(self.a)
        for plain in (b"\4", b"\3", b"\x63"):
            answer = sent_under(self.a, evil, self.name(self.b), plain)
            self.assertEqual((answer.status, answer.json()["error"]["reason"]), (409, "sync_name_taken"), answer.body)
        self.assertEqual(self.peers(self.a), before)
        self.assertEqual(sent_under(self.a, evil, "node-evil", b"\4").status, 200)
        for number in range(50):
            answer = sent_under(self.a, evil, f"node-{number}", b"\x63" if number % 2 else b"\4")
            self.assertEqual((answer.status, answer.json()["error"]["reason"]), (409, "sync_token_of_another"))
        self.assertEqual(len(self.peers(self.a)), 1)
        # The first of each reason's hour, whatever the names.
        self.assertEqual([it["code"] for it in of_kind(window(self.a.data), "sync.token_refused")], ["sync_name_taken"])
        self.assertEqual({row["name"]: row["node"] for row in self.tokens()},
                         {"b": self.name(self.b), "evil": "node-evil"})
        self.alias(self.b, "still", "mock/gpt-4o")
        self.equal()

    def test_evidence_names_the_token_and_its_use_outlives_a_kill(self):
        self.act("enable")
        self.alias(self.b, "slow", "mock/gpt-4o")
        self.settle()
        token = self.token.split("_")[1]
        self.assertIn(f"peer:{self.name(self.b)} token:{token}", self.a.replay("blame", "alias/slow", codes=(0, 1)))
        # Whichever token it came under, a peer is found by its name, and by no part of it.
        for actor, count in ((f"peer:{self.name(self.b)}", 1), (f"peer:{self.name(self.b)} token:{token}", 1),
                             (f"peer:{self.name(self.b)[:-1]}", 0)):
            found = self.a.admin("GET", f"/api/events?stream=alias/slow&actor={quote(actor)}").json()["events"]
            self.assertEqual(len(found), count, actor)
        used = self.tokens()[0]["lastUsedAt"]
        self.a.kill()
        self.restart(self.a)
        kept = self.tokens()[0]["lastUsedAt"]
        self.assertTrue(kept and kept <= used, (kept, used))

    def test_a_peer_is_forgotten_and_sync_ends_without_cloud_url(self):
        self.act("enable")
        self.settle()
        gone = self.b.admin("PATCH", "/api/settings", {"cloudUrl": None})
        self.assertEqual(gone.status, 200, gone.body)
        off = self.act("disable")
        self.assertEqual((off["told"], off["copyRemoved"], [it["peer"] for it in off["untold"]]),
                         (False, False, [self.name(self.a)]))
        shown = signalbox(self.b.data, "sync", "status")
        self.assertIn("owes", shown.stdout)
        self.assertEqual(self.act("disable", 409)["error"]["code"], "sync_not_configured")
        for box, peer in ((self.b, self.name(self.a)), (self.a, self.name(self.b))):
            done = signalbox(box.data, "sync", "forget", peer)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.peers(box), [])
            again = signalbox(box.data, "sync", "forget", peer)
            self.assertNotEqual(again.returncode, 0)
            self.assertIn("unknown_sync_peer", again.stderr)
            self.assertIn("nothing is remembered", box.replay("window", "--from", "1", "--kind", "sync.forgotten"))
        self.assertEqual([row["isActive"] for row in self.a.admin(
            "GET", "/api/sync/tokens?isActive=false").json()["tokens"]], [False])
        self.pair(self.token)
        self.assertEqual(self.reason(), "sync_unauthorized")


class ClockAhead(SyncCase):
    ahead = 600

    def test_edits_of_a_clock_ten_minutes_ahead_wait_and_are_shown(self):
        self.alias(self.b, "tomorrow", "mock/gpt-4o")
        self.act("enable")
        self.assertNotIn("tomorrow", self.aliases(self.a))
        rows = [row for row in self.drift(self.a) if row["rule"] == "clock-ahead"]
        self.assertIn("alias/tomorrow", [row["stream"] for row in rows])
        # What a's clock can be right about came all the same.
        self.assertIn("fast", self.aliases(self.b))


class ClockApart(SyncCase):
    ahead = -240

    def test_an_edit_that_saw_the_other_wins_whatever_the_clocks_say(self):
        self.act("enable")
        self.alias(self.a, "fast", "mock/gpt-4o")
        self.settle()
        self.alias(self.b, "fast", "mock/gpt-4o-mini")
        self.equal()
        self.assertEqual(self.aliases(self.a)["fast"], "mock/gpt-4o-mini")
        self.assertEqual(self.drift(self.a), [])


if __name__ == "__main__":
    unittest.main()
