"""The programs of the proxy benchmark: upstreams, yardsticks and the gateway, started, measured and ended by pid."""

import http.client
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
KEY = "sk-bench-client"
TICK = os.sysconf("SC_CLK_TCK")
MODEL = "mock/gpt-4o-mini"

#: What the tiny upstream answers; the content is about 160 bytes, the whole about 700.
BODY = json.dumps({
    "id": "chatcmpl-0123456789abcdef", "object": "chat.completion", "created": 1763640000,
    "model": "gpt-4o-mini", "system_fingerprint": "fp_bench",
    "choices": [{
        "index": 0, "message": {
            "role": "assistant", "refusal": None,
            "content": "A block section is as long as its signals stand apart: between one home "
            "signal and the next there is one train at a time, and the bell says when."},
        "logprobs": None, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 14, "completion_tokens": 34, "total_tokens": 48,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}},
}, separators=(",", ":"))
#: The same in Anthropic's words, for the model that has to be translated.
MESSAGE = json.dumps({
    "id": "msg_0123456789abcdef", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
    "content": [{"type": "text", "text": json.loads(BODY)["choices"][0]["message"]["content"]}],
    "stop_reason": "end_turn", "stop_sequence": None,
    "usage": {
        "input_tokens": 14, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 34,
        "service_tier": "standard"},
}, separators=(",", ":"))
TRANSLATED = "other/claude-haiku-4-5"


class Skipped(Exception):
    """What a row needs is not here; the message says what."""


class Failed(Exception):
    """A slice failed or gave a wrong answer."""


