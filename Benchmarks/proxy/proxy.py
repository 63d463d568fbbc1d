#!/usr/bin/env python3
"""Signalbox beside nginx as bare reverse proxy, both in front of the same tiny upstream; wrk as load.

Short slices alternate (nginx, each recording mode, next pair in reverse order), so that what the machine does
meanwhile hits all alike. A figure is the median of the pairs' ratios. If the yardstick itself moved by more than a
factor of two between its slices, nothing is concluded and the exit status is 3.
"""

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
KEY = "sk-bench-client"
TICK = os.sysconf("SC_CLK_TCK")
#: Must and goal of DESIGN.md, for the row that prints the ratio.
MUST, GOAL = 0.60, 0.90

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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, method="GET", path="/health", body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def chat(port):
    return ask(
        port, "POST", "/v1/chat/completions",
        '{"model":"mock/gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}',
        {"content-type": "application/json", "authorization": f"Bearer {KEY}"})


class Proxy:
    """A program under measurement."""

    def __init__(self, name, argv, port, directory, env=None):
        self.name, self.port = name, port
        self.log = open(directory / f"{name}.log", "wb")
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})})
        self.first_answer = None

    def wait(self, path_check):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended; see {self.log.name}")
            try:
                if path_check(self.port):
                    self.first_answer = time.monotonic() - self.began
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.002)
        raise SystemExit(f"{self.name} did not answer; see {self.log.name}")

    def pids(self):
        """The process and its children: nginx's workers."""
        own = self.process.pid
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(own)], capture_output=True, text=True)
        return [own] + [int(pid) for pid in found.stdout.split()]

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def peak_bytes(self):
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


class Running(Proxy):
    """A process that somebody else started and will end."""

    def __init__(self, name, port, pid):
        self.name, self.port, self.pid, self.first_answer = name, port, pid, None

    def pids(self):
        return [self.pid]


def wrk(port, connections, seconds):
    threads = min(2, connections)
    argv = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / "chat.lua"),
            f"http://127.0.0.1:{port}"]
    done = subprocess.run(
        argv, capture_output=True, text=True, env={**os.environ, "BENCH_KEY": KEY})
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            result = json.loads(line[7:])
            if result["errors"]:
                raise SystemExit(f"{result['errors']} requests failed: nothing is measured with errors")
            return result
    raise SystemExit(f"wrk gave no result:\n{done.stdout}{done.stderr}")


def slice_of(proxy, connections, seconds):
    before = proxy.cpu_seconds()
    result = wrk(proxy.port, connections, seconds)
    used = proxy.cpu_seconds() - before
    return {
        "requests_per_second": result["requests"] / (result["microseconds"] / 1e6),
        "cpu_microseconds": used / max(1, result["requests"]) * 1e6,
        "p50": result["p50"], "p99": result["p99"], "requests": result["requests"]}


def configure(directory, name, **values):
    text = (HERE / name).read_text()
    for key, value in {"DIR": directory, **values}.items():
        text = text.replace(f"@{key}@", str(value))
    path = directory / name
    path.write_text(text)
    return ["nginx", "-p", str(directory), "-c", str(path)]


def start_gateway(options, mode, upstream, directory):
    own = directory / f"signalbox-{mode}"
    own.mkdir(mode=0o700)
    config = own / "signalbox.yaml"
    config.write_text(f"""\
providers:
  - id: mock
    protocol: openai
    base-url: http://127.0.0.1:{upstream}/v1
    prefix: mock
    models: [{{name: gpt-4o-mini}}]
    accounts: [{{name: a1, api-key: sk-upstream-1}}, {{name: a2, api-key: sk-upstream-2}}]
keys: [{{name: default, key: {KEY}, organisation: bench}}]
""")
    port = free_port()
    return Proxy(
        f"signalbox {mode}",
        [str(options.bin / "signalbox"), "serve", "--data", str(own / "data"), "--listen",
         f"127.0.0.1:{port}", "--config", str(config), "--recording", mode],
        port, directory, {"SIGNALBOX_ADMIN_PASSWORD": "bench-admin-password"})


def rounds(proxies, connections, options):
    """`pairs` rounds of one slice each, every second one in reverse order."""
    taken = []
    for number in range(options.pairs):
        order = proxies if number % 2 == 0 else list(reversed(proxies))
        row = {proxy.name: slice_of(proxy, connections, options.duration) for proxy in order}
        taken.append(row)
        yardstick = row["nginx"]
        for proxy in proxies:
            got = row[proxy.name]
            ratio = got["requests_per_second"] / yardstick["requests_per_second"]
            cpu = got["cpu_microseconds"] / yardstick["cpu_microseconds"]
            print(f"{connections:5} {number + 1:4}  {proxy.name:22} "
                  f"{got['requests_per_second']:9.0f} {ratio:6.2f}  {got['cpu_microseconds']:7.1f} "
                  f"{cpu:6.2f}  {got['p50']:7} {got['p99']:7}", flush=True)
    return taken


def conclude(taken, proxies):
    speeds = [row["nginx"]["requests_per_second"] for row in taken]
    moved = max(speeds) / min(speeds)
    figures = {"yardstick_moved": moved, "ratios": {}}
    for proxy in proxies:
        if proxy.name == "nginx":
            continue
        ratios = [row[proxy.name]["requests_per_second"] / row["nginx"]["requests_per_second"]
                  for row in taken]
        cpus = [row[proxy.name]["cpu_microseconds"] / row["nginx"]["cpu_microseconds"]
                for row in taken]
        figures["ratios"][proxy.name] = {
            "requests_per_second": statistics.median(ratios), "lowest": min(ratios),
            "highest": max(ratios), "cpu": statistics.median(cpus),
            "cpu_microseconds": statistics.median(
                row[proxy.name]["cpu_microseconds"] for row in taken)}
    return figures


