"""What was done in each incident that is kept: by operators and clients, at a real gateway with a simulated provider.

Each act is a function on a `Stage` and names the step that did the harm with `stage.culprit`. Its questions are what
somebody asks who has only the bundle; a question's pattern is how its answer names the culprit, `{at}` being the
position that the stage knows from the gateway's list of events at that step, not from the verb. `{request}` is
the id of the request that the act kept as `stage.request`.
"""

import json
import re
import socket
import subprocess
from pathlib import Path

from shifted_clock import ShiftedClock
from support import ADMIN_PASSWORD, CLIENT_KEY, PATIENCE, Gateway, Simulator, eventually, message, program

PROMPT = "the canary sang of the 7.40 from Didcot"
SERVICE_KEY = "sk-e2e-service"
WRONG_KEY = "sk-upstream-of-another-shop"
#: What may be in no bundle.
SECRETS = (PROMPT, CLIENT_KEY, SERVICE_KEY, WRONG_KEY, ADMIN_PASSWORD, *(f"sk-upstream-{n}" for n in (1, 2, 3)))
MINI, LARGE = "mock/gpt-4o-mini", "mock/gpt-4o"

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
    models: [{{name: gpt-4o-mini}}]
    accounts: [{{name: s1, api-key: sk-upstream-3}}]
organisations:
  - {{id: acme, limits: {{rpm: 100000}}, budgets: [{{period: month, usd: 500}}]}}
keys:
  - {{name: default, key: "${{SIGNALBOX_CLIENT_KEY}}", organisation: acme}}
  - {{name: service, key: sk-e2e-service, organisation: acme}}
