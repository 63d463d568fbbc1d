"""Each page of docs/runbooks is gone through as a reader would: its ```sh blocks in order, in one shell, in a prepared world.

A page says itself what is to come of a block, and a block of which it says nothing is a fault:

- a ```text block directly after an ```sh block is what that prints; `…` stands for anything within a line, and alone for lines;
- `<!-- given: a1 fails -->` makes the world so before the next block;
- `<!-- then: a1 gets no call -->` is looked at in what the provider was asked: it holds after the block before it.

What can be given and looked at are the sentences of `World`. The world: provider `mock` with the accounts a1 and a2, provider
`spare` with s1, the organisation acme and its key `default`, the alias `fast`, the combo `smart`. `$UPSTREAM_KEY` is a good credential
that the provider knows as the account `renewed`.
"""

import http.client
import importlib.util
import json
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from support import ADMIN_PASSWORD, BIN, CLIENT_KEY, PATIENCE, ROOT, Case, eventually, message

PAGES = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
COMMENT = re.compile(r"\s*<!-- (given|then): (.+) -->\s*")

CONFIGURATION = """\
providers:
  - id: mock
    protocol: openai
    base-url: {base}
    models: [{{name: gpt-4o-mini}}, {{name: gpt-4o}}]
    accounts:
      - {{name: a1, api-key: sk-upstream-1, priority: 1}}
      - {{name: a2, api-key: sk-upstream-2, priority: 2}}
  - id: spare
    protocol: openai
    base-url: {base}
    models: [{{name: gpt-4o-mini}}, {{name: gpt-4o}}]
    accounts: [{{name: s1, api-key: sk-upstream-3, priority: 1}}]
organisations:
  - {{id: acme, limits: {{rpm: 100000}}, budgets: [{{period: month, usd: 500}}]}}
keys:
  - {{name: default, key: "${{SIGNALBOX_CLIENT_KEY}}", organisation: acme}}
aliases: {{fast: mock/gpt-4o-mini}}
combos: {{smart: [mock/gpt-4o, spare/gpt-4o]}}
pricing: {{mock: {{gpt-4o-mini: {{input: 0.15, output: 0.6}}}}}}
"""


def pieces(path):
    """The blocks and comments of a page in order: (line, kind, text), where kind is a block's word, `given` or `then`."""
    specification = importlib.util.spec_from_file_location("doc_commands", ROOT / "Scripts" / "doc-commands.py")
    reader = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(reader)
    found = [(block["line"], block["word"], block["text"]) for block in reader.fenced(path)]
    fenced = {
        number for line, _, text in found for number in range(line - 1, line + text.count("\n") + 1)}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        comment = COMMENT.fullmatch(line)
        if comment and number not in fenced:
            found.append((number, comment[1], comment[2]))
    return sorted(found)


def pattern(text):
    """What a ```text block stands for."""
    lines = [
        r"(?:.*\n)*?" if line.strip() == "…" else ".*".join(map(re.escape, line.rstrip().split("…"))) + r"\n"
        for line in text.splitlines()]
    return re.compile("".join(lines))


