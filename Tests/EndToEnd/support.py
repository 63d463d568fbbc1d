"""What every case needs: the built programs as processes, raw HTTP, and bounded waiting.

Only the standard library, so that all but the SDK cases run without an index.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("SIGNALBOX_BIN", ROOT / ".build" / "release"))
CLIENT_KEY = "sk-e2e-client"
ADMIN_PASSWORD = "e2e-hedgehog-at-the-lamp"
#: Upper bound of every wait for something that normally takes milliseconds.
PATIENCE = 20.0


def program(name):
    """The path of a built program. A missing one fails the case: a skip here would turn the gate green."""
    path = BIN / name
    if not path.exists():
        raise AssertionError(f"{path} is not built")
    return str(path)


def eventually(look, what, patience=PATIENCE):
    """The first truthy answer of `look`; fails naming `what` after `patience` seconds."""
    end = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.02)


def free_port():
    """A port that nobody has, below those that connections are given: a moment later one of these may be taken."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10_000, first) if first > 20_000 else 0
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return probe.getsockname()[1]


class Child:
    """A process of ours, its output in a file, ended by its own id."""

    def __init__(self, argv, output, env=None):
        self.output = Path(output)
        self.stream = open(output, "ab")
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self.stream, stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})}, start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def text(self):
        return self.output.read_text(errors="replace")

    def is_running(self):
        return self.process.poll() is None

    def stop(self, patience=PATIENCE):
        """SIGTERM and wait; the exit status. A process that stays is killed and reported."""
        if self.is_running():
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not stop within {patience} s:\n{self.text()[-2000:]}")
        finally:
            self.stream.close()
        return status

    def kill(self):
        """SIGKILL and wait."""
        if self.is_running():
            self.process.kill()
        self.process.wait()
        self.stream.close()


class Simulator:
    """`simulator serve` on a free port."""

    def __init__(self, directory, scenario=None, port=0):
        self.directory = Path(directory)
        port_file = self.directory / "simulator.port"
        port_file.unlink(missing_ok=True)
        argv = [program("simulator"), "serve", "--listen", f"127.0.0.1:{port}",
                "--port-file", str(port_file)]
        if scenario is not None:
            path = self.directory / "scenario.json"
            path.write_text(json.dumps(scenario))
            argv += ["--scenario", str(path)]
        self.child = Child(argv, self.directory / "simulator.log")

        def ready():
            if not self.child.is_running():
                raise AssertionError("the simulator ended:\n" + self.child.text()[-2000:])
            return port_file.exists()

        eventually(ready, "the simulator's port file")
        self.port = int(port_file.read_text())

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def control(self, method, path, document=None):
        body = None if document is None else json.dumps(document).encode()
        answer = exchange(self.port, method, "/_control/" + path, body)
        if answer.status != 200:
            raise AssertionError(f"{path}: {answer.status} {answer.body!r}")
        return answer.json()

    def state(self):
        return self.control("GET", "state")

    def total(self):
        return self.state()["requests"]["total"]

    def next(self, behaviour, times=1, **match):
        self.control("POST", "next", {"times": times, "behaviour": behaviour, **match})

    def scenario(self, document):
        self.control("POST", "scenario", document)

    def bodies(self, last=64):
        rows = self.control("GET", f"requests?last={last}")["requests"]
        return [base64.b64decode(row["bodyBase64"]) for row in rows]

    def stop(self):
        return self.child.stop()