aliases: {{fast: mock/gpt-4o-mini}}
combos: {{smart: [mock/gpt-4o, spare/gpt-4o-mini]}}
pricing: {{mock: {{gpt-4o-mini: {{input: 0.15, output: 0.6}}, gpt-4o: {{input: 2.5, output: 10}}}}}}
"""


#: When every act begins: 2026-11-20T13:30:00Z.
START = 1_795_181_400


class Stage:
    """One gateway, whose clock the act sets, and one simulated provider in a directory; what an act does to them."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.children, self.request, self.at, self.event = [], None, None, None

    def __enter__(self):
        self.upstream = Simulator(self.directory)
        self.children.append(self.upstream.child)
        self.play()
        self.clock = ShiftedClock(self.directory, START)
        self.box = Gateway(
            self.directory, CONFIGURATION.format(base=self.upstream.base_url), environment=self.clock.environment)
        self.children.append(self.box.child)
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            child.kill()

    # MARK: What happens

    def play(self, behaviour=None, models=("gpt-4o-mini", "gpt-4o"), **accounts):
        self.upstream.scenario({"behaviour": behaviour or {}, "models": list(models), "accounts": [
            {"name": name, "key": f"sk-upstream-{number}", **(
                {"behaviour": accounts[name]} if name in accounts else {})}
            for number, name in enumerate(("a1", "a2", "s1"), 1)]})

    def ask(self, expected, times=3, model="fast", key=CLIENT_KEY):
        """Clients ask; fails on another status than expected. The last request is kept."""
        for _ in range(times):
            answer = self.box.chat(message(PROMPT, model=model), key=key)
            require(answer.status == expected, f"{model}: {answer.status}, not {expected}: {answer.body!r}")
            self.request = answer.header("x-request-id")

    def minutes(self, count, expected, each=4, **more):
        """So many minutes go by, in each of which so many clients ask."""
        for _ in range(count):
            self.ask(expected, each, **more)
            self.clock.forward(60)

    def hang_up(self, model="fast"):
        """A client that reads the beginning of a stream, and leaves."""
        body = json.dumps(message(PROMPT, model=model, stream=True)).encode()
        with socket.create_connection(("127.0.0.1", self.box.port), timeout=PATIENCE) as connection:
            connection.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer "
                + CLIENT_KEY.encode() + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            received = b""
            while b"data: " not in received:
                piece = connection.recv(65536)
                require(piece, "no stream began")
                received += piece
        self.request = re.search(rb"(?im)^x-request-id: (\S+)", received)[1].decode()
        eventually(lambda: self.box.audit(self.request)["outcome"] == "client_hung_up", "the record of a hang-up")

    def api(self, method, path, document=None, status=200, headers=None):
        answer = self.box.admin(method, path, document, headers)
        require(answer.status == status, f"{method} {path}: {answer.status}, not {status}: {answer.body!r}")
        return answer.json() if answer.body else None

    def refused(self, method, path, document, code):
        error = self.api(method, path, document, 409)["error"]
        require(error["code"] == code, error)

    def point(self, model, alias="fast", **more):
        self.api("PUT", "/api/models/alias", {"alias": alias, "model": model}, **more)

    def line(self, *words):
        """`signalbox` on the gateway's machine."""
        done = subprocess.run(
            [program("signalbox"), *map(str, words), "--data", str(self.box.data)], capture_output=True, text=True,
            timeout=60, env={"PATH": "/usr/bin:/bin", "SIGNALBOX_CLIENT_KEY": CLIENT_KEY})
        require(done.returncode == 0, f"signalbox {words}: {done.stdout}{done.stderr}")

    def apply(self, *changes):
        """The file with these words changed is applied, over whatever was edited elsewhere."""
        text = CONFIGURATION.format(base=self.upstream.base_url)
        for before, after in changes:
            require(before in text, before)
            text = text.replace(before, after)
        file = self.directory / "applied.yaml"
        file.write_text(text)
        self.line("apply", file, "--overwrite")

    def cooled(self, account, what="rateLimitedUntil"):
        """Waits until the account cools, or with `modelCooldowns` a model of it."""
        eventually(
            lambda: self.api("GET", f"/api/providers/{account}")["connection"][what], f"a cooldown of {account}")

    # MARK: What did it

    def events(self, after):
        return self.api("GET", f"/api/events?after={after}&limit=1000")["events"]

    def culprit(self, stream, kind, step, *arguments, **more):
        """Takes the step, and remembers the one event of this stream and kind that came of it."""
        head = int(self.api("GET", "/api/events?limit=1")["events"][0]["at"].split(":")[1])
        step(*arguments, **more)

        def come():
            return [event for event in self.events(head)
                    if event["stream"] == stream and event["kind"].startswith(kind)]

        found = eventually(come, f"{kind} of {stream}")
        require(len(found) == 1, f"{len(found)} events {kind} of {stream}")
        self.event, self.at = {"stream": stream, "kind": found[0]["kind"]}, found[0]["at"]


def require(holds, said):
    if not holds:
        raise AssertionError(said)


class Incident:
    def __init__(self, name, reports, page, questions, act):
        self.name, self.reports, self.page, self.questions, self.act = name, reports, page, questions, act


INCIDENTS = []


def incident(reports, page, *questions):
    """An act: the reports of the field that it stands for (none: our own), what the page said that woke somebody, and
    pairs of a question (words behind `replay`) and the pattern of the culprit in its answer; no pattern: only kept."""
    def keep(act):
        INCIDENTS.append(Incident(act.__name__.replace("_", "-"), reports.split(), page, questions, act))
        return act

    return keep


DRIFT = (["drift"], r"^  edit +{at} ")


def blame(field):
    return ["blame", field], r"^  %s .* {at} " % re.escape(field.split(".")[-1])


def bisect(predicate):
    return ["bisect", "--predicate", predicate], r"^  true +{at} "


#: The event that put a candidate in its state, or that was in force.
EXPLAIN = (["explain", "{request}"], r"{at} ")
STRATEGY = "settings.fallbackStrategy"


def report(places="1"):
    """Among the contributing events, at one of these places."""
    return ["report"], r"^\| [%s] \| [^|]* \| `{at}`" % places



# MARK: Names

@incident("A1 A2", "Everything that asks for `fast` fails since a few minutes.",
          bisect(f"alias/fast.model = {LARGE}"), blame("alias/fast.model"), EXPLAIN)
