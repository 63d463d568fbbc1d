#!/usr/bin/env python3
"""How long an edit of an alias takes until requests are routed by it.

One gateway (release) with 2,000 aliases, 200 accounts at two providers of one simulated upstream. In each
round the alias is set to the other provider over HTTP, and a request is sent as soon as the edit was answered;
meanwhile others ask for the alias without pause. Between the rounds the disk's own fdatasync is timed, because
an edit is durable before it is answered. Whatever was answered by the old route although it was asked after
the edit had been acknowledged is counted; one such answer fails the run.
"""

import argparse
import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Tests" / "EndToEnd"))
from support import CLIENT_KEY, Gateway, Simulator  # noqa: E402


class Connection:
    """One kept-alive HTTP/1.1 connection, as little between the bytes and the clock as Python allows."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def exchange(self, request):
        """(status, head, body, when the request was given to the kernel, when the answer was whole)"""
        sent = time.monotonic_ns()
        self.socket.sendall(request)
        while b"\r\n\r\n" not in self.buffer:
            self.read()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(self.buffer) < length:
            self.read()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return int(head.split(b" ", 2)[1]), head, body, sent, time.monotonic_ns()

    def read(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the gateway closed the connection")
        self.buffer += data


def request(method, path, document, credential):
    body = json.dumps(document).encode()
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", "content-type: application/json",
             f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in credential.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def configuration(base, aliases, accounts):
    lines = ["providers:"]
    for name in ("left", "right"):
        lines += [f"  - id: {name}", "    protocol: openai", f"    base-url: {base}",
                  f"    prefix: {name}", "    models: [{name: gpt-4o-mini}]", "    accounts:"]
        lines += [f"      - {{name: {name}{n}, api-key: sk-{name}-{n}, priority: {n + 1}}}"
                  for n in range(accounts // 2)]
    lines += ["keys:", "  - {name: default, key: \"${SIGNALBOX_CLIENT_KEY}\", diagnostics: true}",
              "aliases:"]
    lines += [f"  alias{n}: left/gpt-4o-mini" for n in range(aliases)]
    return "\n".join(lines) + "\n"


def account(head):
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"x-signalbox-account:"):
            return line.split(b":", 1)[1].strip().decode()
    raise SystemExit("an answer does not say which account served it")


def sync_time(file):
    os.pwrite(file, os.urandom(4096), 0)
    begin = time.monotonic_ns()
    os.fdatasync(file)
    return time.monotonic_ns() - begin


def milliseconds(nanoseconds):
    return nanoseconds / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--aliases", type=int, default=2000)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--clients", type=int, default=2, help="ask without pause meanwhile")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="signalbox-edit-") as place:
        place = Path(place)
        (place / "gateway").mkdir()
        simulator = Simulator(place, {"behaviour": {}, "accounts": [
            {"name": f"{side}{n}", "key": f"sk-{side}-{n}"}
            for side in ("left", "right") for n in range(options.accounts // 2)]})
        gateway = Gateway(
            place / "gateway", configuration(simulator.base_url, options.aliases, options.accounts))
        try:
            result = measure(gateway, place, options)
        finally:
            gateway.stop()
            simulator.stop()

    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:34} {value}")
    return 0 if result["stale_answers"] == 0 else 1


def measure(gateway, place, options):
    token = gateway.login()
    admin, client = Connection(gateway.port), Connection(gateway.port)
    chat = request(
        "POST", "/v1/chat/completions",
        {"model": "alias7", "messages": [{"role": "user", "content": "ping"}]},
        {"authorization": f"Bearer {CLIENT_KEY}"})
    edits = {side: request(
        "PUT", "/api/models/alias", {"alias": "alias7", "model": f"{side}/gpt-4o-mini"}, token)
        for side in ("left", "right")}
    names = sides(gateway)

    made = []  # of each edit: begun, acknowledged, side
    answers, stop = [], threading.Event()  # of each answer: asked, whole, side

    def ask():
        connection = Connection(gateway.port)
        while not stop.is_set():
            status, head, _, begin, end = connection.exchange(chat)
            answers.append((begin, end, names[account(head)] if status == 200 else status))
            time.sleep(0.0005)

    askers = [threading.Thread(target=ask, daemon=True) for _ in range(options.clients)]
    for thread in askers:
        thread.start()

    edit_times, routed_times, plain_times, syncs = [], [], [], []
    file = os.open(place / "probe", os.O_RDWR | os.O_CREAT, 0o600)
    for number in range(options.rounds):
        side = ("right", "left")[number % 2]
        syncs.append(sync_time(file))
        _, _, _, begin, end = client.exchange(chat)
        plain_times.append(end - begin)
        status, _, body, begin, end = admin.exchange(edits[side])
        if status != 200:
            raise SystemExit(f"the edit was answered with {status}: {body[:200]!r}")
        made.append((begin, end, side))
        edit_times.append(end - begin)
        status, head, _, asked, end = client.exchange(chat)
        answers.append((asked, end, names[account(head)] if status == 200 else status))
        routed_times.append(end - begin)
    stop.set()
    for thread in askers:
        thread.join()
    os.close(file)

    stale = sum(side not in possible(made, begin, end) for begin, end, side in answers)
    sync = statistics.median(syncs)
    edit, routed = statistics.median(edit_times), statistics.median(routed_times)
    plain = statistics.median(plain_times)
    return {
        "aliases": options.aliases, "accounts": options.accounts, "edits": options.rounds,
        "fdatasync_p50_ms": round(milliseconds(sync), 3),
        "edit_to_answer_p50_ms": round(milliseconds(edit), 3),
        "edit_to_answer_p99_ms": round(
            milliseconds(statistics.quantiles(edit_times, n=100)[98]), 3),
        "request_p50_ms": round(milliseconds(plain), 3),
        "edit_to_routed_answer_p50_ms": round(milliseconds(routed), 3),
        "edit_to_routed_less_sync_p50_ms": round(milliseconds(routed - sync), 3),
        "answers_meanwhile": len(answers), "stale_answers": stale,
    }


def possible(edits, begin, end):
    """The sides that may have served a request: in force when it was asked, or edited while it ran."""
    before = [side for _, acknowledged, side in edits if acknowledged <= begin]
    return set(before[-1:] or ["left"]) | {
        side for begun, acknowledged, side in edits if begun < end and acknowledged > begin}


def sides(gateway):
    """By what the header says of an account: at which provider it is."""
    found = {}
    for connection in gateway.admin("GET", "/api/providers?limit=1000").json()["connections"]:
        found[connection["id"]] = found[connection["name"]] = connection["provider"]
        found[f"{connection['provider']}/{connection['name']}"] = connection["provider"]
    return found


if __name__ == "__main__":
    sys.exit(main())
