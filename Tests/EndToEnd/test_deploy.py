"""deploy/: rules that fire and keep silent as they should, and files that the programs they are for accept."""

import http.client
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
from pathlib import Path

from story import Story
from support import BIN, CLIENT_KEY, ROOT, Case, Child, eventually, exchange, free_port, message

try:
    import yaml
except ImportError:  # no index at the setup: counted as skipped
    yaml = None

DEPLOY = ROOT / "deploy"
PAGE = ROOT / "docs" / "runbooks" / "alerts.md"

#: What operators' runbooks expect to be called for, and what we add.
EXPECTED = {
    "HighErrorRate", "HighLatencyP95", "HighLatencyP99", "HighFailoverRate", "BackendUnhealthy",
    "RequestHanging", "ClientsGiveUp",
    "RateLimitDenialsHigh", "BufferStoreSizeHigh", "BufferStoreSizeEscalate", "BufferStoreAgeHigh",
    "BudgetDenialsHigh", "QuotaDenialsHigh", "ProviderSuccessLow", "ProviderRefusesCredentials", "ProviderLimitsUs",
    "PingFailing", "SloBurnSev1", "SloBurnSev2", "SloBurnBackToSev3", "MostRequestsFailing", "LatencyFarOverSlo",
    "LatencyOverSlo", "IncidentRecurred", "KafkaUnhealthy", "ConfigServiceUnhealthy", "ComponentUnhealthy",
    "RecordsMissing", "CredentialNeedsSignIn", "CredentialRefreshesFail",
    "SyncStands", "SyncConflicts",
}


def run(*argv, code=0, cwd=ROOT):
    """Standard output of a program that has to end with this status."""
    result = subprocess.run(list(map(str, argv)), cwd=cwd, capture_output=True, text=True, timeout=120)
    if result.returncode != code:
        raise AssertionError(
            f"{' '.join(map(str, argv))}: exit {result.returncode}\n{result.stdout[-4000:]}{result.stderr[-4000:]}")
    return result.stdout + result.stderr


