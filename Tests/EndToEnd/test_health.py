"""Accounts taken out, put back, tested and asked for their models, with traffic on."""

import json
import socket
import threading
import time

from story import later
from test_command_line import signalbox
from support import (
    CLIENT_KEY, Case, Spine, configuration, eventually, exchange, message, of_kind, scenario)

BACKENDS = "/v1/admin/routing/backends"


class DegradeTests(Spine):
    def served(self):
        return self.upstream.state()["requests"]["byAccount"]

    def ask(self, count):
        for number in range(count):
            self.assertEqual(self.box.chat(message()).status, 200, number)

    def test_a_degraded_account_gets_nothing_until_an_operator_restores_it(self):
        self.ask(1)
        self.assertEqual(self.served(), {"a1": 1})
        degraded = self.box.admin("POST", f"{BACKENDS}/a1/degrade", {"reason": "High error rate"})
        self.assertEqual(degraded.status, 200, degraded.body)
        self.assertEqual(degraded.json()["status"], "degraded")
        self.upstream.control("POST", "reset")
        self.ask(200)
        self.assertEqual(self.served(), {"a2": 200})

        self.box.child.kill()
        self.restart(self.box)
        self.ask(20)
        self.assertEqual(self.served(), {"a2": 220})
        shown = self.box.admin("GET", f"{BACKENDS}/a1/health").json()
        self.assertEqual((shown["status"], shown["reason"]), ("degraded", "High error rate"))

        # A test that passes is one call, and lifts nothing.
        test = self.box.admin("POST", "/api/providers/a1/test").json()
        self.assertTrue(test["valid"], test)
        self.ask(10)
        self.assertEqual(self.served(), {"a1": 1, "a2": 230})

        # Nor does an edit, nor the end of a cooldown, nor a start with the file.
        self.box.admin("PUT", "/api/providers/a1", {"isActive": True, "priority": 1})
        self.box.admin("POST", "/api/providers/a1/cooldown/end")
        self.box.child.stop()
        self.box.start(with_config=True)
        self.children.append(self.box.child)
        self.ask(5)
        self.assertEqual(self.served(), {"a1": 1, "a2": 235})

        healthy = self.box.admin("POST", f"{BACKENDS}/a1/healthy")
        self.assertEqual(healthy.status, 200, healthy.body)
        self.assertEqual(healthy.json()["status"], "healthy")
        self.assertTrue(healthy.json()["probe"]["valid"])
        self.ask(3)
        self.assertEqual(self.served(), {"a1": 5, "a2": 235})

    def test_degraded_under_load_not_one_request_goes_there_after_the_answer(self):
        stop = threading.Event()
        statuses = []

        def load():
            while not stop.is_set():
                statuses.append(self.box.chat(message()).status)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: self.served().get("a1", 0) > 20, "traffic at a1")
            self.box.admin("POST", f"{BACKENDS}/a1/degrade")
            # Calls that were on their way when the answer came have ended; no new one begins.
            eventually(lambda: self.served().get("a2", 0) > 20, "traffic at a2")
            before = self.served()["a1"]
            eventually(lambda: self.served()["a2"] > 120, "more traffic at a2")
            self.assertEqual(self.served()["a1"], before)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(set(statuses), {200})

    def test_with_every_account_degraded_requests_are_refused_and_not_sent(self):
        for name in ("a1", "a2"):
            self.box.admin("POST", f"{BACKENDS}/{name}/degrade")
        refused = self.box.chat(message())
        self.assertEqual(refused.status, 503)
        self.assertEqual(refused.json()["error"]["code"], "no_account_available")
        self.assertEqual(self.upstream.total(), 0)
        rows = self.box.admin("GET", BACKENDS).json()
        self.assertEqual([row["health_status"] for row in rows["backends"]], ["degraded"] * 2)
        self.assertNotIn("sk-upstream", json.dumps(rows))


