#!/usr/bin/env python3
"""How long lists, sums and audits take over a long log.

A log of N events (nine of ten are requests' ends, of 24 accounts or more, many keys and models) is written by
`LogBenchmark fill`, spread over the hours up to now; a release gateway opens it and makes its views. Then lists are
asked for again and again over one kept connection, by everything that they can be asked by, and requests that a rare
account's pages reach are audited by their ids. The longest answer of each question counts, not the median.
"""

import argparse
import base64
import datetime
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd"))
sys.path.insert(0, str(ROOT / "Benchmarks" / "edit"))
from edit import Connection, request  # noqa: E402
from support import Gateway, Simulator, configuration, eventually, exchange, scenario  # noqa: E402

#: Milliseconds that no answer may take.
LIST_MUST, AUDIT_MUST = 100, 5


def note(text):
    print(text, file=sys.stderr, flush=True)


def answers(port):
    try:
        return exchange(port, "GET", "/health").status == 200
    except OSError:
        return False


class Asker:
    """One kept connection with an administrator's session."""

    def __init__(self, gateway):
        self.connection, self.session = Connection(gateway.port), gateway.login()

    def ask(self, path):
        """The answer, and how many milliseconds it took."""
        lines = [f"GET {path} HTTP/1.1", "host: localhost", *(f"{k}: {v}" for k, v in self.session.items())]
        status, _, body, begin, end = self.connection.exchange(("\r\n".join(lines) + "\r\n\r\n").encode())
        if status != 200:
            raise SystemExit(f"{path}: {status} {body[:300]!r}")
        return json.loads(body), (end - begin) / 1e6


def caught_up(asker, patience):
    """Waits until the views have everything; how many seconds that took."""
    began, told = time.monotonic(), 0
    while True:
        answer, _ = asker.ask("/api/usage/history")
        if answer["lag"] == 0:
            return time.monotonic() - began, answer
        now = time.monotonic() - began
        if now > patience:
            raise SystemExit(f"the views were {answer['lag']} events behind after {patience} s")
        if now - told > 10:
            told = now
            note(f"  {now:.0f} s: {answer['lag']} events to go")
        time.sleep(0.5)


def questions(history, first, last):
    """Each documented list, by what narrows it; the common and the rare of each kind. The log has the times between."""
    accounts = sorted(history["byAccount"].items(), key=lambda row: row[1]["requests"])
    models = sorted(history["byModel"].items(), key=lambda row: row[1]["requests"])
    keys = sorted(history["byApiKey"].items(), key=lambda row: row[1]["requests"])
    def model(row):
        # `gpt-4o (openai)`
        return quote(row[0].rsplit(" (", 1)[0])

    def account(row):
        return row[1]["connectionId"]

    def key(row):
        return row[1]["keyId"]

    def at(share):
        moment = datetime.datetime.fromtimestamp(first + (last - first) * share, datetime.timezone.utc)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    asked = {
        "by time, the middle": f"since={at(0.5)}&until={at(0.51)}", "by time, before the middle": f"until={at(0.5)}",
        "by time and key, rare": f"until={at(0.3)}&key={key(keys[0])}",
        "interrupted": "outcome=interrupted", "not delivered": "outcome=delivery_failed", "under way": "outcome=in_flight",
        "denied": "outcome=denied", "error class": "errorClass=provider", "organisation": "organisation=team-7",
        "provider": f"provider={accounts[0][1]['provider']}", "nobody's": "organisation=nobody",
        "newest": "", "status 2xx": "status=200", "status 4xx": "status=4xx", "status 5xx": "status=5xx",
        "failed": "outcome=failed", "model, common": f"model={model(models[-1])}", "model, rare": f"model={model(models[0])}",
        "account, common": f"account={account(accounts[-1])}", "account, rare": f"account={account(accounts[0])}",
        "key, common": f"key={key(keys[-1])}", "key, rare": f"key={key(keys[0])}",
        "key and account and status": f"key={key(keys[0])}&account={account(accounts[0])}&status=4xx",
    }
    found = {f"/api/usage/logs, {name}": f"/api/usage/logs?limit=50&{query}" for name, query in asked.items()}
    found["/api/usage/history"] = "/api/usage/history"
    found["/api/usage/history, the last six hours"] = "/api/usage/history?since=-6h"
    found["/api/usage/history, a span"] = f"/api/usage/history?since={at(0.2)}&until={at(0.8)}"
    found["/v1/metrics/providers, 10m"] = "/v1/metrics/providers?window=10m"
    found["/v1/metrics/providers, 24h"] = "/v1/metrics/providers?window=24h"
    found["/v1/admin/routing/decisions"] = "/v1/admin/routing/decisions?limit=50"
    found["/v1/admin/routing/decisions, failovers"] = (
        "/v1/admin/routing/decisions?limit=50&decision_type=FAILOVER")
    found["/v1/admin/routing/decisions, account, rare"] = (
        f"/v1/admin/routing/decisions?limit=50&backend_id={account(accounts[0])}")
    found["/api/events"] = "/api/events?limit=100"
    return found


