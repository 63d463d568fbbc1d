"""What the gateway says of itself in /openapi.json is true: schemathesis asks it everything, with credentials and without."""

import json
import os
import subprocess
import sys
import unittest

from support import CLIENT_KEY, ROOT, Spine, configuration, exchange

HERE = ROOT / "Tests" / "EndToEnd"
#: The ids and names that `configuration` makes.
KEPT = {"mock", "a1", "a2", "default"}

try:
    import schemathesis  # noqa: F401
except ImportError:
    schemathesis = None


def closed(document):
    """The same with every object of an answer closed: what is not described may not be there."""

    def look(value):
        if isinstance(value, list):
            return [look(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        # The parts of `allOf` see each other's fields; each alone must stay open.
        changed = {name: inner if name == "allOf" else look(inner) for name, inner in value.items()}
        if isinstance(value.get("properties"), dict) and "type" in value:
            changed.setdefault("additionalProperties", False)
        return changed

    document["components"]["schemas"] = look(document["components"]["schemas"])
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"] = look(operation["responses"])
    return document


class OpenAPITests(Spine):
    def setUp(self):
        super().setUp()
        got = self.box.admin("GET", "/openapi.json")
        self.assertEqual(got.status, 200, got.body)
        self.document = self.directory / "openapi.json"
        self.document.write_text(json.dumps(closed(got.json())))

    def kept(self):
        """Ids and names of what the run stands on."""
        found = set(KEPT)
        for path, name in (
            ("/api/providers", "connections"), ("/api/keys", "keys"),
            ("/api/provider-nodes", "nodes"),
        ):
            found |= {row["id"] for row in self.box.admin("GET", path).json()[name]}
        return found

    def run_schemathesis(self, *options, config, environment=None):
        (self.directory / "schemathesis.toml").write_text(config)
        ran = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run", str(self.document),
             "--url", f"http://127.0.0.1:{self.box.port}", *options],
            cwd=self.directory, capture_output=True, text=True, timeout=400,
            env={**os.environ, **(environment or {}), "NO_COLOR": "1", "COLUMNS": "160",
                 "SCHEMATHESIS_HOOKS_FILE": str(HERE / "schemathesis_hooks.py"),
                 "SIGNALBOX_KEPT": " ".join(self.kept())})
        # Some lines are bodies of a hundred kilobytes.
        said = "\n".join(line[:400] for line in (ran.stdout + ran.stderr).splitlines())
        self.assertEqual(ran.returncode, 0, said[-20000:])
        return said

    @unittest.skipIf(schemathesis is None, "schemathesis is not installed")
    def test_every_answer_is_as_described(self):
        token = self.box.login()["cookie"].removeprefix("auth_token=")
        said = self.run_schemathesis(
            config=(HERE / "schemathesis.toml").read_text(),
            environment={"SIGNALBOX_ADMIN_TOKEN": token, "SIGNALBOX_CLIENT_KEY": CLIENT_KEY})
        rows = json.loads(self.document.read_text())["paths"].values()
        self.assertIn(f"Tested: {sum(map(len, rows))}", said)
        self.assertEqual(exchange(self.box.port, "GET", "/health").status, 200)

    @unittest.skipIf(schemathesis is None, "schemathesis is not installed")
    def test_without_credentials_every_answer_is_as_described_too(self):
        config = (HERE / "schemathesis.toml").read_text()
        begin, end = config.index("[auth."), config.index("[generation]")
        self.run_schemathesis("--max-examples", "5", config=config[:begin] + config[end:])