def alerts():
    """Every alert rule of deploy/, by name."""
    found = {}
    for name in ("alerts.yaml", "slo-rules.yaml"):
        for group in yaml.safe_load((DEPLOY / name).read_text())["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    assert rule["alert"] not in found, rule["alert"]
                    found[rule["alert"]] = rule
    return found


def generator():
    """deploy/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("deploy_generate", DEPLOY / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@unittest.skipIf(yaml is None, "PyYAML could not be installed")
class RulesTests(unittest.TestCase):
    longMessage = True

    def test_every_alert_that_runbooks_name_is_there(self):
        self.assertEqual(set(alerts()), EXPECTED)

    def test_each_alert_says_whom_it_is_for_what_is_wrong_and_what_to_do_first(self):
        headings = {line.lstrip("# ").strip().lower() for line in PAGE.read_text().splitlines() if line.startswith("###")}
        for name, rule in alerts().items():
            with self.subTest(name):
                self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))
                self.assertLessEqual(set(rule["labels"]), {"severity", "sev"})
                self.assertIn(rule["labels"].get("sev", "SEV-3"), ("SEV-1", "SEV-2", "SEV-3"))
                told = rule["annotations"]
                self.assertEqual(set(told), {"summary", "command", "runbook"})
                self.assertRegex(told["summary"], r"\{\{ \$(value|labels)")
                self.assertEqual(told["runbook"], f"docs/runbooks/alerts.md#{name.lower()}")
                self.assertIn(name.lower(), headings)
        self.assertEqual(headings, {name.lower() for name in alerts()})

    def test_promtool_accepts_rules_and_configuration(self):
        run("promtool", "check", "config", DEPLOY / "prometheus.yaml")
        # As someone reads it who follows the comments.
        with tempfile.TemporaryDirectory() as directory:
            for path in DEPLOY.glob("*.yaml"):
                shutil.copy(path, directory)
            text = (DEPLOY / "prometheus.yaml").read_text()
            text = re.sub(r"(?m)^( *)# (scheme|authorization|alerting|  +alertmanagers|  +- static_configs)", r"\1\2", text)
            self.assertNotIn("# scheme", text)
            self.assertNotIn("# alerting", text)
            Path(directory, "prometheus.yaml").write_text(text)
            Path(directory, "signalbox.token").write_text("secret")
            run("promtool", "check", "config", Path(directory, "prometheus.yaml"))

    def test_each_alert_has_a_case_in_which_it_fires_and_a_near_miss(self):
        firing, silent = set(), set()
        for path in sorted((DEPLOY / "tests").glob("*.yaml")):
            for case in yaml.safe_load(path.read_text())["tests"]:
                for rule in case["alert_rule_test"]:
                    name = rule["alertname"]
                    with self.subTest(case["name"]):
                        self.assertTrue(case["input_series"])
                        if rule["exp_alerts"]:
                            self.assertEqual(case["name"], f"{name} fires")
                            firing.add(name)
                        else:
                            self.assertTrue(case["name"].startswith(f"{name} near miss: "))
                            silent.add(name)
        self.assertEqual(firing, EXPECTED)
        self.assertEqual(silent, EXPECTED)
        run("promtool", "test", "rules", *sorted((DEPLOY / "tests").glob("*.yaml")))


class PromisesTests(unittest.TestCase):
    longMessage = True

    def test_the_rules_are_those_that_follow_from_the_promises(self):
        made = run(sys.executable, DEPLOY / "generate.py", "--print")
        self.assertEqual(
            made, (DEPLOY / "slo-rules.yaml").read_text(), "deploy/slo-rules.yaml is stale: run deploy/generate.py")

    @unittest.skipIf(yaml is None, "PyYAML could not be installed")
    def test_the_promises_are_read_as_yaml_reads_them(self):
        text = (DEPLOY / "slos.yaml").read_text()
        mine = generator().read(text)
        self.assertEqual(mine, [{key: str(value) for key, value in slo.items()} for slo in yaml.safe_load(text)])

    def test_promises_that_make_no_sense_are_refused_by_line_and_field(self):
        good = (DEPLOY / "slos.yaml").read_text()
        generator().read(good)
        for old, new, words in (
            ("share: 0.995", "share: 1", "share is 1; a number above 0 and below 1"),
            ("share: 0.995", "share: many", "share is many; a number is expected"),
            ("share: 0.995", "shares: 0.995", "unknown field shares"),
            ("  share: 0.995\n", "", "share is missing"),
            ("  share: 0.995\n", "  share: 0.995\n  share: 0.99\n", "share stands there twice"),
            ("- slo: latency", "- slo: availability", "two promises have one name"),
            ("seconds: 3", "seconds: 4", 'beyond le="4"'),
            ("  quantile: 0.95\n", "", "quantile is missing"),
            ("share: 0.995", "share: [0.995]", "FIELD: VALUE"),
            ("[$window]", "[5m]", "has no [$window]"),
            (good, "# nothing\n", "no promise"),
        ):
            with self.subTest(new[:40]), self.assertRaises(SystemExit) as refusal:
                generator().read(good.replace(old, new))
            self.assertRegex(str(refusal.exception.code), r"slos\.yaml:\d+: .*" + re.escape(words))

    def test_other_promises_make_rules_too(self):
        made, good = generator(), (DEPLOY / "slos.yaml").read_text()
        first, second = good.split("- slo: latency")
        third = good.replace("- slo: availability", "- slo: more").replace("- slo: latency", "- slo: slower")
        for text in (first, "- slo: latency" + second, good + third, good.replace("3", "10")):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(made.rules(made.read(text)))
                file.flush()
                run("promtool", "check", "rules", file.name)


class UnitTests(Case):
    @unittest.skipIf(shutil.which("systemd-analyze") is None, "systemd-analyze is not installed")
    def test_systemd_accepts_the_unit(self):
        unit = self.directory / "signalbox.service"
        text = (DEPLOY / "signalbox.service").read_text()
        unit.write_text(text.replace("/usr/local/bin/signalbox", "/bin/true"))
        self.assertEqual(run("systemd-analyze", "verify", unit).strip(), "")
        told = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
        exposure = float(re.search(r"Overall exposure level for signalbox.service: ([0-9.]+)", told)[1])
        self.assertLess(exposure, 2.5)


class Prometheus:
    """Debian's Prometheus over deploy/'s own files, in which a minute takes 1.2 seconds.

    Only spans, `for` and addresses are changed: the rules are those that are shipped.
    """

    MINUTE = 1200
    #: No alert may follow from one scrape that a busy machine lost.
    LEAST = 2000

    def __init__(self, directory, target):
        self.directory = Path(directory) / "prometheus"
        self.directory.mkdir()
        for name in ("alerts.yaml", "slo-rules.yaml"):
            text = (DEPLOY / name).read_text()
            text = re.sub(r"\[[0-9a-z:]+\]", lambda found: self.shorter(found[0], 1), text)
            text = re.sub(r"(?m)^ +for: .*$", lambda found: self.shorter(found[0], self.LEAST), text)
            (self.directory / name).write_text(text)
        text = (DEPLOY / "prometheus.yaml").read_text()
        self.assert_has(text, "127.0.0.1:8080", "_interval: 15s")
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{target}").replace("_interval: 15s", "_interval: 400ms")
        (self.directory / "prometheus.yaml").write_text(text)
        self.port = free_port()
        self.child = Child(
            [shutil.which("prometheus"), f"--config.file={self.directory}/prometheus.yaml",
             f"--storage.tsdb.path={self.directory}/data", f"--web.listen-address=127.0.0.1:{self.port}",
             "--log.level=warn"],
            self.directory / "prometheus.log")
        eventually(self.is_ready, "Prometheus")

    def assert_has(self, text, *parts):
        for part in parts:
            if part not in text:
                raise AssertionError(f"deploy/prometheus.yaml has no {part}")

    def shorter(self, text, least):
        minutes = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440}
        return re.sub(
            r"\b(\d+)([smhd])\b",
            lambda found: f"{max(least, int(int(found[1]) * minutes[found[2]] * self.MINUTE))}ms", text)

    def is_ready(self):
        if not self.child.is_running():
            raise AssertionError("Prometheus ended:\n" + self.child.text()[-2000:])
        try:
            return exchange(self.port, "GET", "/-/ready", timeout=2).status == 200
        except OSError:
            return False

    def ask(self, path, **fields):
        answer = exchange(self.port, "GET", f"/api/v1/{path}?{urllib.parse.urlencode(fields)}")
        document = answer.json()
        if answer.status != 200 or document["status"] != "success":
            raise AssertionError(f"{path} {fields}: {answer.status} {document}")
        return document["data"]

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def firing(self):
        """The alerts that fire now: name → labels and rendered annotations of each."""
        found = {}
        for alert in self.ask("alerts")["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert)
        return found


@unittest.skipIf(yaml is None, "PyYAML could not be installed")
class CommandsTests(Story):
    def test_the_first_command_of_each_alert_runs_beside_a_gateway(self):
        pool = self.pool(1)
        self.good(pool.model, 2)
        self.play({"status": 503})
        self.ask(pool.model, 3)
        known = {"backend_id": pool.ids[0], "provider": pool.provider, "organization_id": "acme"}
        environment = {
            **os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "SIGNALBOX_DATA": str(self.box.data),
            "SIGNALBOX": f"http://127.0.0.1:{self.box.port}"}
        for name, rule in alerts().items():
            with self.subTest(name):
                command = re.sub(
                    r"\{\{ \$labels\.(\w+) \}\}", lambda found: known[found[1]], rule["annotations"]["command"])
                self.assertNotIn("{{", command)
                result = subprocess.run(
                    ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60)
                self.assertEqual((result.returncode, result.stderr), (0, ""), command)
                self.assertTrue(result.stdout.strip(), command)


class Load(threading.Thread):
    """Asks forty times a second, on one connection while it lasts, as `model(number)` says."""

    def __init__(self, port, model):
        super().__init__(daemon=True)
        self.port, self.model, self.ended = port, model, threading.Event()
        self.start()

    def run(self):
        connection, count = None, 0
        while not self.ended.wait(0.025):
            count += 1
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            # A gateway that is killed breaks it off; the next one is asked on another connection.
            try:
                connection.request(
                    "POST", "/v1/chat/completions", json.dumps(message(model=self.model(count), max_tokens=2)),
                    {"authorization": f"Bearer {CLIENT_KEY}", "content-type": "application/json"})
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = None
        if connection:
            connection.close()

    def end(self):
        self.ended.set()
        self.join(10)


class Watched(Story):
    """A gateway with a Prometheus that scrapes it."""

    def setUp(self):
        super().setUp()
        self.prometheus = Prometheus(tempfile.mkdtemp(dir=self.directory), self.box.port)
        self.addCleanup(self.prometheus.child.kill)
        eventually(lambda: self.prometheus.query('up{job="signalbox"} == 1'), "a first scrape")

    def load(self, model):
        load = Load(self.box.port, model)
        self.addCleanup(load.end)
        return load


@unittest.skipIf(yaml is None, "PyYAML could not be installed")
class LadderTests(Watched):
    def look(self):
        """What fires now; the moment in which each was first seen to."""
        now = self.prometheus.firing()
        for name in now:
            self.seen.setdefault(name, time.monotonic())
        return now

    def until(self, *names, patience=30):
        return eventually(
            lambda: set(names) <= (now := self.look()).keys() and now, f"{names} beside {self.look().keys()}", patience)

    def sevs(self, now):
        return {alert["labels"].get("sev") for rows in now.values() for alert in rows}

    def test_an_outage_climbs_the_ladder_and_its_end_is_seen(self):
        """A provider fails, then all of them, then the gateway itself; all comes back, and fails once more."""
        self.seen = {}
        good, bad = self.pool(1), self.pool(1)
        degraded = {bad.accounts[0]: {"behaviour": {"status": 500}}}
        self.load(lambda count: bad.model if count % 50 == 0 else good.model)
        eventually(lambda: self.prometheus.query('slo_burn_rate{slo="availability",window="1m"} == 0'), "good traffic")
        self.assertEqual(self.look(), {})

        # One request in fifty: four times what is promised.
        self.play(accounts=degraded)
        now = self.until("SloBurnSev2", "ProviderSuccessLow", patience=60)
        self.assertEqual([row["labels"]["slo"] for row in now["SloBurnSev2"]], ["availability"])
        self.assertEqual([row["labels"]["provider"] for row in now["ProviderSuccessLow"]], [bad.provider])
        self.assertNotIn("SEV-1", self.sevs(self.seen_alerts(now)))

        self.play({"status": 500})
        now = self.until("SloBurnSev1", "MostRequestsFailing", "HighErrorRate")
        for alert in ("SloBurnSev1", "MostRequestsFailing"):
            self.assertEqual(now[alert][0]["labels"]["sev"], "SEV-1")
        self.assertRegex(now["MostRequestsFailing"][0]["annotations"]["summary"], r"^\d.*% of requests fail")

        argv, environment = self.box.child.process.args, self.box.environment
        self.box.kill()
        now = self.until("PingFailing")
        self.assertIn(f":{self.box.port} did not answer", now["PingFailing"][0]["annotations"]["summary"])

        order = sorted(self.seen, key=self.seen.get)
        first = {sev: min(order.index(name) for name in names) for sev, names in {
            "SEV-2": ("SloBurnSev2", "ProviderSuccessLow"), "SEV-1": ("SloBurnSev1", "MostRequestsFailing"),
            "gone": ("PingFailing",)}.items()}
        self.assertLess(first["SEV-2"], first["SEV-1"], order)
        self.assertLess(first["SEV-1"], first["gone"], order)
        self.assertNotIn("IncidentRecurred", order)

        self.play()
        self.box.child = Child(argv, self.directory / "signalbox.again.log", environment)
        self.children.append(self.box.child)
        self.box.wait()
        eventually(lambda: not self.look(), "silence", 60)

        self.play({"status": 500})
        self.until("MostRequestsFailing", "IncidentRecurred")
        self.play()
        eventually(lambda: "MostRequestsFailing" not in self.look(), "the end of it", 60)

    def seen_alerts(self, now):
        """Those that fire, and by name those that did before."""
        rules = alerts()
        return {**{name: [rules[name]] for name in self.seen}, **now}


#: Of these no gateway has series yet; the third is about the alerts themselves, and fires on the ladder.
WITHOUT_SERIES = {
    "KafkaUnhealthy", "ConfigServiceUnhealthy", "IncidentRecurred",
    # No token is refreshed here: test_credentials looks at these series.
    "CredentialNeedsSignIn", "CredentialRefreshesFail",
    # Nobody syncs here: test_sync looks at these series.
    "SyncStands"}

#: Panels of the dashboard that are empty as long as nothing goes wrong, at least in part.
ONLY_IN_TROUBLE = {
    "Alerts that fire", "Share that fails", "Errors by class", "Denials by reason", "Denials by limits",
    "Calls that failed", "Failovers", "Cooldowns begun", "Cut streams, unmade retries"}


@unittest.skipIf(yaml is None, "PyYAML could not be installed")
class DashboardTests(Watched):
    def queries(self):
        """Every query of the dashboard with the panel's title."""
        found = [
            (panel["title"], target["expr"]) for panel in self.page["panels"] for target in panel.get("targets", [])]
        found += [(row["name"], row["expr"]) for row in self.page["annotations"]["list"]]
        self.assertGreater(len(found), 40)
        return [
            (title, text.replace("$__rate_interval", "5s").replace("$instance", ".*")) for title, text in found]

    def measured(self):
        """What each alert compares with its bound, with the alert's name."""
        found = []
        for file in ("alerts.yaml", "slo-rules.yaml"):
            for group in yaml.safe_load((self.prometheus.directory / file).read_text())["groups"]:
                found += [
                    (rule["alert"], re.split(r"\s(?:[<>]=?|==)\s", rule["expr"])[0]) for rule in group["rules"]
                    if "alert" in rule and rule["alert"] not in WITHOUT_SERIES]
        self.assertEqual({name for name, _ in found}, EXPECTED - WITHOUT_SERIES)
        return found

    def answered(self, expected, play, patience):
        """Plays on until each of these queries has been answered at least once: a panel's with a number."""
        missing = list(expected)
        end = time.monotonic() + patience
        while missing:
            self.assertLess(time.monotonic(), end, f"no data for {missing}")
            play()
            missing = [
                row for row in missing
                if not any(
                    row[0] in EXPECTED or found["value"][1] != "NaN" for found in self.prometheus.query(row[1]))]

    def test_each_query_has_an_answer_where_it_should_and_each_alert_something_to_judge(self):
        self.page = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
        titles = [panel["title"] for panel in self.page["panels"]]
        self.assertEqual(len(titles), len(set(titles)))
        self.assertLessEqual(ONLY_IN_TROUBLE, set(titles))
        for row in self.page["templating"]["list"]:
            if row["type"] == "query":
                name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", row["query"]).groups()
                self.assertEqual(
                    self.prometheus.ask(f"label/{label}/values", **{"match[]": name}), [f"127.0.0.1:{self.box.port}"])

        pool = self.pool(2)
        self.must("PUT", "/api/organisations/acme", {"budgets": [{"period": "month", "usd": 1_000_000}]})
        self.must("PATCH", "/api/pricing", {pool.provider: {"gpt-4o-mini": {"input": 1000, "output": 1000}}})
        alias = {"model": pool.model, "alias": "dash"}

        def well():
            self.good(pool.model, 3)
            self.assertEqual(self.chat(pool.model, stream=True).status, 200)
            self.must("PUT", "/api/models/alias", alias)
            alias["model"] = pool.other if alias["model"] == pool.model else pool.model

        self.answered([row for row in self.queries() if row[0] not in ONLY_IN_TROUBLE], well, 20)

        slow = self.key(name="slow", limits={"rpm": 1})
        spent = [
            self.key(name="usd", budgets=[{"period": "day", "usd": 0.000001}]),
            self.key(name="tokens", budgets=[{"period": "day", "tokens": 1}])]

        def badly():
            # The first account fails and cools, a stream breaks off, everything is asked that is refused, nothing is left,
            # and one says nothing until its client leaves.
            fresh, cut, barred, silent = self.pool(2), self.pool(1), self.pool(1), self.pool(1)
            self.play(
                {"status": 503},
                accounts={
                    fresh.accounts[0]: {"behaviour": {"status": 429}}, fresh.accounts[1]: {"behaviour": {"status": 200}},
                    barred.accounts[0]: {"behaviour": {"status": 401}},
                    silent.accounts[0]: {"behaviour": {"head-latency": "60s"}},
                    cut.accounts[0]: {"behaviour": {"fault": "close-mid-stream", "at-chunk": 3, "chunk-pace": "20ms"}}})
            for model in (fresh.model, barred.model, pool.model, pool.model, pool.model, "nobody/offers"):
                self.chat(model)
            self.chat(cut.model, stream=True)
            with self.assertRaises(TimeoutError):
                self.ask(silent.model, patience=0.3)
            self.ask(fresh.model, 2, key=slow)
            for key in spent:
                # The one whose tokens have a price.
                self.chat(pool.model, key=key, max_tokens=50)

        self.answered(self.queries() + self.measured(), badly, 40)
