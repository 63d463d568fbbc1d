"""Sums, lists and decisions over requests of a real gateway: each sees what was just answered, whatever becomes of the views."""

import shutil
import sqlite3
import threading

from story import Story
from support import CLIENT_KEY, eventually, exchange


class EvidenceTests(Story):
    def history(self):
        return self.must("GET", "/api/usage/history")

    def seed(self):
        """Ten good requests, of which some failed over from the first account, and two that were refused."""
        pool = self.pool(2)
        self.play(accounts={pool.accounts[0]: {"behaviour": {"status": 500, "probability": 0.5}}})
        answers = [self.chat(pool.model) for _ in range(10)]
        self.assertEqual([answer.status for answer in answers], [200] * 10)
        for _ in range(2):
            self.assertEqual(self.chat("nobody/offers").status, 404)
        return pool, answers

    def test_usage_grows_by_exactly_one_with_each_request(self):
        pool = self.pool(1)
        self.play({"prompt-tokens": 7, "completion-tokens": 3})
        before = self.history()
        for count in range(1, 6):
            self.good(pool.model, 1)
            now = self.history()
            self.assertEqual(now["totalRequests"], before["totalRequests"] + count)
            self.assertEqual(now["totalPromptTokens"], before["totalPromptTokens"] + 7 * count)
            self.assertEqual(now["lag"], 0)
        self.assertEqual(now["byProvider"][pool.provider]["requests"], 5)
        self.assertEqual(len(now["recentRequests"]), min(20, now["totalRequests"]))
        metrics = self.must("GET", "/v1/metrics/providers?window=1h")[pool.provider]
        self.assertEqual((metrics["request_count"], metrics["success_count"]), (5, 5))
        self.assertEqual(metrics["statuses"], {"200": 5})
        self.assertEqual(metrics["total_tokens"], 50)
        # Lists of models are polled and use nothing: the log has them, the sums do not count them.
        listed = exchange(self.box.port, "GET", "/v1/models", headers={"authorization": f"Bearer {CLIENT_KEY}"})
        self.assertEqual(listed.status, 200)
        self.assertEqual(self.history()["totalRequests"], before["totalRequests"] + 5)
        self.assertEqual(self.box.audit(listed.header("x-request-id"))["operation"], "models.list")
        found = exchange(self.box.port, "GET", "/v1/metrics/providers?window=24h", headers=self.box.login())
        self.assertEqual(found.header("x-signalbox-lag"), "0")
        self.assertGreater(int(found.header("x-signalbox-position")), 0)
        # Page by page as text as well.
        page = exchange(self.box.port, "GET", "/api/usage/logs?format=text&limit=2", headers=self.box.login())
        self.assertEqual(page.header("x-signalbox-complete"), "true")
        after = page.header("x-signalbox-next")
        more = exchange(
            self.box.port, "GET", f"/api/usage/logs?format=text&limit=2&after={after}", headers=self.box.login())
        self.assertEqual(len(page.json() + more.json()), 4)
        self.assertGreater(metrics["latency_p95_ms"], 0)

    def test_lists_and_decisions_tell_what_the_audit_tells(self):
        pool, answers = self.seed()
        records = [self.box.audit(answer.header("x-request-id")) for answer in answers]
        attempts = [attempt for record in records for attempt in record["attempts"]]
        decisions = self.must("GET", f"/v1/admin/routing/decisions?model={pool.model}")["decisions"]
        self.assertEqual(len(decisions), len(attempts))
        failovers = self.must(
            "GET", f"/v1/admin/routing/decisions?model={pool.model}&decision_type=FAILOVER")["decisions"]
        self.assertEqual(
            sorted(row["requestId"] for row in failovers),
            sorted(record["requestId"] for record in records if len(record["attempts"]) == 2))
        for path in ("/api/usage/logs", "/api/usage/request-logs"):
            rows = self.must("GET", f"{path}?provider={pool.provider}")["logs"]
            self.assertEqual(
                [row["requestId"] for row in rows],
                [record["requestId"] for record in reversed(records)])
            self.assertEqual(self.must("GET", f"{path}?status=4xx&model=nobody/offers&limit=1")["logs"][0]["status"], 404)
        # Page by page it is the same list.
        rows, cursor = [], ""
        while True:
            page = self.must("GET", f"/api/usage/logs?model={pool.model}&limit=3{cursor}")
            rows += [row["requestId"] for row in page["logs"]]
            if "next" not in page:
                break
            cursor = f"&after={page['next']}"
        self.assertEqual(rows, [record["requestId"] for record in reversed(records)])

    def test_two_hundred_clients_ping_at_once_beside_lists_and_all_are_answered(self):
        self.seed()
        session, port, stop = self.box.login(), self.box.port, threading.Event()
        answers, begin = [], threading.Barrier(200)

        def lists():
            while not stop.is_set():
                exchange(port, "GET", "/api/usage/logs?limit=1000", headers=session)

        def ping():
            begin.wait()
            answers.append(exchange(port, "GET", "/api/health/ping", timeout=60))

        readers = [threading.Thread(target=lists, daemon=True) for _ in range(20)]
        clients = [threading.Thread(target=ping, daemon=True) for _ in range(200)]
        for thread in readers + clients:
            thread.start()
        for thread in clients:
            thread.join()
        stop.set()
        for thread in readers:
            thread.join()
        self.assertEqual({(answer.status, answer.json()["status"]) for answer in answers}, {(200, "ok")})
        self.assertEqual(len(answers), 200)

    def test_views_are_made_anew_when_they_are_lost_broken_or_ahead(self):
        self.seed()
        file = self.box.data / "views" / "usage.sqlite"

        def sums():
            history = self.history()
            return {name: history[name] for name in (
                "totalRequests", "completed", "failed", "denied", "byProvider", "byModel", "byAccount", "byApiKey",
                "byEndpoint", "lag")}

        before = sums()
        self.assertGreaterEqual(before["totalRequests"], 12)
        self.assertEqual(file.parent.stat().st_mode & 0o777, 0o700)
        # While the gateway runs.
        shutil.rmtree(file.parent)
        eventually(lambda: file.exists() and sums() == before, "the views, made anew")

        for end in (self.box.kill, self.box.stop):
            end()
            self.box.start()
            self.children.append(self.box.child)
            self.assertEqual(sums(), before)

        self.box.stop()
        for broken in (b"nothing like it", b""):
            for path in file.parent.iterdir():
                path.unlink()
            file.write_bytes(broken)
            self.box.start()
            self.children.append(self.box.child)
            eventually(lambda: sums() == before, "the views, made anew")
            self.box.stop()

        # As if the log had been restored from before what the views saw.
        with sqlite3.connect(file) as database:
            database.execute("UPDATE checkpoint SET position = position + 1000000")
        self.box.start()
        self.children.append(self.box.child)
        eventually(lambda: sums() == before, "the views, made anew")
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
            (count,) = database.execute("SELECT SUM(requests) FROM usage_by_hour WHERE kind = 1").fetchone()
        self.assertEqual(count, before["totalRequests"])