class World:
    """The gateway, its providers, and the sentences of the pages."""

    def __init__(self, upstream, box):
        self.upstream, self.box = upstream, box
        self.play()

    def play(self, **behaviours):
        """Accounts by name behave so from now on, the others well; counts start afresh."""
        self.upstream.scenario({"models": ["gpt-4o-mini", "gpt-4o", "gpt-5"], "accounts": [
            {"name": name, "key": f"sk-upstream-{number}", **(
                {"behaviour": behaviours[name]} if name in behaviours else {})}
            for number, name in enumerate(("a1", "a2", "s1", "renewed"), 1)]})

    def ask(self, model, times):
        """Statuses of so many requests, and who was called how often."""
        self.upstream.control("POST", "reset")
        connection = http.client.HTTPConnection("127.0.0.1", self.box.port, timeout=PATIENCE)
        statuses = []
        try:
            for _ in range(times):
                connection.request(
                    "POST", "/v1/chat/completions", json.dumps(message(model=model)),
                    {"authorization": f"Bearer {CLIENT_KEY}", "content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
        finally:
            connection.close()
        return statuses, self.upstream.state()["requests"]["byAccount"]

    # MARK: Given

    def given_all_is_well(self):
        self.play()

    def given_requests_of(self, model):
        self.play()
        statuses, _ = self.ask(model, 5)
        assert statuses == [200] * 5, statuses

    def given_fails(self, account):
        self.play(**{account: {"status": 500}})
        statuses, calls = self.ask("fast", 5)
        assert statuses == [200] * 5 and calls[account] > 0, (statuses, calls)

    def given_answers(self, account, status):
        """With 429 until ten minutes from now; waits for the cooldown."""
        self.play(**{account: {"status": int(status), **({"retry-after": 600} if status == "429" else {})}})
        self.ask("fast", 1)
        eventually(
            lambda: self.box.admin("GET", f"/api/providers/{account}").json()["connection"]["rateLimitedUntil"],
            f"a cooldown of {account}")

    def given_answers_in_place(self, account, status, other):
        """With `other` switched off, so that requests come to `account`."""
        self.set_active(other, False)
        self.given_answers(account, status)

    def given_is_on_again(self, account):
        self.set_active(account, True)

    def set_active(self, account, is_active):
        changed = self.box.admin("PUT", f"/api/providers/{account}", {"isActive": is_active})
        assert changed.status == 200, changed.body

    def given_has_spent_its_budget(self, organisation):
        changed = self.box.admin(
            "PUT", f"/api/organisations/{organisation}", {"budgets": [{"period": "month", "usd": 0.000001}]})
        assert changed.status == 200, changed.body
        statuses, _ = self.ask("fast", 3)
        assert statuses == [402] * 3, statuses

    def given_is_over_its_rate(self, organisation):
        changed = self.box.admin("PUT", f"/api/organisations/{organisation}", {"limits": {"rpm": 1}})
        assert changed.status == 200, changed.body
        statuses, _ = self.ask("fast", 4)
        assert statuses == [200, 429, 429, 429], statuses

    # MARK: Then

    def then_gets_no_call(self, account):
        statuses, calls = self.ask("fast", 20)
        assert statuses == [200] * 20, statuses
        assert account not in calls, calls

    def then_serves(self, account, model):
        statuses, calls = self.ask(model, 5)
        assert statuses == [200] * 5, statuses
        assert calls == {account: 5}, calls

    def then_share(self, first, share, second, rest):
        statuses, calls = self.ask("gpt-4o", 100)
        assert statuses == [200] * 100, statuses
        assert calls == {first: int(share), second: int(rest)}, calls

    def then_is_not_offered(self, model):
        statuses, calls = self.ask(model, 1)
        assert (statuses, calls) == ([404], {}), (statuses, calls)

    SENTENCES = {
        "given": [
            (r"all is well", given_all_is_well), (r"requests of (\S+)", given_requests_of), (r"(\w+) fails", given_fails),
            (r"(\w+) answers (\d+)", given_answers), (r"(\w+) answers (\d+) in place of (\w+)", given_answers_in_place),
            (r"(\w+) is on again", given_is_on_again), (r"(\w+) has spent its budget", given_has_spent_its_budget),
            (r"(\w+) is over its rate", given_is_over_its_rate)],
        "then": [
            (r"(\w+) gets no call", then_gets_no_call), (r"(\w+) serves (\S+)", then_serves),
            (r"(\w+) gets (\d+) of 100, (\w+) (\d+)", then_share), (r"(\S+) is not offered", then_is_not_offered)],
    }

    def say(self, kind, sentence):
        for form, act in self.SENTENCES[kind]:
            found = re.fullmatch(form, sentence)
            if found:
                return act(self, *found.groups())
        raise AssertionError(f"no such sentence: {kind}: {sentence}")


class Shell:
    """One block after the other, with the variables and the directory of the ones before."""

    def __init__(self, place, port):
        self.place, self.port = place, port
        self.kept = place / ".variables"
        self.kept.write_text("")
        # Without it curl is content with any status.
        curl = place / ".bin" / "curl"
        curl.parent.mkdir()
        curl.write_text(f'#!/bin/sh\nexec {shutil.which("curl")} --fail-with-body "$@"\n')
        curl.chmod(0o755)

    def run(self, text):
        script = (
            f"set -aeuo pipefail\n. {self.kept}\n"
            + text.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}") + f"\nexport -p > {self.kept}\n")
        return subprocess.run(
            ["bash", "-c", script], cwd=self.place, capture_output=True, text=True, timeout=60, env={
                **os.environ, "PATH": f"{self.place}/.bin:{BIN}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8",
                "SIGNALBOX_CLIENT_KEY": CLIENT_KEY, "SIGNALBOX_ADMIN_PASSWORD": ADMIN_PASSWORD,
                "UPSTREAM_KEY": "sk-upstream-4"})


class RunbookTests(Case):
    def walk(self, page):
        upstream = self.simulator()
        box = self.gateway(CONFIGURATION.format(base=upstream.base_url))
        world = World(upstream, box)
        place = self.directory / "desk"
        place.mkdir()
        (place / "signalbox-data").symlink_to(box.data)
        (place / "Fixtures").symlink_to(ROOT / "Fixtures")
        shell = Shell(place, box.port)
        printed = None
        for line, kind, text in pieces(page):
            where = f"{page.relative_to(ROOT)}:{line}"
            if kind == "sh":
                done = shell.run(text)
                self.assertEqual(done.returncode, 0, f"{where}\n{text}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
                printed = done.stdout
            elif kind == "text" and printed is not None:
                with self.subTest(where):
                    self.assertTrue(pattern(text).fullmatch(printed), f"not what came:\n{printed}")
            elif kind in ("given", "then"):
                try:
                    world.say(kind, text)
                except AssertionError as error:
                    raise AssertionError(f"{where}: {kind}: {text}: {error}") from error
            if kind != "sh":
                printed = None

    def test_the_pages_that_an_operator_needs_are_there(self):
        self.assertLessEqual(
            {"alerts", "incident", "on-call", "postmortem", "provider-operations", "router", "smoke-check"},
            {page.stem for page in PAGES})

    def test_every_block_is_followed_by_what_comes_of_it(self):
        for page in PAGES:
            found = pieces(page)
            for (line, kind, _), after in zip(found, found[1:] + [(0, None, "")]):
                if kind == "sh":
                    with self.subTest(f"{page.name}:{line}"):
                        self.assertIn(after[1], ("text", "then"))

    def test_every_link_leads_to_a_page_and_a_heading(self):
        for page in PAGES:
            for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
                name, _, anchor = target.partition("#")
                with self.subTest(f"{page.name}: {target}"):
                    other = (page.parent / name).resolve() if name else page
                    self.assertTrue(other.exists())
                    if anchor:
                        self.assertIn(anchor, anchors(other))


def anchors(page):
    """The headings of a page as links name them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+?)\s*$", page.read_text(), re.M)}


class PatternTests(unittest.TestCase):
    def test_an_ellipsis_stands_for_anything_and_all_else_for_itself(self):
        for text, printed, matches in (
                ("a\n", "a\n", True), ("a\n", "a\nb\n", False), ("a…\n…\nz\n", "abc\nz\n", True),
                ("a…\n…\nz\n", "abc\n1\n2\nz\n", True), ("[1.5]\n", "[1x5]\n", False), ("…\n", "", True)):
            self.assertEqual(bool(pattern(text).fullmatch(printed)), matches, (text, printed))


for page in PAGES:
    setattr(RunbookTests, "test_" + page.stem.replace("-", "_"), lambda self, page=page: self.walk(page))
