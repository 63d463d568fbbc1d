"""deploy/: rules that fire and keep silent as they should, and files that the programs they are for accept."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from story import Story
from support import BIN, ROOT, Case

try:
    import yaml
except ImportError:  # no index at the setup: counted as skipped
    yaml = None

DEPLOY = ROOT / "deploy"
PAGE = ROOT / "docs" / "runbooks" / "alerts.md"

#: What operators' runbooks expect to be called for, and what we add.
EXPECTED = {
    "HighErrorRate", "HighLatencyP95", "HighLatencyP99", "HighFailoverRate", "BackendUnhealthy",
    "RateLimitDenialsHigh", "BufferStoreSizeHigh", "BufferStoreSizeEscalate", "BufferStoreAgeHigh",
    "BudgetDenialsHigh", "QuotaDenialsHigh", "ProviderSuccessLow", "ProviderRefusesCredentials", "ProviderLimitsUs",
    "PingFailing", "SloBurnSev1", "SloBurnSev2", "SloBurnBackToSev3", "MostRequestsFailing", "LatencyFarOverSlo",
    "LatencyOverSlo", "IncidentRecurred", "KafkaUnhealthy", "ConfigServiceUnhealthy", "ComponentUnhealthy",
    "RecordsMissing",
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
