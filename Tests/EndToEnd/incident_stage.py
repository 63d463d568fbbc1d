"""What incidents are acted out on: a gateway whose clock is set, and a simulated provider.

Each act is a function on a `Stage` and names the step that did the harm with `stage.culprit`. Its questions are what
somebody asks who has only the bundle; a question's pattern is how its answer names the culprit, `{at}` being the
position that the stage knows from the gateway's list of events at that step, not from the verb. `{request}` is
the id of the request that the act kept as `stage.request`. An act without questions leaves nothing to be bundled:
its outcome is all there is.
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
        #: What came of it here, of what the act saw: without positions, ports or times.
        self.outcome = None
        #: What may not be in its bundle beside `SECRETS`.
        self.secrets = []
        #: What questions put in for a word in braces, and the range of the bundle.
        self.words, self.range = {}, []

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

    def command(self, *words, data=None, **environment):
        """Exit status and what `signalbox` said, on the gateway's machine."""
        done = subprocess.run(
            [program("signalbox"), *map(str, words), "--data", str(data or self.box.data)], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=60,
            env={"PATH": "/usr/bin:/bin", "SIGNALBOX_CLIENT_KEY": CLIENT_KEY, **self.clock.environment, **environment})
        return done.returncode, done.stdout

    def line(self, *words):
        code, said = self.command(*words)
        require(code == 0, f"signalbox {words}: {said}")

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

    # MARK: Starts and ends

    def start(self):
        self.box.start()
        self.children.append(self.box.child)

    def again(self):
        """kill -9, and a start on what is there."""
        self.box.kill()
        self.start()

    def does_not_start(self, *options, **environment):
        """Exit status and words of a start that fails, after which every byte is as it was but those of the lock."""
        before = self.contents()
        ended = self.command("serve", "--listen", "127.0.0.1:0", *options, **environment)
        require(self.contents() == before, f"a start that failed wrote something: {ended}")
        return ended

    def contents(self):
        return {path: path.read_bytes() for path in self.box.data.rglob("*")
                if path.is_file() and path.name != "LOCK"}

    # MARK: What did it

    def events(self, after):
        return self.api("GET", f"/api/events?after={after}&limit=1000")["events"]

    @property
    def head(self):
        """The log's last position."""
        return int(self.api("GET", "/api/events?limit=1")["events"][0]["at"].split(":")[1])

    def culprit(self, stream, kind, step, *arguments, **more):
        """Takes the step, and remembers the one event of this stream and kind that came of it."""
        head = self.head
        step(*arguments, **more)
        self.culprit_since(head, stream, kind)

    def culprit_since(self, head, stream, kind):
        """Remembers the one event of this stream and kind behind a position; a stream in braces is one of `words`."""
        stream = self.words.get(stream, stream)

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
    def __init__(self, name, reports, page, questions, in_gate, act):
        self.name, self.reports, self.page, self.questions, self.act = name, reports, page, questions, act
        #: Whether it is acted out whenever all tests run, or by `make incidents` alone.
        self.in_gate = in_gate


INCIDENTS = []


def incident(reports, page, *questions, in_gate=True):
    """An act: the reports of the field that it stands for (none: our own), what the page said that woke somebody, and
    pairs of a question (words behind `replay`) and the pattern of the culprit in its answer; no pattern: only kept."""
    def keep(act):
        INCIDENTS.append(Incident(act.__name__.replace("_", "-"), reports.split(), page, questions, in_gate, act))
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
