"""Limits and budgets: never overspent, and the same as the log tells, also after a kill."""

import json
import threading

from support import Spine, eventually, message, of_kind, scenario


def charged(found, organisation="acme"):
    """Tokens that a log charges to an organisation, counted by hand."""
    total = 0
    for row in of_kind(found, "request.finished"):
        if row["organisation"] != organisation:
            continue
        usage = row["usage"]
        if usage["input"] is not None or usage["output"] is not None:
            total += (usage["input"] or 0) + (usage["output"] or 0)
        elif row["ending"] not in ("denied", "failed") and row["attempts"]:
            total += row.get("reserve", {}).get("tokens", 0)
    for row in of_kind(found, "request.interrupted"):
        if row["organisation"] == organisation:
            total += row.get("charge", {}).get("tokens", 0)
    return total


class LimitTests(Spine):
    # Slow enough that all are under way at the same time.
    behaviour = {"chunk-pace": "30ms"}

    def must(self, method, path, document):
        answer = self.box.admin(method, path, document)
        self.assertLess(answer.status, 300, answer.body)
        return answer.json()

    def usage(self, period="month"):
        answer = self.box.admin("GET", "/api/organisations/acme")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()["organisation"]["usage"][period]

    def body(self, tokens=20):
        return message(model="mock/gpt-4o", max_tokens=tokens)

    def reserve(self, tokens=20):
        return len(json.dumps(self.body(tokens)).encode()) // 2 + 16 + tokens

    def crowd(self, count, statuses):
        """Clients that each ask once, at the same time; statuses of those that got an answer."""
        lock = threading.Lock()

        def one():
            try:
                status = self.box.chat({**self.body(), "stream": True}).status
            except OSError:
                return
            except Exception as error:  # A connection that the kill cut in the middle of an answer.
                status = type(error).__name__
            with lock:
                statuses.append(status)

        threads = [threading.Thread(target=one, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        return threads

    def test_200_at_once_against_a_budget_for_50_never_overspend_also_when_killed(self):
        # The body of a stream is longer by its flag.
        each = len(json.dumps({**self.body(), "stream": True}).encode()) // 2 + 16 + 20
        budget = each * 50
        self.must("PUT", "/api/organisations/acme", {
            "budgets": [{"period": "month", "tokens": budget}]})
        statuses = []
        for thread in self.crowd(200, statuses):
            thread.join(60)
        self.assertEqual(len(statuses), 200)
        self.assertTrue(set(statuses) <= {200, 402, 429}, statuses)
        self.assertGreaterEqual(statuses.count(200), 50)
        found = self.usage()
        self.assertEqual(found["tokens"]["reserved"], 0)
        self.assertLessEqual(found["tokens"]["used"], budget)
        self.assertEqual(found["tokens"]["used"], charged(self.box.window()))
        self.assertEqual(found["tokens"]["remaining"], budget - found["tokens"]["used"])

        # With room for 50 more, and the gateway killed while they are under way.
        self.must("PUT", "/api/organisations/acme", {
            "budgets": [{"period": "month", "tokens": budget * 2}]})
        statuses.clear()
        # Slower, so that they are seen.
        self.upstream.scenario(scenario(**{"chunk-pace": "250ms"}))
        threads = self.crowd(200, statuses)
        eventually(lambda: self.usage()["tokens"]["reserved"] >= each * 10, "ten under way")
        self.box.kill()
        for thread in threads:
            thread.join(60)
        self.restart(self.box)
        log = self.box.window()
        after = self.usage()
        self.assertGreater(len(of_kind(log, "request.interrupted")), 0)
        self.assertEqual(after["tokens"]["reserved"], 0)
        self.assertEqual(after["tokens"]["used"], charged(log))
        self.assertGreater(after["tokens"]["used"], found["tokens"]["used"])
        self.assertLessEqual(after["tokens"]["used"], budget * 2)

        # What is left can be spent, and no more.
        self.must("PUT", "/api/organisations/acme", {
            "budgets": [{"period": "month", "tokens": after["tokens"]["used"] + self.reserve()}]})
        self.upstream.scenario(scenario())
        self.assertEqual(self.box.chat(self.body()).status, 200)
        refused = self.box.chat(self.body())
        self.assertEqual(refused.status, 402, refused.body)
        error = refused.json()["error"]
        self.assertEqual(error["code"], "quota_exceeded")
        self.assertEqual(error["limit_context"]["quota_type"], "monthly_quota")
        self.assertEqual(error["limit_context"]["current_usage"], charged(self.box.window()))
        self.assertRegex(error["limit_context"]["resets_at"], r"^20\d\d-\d\d-01T00:00:00.000Z$")

    def test_a_stop_and_a_start_keep_what_is_spent_and_rates_begin_anew(self):
        self.must("PUT", "/api/organisations/acme", {
            "limits": {"rpm": 2}, "budgets": [{"period": "day", "tokens": 1_000_000}]})
        for status in (200, 200, 429):
            answer = self.box.chat(self.body())
            self.assertEqual(answer.status, status, answer.body)
        self.assertTrue(1 <= int(answer.header("retry-after")) <= 30)
        self.assertEqual(answer.header("x-ratelimit-limit"), "2")
        self.assertEqual(answer.header("x-ratelimit-remaining"), "0")
        used = self.usage("day")["tokens"]["used"]
        self.assertEqual(used, charged(self.box.window()))
        self.box.stop()
        self.restart(self.box)
        self.assertEqual(self.usage("day")["tokens"]["used"], used)
        self.assertEqual(self.box.chat(self.body()).status, 200)

    def test_a_request_with_an_idempotency_key_is_made_once_also_across_a_stop_and_a_kill(self):
        def ask(key, text="How long is a block section?"):
            return self.box.chat(message(text, max_tokens=5), idempotency_key=key)

        done = ask("order-1")
        self.assertEqual(done.status, 200, done.body)
        identity = done.header("x-signalbox-request-id")
        self.box.stop()
        self.restart(self.box)
        calls = self.upstream.total()
        for _ in range(2):
            duplicate = ask("order-1")
            self.assertEqual(duplicate.status, 409, duplicate.body)
            error = duplicate.json()["error"]
            self.assertEqual(error["code"], "duplicate_request")
            self.assertEqual(error["audit"], f"/v1/audit/requests/{identity}")
        self.assertEqual(
            self.box.admin("GET", error["audit"]).status, 200)
        self.assertEqual(ask("order-1", "Another question.").status, 422)
        self.assertEqual(self.upstream.total(), calls)

        # Killed in the middle: whether the provider answered nobody knows, so it is not asked again.
        def long():
            try:
                self.box.chat(message(stream=True, max_tokens=5_000), idempotency_key="order-2")
            except Exception:  # Cut off.
                pass

        thread = threading.Thread(target=long, daemon=True)
        thread.start()
        eventually(lambda: self.upstream.total() > calls, "the long one under way")
        self.box.kill()
        thread.join(30)
        self.restart(self.box)
        again = self.box.chat(message(stream=True, max_tokens=5_000), idempotency_key="order-2")
        self.assertEqual(again.status, 409, again.body)
        self.assertEqual(again.json()["error"]["code"], "duplicate_request")
