"""`/metrics` of a real gateway: Prometheus can read it, it says what the log says, and each metric is written by something."""

import collections
import json
import re
import subprocess
from pathlib import Path

from story import Story
from support import eventually, exchange, of_kind

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = re.compile(r'([a-z_0-9]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? ([0-9.]+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"')
#: Those of the table, and what a histogram's are called on the page.
NAMES = re.compile(r"\b(?:api_router|router|signalbox)_[a-z0-9_]+")


def parse(text):
    """Every series of a page, by its name and labels; any line that is not of the format fails."""
    series = {}
    for line in text.splitlines():
        if line.startswith("# "):
            continue
        found = SAMPLE.fullmatch(line)
        if not found:
            raise AssertionError(f"not of the format: {line!r}")
        key = (found[1], tuple(sorted(LABEL.findall(found[2] or ""))))
        if key in series:
            raise AssertionError(f"twice: {line!r}")
        series[key] = float(found[3])
    return series


class Page:
    def __init__(self, text):
        self.text = text
        self.series = parse(text)
        self.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))

    def family(self, name):
        """Values by labels."""
        return {labels: value for (found, labels), value in self.series.items() if found == name}

    def total(self, name, **labels):
        return sum(
            value for found, value in self.family(name).items() if set(labels.items()) <= set(found))

    def by(self, name, *labels):
        """Sums by the values of some labels."""
        sums = collections.Counter()
        for found, value in self.family(name).items():
            sums[tuple(dict(found)[label] for label in labels)] += value
        return dict(sums)


class Scraped(Story):
    def page(self):
        answer = exchange(self.box.port, "GET", "/metrics")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8")
        return Page(answer.body.decode())