class CooldownTests(Spine):
    def served(self):
        return self.upstream.state()["requests"]["byAccount"]

    def cool(self):
        put = self.box.admin(
            "PUT", "/api/providers/a1", {"rateLimitedUntil": later(3600), "errorCode": 429})
        self.assertEqual(put.status, 200, put.body)
        self.upstream.control("POST", "reset")

    def test_a_cooldown_set_by_hand_holds_for_the_next_request_and_over_a_kill(self):
        self.cool()
        self.assertEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.served(), {"a2": 1})
        self.box.child.kill()
        self.restart(self.box)
        self.assertEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.served(), {"a2": 2})
        ended = self.box.admin("POST", "/api/providers/a1/cooldown/end").json()
        self.assertTrue(ended["ended"])
        self.assertIsNone(ended["connection"]["rateLimitedUntil"])
        self.assertEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.served(), {"a1": 1, "a2": 2})

    def test_a_good_test_ends_a_cooldown_and_a_bad_one_does_not(self):
        self.cool()
        self.upstream.next({"status": 429}, account="a1")
        bad = self.box.admin("POST", "/api/providers/a1/test").json()
        self.assertFalse(bad["valid"])
        self.assertEqual((bad["errorCode"], bad["status"]), ("rate_limited", 429))
        self.box.chat(message())
        self.assertEqual(self.served(), {"a1": 1, "a2": 1})
        good = self.box.admin("POST", "/api/providers/a1/test").json()
        self.assertTrue(good["valid"] and good["cooldownEnded"], good)
        self.box.chat(message())
        self.assertEqual(self.served(), {"a1": 3, "a2": 1})

    def test_a_null_by_the_update_path_ends_a_cooldown(self):
        self.cool()
        put = self.box.admin(
            "PUT", "/api/providers/a1",
            {"rateLimitedUntil": None, "lastError": None, "testStatus": "active"})
        self.assertEqual(put.status, 200, put.body)
        self.assertIsNone(put.json()["connection"]["errorCode"])
        self.box.chat(message())
        self.assertEqual(self.served(), {"a1": 1})


class ProbeTests(Spine):
    def test_a_broken_key_fails_the_test_and_a_repaired_one_passes_it(self):
        put = self.box.admin("PUT", "/api/providers/a1", {"apiKey": "sk-broken"})
        self.assertEqual(put.status, 200, put.body)
        bad = self.box.admin("POST", "/api/providers/a1/test")
        self.assertEqual(bad.status, 200, bad.body)
        self.assertFalse(bad.json()["valid"])
        self.assertEqual(bad.json()["errorCode"], "invalid_api_key")
        self.assertNotIn(b"Incorrect API key", bad.body)
        shown = self.box.admin("GET", "/api/providers/a1").json()["connection"]
        self.assertEqual(shown["testStatus"], "error")
        self.assertEqual(shown["lastError"], {"code": "invalid_api_key", "type": "account"})
        self.assertEqual(shown["errorCode"], 401)

        self.box.admin("PUT", "/api/providers/a1", {"apiKey": "sk-upstream-1"})
        good = self.box.admin("POST", "/api/providers/a1/test").json()
        self.assertTrue(good["valid"], good)
        self.assertIsNone(good["error"])
        shown = self.box.admin("GET", "/api/providers/a1").json()["connection"]
        self.assertEqual(shown["testStatus"], "active")
        self.assertIsNone(shown["lastError"])

    def test_a_test_is_one_small_call_and_no_request_of_any_client(self):
        test = self.box.admin("POST", "/api/providers/a2/test", {"model": "gpt-4o"}).json()
        self.assertEqual(test["model"], "gpt-4o")
        self.assertEqual(self.upstream.state()["requests"]["byAccount"], {"a2": 1})
        sent = json.loads(self.upstream.bodies()[-1])
        self.assertEqual((sent["model"], sent["max_tokens"]), ("gpt-4o", 1))
        self.box.child.stop()
        window = self.box.window()
        self.assertEqual(of_kind(window, "request.finished"), [])
        self.assertEqual(len(of_kind(window, "health.tested")), 1)

    def test_a_provider_that_hangs_fails_the_test_in_ten_seconds(self):
        self.upstream.next({"fault": "never-answer"}, account="a1")
        began = time.monotonic()
        test = self.box.admin("POST", "/api/providers/a1/test").json()
        self.assertFalse(test["valid"])
        self.assertEqual(test["errorCode"], "timeout")
        self.assertGreaterEqual(test["latencyMs"], 10_000)
        self.assertLess(time.monotonic() - began, 25)