def alias_moved(stage):
    stage.play(models=["gpt-4o-mini"])
    stage.ask(200, 5)
    stage.culprit("alias/fast", "alias.set", stage.point, LARGE)
    stage.ask(404, 1)
    first = stage.request
    # From then on the model cools at both accounts, and the answer speaks of that alone.
    for account in ("mock-a1", "mock-a2"):
        stage.cooled(account, "modelCooldowns")
    stage.ask(503, 4)
    stage.request = first


@incident("A2", "The model behind `fast` changes back and forth, the bill with it.", DRIFT, blame("alias/fast.model"))
def alias_two_writers(stage):
    stage.point(LARGE)
    stage.ask(200, 2)
    stage.line("alias", "set", "fast", MINI)
    stage.ask(200, 2)
    stage.point(LARGE)
    stage.ask(200, 2)
    stage.culprit("alias/fast", "alias.set", stage.line, "alias", "set", "fast", MINI)
    stage.ask(200, 2)


@incident("A6", "`fast` answers with another model than last week, and nobody touched the alias.",
          bisect("combo/fast exists"), blame("combo/fast.models"), EXPLAIN)
def combo_over_alias(stage):
    stage.ask(200)
    combo = {"name": "fast", "models": [LARGE]}
    stage.refused("POST", "/api/combos", combo, "name_collision")
    stage.api("DELETE", "/api/models/alias?alias=fast")
    stage.culprit("combo/fast", "combo.set", stage.api, "POST", "/api/combos", combo, 201)
    stage.ask(200)


@incident("A3", "`spare/…` is unknown since the new provider came.",
          bisect("provider/spare.prefix = reserve"), blame("provider/spare.prefix"))
def prefix_made_room(stage):
    stage.ask(200, model="spare/gpt-4o-mini")
    node = {"id": "depot", "baseUrl": stage.upstream.base_url, "prefix": "spare", "models": [{"name": "gpt-4o-mini"}]}
    stage.refused("POST", "/api/provider-nodes", node, "name_collision")
    stage.culprit("provider/spare", "provider.", stage.api, "PUT", "/api/provider-nodes/spare", {"prefix": "reserve"})
    stage.ask(404, model="spare/gpt-4o-mini")


@incident("A5", "503 for `fast`: no account. All accounts are well.", EXPLAIN, blame("provider/mock.isActive"), report())
def provider_switched_off(stage):
    stage.minutes(10, 200)
    stage.culprit("provider/mock", "provider.", stage.api, "PUT", "/api/provider-nodes/mock", {"isActive": False})
    stage.minutes(10, 503)


@incident("R25", "404 for a model that is in the contract.",
          bisect("provider/mock.excludedModels = [gpt-4o*]"), blame("provider/mock.excludedModels"))
def excluded_by_a_star(stage):
    stage.ask(200, model=MINI)
    stage.culprit(
        "provider/mock", "provider.", stage.api, "PUT", "/api/provider-nodes/mock", {"excludedModels": ["gpt-4o*"]})
    stage.ask(404, model=MINI)


# MARK: Cooldowns

@incident("C3", "One account does all the work; the other was repaired this morning.",
          (["bisect", "--predicate", "account/mock-a1 is cooling"], None), (["explain", "{request}"], None),
          blame("credential/mock-a1.fingerprint"), bisect("credential/mock-a1.credentialGeneration = 2"))
def wrong_credential(stage):
    stage.ask(200)
    stage.culprit("credential/mock-a1", "credential.", stage.api, "PUT", "/api/providers/mock-a1", {"apiKey": WRONG_KEY})
    stage.ask(200, 1)
    stage.cooled("mock-a1")
    stage.ask(200)


@incident("C5 C13", "429 for everybody, and it does not pass.",
          bisect("account/mock-a2 is cooling"), EXPLAIN, blame("health/mock-a2.cooldownRule"))