def note(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def chat(port, limit=5, model=MODEL):
    """Status and body of one small request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limit)
    try:
        connection.request(
            "POST", "/v1/chat/completions",
            json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}),
            {"content-type": "application/json", "authorization": f"Bearer {KEY}"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def is_answering(port):
    try:
        return chat(port)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


class Program:
    """A child process in front of which or through which requests go."""

    started = []

    def __init__(self, name, argv, port, directory, env=None):
        self.name, self.port = name, port
        self.again = lambda: Program(name, argv, port, directory, env)
        self.log = open(directory / f"{name.replace(' ', '-')}.log", "ab")
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
            cwd=directory, env={**os.environ, **(env or {})})
        self.first_answer = None
        Program.started.append(self)

    def wait(self, limit=60):
        """Until the first answer; keeps how many seconds after the process's start that was."""
        while not is_answering(self.port):
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended; see {self.log.name}")
            if time.monotonic() > self.began + limit:
                raise Failed(f"{self.name} did not answer in {limit} s; see {self.log.name}")
            time.sleep(0.001)
        self.first_answer = time.monotonic() - self.began
        return self

    def pids(self):
        """The process and its descendants: nginx's workers, LiteLLM's."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(word) for word in task.read_text().split()]
        return found

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def forget_peak(self):
        """Lets the peak of resident memory begin at what is resident now."""
        for pid in self.pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_bytes(self):
        """Peak of resident memory, the sum over the processes."""
        total = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    total += int(line.split()[1]) * 1024
        return total

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        if self in Program.started:
            Program.started.remove(self)

    @staticmethod
    def stop_all():
        for program in reversed(list(Program.started)):
            program.stop()


def call(argv, limit, model=MODEL):
    """Runs a load generator to its end; its exit status and what it printed."""
    child = subprocess.Popen(
        [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "BENCH_KEY": KEY, "BENCH_MODEL": model})
    try:
        output, errors = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise Failed(f"{argv[0]} took more than {limit} s") from None
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    return child.returncode, output, errors


def wrk(port, connections, seconds, bears_errors=False, model=MODEL):
    """Requests as fast as they are answered; a failed one fails the slice, if that is not borne."""
    _, output, errors = call(
        ["wrk", f"-t{min(2, connections)}", f"-c{connections}", f"-d{seconds}s", "-s", HERE / "chat.lua",
         f"http://127.0.0.1:{port}"], seconds + 30, model)
    for line in output.splitlines():
        if line.startswith("RESULT "):
            result = json.loads(line[7:])
            if result["errors"] and not bears_errors:
                raise Failed(f"{result['errors']} requests failed: nothing is measured with errors")
            return result
    raise Failed(f"wrk gave no result: {output}{errors}")


class Bench:
    """Builds and starts what the rows need, in a directory of its own."""

    def __init__(self, binaries, directory):
        self.binaries, self.directory = binaries, directory
        self.serial = 0
        # Thousands of streams are two descriptors each in a proxy; children inherit the bound.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.tool = directory / "load"
        compiler = shutil.which("cc") or shutil.which("clang")
        if not compiler:
            raise Skipped("no C compiler (cc or clang) on PATH")
        status, output, errors = call(
            [compiler, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", self.tool, HERE / "load.c"], 60)
        if status:
            raise Failed(f"load.c does not compile: {output}{errors}")

    def load(self, verb, *words, limit):
        status, output, errors = call([self.tool, verb, *words], limit)
        if status:
            raise Failed(errors.strip() or f"load {verb} ended with {status}")
        return json.loads(output)

    def place(self, name):
        self.serial += 1
        place = self.directory / f"{self.serial:02}-{name.replace(' ', '-')}"
        place.mkdir(mode=0o700)
        return place

    def nginx(self, name, template, **values):
        if not shutil.which("nginx"):
            raise Skipped("no nginx on PATH (package nginx-light)")
        place, port = self.place(name), free_port()
        text = (HERE / template).read_text()
        for key, value in {"DIR": place, "PORT": port, **values}.items():
            text = text.replace(f"@{key}@", str(value))
        (place / template).write_text(text)
        return Program(name, ["nginx", "-p", place, "-c", place / template], port, place)

    def upstream(self):
        """The tiny one: one fixed answer."""
        return self.nginx("upstream", "upstream.conf", BODY=BODY, MESSAGE=MESSAGE).wait()

    def paced(self, frames):
        """The one that streams."""
        port = free_port()
        return Program("paced", [self.tool, "serve", port, frames], port, self.place("paced")).wait()

    def yardstick(self, upstream, buffering="on"):
        connections = 4_096 if buffering == "on" else 16_384
        return self.nginx(
            "nginx", "yardstick.conf", UPSTREAM=upstream.port, BUFFERING=buffering, CONNECTIONS=connections)

    def gateway(self, mode, upstream):
        place, port = self.place(f"signalbox {mode}"), free_port()
        config = place / "signalbox.yaml"
        config.write_text(f"""\
providers:
  - id: mock
    protocol: openai
    base-url: http://127.0.0.1:{upstream.port}/v1
    prefix: mock
    models: [{{name: gpt-4o-mini}}]
    accounts: [{{name: a1, api-key: sk-upstream-1}}, {{name: a2, api-key: sk-upstream-2}}]
  - id: other
    protocol: anthropic
    base-url: http://127.0.0.1:{upstream.port}/v1
    prefix: other
    models: [{{name: claude-haiku-4-5}}]
    accounts: [{{name: b1, api-key: sk-upstream-3}}, {{name: b2, api-key: sk-upstream-4}}]
keys: [{{name: default, key: {KEY}, organisation: bench}}]
""")
        return Program(
            f"signalbox {mode}",
            [self.binaries / "signalbox", "serve", "--data", place / "data", "--listen", f"127.0.0.1:{port}",
             "--config", config, "--recording", mode],
            port, place, {"SIGNALBOX_ADMIN_PASSWORD": "bench-admin-password"})

    def litellm(self, program, upstream):
        place, port = self.place("litellm"), free_port()
        config = place / "litellm.yaml"
        config.write_text(f"""\
model_list:
  - model_name: {MODEL}
    litellm_params: {{model: openai/gpt-4o-mini, api_base: "http://127.0.0.1:{upstream.port}/v1", api_key: sk-upstream-1}}
general_settings: {{master_key: {KEY}}}
litellm_settings: {{telemetry: false}}
""")
        # It would otherwise ask the network for its table of prices.
        return Program(
            "litellm",
            [program, "--config", config, "--host", "127.0.0.1", "--port", port, "--num_workers", os.cpu_count()],
            port, place, {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"})


def litellm_program():
    """LiteLLM in an environment of its own, installed from PyPI at the first run."""
    home = ROOT / ".build" / "litellm"
    program = home / "bin" / "litellm"
    if not (home / "installed").exists():
        note("  installing LiteLLM from PyPI into .build/litellm")
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(exist_ok=True)
        for argv in ([sys.executable, "-m", "venv", home],
                     [home / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "litellm[proxy]"]):
            try:
                status, _, errors = call(argv, 240)
            except Failed as reason:
                raise Skipped(str(reason)) from None
            if status:
                raise Skipped(f"LiteLLM cannot be installed: {errors.strip().splitlines()[-1:]}")
        (home / "installed").touch()
    return program
