"""What the cases of the field's runbooks share: their commands as they were written, and what became of each.

A case takes its commands from the table of its file and asserts what they did. What is changed in a command: the
port, ids and keys, and that an administrator's session goes with it where it administers.
"""

import json
import os
import re
import subprocess
import unittest
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from story import Story
from support import CLIENT_KEY, exchange

HERE = Path(__file__).resolve().parent
#: Where the runbooks think that the gateway is.
ADDRESS = re.compile(r"localhost:(?:8080|8317|3000)")
CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/\S*)(?: (\{.*\}))?")


class Done:
    """What a command printed, and the statuses of its calls in order."""

    def __init__(self, text, statuses):
        self.text, self.statuses = text, statuses

    def json(self):
        return json.loads(self.text)

    def values(self):
        """One after the other, as `jq` prints them."""
        decoder, found, rest = json.JSONDecoder(), [], self.text.strip()
        while rest:
            value, end = decoder.raw_decode(rest)
            found.append(value)
            rest = rest[end:].lstrip()
        return found


class Seed(Story):
    """A gateway for the commands of one runbook."""

    steps = {}

    def step(self, name, /, status=200, admin=True, key=CLIENT_KEY, smoke_model="", **given):
        """Runs a command of the table; every call in it answers with `status`.

        `given`: what stands in the command for `{name}` or `<name>`.
        """
        command = ADDRESS.sub(f"localhost:{self.box.port}", self.steps[name])
        for word, value in given.items():
            word = word.replace("_", "-")
            for form in (f"{{{word}}}", f"<{word}>", f"[{word}]"):
                command = command.replace(form, value)
        call = CALL.fullmatch(command)
        if call:
            # Where a runbook names a call only: the shortest curl that makes it.
            method, path, body = call.groups()
            command = f'curl -X {method} "$BASE_URL{path}"'
            if body:
                command += f" -H 'Content-Type: application/json' -d '{body}'"
        self.assertNotRegex(command, r"[<\[{][A-Za-z][\w-]*[>\]}]", "something is not filled in")
        session = self.box.login() if admin else {}
        (self.directory / ".curlrc").write_text(
            'silent\nmax-time = 20\nwrite-out = "%{stderr}status %{http_code}\\n"\n'
            + "".join(f'header = "{field}: {value}"\n' for field, value in session.items()))
        done = subprocess.run(
            ["bash", "-uo", "pipefail", "-c", command], capture_output=True, text=True, timeout=60,
            cwd=self.directory, env={
                **os.environ, "CURL_HOME": str(self.directory), "API_KEY": key, "MODEL": smoke_model,
                "BASE_URL": f"http://localhost:{self.box.port}"})
        what = f"{name}: {command}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
        self.assertEqual(done.returncode, 0, what)
        statuses = [int(found) for found in re.findall(r"^status (\d+)$", done.stderr, re.M)]
        self.assertTrue(statuses, what)
        self.assertEqual(set(statuses), {status}, what)
        return Done(done.stdout, statuses)

    def backend(self, provider, name, number):
        """An account whose calls the simulator counts as `a<number>`."""
        return self.must("POST", "/api/providers", {
            "provider": provider, "name": name, "apiKey": f"sk-upstream-{number}", "priority": number,
        }, 201)["connection"]["id"]

    def signed_in(self, shape="oidc", kind="generic", **server):
        """A provider whose accounts sign in, at an OAuth server of this shape: its id."""
        cls = type(self)
        cls.providers += 1
        provider, place = f"p{cls.providers}", f"http://127.0.0.1:{self.upstream.port}/oauth/{shape}"
        self.play(oauth={"servers": [{"shape": shape, "device-interval": "1ms", "subjects": [{"name": "u1"}, {"name": "u2"}], **server}]})
        self.must("POST", "/api/provider-nodes", {
            "id": provider, "baseUrl": self.upstream.base_url, "models": [{"name": "gpt-4o-mini"}],
            "oauth": {"kind": kind, "clientId": "abc", "scopes": ["openid"], "tokenUrl": f"{place}/token",
                      "authorizeUrl": f"{place}/authorize", "deviceUrl": f"{place}/device_authorization",
                      "encoding": "json" if kind == "kiro" else "form"}}, 201)
        return provider

    def visit(self, begun, subject="u1"):
        """What the browser brings back of a page that was opened: code and state."""
        page = urlsplit(begun["authUrl"])
        answer = exchange(self.upstream.port, "GET", f"{page.path}?{page.query}&approve={subject}")
        self.assertEqual(answer.status, 302, answer.body)
        back = parse_qs(urlsplit(answer.header("location")).query)
        return {"code": back["code"][0], "state": back["state"][0]}

    def served(self):
        """Calls by account since they were last forgotten; forgets them."""
        calls = self.calls()
        self.forget_calls()
        return calls


def left_out(module, reasons):
    """Cases that are skipped: steps that cannot be run here, each with the reason."""
    def case(reason):
        return lambda self: self.skipTest(reason)

    return type("LeftOut", (unittest.TestCase,), {"__module__": module["__name__"]} | {
        "test_" + re.sub(r"\W+", "_", name): case(reason) for name, reason in reasons.items()})


def whole(module):
    """Cases that hold a file to its table: each command is run by some case of the file."""
    def each(self):
        source = Path(module["__file__"]).read_text()
        run = set(re.findall(r'self\.(?:step|series)\(\s*"([^"]+)"', source))
        self.assertEqual(run, set(module["STEPS"]))

    return type("TableTests", (unittest.TestCase,), {
        "__module__": module["__name__"], "test_each_command_is_run_by_a_case": each})