class Upstream:
    """A server on a thread for each connection that answers as `answer(connection, number of request)` does."""

    def __init__(self, answer):
        self.answer, self.listener = answer, socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.count = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        # A client that has seen enough hangs up.
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as reader:
            while True:
                length = 0
                while (line := reader.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                if not line:
                    return
                body = reader.read(length)
                self.count += 1
                self.answer(connection, self.count, body)

    def close(self):
        self.listener.close()


class Answer:
    """A whole HTTP answer."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def header(self, name):
        return self.headers.get(name)


def exchange(port, method, path, body=None, headers=None, timeout=PATIENCE):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        given = {"content-type": "application/json"} if body is not None else {}
        connection.request(method, path, body=body, headers={**given, **(headers or {})})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def raw_exchange(port, payload, patience=PATIENCE, halt_early=True):
    """Sends bytes as they are and reads until the answer is whole or the peer closes.

    `halt_early`: stop sending once an answer begins, as a careful client does.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        view = memoryview(payload)
        connection.setblocking(False)
        answer = b""
        end = time.monotonic() + patience
        closed = False
        while not closed and time.monotonic() < end:
            try:
                piece = connection.recv(65536)
                closed = piece == b""
                answer += piece
            except BlockingIOError:
                pass
            except ConnectionResetError:
                closed = True
            if answer and whole(answer):
                break
            if view and not (answer and halt_early):
                try:
                    view = view[connection.send(view[:65536]):]
                    continue
                except BlockingIOError:
                    pass
                except (BrokenPipeError, ConnectionResetError):
                    view = view[:0]
            time.sleep(0.001)
        return parse_answer(answer)


def whole(data):
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
    if length:
        return len(body) >= int(length[1])
    return body.endswith(b"0\r\n\r\n")


def parse_answer(data):
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        raise AssertionError(f"no HTTP answer: {data[:200]!r}")
    lines = head.decode("latin-1").split("\r\n")
    headers = http.client.HTTPMessage()
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip()] = value.strip()
    return Answer(int(lines[0].split()[1]), headers, body)