class VerbTests(Spine):
    def run_verb(self, *words):
        return signalbox(self.box.data, "accounts", *words, "--json")

    def test_the_verbs_do_what_the_api_does_and_need_a_gateway_only_to_ask_upstream(self):
        degraded = self.run_verb("degrade", "a1", "--reason", "refunds pending")
        self.assertEqual(degraded.returncode, 0, degraded.stderr)
        self.assertEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.upstream.state()["requests"]["byAccount"], {"a2": 1})
        test = self.run_verb("test", "a1", "--model", "gpt-4o")
        self.assertTrue(json.loads(test.stdout)["valid"], test.stderr)
        found = self.run_verb("discover", "a1")
        self.assertEqual(json.loads(found.stdout)["models"], ["gpt-4o", "gpt-4o-mini"])
        self.box.stop()
        refused = self.run_verb("test", "a1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("gateway_not_running", refused.stdout)
        restored = self.run_verb("restore", "a1")
        self.assertEqual(restored.returncode, 0, restored.stderr)
        self.assertIsNone(json.loads(restored.stdout)["probe"])
        self.restart(self.box)
        self.assertEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.upstream.state()["requests"]["byAccount"]["a1"], 2)


class RuleTests(Spine):
    """Health that follows from traffic and from regular tests."""

    def served(self):
        return self.upstream.state()["requests"]["byAccount"]

    def shown(self, account="a1"):
        return self.box.admin("GET", f"/api/providers/{account}").json()["connection"]

    def kinds(self):
        return [it["kind"] for it in self.box.window() if it["kind"].startswith("health.")]

    def test_a_limited_account_cools_is_probed_once_and_comes_back(self):
        # Clients wait for the answer, health for nobody: the second request may still find it free.
        self.upstream.next({"status": 429, "reset": {"form": "retry-after", "in": "6s"}}, account="a1")
        answer = self.box.chat(message())
        self.assertEqual(answer.status, 200, answer.body)
        cooldown = eventually(lambda: (self.shown()["cooldowns"] or [None])[0], "a cooldown")
        self.assertEqual((cooldown["rule"], cooldown["model"]), ("rate_limited", None))
        self.upstream.control("POST", "reset")
        for _ in range(5):
            self.assertEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.served(), {"a2": 5})
        eventually(lambda: self.shown()["cooldowns"][0]["halfOpen"], "the end of its time")
        self.assertEqual(self.box.chat(message()).status, 200)
        eventually(lambda: self.shown()["cooldowns"] == [], "the end of the cooldown")
        self.assertEqual(self.served(), {"a1": 1, "a2": 5})
        self.assertEqual(self.shown()["testStatus"], "active")
        self.assertEqual(
            self.kinds(),
            ["health.cooldown_started.v1", "health.probe_started.v1", "health.cooldown_ended.v1"])

    def test_bad_requests_leave_no_trace_in_anybodys_health(self):
        for error in ("openai-context", "openai-parameter"):
            self.upstream.next({"status": 400, "error": error}, account="a1", times=5)
            for _ in range(5):
                self.assertEqual(self.box.chat(message()).status, 400)
        self.assertEqual(self.kinds(), [])
        self.assertEqual(self.served(), {"a1": 10})

    def test_three_failures_of_the_provider_cool_and_a_refused_key_cools_at_once(self):
        self.upstream.next({"status": 500}, account="a1", times=3)
        for number in range(3):
            self.assertEqual(self.kinds(), [], number)
            self.assertEqual(self.box.chat(message()).status, 200)
        cooldown = eventually(lambda: (self.shown()["cooldowns"] or [None])[0], "a cooldown")
        self.assertEqual(cooldown["rule"], "provider_error")
        self.upstream.next({"status": 401}, account="a2")
        self.assertEqual(self.box.chat(message()).status, 502)
        cooldown = eventually(lambda: (self.shown("a2")["cooldowns"] or [None])[0], "a cooldown")
        self.assertEqual(cooldown["rule"], "unauthorized")

    def test_regular_tests_take_out_a_broken_account_and_half_open_a_repaired_one(self):
        put = self.box.admin(
            "PUT", "/api/provider-nodes/mock", {"healthCheck": {"intervalSeconds": 5}})
        self.assertEqual(put.json()["node"]["healthCheck"], {"intervalSeconds": 5}, put.body)
        self.upstream.next({"status": 503}, account="a1", times=3)
        cooldown = eventually(
            lambda: (self.shown()["cooldowns"] or [None])[0], "a cooldown", patience=40)
        self.assertEqual(cooldown["rule"], "health_check")
        self.upstream.control("POST", "reset")
        self.assertEqual(self.box.chat(message()).status, 200)
        eventually(lambda: self.shown()["cooldowns"][0]["halfOpen"], "two good tests", patience=40)
        eventually(
            lambda: self.box.chat(message()).status == 200 and self.shown()["cooldowns"] == [],
            "a request that serves")