def added_latency(proxies, upstream, options):
    """Medians over the rounds of p50 and p99 at one connection, less those of the upstream alone."""
    direct = Running("direct", upstream.port, upstream.process.pid)
    rows = []
    for _ in range(options.pairs):
        rows.append({proxy.name: slice_of(proxy, 1, options.duration)
                     for proxy in [direct, *proxies]})
    added = {}
    for proxy in proxies:
        added[proxy.name] = {
            name: statistics.median(row[proxy.name][name] - row["direct"][name] for row in rows)
            for name in ("p50", "p99")}
    return added


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, default=ROOT / ".build" / "release")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--duration", type=int, default=5, help="seconds of a slice")
    parser.add_argument("--connections", type=int, nargs="+", default=[32])
    parser.add_argument("--recording", nargs="+", default=["standard"],
                        choices=["off", "relaxed", "standard", "strict"])
    parser.add_argument("--workers", default="auto", help="of the nginx yardstick")
    parser.add_argument("--latency", action="store_true", help="added p50 and p99 at one connection")
    parser.add_argument("--output", type=Path, default=ROOT / ".build" / "bench" / "result.json")
    parser.add_argument("--stand-in", nargs=2, metavar=("PORT", "PID"), type=int,
                        help="measure what runs there already instead of signalbox")
    options = parser.parse_args()
    if options.pairs < 1 or options.duration < 1:
        parser.error("--pairs and --duration are at least 1")

    directory = ROOT / ".build" / "bench" / time.strftime("%Y%m%d-%H%M%S")
    directory.mkdir(parents=True)
    started = []
    try:
        upstream_port, yardstick_port = free_port(), free_port()
        upstream = Proxy(
            "upstream", configure(directory, "upstream.conf", UPSTREAM=upstream_port, BODY=BODY),
            upstream_port, directory)
        started.append(upstream)
        upstream.wait(lambda port: chat(port)[0] == 200)
        yardstick = Proxy(
            "nginx", configure(directory, "yardstick.conf", UPSTREAM=upstream_port,
                               YARDSTICK=yardstick_port, WORKERS=options.workers),
            yardstick_port, directory)
        started.append(yardstick)
        yardstick.wait(lambda port: chat(port)[0] == 200)
        proxies = [yardstick]
        if options.stand_in:
            proxies.append(Running("stand-in", *options.stand_in))
        else:
            for mode in options.recording:
                gateway = start_gateway(options, mode, upstream_port, directory)
                started.append(gateway)
                gateway.wait(lambda port: chat(port)[0] == 200)
                status, body = chat(gateway.port)
                if body.decode() != BODY:
                    raise SystemExit(f"{gateway.name}: not the upstream's answer: {status} {body[:200]!r}")
                proxies.append(gateway)
        return measure(proxies, upstream, directory, options)
    finally:
        for proxy in reversed(started):
            proxy.stop()


def measure(proxies, upstream, directory, options):
    result = {
        "cores": os.cpu_count(), "pairs": options.pairs, "seconds": options.duration,
        "upstream_bytes": len(BODY), "series": {}}
    for proxy in [upstream, *proxies]:
        wrk(proxy.port, 32, 1)
    print(f"{os.cpu_count()} cores that also carry load generator and upstream; {options.duration} s a slice")
    print(f"{'conns':>5} {'pair':>4}  {'proxy':22} {'req/s':>9} {'÷nginx':>6}  {'CPU µs':>7} {'÷nginx':>6}  "
          f"{'p50 µs':>7} {'p99 µs':>7}")
    steady = True
    for connections in options.connections:
        taken = rounds(proxies, connections, options)
        figures = conclude(taken, proxies)
        result["series"][str(connections)] = {"rounds": taken, **figures}
        print()
        if figures["yardstick_moved"] > 2:
            steady = False
            print(f"{connections} connections: nginx itself moved by a factor of "
                  f"{figures['yardstick_moved']:.1f} between its slices: no conclusion")
            continue
        for name, got in figures["ratios"].items():
            print(f"{connections} connections, {name}: median {got['requests_per_second']:.2f} of nginx "
                  f"({got['lowest']:.2f}–{got['highest']:.2f}), CPU {got['cpu_microseconds']:.1f} µs a request, "
                  f"{got['cpu']:.2f} × nginx  [must {MUST}, goal {GOAL}]")
        for mode in ("relaxed", "standard", "strict"):
            if f"signalbox {mode}" in taken[0] and "signalbox off" in taken[0]:
                # Of neighbours in time, like the ratio to nginx.
                cost = statistics.median(
                    row[f"signalbox {mode}"]["requests_per_second"]
                    / row["signalbox off"]["requests_per_second"] for row in taken)
                result["series"][str(connections)][f"{mode}_of_off"] = cost
                print(f"{connections} connections, recording {mode} ÷ off: {cost:.2f}")
    if options.latency:
        result["added_latency"] = added_latency(proxies, upstream, options)
        print()
        for name, added in result["added_latency"].items():
            print(f"1 connection, {name}: added p50 {added['p50']:.0f} µs, p99 {added['p99']:.0f} µs")
    print()
    for proxy in proxies:
        memory = proxy.peak_bytes()
        result.setdefault("processes", {})[proxy.name] = {
            "peak_bytes": memory, "first_answer_seconds": proxy.first_answer}
        first = "" if proxy.first_answer is None else f", first answer after {proxy.first_answer * 1000:.0f} ms"
        print(f"{proxy.name}: peak resident {memory / 1e6:.0f} MB{first}")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written to {options.output}; logs in {directory}")
    return 0 if steady else 3


if __name__ == "__main__":
    sys.exit(main())
