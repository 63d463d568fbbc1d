"""`signalbox apply` without a running gateway: the file becomes events, the plan only words."""

import json
import subprocess

from support import CLIENT_KEY, Case, of_kind, program, replay, window

FILE = """\
providers:
  - id: mock
    protocol: openai
    base-url: http://127.0.0.1:9/v1
    prefix: mock
    models: [{name: gpt-4o-mini}]
    accounts:
      - {name: a1, api-key: sk-file-1, priority: 1}
      - {name: a2, api-key: "${SECOND_KEY}", priority: 2}
keys:
  - {name: default, key: "${SIGNALBOX_CLIENT_KEY}", organisation: acme}
aliases: {fast: mock/gpt-4o-mini}
"""


class ApplyTests(Case):
    def setUp(self):
        super().setUp()
        self.data = self.directory / "data"
        self.file = self.directory / "signalbox.yaml"
        self.file.write_text(FILE)

    def apply(self, *options, environment=None):
        return subprocess.run(
            [program("signalbox"), "apply", str(self.file), "--data", str(self.data), *options],
            capture_output=True, text=True, timeout=60,
            env={"PATH": "/usr/bin:/bin", "SECOND_KEY": "sk-file-2",
                 "SIGNALBOX_CLIENT_KEY": CLIENT_KEY, **(environment or {})})

    def log(self):
        return window(self.data)

    def applied(self):
        done = self.apply()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_a_file_becomes_events_once(self):
        self.applied()
        found = self.log()
        self.assertEqual(len(of_kind(found, "provider.added")), 1)
        self.assertEqual(
            sorted(row["name"] for row in of_kind(found, "account.added")), ["a1", "a2"])
        self.assertEqual(len(of_kind(found, "credential.issued")), 2)
        self.assertEqual(of_kind(found, "alias.set")[0]["target"], "mock/gpt-4o-mini")
        configured = [e["kind"] for e in found if not e["kind"].startswith("gateway.")]
        self.applied()
        again = [e["kind"] for e in self.log() if not e["kind"].startswith("gateway.")]
        self.assertEqual(again, configured, "the same file changed something the second time")

    def test_a_plan_of_an_empty_directory_is_as_of_a_missing_one(self):
        # A given key makes the fingerprints of a plan those of the change, and the same each time.
        key = {"SIGNALBOX_MASTER_KEY": "0f" * 32}
        missing = self.apply("--plan", environment=key)
        self.assertFalse(self.data.exists())
        self.data.mkdir(mode=0o700)
        empty = self.apply("--plan", environment=key)
        self.assertEqual((empty.returncode, empty.stdout), (0, missing.stdout), empty.stderr)
        self.assertEqual(list(self.data.iterdir()), [])

    def test_a_plan_names_the_change_and_writes_nothing(self):
        self.applied()
        before = len(self.log())
        self.file.write_text(FILE.replace("fast: mock", "quick: mock"))
        planned = self.apply("--plan")
        self.assertEqual(planned.returncode, 0, planned.stderr)
        self.assertIn("quick", planned.stdout)
        self.assertEqual(len(self.log()), before)
        self.assertNotIn('"quick"', replay(self.data, "state", "--json"))

    def test_a_changed_field_becomes_one_event_with_that_field(self):
        self.applied()
        before = len(self.log())
        self.file.write_text(FILE.replace("priority: 2", "priority: 5"))
        self.applied()
        new = [e for e in self.log()[before:] if not e["kind"].startswith("gateway.")]
        self.assertEqual([event["kind"] for event in new], ["account.changed.v1"])
        self.assertEqual(new[0]["fields"]["priority"], 5)
        self.assertNotIn("weight", new[0]["fields"])

    def test_nothing_is_removed_because_it_left_the_file(self):
        self.applied()
        self.file.write_text(FILE.replace("aliases: {fast: mock/gpt-4o-mini}\n", ""))
        self.applied()
        self.assertEqual(of_kind(self.log(), "alias.removed"), [])

    def test_unknown_and_unbuilt_parts_are_refused_by_name_and_nothing_is_written(self):
        for more, name in (
            ("colours: [red]\n", "colours"),
            ("settings: {record-bodies: true}\n", "record-bodies"),
            ("combos: {smart: [mock/gpt-4o-mimi]}\n", "combos.smart"),
            ("settings: {fallback-strategy: dice}\n", "dice"),
        ):
            with self.subTest(name):
                self.file.write_text(FILE + more)
                refused = self.apply()
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn(name, refused.stderr + refused.stdout)
        if self.data.exists():
            self.assertEqual(of_kind(self.log(), "provider."), [])

    def test_a_missing_variable_is_named(self):
        self.file.write_text(FILE.replace("SECOND_KEY", "NOBODY_SET_THIS"))
        refused = self.apply()
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("NOBODY_SET_THIS", refused.stderr)

    def test_no_secret_of_the_file_is_printed_or_kept_in_clear(self):
        done = self.apply()
        plan = self.apply("--plan")
        state = json.dumps(json.loads(replay(self.data, "state", "--json")))
        told = replay(self.data, "window", "--json")
        for secret in ("sk-file-1", "sk-file-2", CLIENT_KEY):
            for text in (done.stdout, done.stderr, plan.stdout, plan.stderr, state, told):
                self.assertNotIn(secret, text)
            for path in self.data.rglob("*"):
                if path.is_file():
                    self.assertNotIn(secret.encode(), path.read_bytes(), path)