class DiscoveryTests(Spine):
    def refresh(self):
        return self.box.admin("POST", "/api/providers/a1/models/refresh")

    def models(self):
        listed = exchange(self.box.port, "GET", "/v1/models").json()
        return [row["id"] for row in listed["data"]]

    def offer(self, names, **model_list):
        self.upstream.scenario({**scenario(), "models": names, "model-list": model_list})

    def test_a_failing_list_keeps_the_last_good_one(self):
        self.offer(["gpt-4o", "org/fresh"])
        found = self.refresh()
        self.assertEqual(found.status, 200, found.body)
        self.assertEqual(found.json()["added"], ["gpt-4o", "org/fresh"])
        self.assertIn("mock/org/fresh", self.models())
        self.assertEqual(self.box.chat(message(model="mock/org/fresh")).status, 200)
        known = self.models()
        for fault in ({"status": 500}, {"status": 429}, {"fault": "close-before-head"},
                      {"fault": "close-mid-stream"}, {"fault": "error-in-stream"},
                      {"fault": "empty-stream"}):
            self.offer(["gpt-4o"], **fault)
            failed = self.refresh()
            self.assertEqual(failed.status, 502, (fault, failed.body))
            self.assertEqual(failed.json()["error"]["code"], "discovery_failed")
            self.assertEqual(self.models(), known, fault)
        self.box.child.kill()
        self.restart(self.box)
        self.assertEqual(self.models(), known)
        self.offer(["gpt-4o", "gpt-5"])
        self.assertEqual(self.refresh().json()["removed"], ["org/fresh"])
        self.assertNotIn("mock/org/fresh", self.models())

    def test_a_model_switched_off_is_not_asked_for_and_not_listed(self):
        self.offer(["gpt-4o", "org/fresh"])
        self.refresh()
        off = self.box.admin("PUT", "/api/models/mock/org/fresh", {"isActive": False})
        self.assertEqual(off.status, 200, off.body)
        self.assertNotIn("mock/org/fresh", self.models())
        self.assertEqual(self.box.chat(message(model="mock/org/fresh")).status, 404)
        # Read again, it stays off.
        self.refresh()
        self.assertEqual(self.box.chat(message(model="mock/org/fresh")).status, 404)
        self.box.admin("PUT", "/api/models/mock/org/fresh", {"isActive": True})
        self.assertEqual(self.box.chat(message(model="mock/org/fresh")).status, 200)


class RemovalTests(Case):
    """What is taken away while its streams run."""

    def setUp(self):
        super().setUp()
        self.upstream = self.simulator(scenario(**{"chunk-pace": "60ms", "chunks": 40}))
        self.box = self.gateway(configuration(self.upstream))

    def start_stream(self):
        connection = socket.create_connection(("127.0.0.1", self.box.port), timeout=20)
        self.addCleanup(connection.close)
        body = json.dumps(message(stream=True)).encode()
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer "
            + CLIENT_KEY.encode() + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        received = b""
        while b"data: " not in received:
            received += connection.recv(65536)
        return connection, received

    def finish(self, connection, received):
        while b"0\r\n\r\n" not in received:
            piece = connection.recv(65536)
            self.assertTrue(piece, "the stream was cut")
            received += piece
        self.assertIn(b"[DONE]", received)

    def test_streams_of_a_removed_account_and_provider_end_and_the_next_goes_elsewhere(self):
        streams = [self.start_stream() for _ in range(3)]
        self.assertEqual(self.upstream.state()["requests"]["byAccount"], {"a1": 3})
        gone = self.box.admin("DELETE", "/api/providers/a1")
        self.assertEqual(gone.status, 200, gone.body)
        self.upstream.next({"chunk-pace": "0", "chunks": 2})
        self.assertEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.upstream.state()["requests"]["byAccount"], {"a1": 3, "a2": 1})

        streams += [self.start_stream()]
        self.assertEqual(self.box.admin("DELETE", "/api/providers/a2").status, 200)
        alias = self.box.admin("DELETE", "/api/models/alias?alias=fast")
        self.assertEqual(alias.status, 200, alias.body)
        removed = self.box.admin("DELETE", "/api/provider-nodes/mock")
        self.assertEqual(removed.status, 200, removed.body)
        self.assertEqual(self.box.chat(message()).status, 404)
        for connection, received in streams:
            self.finish(connection, received)
        self.assertEqual(self.upstream.state()["requests"]["total"], 5)
        self.box.child.stop()
        finished = of_kind(self.box.window(), "request.finished")
        self.assertEqual(len(finished), 6)