def measure(gateway, options, first, last):
    asker = Asker(gateway)
    seconds, history = caught_up(asker, options.patience)
    requests = history["totalRequests"]
    note(f"views of {requests} requests made in {seconds:.1f} s after the start")
    rare = min(history["byAccount"].values(), key=lambda row: row["requests"])["connectionId"]
    rows = {}
    for name, path in questions(history, first, last).items():
        times = [asker.ask(path)[1] for _ in range(options.rounds)]
        rows[name] = {
            "first_ms": round(times[0], 2), "p50_ms": round(statistics.median(times), 2),
            "max_ms": round(max(times), 2), "must_ms": LIST_MUST, "met": max(times) < LIST_MUST}
        note(f"  {name}: {rows[name]['p50_ms']} ms, at most {rows[name]['max_ms']}")
    # Pages of a rare account reach far back.
    identities, cursor, dice = [], "", random.Random(options.seed)
    for _ in range(30):
        page, _ = asker.ask(f"/api/usage/logs?limit=100&account={rare}{cursor}")
        identities += [row["requestId"] for row in page["logs"]]
        if "next" not in page:
            break
        cursor = f"&after={page['next']}"
    identities = dice.sample(identities, min(options.audits, len(identities)))
    times = [asker.ask(f"/v1/audit/requests/{identity}")[1] for identity in identities]
    rows["/v1/audit/requests/{id}"] = {
        "first_ms": round(times[0], 2), "p50_ms": round(statistics.median(times), 2),
        "max_ms": round(max(times), 2), "must_ms": AUDIT_MUST,
        # One in a hundred may meet another's turn on two cores.
        "p99_ms": round(statistics.quantiles(times, n=100)[98], 2),
        "met": statistics.quantiles(times, n=100)[98] < AUDIT_MUST}
    return {"events": options.n, "requests": requests, "views_seconds": round(seconds, 1),
            "views_bytes": sum(path.stat().st_size for path in (gateway.data / "views").iterdir()), "rows": rows}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000_000, help="events in the log")
    parser.add_argument("--hours", type=int, default=24, help="over which they are spread, up to now")
    parser.add_argument("--rounds", type=int, default=30, help="how often each list is asked for")
    parser.add_argument("--audits", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=int, default=1_800, help="seconds for the views to be made")
    parser.add_argument("--filler", required=True, help="the program LogBenchmark")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="signalbox-evidence-", dir=ROOT / ".build") as place:
        place = Path(place)
        simulator = Simulator(place, scenario())
        # The log is older than the gateway that opens it, so the key that it is begun under is told.
        environment = {"SIGNALBOX_MASTER_KEY": base64.b64encode(os.urandom(32)).decode()}
        began, last = time.monotonic(), time.time()
        first = last - options.hours * 3600
        step = round(options.hours * 3600e6 / options.n)
        note(f"writing {options.n} events of {options.hours} hours")
        subprocess.run(
            [options.filler, "fill", "--dir", str(place / "data"), "--count", str(options.n), "--segment",
             str(64 << 20), "--seed", str(options.seed), "--declared", "1", "--first", str(round(first * 1000)),
             "--step", str(step)], check=True, stdout=subprocess.DEVNULL)
        note(f"written in {time.monotonic() - began:.0f} s")
        gateway = Gateway(place, configuration(simulator), environment=environment, wait=False)
        try:
            began = time.monotonic()
            eventually(lambda: answers(gateway.port), "/health of the gateway", options.patience)
            note(f"started in {time.monotonic() - began:.1f} s")
            result = measure(gateway, options, first, last)
        finally:
            gateway.stop()
            simulator.stop()
    if options.json:
        print(json.dumps(result))
    else:
        print(f"{result['requests']} requests in {result['events']} events; views made in "
              f"{result['views_seconds']} s, {result['views_bytes'] / 1e6:.1f} MB")
        print(f"{'':46} {'first':>8} {'p50':>8} {'max':>8} {'must':>6}")
        for name, row in result["rows"].items():
            print(f"{name:46} {row['first_ms']:8.2f} {row['p50_ms']:8.2f} {row['max_ms']:8.2f} {row['must_ms']:6}"
                  f"{'' if row['met'] else '  MISSED'}")
    return 0 if all(row["met"] for row in result["rows"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