def long_reset(stage):
    stage.minutes(10, 200)
    late = {"status": 429, "reset": {"form": "retry-after", "in": "55m"}}
    stage.play(a1=late)
    stage.ask(200, 1)
    stage.cooled("mock-a1")
    stage.play(a1=late, a2=late)
    stage.culprit("health/mock-a2", "health.cooldown_started", stage.ask, 429, 1)
    stage.cooled("mock-a2")
    stage.minutes(10, 429)


@incident("C13", "One account's limit took the whole model down, though there are two.",
          EXPLAIN, blame("account/mock-a1.degraded"), report())
def degrade_forgotten(stage):
    stage.ask(200)
    stage.culprit(
        "account/mock-a1", "account.", stage.api, "POST", "/v1/admin/routing/backends/mock-a1/degrade",
        {"reason": "slow, looking at it"})
    stage.minutes(10, 200)
    stage.play(a2={"status": 429, "reset": {"form": "retry-after", "in": "20m"}})
    stage.ask(429, 1)
    stage.cooled("mock-a2")
    stage.minutes(10, 429)


@incident("C8", "An account is put aside for every single hiccup since the new policy.",
          blame("policy/acme/gpt-4o-mini.failoverThreshold"), EXPLAIN)
def threshold_of_one(stage):
    rows = [{"backend_id": f"mock-{name}", "weight": 50} for name in ("a1", "a2")]
    policy = {"organization_id": "acme", "model": "gpt-4o-mini", "backends": rows}
    stage.api("POST", "/v1/admin/routing/policies", {**policy, "failover_threshold": 5})
    stage.ask(200, model="gpt-4o-mini")
    stage.culprit(
        "policy/acme/gpt-4o-mini", "policy.", stage.api, "PUT", "/v1/admin/routing/policies/acme/gpt-4o-mini",
        {"failover_threshold": 1})
    stage.upstream.next({"status": 500}, account="a1")
    stage.ask(200, 4, model="gpt-4o-mini")
    stage.cooled("mock-a1")
    stage.ask(200, model="gpt-4o-mini")


@incident("C12", "The metered account is billed for half of the traffic.",
          bisect(f"{STRATEGY} = round-robin"), blame(STRATEGY), EXPLAIN,
          (["what-if", "--set", f"{STRATEGY}=fill-first"], None))
def strategy_changed(stage):
    stage.ask(200, 6)
    stage.culprit(
        "settings", "settings.changed", stage.api, "PATCH", "/api/settings",
        {"fallbackStrategy": "round-robin", "stickyRoundRobinLimit": 1})
    stage.ask(200, 6)


# MARK: Usage

@incident("U5", "Two pages disagree about yesterday's cost.", blame("pricing.mock/gpt-4o-mini"),
          bisect(
              "pricing.mock/gpt-4o-mini = "
              "{input: 15000000, output: 60000000, cached: –, reasoning: –, cacheCreation: –}"))
def price_changed(stage):
    stage.ask(200, 4)
    stage.culprit(
        "pricing", "pricing.changed", stage.api, "PATCH", "/api/pricing",
        {"mock": {"gpt-4o-mini": {"input": 15, "output": 60}}})
    stage.ask(200, 4)


@incident("U1", "A third of the requests fail, and no provider reports an error.",
          bisect(f"alias/fast.model = {LARGE}"), EXPLAIN, (["bisect", "--predicate", "errors > 20% over 5m of 4"], None))
def clients_hang_up(stage):
    stage.play(models=["gpt-4o-mini", {"name": "gpt-4o", "behaviour": {"chunk-pace": "20ms", "chunks": 2000}}])
    stage.ask(200, 6)
    stage.culprit("alias/fast", "alias.set", stage.point, LARGE)
    for _ in range(3):
        stage.hang_up()


@incident("", "402 for a whole organisation in the middle of the month.",
          blame("organisation/acme.budgets"), (["history", "organisation/acme"], r"^\d+ +{at} "))
def budget_in_cents(stage):
    stage.ask(200, 4)
    stage.culprit(
        "organisation/acme", "organisation.budgets_set", stage.api, "PUT", "/api/organisations/acme",
        {"budgets": [{"period": "month", "usd": 0.000001}]})
    stage.ask(402, 4)


