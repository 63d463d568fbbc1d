"""A file with every section: applied, applied again, served, and read back from the log."""

import json
import subprocess

from support import CLIENT_KEY, Case, message, of_kind, program, replay, window

FILE = """\
providers:
  - id: mock
    protocol: openai
    base-url: {base}
    prefix: mock
    models: [{{name: gpt-4o-mini}}, {{name: gpt-4o, alias: big}}, {{name: old}}]
    excluded-models: []
    disabled-models: [old]
    accounts:
      - {{name: a1, api-key: sk-upstream-1, priority: 1, weight: 80}}
      - {{name: a2, api-key: "${{UPSTREAM_KEY_2}}", priority: 2, weight: 20}}
      - {{name: a3, api-key: sk-upstream-3, enabled: false}}
organisations:
  - {{id: acme, limits: {{rps: 100, burst: 200, rpm: 0, tpm: 0, concurrency: 64}}, budgets: [{{period: month, timezone: UTC, usd: 500}}]}}
keys:
  - {{name: default, key: "${{SIGNALBOX_CLIENT_KEY}}", organisation: acme, diagnostics: true}}
  - {{name: narrow, key: sk-e2e-narrow, organisation: acme, allowed-models: [smart, gpt-4o-mini], allowed-accounts: [a2], expires-at: never, limits: {{rpm: 60}}, budgets: [{{period: day, tokens: 1000}}]}}
aliases: {{fast: mock/gpt-4o-mini}}
combos: {{smart: [mock/gpt-4o, mock/gpt-4o-mini]}}
policies:
  - {{organisation: acme, model: gpt-4o, accounts: [{{name: a1, weight: 0}}, {{name: a2, weight: 20}}], failover-threshold: 3}}
pricing: {{mock: {{gpt-4o: {{input: 2.5, output: 10, cached: 1.25}}}}}}
settings: {{fallback-strategy: fill-first, force-model-prefix: false, require-api-key: true, trusted-proxies: [10.0.0.0/8]}}
"""

KEYS = {"UPSTREAM_KEY_2": "sk-upstream-2"}


def configured(found):
    return [event for event in found if not event["kind"].startswith("gateway.")]


class WholeFileTests(Case):
    def setUp(self):
        super().setUp()
        self.data = self.directory / "data"
        self.file = self.directory / "signalbox.yaml"

    def apply(self, *options):
        return subprocess.run(
            [program("signalbox"), "apply", str(self.file), "--data", str(self.data), *options],
            capture_output=True, text=True, timeout=60,
            env={"PATH": "/usr/bin:/bin", "SIGNALBOX_CLIENT_KEY": CLIENT_KEY, **KEYS})

    def test_every_section_is_applied_once_served_and_in_the_log(self):
        simulator = self.simulator()
        text = FILE.format(base=simulator.base_url)
        self.file.write_text(text)
        done = self.apply()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found = configured(window(self.data))
        for kind, count in (
            ("organisation.created", 1), ("organisation.limits_set", 1), ("combo.set", 1),
            ("organisation.budgets_set", 1), ("policy.set", 1), ("pricing.changed", 1),
            ("model.disabled", 1), ("account.disabled", 1), ("key.created", 2),
            ("key.limits_set", 1), ("settings.trusted_proxies_set", 1),
        ):
            self.assertEqual(len(of_kind(found, kind)), count, kind)
        again = self.apply()
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("0 added, 0 changed,", again.stdout)
        self.assertIn("; 0 events written", again.stdout)
        self.assertEqual(len(configured(window(self.data))), len(found))

        gateway = self.gateway(text, environment=KEYS)
        for model, key in (
            ("fast", CLIENT_KEY), ("smart", CLIENT_KEY), ("gpt-4o", CLIENT_KEY),
            ("big", CLIENT_KEY), ("smart", "sk-e2e-narrow"),
        ):
            answer = gateway.chat(message(model=model), key=key)
            self.assertEqual(answer.status, 200, (model, answer.body))
        for model, key in (("old", CLIENT_KEY), ("fast", "sk-e2e-narrow")):
            self.assertIn(gateway.chat(message(model=model), key=key).status, (403, 404), model)
        gateway.stop()

        after = window(self.data)
        changed = [e for e in configured(after) if not e["kind"].startswith("request.")]
        settings = [e for e in changed if "admin_password" not in e["kind"]]
        self.assertEqual(len(settings), len(found), "starting with the same file changed something")
        served = [row for row in of_kind(after, "request.")]
        self.assertTrue(served)
        state = json.loads(replay(self.data, "state", "--json"))
        told = json.dumps(state) + json.dumps(after)
        self.assertEqual([alias["name"] for alias in state["aliases"]], ["fast"])
        self.assertEqual({key["organisation"] for key in state["keys"]}, {"acme"})
        self.assertEqual(
            [row["isEnabled"] for row in state["accounts"] if row["name"] == "a3"], [False])
        for secret in ("sk-upstream-", "sk-e2e-narrow", CLIENT_KEY):
            self.assertNotIn(secret, told + done.stdout + done.stderr)

    def test_a_fault_names_file_line_key_and_remedy_and_nothing_is_written(self):
        whole = FILE.format(base="http://127.0.0.1:9/v1")
        for broken, line, words in (
            (whole.replace("failover-threshold", "failover-treshold"), 21,
             ["policies[0]", "`failover-threshold`"]),
            (whole.replace("{name: a2, weight", "{name: a9, weight"), 21,
             ["policies[0].accounts[1].name", "`a9`", "`a2`"]),
            (whole.replace("smart: [mock/gpt-4o,", "smart: [mock/gpt-4p,"), 19,
             ["combos.smart", "mock/gpt-4p", "mock/gpt-4o"]),
            (whole.replace("usd: 500", "usd: 1e3"), 14,
             ["organisations[0].budgets[0].usd", "`1e3`"]),
            (whole[:whole.index("force-model-prefix")], 23, ["not YAML"]),
            (whole.split("aliases:")[0] + "aliases:\n  fast: mock/gpt-4o", 19, ["cut off"]),
        ):
            with self.subTest(words[0]):
                self.file.write_text(broken)
                for options in ((), ("--plan",)):
                    refused = self.apply(*options)
                    self.assertNotEqual(refused.returncode, 0)
                    self.assertIn(str(self.file), refused.stderr)
                    self.assertIn(f"line {line}", refused.stderr)
                    for word in words:
                        self.assertIn(word, refused.stderr)
                    self.assertNotIn("sk-upstream", refused.stderr)
        if self.data.exists():
            self.assertEqual(configured(window(self.data)), [])

    def test_a_file_that_is_no_text_or_too_large_is_refused(self):
        for content, word in (
            (b"aliases: {a: b\xff}\n", "UTF-8"), (b"#" * (1 << 20) + b"\naliases: {}\n", "larger"),
        ):
            with self.subTest(word):
                self.file.write_bytes(content)
                refused = self.apply()
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn(word, refused.stderr)

    def test_a_gateway_does_not_start_with_a_faulty_file_and_says_where(self):
        text = FILE.format(base="http://127.0.0.1:9/v1").replace("{name: a2, w", "{name: b2, w")
        gateway = self.gateway(text, environment=KEYS, wait=False)
        gateway.child.process.wait(timeout=60)
        self.assertNotEqual(gateway.child.process.returncode, 0)
        self.assertIn(f"{gateway.config}: line 21: policies[0].accounts[1].name", gateway.text())