class MixedPlayTests(Scraped):
    def promtool(self, page):
        ran = subprocess.run(
            ["promtool", "check", "metrics"], input=page.text, capture_output=True, text=True, timeout=60)
        # Advice about names comes with exit status 3; ours follow it.
        self.assertEqual((ran.returncode, ran.stdout + ran.stderr), (0, ""))

    def key_of(self, organisation, **rights):
        self.must("POST", "/api/organisations", {"id": organisation, "name": organisation, **rights}, 201)
        return self.must("POST", "/api/keys", {"name": f"k-{organisation}", "organisation": organisation}, 201)["key"]

    def play_everything(self):
        """Good answers and each way in which a request can fail."""
        pool = self.pool(2)
        price = {name: {"input": 2.5, "output": 10} for name in ("gpt-4o-mini", "gpt-4o")}
        self.must("PATCH", "/api/pricing", {pool.provider: price})
        self.play({"prompt-tokens": 70, "completion-tokens": 30, "cached-tokens": 5})
        self.good(pool.model, 5)
        self.assertEqual(self.chat(pool.other, stream=True).status, 200)
        # One account fails, the other answers.
        self.upstream.next({"status": 500}, times=1)
        self.good(pool.model)
        self.upstream.next({"fault": "close-mid-stream", "at-chunk": 2, "chunk-pace": "5ms"})
        try:
            self.chat(pool.model, stream=True)
        except OSError:
            pass
        # Refused by the gateway: no such model, no such key, and each kind of limit.
        self.assertEqual(self.chat("nobody/offers").status, 404)
        self.assertEqual(self.chat(pool.model, key="sk-stranger").status, 401)
        slow = self.key_of("slow", limits={"rpm": 2})
        self.assertEqual(self.ask(pool.model, 4, key=slow), [200, 200, 429, 429])
        poor = self.key_of("poor", budgets=[{"period": "day", "usd": 0.000001}])
        self.assertEqual(self.ask(pool.model, 3, key=poor), [200, 402, 402])
        full = self.key_of("full", budgets=[{"period": "month", "tokens": 10}])
        self.assertEqual(self.ask(pool.model, 3, key=full), [200, 402, 402])
        self.must("POST", f"/api/providers/{pool.ids[0]}/test")
        # Both are told that they asked too often, and cool.
        self.upstream.next({"status": 429}, times=2)
        self.assertIn(self.chat(pool.model).status, (429, 503))
        return pool

    def test_the_oldest_request_under_way_is_told_while_it_hangs(self):
        oldest = lambda: self.page().total("signalbox_requests_in_flight_oldest_seconds")
        pool = self.pool(1)
        eventually(lambda: oldest() == 0, "no request under way")
        self.play({"chunk-pace": "200ms", "chunks": 200})
        stream, _ = self.open_stream(pool.model)
        eventually(lambda: oldest() > 0.5, "a request that takes long")
        first = oldest()
        self.good(pool.other)
        self.assertGreaterEqual(oldest(), first, "a younger one does not hide it")
        stream.close()
        eventually(lambda: oldest() == 0, "its end")

    def test_prometheus_reads_it_and_it_says_what_the_log_says(self):
        before = self.page()
        self.promtool(before)
        pool = self.play_everything()
        # The end of what broke off comes when the gateway has noticed.
        eventually(lambda: self.page().total("signalbox_requests_in_flight") == 0, "the end of all requests")
        page = self.page()
        self.promtool(page)
        self.assertEqual(page.total("signalbox_metrics_lag_events"), 0)

        rows = of_kind(self.box.window(), "request.finished")
        attempts = [(row, attempt) for row in rows for attempt in row["attempts"]]
        self.assertGreater(len(attempts), 12)
        self.assertEqual(page.total("signalbox_requests_total"), len(rows))
        self.assertEqual(
            page.by("signalbox_requests_total", "outcome"),
            {(name,): count for name, count in collections.Counter(row["ending"] for row in rows).items()})
        self.assertEqual(
            page.by("signalbox_requests_total", "code"),
            {(f"{code}xx",): count
             for code, count in collections.Counter(row["status"] // 100 for row in rows).items()})
        self.assertEqual(
            page.by("signalbox_organization_requests_total", "organization_id"),
            {(name or "none",): count
             for name, count in collections.Counter(row["organisation"] for row in rows).items()})
        self.assertEqual(
            page.by("signalbox_attempts_total", "account", "code"),
            dict(collections.Counter(
                (attempt["account"], str(attempt["status"] or "none")) for _, attempt in attempts)))
        self.assertEqual(
            page.by("api_router_backend_requests_total", "backend_id"),
            page.by("signalbox_attempts_total", "account"))
        self.assertEqual(page.total("api_router_backend_request_duration_seconds_count"), len(attempts))
        self.assertEqual(
            page.total("router_failover_total"), sum(max(0, len(row["attempts"]) - 1) for row in rows))
        self.assertGreaterEqual(page.total("router_failover_total", backend_id=pool.ids[0]), 1)
        self.assertEqual(page.total("signalbox_stream_cuts_total", provider=pool.provider), 1)
        for kind in ("input", "output", "cached"):
            self.assertEqual(
                page.total("signalbox_tokens_total", kind=kind),
                sum(row["usage"][kind] or 0 for row in rows), kind)
        history = self.must("GET", "/api/usage/history")
        self.assertEqual(history["totalRequests"], len(rows))
        self.assertAlmostEqual(page.total("signalbox_cost_usd_total"), history["totalCost"])
        self.assertGreater(history["totalCost"], 0)
        self.assertAlmostEqual(page.total("signalbox_organization_cost_usd_total"), history["totalCost"])
        self.assertEqual(page.total("api_router_rate_limit_denials_total", organization_id="slow", limit_type="org"), 2)
        self.assertEqual(page.total("api_router_budget_denials_total", organization_id="poor", quota_type="budget"), 2)
        self.assertEqual(
            page.total("api_router_quota_denials_total", organization_id="full", quota_type="monthly_quota"), 2)
        self.assertEqual(page.total("signalbox_denials_total"), page.total("signalbox_requests_total", outcome="denied"))
        self.assertEqual(page.total("api_router_usage_records_published_total", status="success"), len(rows))
        self.assertGreaterEqual(page.total("signalbox_cooldowns_started_total", provider=pool.provider), 2)
        self.assertEqual(page.total("signalbox_accounts", provider=pool.provider, state="cooling"), 2)
        self.assertEqual(page.total("signalbox_accounts", provider=pool.provider), 2)
        self.assertEqual(
            page.total("router_backend_health_status", backend_id=pool.ids[0], status="unhealthy"), 1)
        self.assertEqual(page.total("signalbox_budget_limit_usd", organization_id="poor", period="day"), 0.000001)

        # Nothing is there that nothing wrote, and the table, the page and all that is written about it have the same names.
        silent = sorted(
            name for name, kind in page.types.items()
            if not page.family(name + "_count" if kind == "histogram" else name)
            # No token is refreshed here, and no node synced with: test_credentials and test_sync look at these.
            and not name.startswith(("signalbox_credential", "signalbox_sync")))
        self.assertEqual(silent, [])
        documented = re.findall(r"^\| `([a-z_]+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
        self.assertEqual(sorted(page.types), sorted(documented))
        exposed = {name for name, _ in page.series} | set(page.types)
        for path in sorted([*(ROOT / "deploy").rglob("*"), *(ROOT / "docs").rglob("*.md")]):
            if path.is_file() and path.suffix in (".yaml", ".yml", ".json", ".md", ".py"):
                unknown = set(NAMES.findall(path.read_text())) - exposed
                self.assertEqual(unknown, set(), f"{path.relative_to(ROOT)} names what is not there")


class LifeTests(Scraped):
    def test_counters_begin_anew_with_the_process_and_count_what_it_found(self):
        pool = self.pool(1)
        self.good(pool.model, 3)
        self.play({"fault": "stall-mid-stream", "at-chunk": 1})
        self.open_stream(pool.model)
        eventually(lambda: of_kind(self.box.window(), "request.dispatched"), "the request under way in the log")
        self.assertEqual(self.page().total("signalbox_requests_in_flight"), 1)
        self.kill()
        page = self.page()
        self.assertEqual(page.total("signalbox_requests_total"), 0)
        self.assertEqual(page.total("signalbox_requests_interrupted_total"), 1)
        self.assertEqual(page.total("signalbox_requests_in_flight"), 0)
        self.play()
        self.good(pool.model, 2)
        self.assertEqual(self.page().total("signalbox_requests_total", outcome="completed"), 2)

    def test_head_and_what_a_browser_or_a_proxy_brings(self):
        head = exchange(self.box.port, "HEAD", "/metrics")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(exchange(self.box.port, "POST", "/metrics", b"").status, 405)
        for headers in ({"host": "rebound.example"}, {"x-forwarded-for": "198.51.100.7"}):
            answer = exchange(self.box.port, "GET", "/metrics", None, headers)
            self.assertEqual(answer.status, 401, headers)
            self.assertEqual(json.loads(answer.body)["error"]["code"], "unauthorized")
        key = {"authorization": f"Bearer {self.key(diagnostics=True)}", "x-forwarded-for": "198.51.100.7"}
        self.assertEqual(exchange(self.box.port, "GET", "/metrics", None, key).status, 200)