class Gateway:
    """`signalbox serve` on a free port with a data directory and a configuration of its own."""

    def __init__(self, directory, config, *options, environment=None, wait=True, under=()):
        """`under`: the words of a program that starts the gateway in its own stead, such as prlimit."""
        self.directory, self.under = Path(directory), list(under)
        self.data = self.directory / "data"
        self.config = self.directory / "signalbox.yaml"
        if config is not None:
            self.config.write_text(config)
        self.options = list(options)
        self.environment = {
            "SIGNALBOX_ADMIN_PASSWORD": ADMIN_PASSWORD, "SIGNALBOX_CLIENT_KEY": CLIENT_KEY,
            **(environment or {})}
        self.starts = 0
        self.start(config is not None, wait)

    def start(self, with_config=False, wait=True):
        self.port = free_port()
        self.session = None
        self.starts += 1
        argv = [program("signalbox"), "serve", "--data", str(self.data),
                "--listen", f"127.0.0.1:{self.port}"]
        if with_config:
            argv += ["--config", str(self.config)]
        self.child = Child(
            self.under + argv + self.options, self.directory / f"signalbox.{self.starts}.log",
            self.environment)
        if wait:
            self.wait()

    def wait(self):
        def ready():
            if not self.child.is_running():
                raise AssertionError("signalbox ended:\n" + self.child.text()[-4000:])
            try:
                return exchange(self.port, "GET", "/health", timeout=2).status == 200
            except (OSError, http.client.HTTPException):
                return False

        eventually(ready, "/health of signalbox")

    def text(self):
        return self.child.text()

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def chat(self, body, key=CLIENT_KEY, **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        given = {"authorization": f"Bearer {key}"} if key else {}
        return exchange(
            self.port, "POST", "/v1/chat/completions", body,
            {**given, **{name.replace("_", "-"): value for name, value in headers.items()}})

    def login(self):
        """An administrator's headers; signs in once a start, for a password's hash is made to be slow."""
        if self.session is None:
            self.session = self.sign_in()
        return self.session

    def sign_in(self):
        answer = exchange(
            self.port, "POST", "/api/auth/login",
            json.dumps({"password": ADMIN_PASSWORD}).encode())
        if answer.status != 200:
            raise AssertionError(f"login: {answer.status} {answer.body!r}")
        cookie = answer.header("set-cookie") or ""
        found = re.search(r"auth_token=([^;]+)", cookie)
        if found:
            return {"cookie": f"auth_token={found[1]}"}
        return {"authorization": "Bearer " + answer.json()["token"]}

    def admin(self, method, path, document=None, headers=None):
        body = None if document is None else json.dumps(document).encode()
        return exchange(self.port, method, path, body, {**self.login(), **(headers or {})})

    def audit(self, request_id):
        answer = exchange(
            self.port, "GET", f"/v1/audit/requests/{request_id}", None, self.login())
        if answer.status != 200:
            raise AssertionError(f"audit: {answer.status} {answer.body!r}")
        return answer.json()

    def replay(self, verb, *arguments, codes=(0,)):
        return replay(self.data, verb, *arguments, codes=codes)

    def window(self):
        return window(self.data)

    def recorded(self, request_id):
        """The fields of the one `request.finished` of an id; fails if there is none or more."""
        found = of_kind(events(self.replay("show", request_id, "--json")), "request.finished")
        if len(found) != 1:
            raise AssertionError(f"{len(found)} request.finished for {request_id}")
        return found[0]

    def stop(self):
        return self.child.stop()

    def kill(self):
        self.child.kill()


def replay(data, verb, *arguments, codes=(0,)):
    """Standard output of `replay VERB … --log DATA`; fails on another exit status than `codes`."""
    argv = [program("replay"), verb, *map(str, arguments), "--log", str(data)]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    if result.returncode not in codes:
        raise AssertionError(
            f"{' '.join(argv)}: exit {result.returncode}\n{result.stdout[-2000:]}"
            f"{result.stderr[-2000:]}")
    return result.stdout


def events(text):
    """Every event in the JSON or the JSON lines that `replay --json` printed, in the order of appearance."""
    try:
        documents = [json.loads(text)]
    except json.JSONDecodeError:
        documents = [json.loads(line) for line in text.splitlines() if line.strip()]
    found = []

    def look(value):
        if isinstance(value, dict):
            if "kind" in value and "fields" in value:
                found.append(value)
                return
            for inner in value.values():
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    look(documents)
    return found


def window(data):
    """Every event of a log."""
    return events(replay(data, "window", "--from", "1", "--limit", "0", "--json"))


def of_kind(found, prefix):
    """The fields of the events whose kind begins so."""
    return [event["fields"] for event in found if event["kind"].startswith(prefix)]


def configuration(simulator, accounts=2, extra=""):
    """Two accounts at the simulator, the alias `fast`, one client key."""
    rows = "\n".join(
        f"      - {{name: a{n}, api-key: sk-upstream-{n}, priority: {n}}}"
        for n in range(1, accounts + 1))
    return f"""\
providers:
  - id: mock
    protocol: openai
    base-url: {simulator.base_url}
    prefix: mock
    models: [{{name: gpt-4o-mini}}, {{name: gpt-4o}}]
    accounts:
{rows}
keys:
  - {{name: default, key: "${{SIGNALBOX_CLIENT_KEY}}", organisation: acme, diagnostics: true}}
aliases: {{fast: mock/gpt-4o-mini}}
{extra}"""


def scenario(**behaviour):
    """What `configuration` expects of the simulator."""
    return {
        "behaviour": behaviour,
        "accounts": [
            {"name": f"a{n}", "key": f"sk-upstream-{n}"} for n in range(1, 9)],
    }


def message(text="How long is a block section?", model="mock/gpt-4o-mini", **more):
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


class Case(unittest.TestCase):
    """A case with a directory of its own, which is kept and named if the case fails."""

    longMessage = True

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="signalbox-e2e-"))
        self.children = []
        # Not tearDown, which is left out when a later part of setUp fails.
        self.addCleanup(self.clear_up)

    def clear_up(self):
        for child in reversed(self.children):
            child.kill()
        # What the runner asks after a failure; unittest keeps it on the outcome object.
        outcome = getattr(self, "_outcome", None)
        failed = outcome is not None and not outcome.success
        if failed:
            print(f"  kept: {self.directory}", file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def simulator(self, document=None, port=0):
        started = Simulator(self.directory, document, port)
        self.children.append(started.child)
        return started

    def gateway(self, config, *options, **more):
        started = Gateway(self.directory, config, *options, **more)
        self.children.append(started.child)
        return started

    def restart(self, gateway):
        gateway.start()
        self.children.append(gateway.child)


class Spine(Case):
    """Simulator and gateway, started before each case."""

    behaviour = {}
    options = ()

    def setUp(self):
        super().setUp()
        self.upstream = self.simulator(scenario(**self.behaviour))
        self.box = self.gateway(configuration(self.upstream), *self.options)


def sha256(data):
    return hashlib.sha256(data).hexdigest()
