"""What the cases of the field's reports share: one gateway a class, and for each case accounts of its own.

An account's health outlives a case, so that no two cases may share one: `pool` adds a provider and
accounts that no case had before.
"""

import datetime
import http.client
import json
import shutil
import socket
import sys
import tempfile
import time
import unittest
from pathlib import Path

from support import (
    CLIENT_KEY, PATIENCE, Gateway, Simulator, eventually, exchange, message, of_kind)

#: How many accounts the simulator knows; the cases of a class use fewer.
KNOWN = 300
BACKENDS = "/v1/admin/routing/backends"
POLICIES = "/v1/admin/routing/policies"

CONFIGURATION = """\
keys:
  - {name: default, key: "${SIGNALBOX_CLIENT_KEY}", organisation: acme, diagnostics: true}
"""


def upstream_key(account):
    return f"sk-upstream-{account[1:]}"


class Pool:
    """A provider with accounts of its own; its models are asked for as `pool.model`."""

    def __init__(self, provider, accounts, ids):
        self.provider, self.accounts, self.ids = provider, accounts, ids
        self.model = f"{provider}/gpt-4o-mini"
        self.other = f"{provider}/gpt-4o"


class Story(unittest.TestCase):
    """Simulator and gateway for all cases of a class; the directory is kept if one of them fails."""

    longMessage = True
    options = ()
    configuration = CONFIGURATION
    environment = {}

    @classmethod
    def setUpClass(cls):
        cls.directory = Path(tempfile.mkdtemp(prefix="signalbox-story-"))
        cls.children = []
        cls.addClassCleanup(cls.clear_up)
        cls.failed = False
        cls.providers = 0
        cls.used = 0
        cls.upstream = Simulator(cls.directory)
        cls.children.append(cls.upstream.child)
        cls.box = Gateway(
            cls.directory, cls.configuration, *cls.options, environment=cls.environment)
        cls.children.append(cls.box.child)

    @classmethod
    def clear_up(cls):
        for child in reversed(cls.children):
            child.kill()
        if cls.failed:
            print(f"  kept: {cls.directory}", file=sys.stderr)
        else:
            shutil.rmtree(cls.directory, ignore_errors=True)

    def setUp(self):
        self.play()

    def tearDown(self):
        # What the runner asks after a failure; unittest keeps it on the outcome object.
        if not self._outcome.success:
            type(self).failed = True

    # MARK: The world

    def play(self, behaviour=None, accounts=None, **more):
        """From now on upstream behaves so, and accounts by name so; counts start afresh."""
        given = accounts or {}
        rows = [
            {"name": f"a{n}", "key": f"sk-upstream-{n}", **given.get(f"a{n}", {})}
            for n in range(1, KNOWN + 1)]
        self.upstream.scenario({"behaviour": behaviour or {}, "accounts": rows, **more})

    def pool(self, count, models=("gpt-4o-mini", "gpt-4o"), **provider):
        """A provider with so many accounts, the first one first by priority."""
        cls = type(self)
        cls.providers += 1
        identity = provider.pop("id", f"p{cls.providers}")
        self.must("POST", "/api/provider-nodes", {
            "id": identity, "baseUrl": self.upstream.base_url,
            "models": [{"name": name} for name in models], **provider}, 201)
        accounts = []
        for place in range(count):
            cls.used += 1
            accounts.append((f"a{cls.used}", self.account(identity, f"a{cls.used}", place + 1)))
        return Pool(identity, [name for name, _ in accounts], [found for _, found in accounts])

    def account(self, provider, name, priority=1, **more):
        return self.must("POST", "/api/providers", {
            "provider": provider, "name": name, "apiKey": upstream_key(name),
            "priority": priority, **more}, 201)["connection"]["id"]

    def key(self, **rights):
        made = self.must("POST", "/api/keys", {"name": "k", "organisation": "acme", **rights}, 201)
        return made["key"]

    def must(self, method, path, document=None, status=200):
        answer = self.box.admin(method, path, document)
        self.assertEqual(answer.status, status, f"{method} {path}: {answer.body!r}")
        return answer.json()

    def refused(self, method, path, document, status, code):
        """Refused with this code; the error."""
        error = self.must(method, path, document, status)["error"]
        self.assertEqual(error["code"], code, error)
        return error

    def kill(self):
        """kill -9, and a start on what is there."""
        self.box.kill()
        self.box.start()
        self.children.append(self.box.child)

    # MARK: Clients

    def ask(self, model, times=1, key=CLIENT_KEY, text="How long is a block section?", patience=PATIENCE, **more):
        """The statuses of so many requests, on one connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.box.port, timeout=patience)
        body = json.dumps(message(text, model=model, **more))
        statuses = []
        try:
            for _ in range(times):
                connection.request(
                    "POST", "/v1/chat/completions", body,
                    {"authorization": f"Bearer {key}", "content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
        finally:
            connection.close()
        return statuses

    def good(self, model, times=1, **more):
        self.assertEqual(self.ask(model, times, **more), [200] * times)

    def chat(self, model, key=CLIENT_KEY, headers=None, **more):
        return exchange(
            self.box.port, "POST", "/v1/chat/completions",
            json.dumps(message(model=model, **more)).encode(),
            {"authorization": f"Bearer {key}", **(headers or {})})

    def open_stream(self, model, key=CLIENT_KEY, **more):
        """A raw connection on which a stream has begun, and what came so far."""
        connection = socket.create_connection(("127.0.0.1", self.box.port), timeout=PATIENCE)
        self.addCleanup(connection.close)
        body = json.dumps(message(model=model, stream=True, **more)).encode()
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer "
            + key.encode() + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        received = b""
        while b"data: " not in received:
            piece = connection.recv(65536)
            self.assertTrue(piece, f"no stream began: {received!r}")
            received += piece
        return connection, received

    def names(self, key=CLIENT_KEY):
        listed = exchange(
            self.box.port, "GET", "/v1/models", headers={"authorization": f"Bearer {key}"})
        return [model["id"] for model in listed.json()["data"]]

    # MARK: What came of it

    def calls(self, pool=None):
        """Calls by account since the last `play`."""
        served = self.upstream.state()["requests"]["byAccount"]
        return {name: served[name] for name in pool.accounts if name in served} if pool else served

    def forget_calls(self):
        self.upstream.control("POST", "reset")

    def shown(self, account):
        return self.must("GET", f"/api/providers/{account}")["connection"]

    def cooling(self, account):
        """Until when the account cools, in seconds from now; nil: it does not."""
        until = self.shown(account)["rateLimitedUntil"]
        return seconds_until(until) if until else None

    def cooling_models(self, account):
        """The models for which the account cools, and for how long."""
        return {
            name: seconds_until(until)
            for name, until in self.shown(account)["modelCooldowns"].items()}

    def cooled(self, account, patience=PATIENCE):
        """Waits until the account cools; for how many seconds."""
        return eventually(lambda: self.cooling(account), f"a cooldown of {account}", patience)

    def assert_cool(self, pool, message=None):
        """No account of the pool cools, for no model either."""
        for name in pool.accounts:
            self.assertIsNone(self.cooling(name), message or name)
            self.assertEqual(self.cooling_models(name), {}, message or name)

    def record(self, answer):
        return self.box.recorded(answer.header("x-request-id"))

    def finished(self, identity):
        """The record of a request once it has ended."""
        def ended():
            record = self.box.audit(identity)
            return record if record["outcome"] not in ("in_flight", "unknown") else None

        return eventually(ended, f"the end of {identity}")

    def verified(self):
        """Every decision of the log is made again, and comes out the same."""
        decisions = json.loads(self.box.replay("verify", "--json"))["decisions"]
        self.assertEqual((decisions["differing"], decisions["notReproducible"]), (0, 0), decisions)
        return decisions["remade"]

    def cooldowns(self, account_id):
        """The cooldowns that began for an account, as the log has them."""
        return [
            fields for fields in of_kind(self.box.window(), "health.cooldown_started")
            if fields.get("account") == account_id]


def later(seconds):
    """A time so far from now, as the API writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def seconds_until(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.timestamp() - time.time()


def frames(body):
    """The data of the frames of a stream."""
    return [line[6:] for line in body.decode().split("\n") if line.startswith("data: ")]