@incident("", "The nightly service gets 401 since the clean-up of keys.",
          (["blame", "{key}.status"], r"^  status .* {at} "), bisect("{key}.status = revoked"))
def key_still_in_use(stage):
    stage.ask(200, 2, key=SERVICE_KEY)
    listed = stage.api("GET", "/api/keys")["keys"]
    identity = next(row["id"] for row in listed if row["name"] == "service")
    stage.key = f"key/{identity}"
    stage.culprit(stage.key, "key.", stage.api, "DELETE", f"/api/keys/{identity}")
    stage.ask(401, 2, key=SERVICE_KEY)
    stage.request = None


# MARK: The file, and several people

@incident("A2 D11", "What was set in the browser on Friday is gone on Monday.", DRIFT, blame("alias/fast.model"))
def old_file_applied(stage):
    stage.apply(("aliases: {fast: mock/gpt-4o-mini}", "aliases: {fast: spare/gpt-4o-mini}"))
    stage.point(LARGE)
    stage.ask(200)
    stage.culprit("alias/fast", "alias.set", stage.apply)
    stage.ask(200)


@incident("", "The file says one thing, the gateway does the other.", DRIFT, blame("account/mock-a2.priority"))
def edit_under_the_file(stage):
    stage.api("PUT", "/api/providers/mock-a2", {"priority": 7})
    stage.apply(("priority: 2", "priority: 3"))
    stage.ask(200)
    stage.culprit("account/mock-a2", "account.", stage.api, "PUT", "/api/providers/mock-a2", {"priority": 7})
    stage.ask(200)


@incident("D12", "Priorities jump back whenever somebody saves the form.", DRIFT, blame("account/mock-a1.priority"))
def form_of_yesterday(stage):
    stage.api("PUT", "/api/providers/mock-a1", {"priority": 4})
    stage.line("accounts", "change", "mock-a1", "--priority", 9)
    stage.ask(200)
    stage.culprit("account/mock-a1", "account.", stage.api, "PUT", "/api/providers/mock-a1", {"priority": 4})
    stage.ask(200)


# MARK: The worked example of docs/runbooks/postmortem.md

@incident("A2", "Errors for some minutes, over by themselves. Cause unknown.",
          (["window", "--status", "5xx"], None), (["bisect", "--predicate", "errors > 20% over 5m of 10"], None),
          EXPLAIN, DRIFT,
          # An edit of the same moment to an account whose calls all failed stands beside it.
          report())
def errors_of_an_afternoon(stage):
    stage.apply(("fast: mock/gpt-4o-mini", f"fast: {LARGE}"))
    stage.minutes(2, 200)
    stage.point(MINI)
    stage.minutes(8, 200)
    stage.api("PATCH", "/api/pricing", {"mock": {"gpt-4o": {"input": 2.25, "output": 9}}})
    stage.minutes(2, 200, model="smart")
    stage.point("spare/gpt-4o-mini", alias="nightly")
    # Nobody asks for it but by the combo, which has another.
    stage.play(models=["gpt-4o-mini", {"name": "gpt-4o", "behaviour": {"status": 500}}])
    stage.minutes(4, 200, model="nightly")
    stage.line("accounts", "change", "mock-a2", "--priority", 3)
    stage.minutes(9, 200)
    stage.culprit(
        "alias/fast", "alias.set", stage.apply, ("fast: mock/gpt-4o-mini", f"fast: {LARGE}"), ("rpm: 100000", "rpm: 50000"))
    stage.ask(200, 1, model="nightly")
    stage.ask(500, 1)
    first = stage.request
    stage.minutes(8, 500)
    stage.ask(200, 2, model="nightly")
    stage.api("POST", "/api/keys", {"name": "loadtest", "organisation": "acme"}, 201)
    stage.minutes(6, 500)
    stage.api("PATCH", "/api/settings", {"maxAttempts": 3})
    stage.minutes(11, 500)
    stage.point(MINI)
    stage.minutes(10, 200)
    stage.request = first
