#!/usr/bin/env python3
"""The event log beside SQLite, PostgreSQL, Redis and lz4, in one run on one file system.

Short slices alternate (ours, yardstick, ours, yardstick …); before and after each one the raw cost of pwrite and
fdatasync is measured, and a pair in which its median moved by more than a factor of two gives no ratio. A row's ratio
is the median of its pairs' ratios. `LogBenchmark` does our slices and SQLite's; the others bring their own programs.
"""

import argparse
import contextlib
import glob
import json
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = ["6", "postgres", "redis", "7", "8", "9", "10", "11"]
#: Must and goal of DESIGN.md; None where it names none.
TARGETS = {
    "6": (8, 15), "7": (10, 25), "8": (1.05, 0.70), "9": (0.5, 0.8), "10": (6, 3), "11": (1_000, 150),
    "postgres": (None, None), "redis": (None, None)}
LOWER_IS_BETTER = {"8", "10", "11"}
#: By how much fdatasync's median may move within a pair.
MOVED = 2.0

children = []


class Skipped(Exception):
    """What a row needs is not here; the message says what."""


class Failed(Exception):
    """A slice failed or gave a wrong answer."""


def note(text):
    print(text, file=sys.stderr, flush=True)


def spawn(argv, **options):
    child = subprocess.Popen([str(word) for word in argv], **options)
    children.append(child)
    return child


def end(child, first=signal.SIGTERM):
    """Ends a process that we started, by force if it takes more than ten seconds."""
    if child.poll() is None:
        child.send_signal(first)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child in children:
        children.remove(child)


def call(argv, limit=300, **options):
    """Runs a program to its end and returns what it printed."""
    child = spawn(argv, stdout=subprocess.PIPE, **options)
    try:
        output, _ = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise Failed(f"{argv[0]} took more than {limit} s") from None
    finally:
        end(child)
    if child.returncode:
        raise Failed(f"{' '.join(str(word) for word in argv[:3])} … ended with {child.returncode}")
    return output


class Disk:
    """The raw cost of making 4 KiB durable at the end of a growing file, where all data of this run lies."""

    def __init__(self, directory):
        self.path = directory / "probe"

    def p50(self):
        """Microseconds, the median of 200 or of half a second."""
        times = []
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            bound = time.monotonic() + 0.5
            block = os.urandom(4_096)
            while len(times) < 20 or len(times) < 200 and time.monotonic() < bound:
                began = time.perf_counter_ns()
                os.pwrite(file, block, len(times) * len(block))
                os.fdatasync(file)
                times.append(time.perf_counter_ns() - began)
        finally:
            os.close(file)
            os.unlink(self.path)
        return statistics.median(times) / 1e3


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.disk = Disk(directory)
        self.rows = {}

    # --- Slices ------------------------------------------------------------------------------------------------

    def path(self, name):
        """A place that holds nothing yet."""
        path = self.directory / name
        if path.is_dir():
            shutil.rmtree(path)
        for file in glob.glob(str(path) + "*"):
            if os.path.isfile(file):
                os.unlink(file)
        return path

    def tool(self, verb, limit=600, **arguments):
        argv = [self.options.program, verb, "--seed", str(self.options.seed)]
        for name, value in arguments.items():
            argv += [f"--{name.replace('_', '-')}", str(value)]
        return json.loads(call(argv, limit).splitlines()[-1])

    def append(self, callers, batch, style, count):
        place = self.path("append")
        found = self.tool(
            "append", callers=callers, batch=batch, style=style, count=count,
            seconds=self.options.duration, dir=place)
        shutil.rmtree(place)
        return found

    def sqlite(self, batch, count, table):
        place = self.path("sqlite")
        found = self.tool(
            "sqlite-append", batch=batch, count=count, seconds=self.options.duration, file=place, table=table)
        self.path("sqlite")
        return found

    def sqlite_in_python(self, batch):
        """Events a second through Python's driver, which is how the bounds of DESIGN.md came to be."""
        path = self.path("sqlite")
        database = sqlite3.connect(path, isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute(
                "CREATE TABLE events (pos INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, payload BLOB NOT NULL)")
            done, spent = 0, 0.0
            while spent < self.options.duration:
                # Ids in the order of time, and as many bytes as an event of ours has.
                rows = [
                    (done + place, (done + place).to_bytes(8, "big") + os.urandom(8), os.urandom(200))
                    for place in range(1, batch + 1)]
                began = time.perf_counter()
                database.execute("BEGIN")
                database.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
                database.execute("COMMIT")
                spent += time.perf_counter() - began
                done += batch
        finally:
            database.close()
            self.path("sqlite")
        return done / spent

    # --- Pairs -------------------------------------------------------------------------------------------------

    def pairs(self, name, ours, theirs, count=None):
        """Alternating slices until enough pairs stood on a steady disk; at most twice as many as asked for."""
        wanted = count or self.options.pairs
        kept, refused = [], []
        before = self.disk.p50()
        while len(kept) < wanted and len(kept) + len(refused) < 2 * wanted + 1:
            mine = ours()
            between = self.disk.p50()
            other = theirs()
            after = self.disk.p50()
            probes = [before, between, after]
            isSteady = max(probes) <= MOVED * min(probes)
            note(
                f"  row {name}: ours {mine:,.1f}, yardstick {other:,.1f}, fsync p50 "
                f"{before:.0f} → {between:.0f} → {after:.0f} µs{'' if isSteady else ': disk moved, not counted'}")
            pair = {"ours": mine, "yardstick": other, "ratio": mine / other if isSteady else None, "fsync": probes}
            (kept if isSteady else refused).append(pair)
            before = after
        return kept, refused

    def row(self, name, what, unit, yardstick, kept, refused, **extra):
        must, goal = TARGETS[name]
        row = {
            "what": what, "unit": unit, "yardstick": yardstick, "must": must, "goal": goal,
            "better": "lower" if name in LOWER_IS_BETTER else "higher", **summary(kept, refused)}
        row["pairs"] = kept + refused
        row["extra"] = extra
        self.finish(name, row, row["ratio"])

    def finish(self, name, row, figure):
        if figure is None:
            row["verdict"] = "disk moved"
        elif row["must"] is None:
            row["verdict"] = "-"
        else:
            reached = lambda bound: figure <= bound if name in LOWER_IS_BETTER else figure >= bound
            row["verdict"] = "goal" if reached(row["goal"]) else "must" if reached(row["must"]) else "BELOW MUST"
        row["parameters"] = {
            "seed": self.options.seed, "events": self.options.n, "size": self.options.size,
            "duration": self.options.duration}
        self.rows[name] = row

    def several(self, ours):
        """A wrapper that keeps what else a slice told."""
        told = []

        def measure():
            found = ours()
            told.append(found)
            return found["rate"]

        return measure, told

    # --- Rows --------------------------------------------------------------------------------------------------

    def singles(self, style="tasks"):
        return self.append(64, 1, style, int(self.options.duration * 250_000) + 1_000)

    def row_6(self):
        ours, told = self.several(self.singles)
        theirs, also = self.several(lambda: self.sqlite(1, int(self.options.duration * 60_000) + 1_000, "lean"))
        kept, refused = self.pairs("6", ours, theirs)
        sink = self.singles("sink")
        facts = self.pairs(
            "6 same facts", lambda: self.singles()["rate"],
            lambda: self.sqlite(1, int(self.options.duration * 60_000) + 1_000, "whole")["rate"])
        self.row(
            "6", "durable appends, 64 callers × 1", "events/s", "SQLite WAL FULL, 1 a transaction", kept, refused,
            processorMicroseconds=statistics.median(it["processorMicroseconds"] for it in told),
            yardstickProcessorMicroseconds=statistics.median(it["processorMicroseconds"] for it in also),
            answerP50Microseconds=statistics.median(it["p50"] for it in told),
            answerP99Microseconds=statistics.median(it["p99"] for it in told),
            sinkRate=sink["rate"], sinkP50Microseconds=sink["p50"], sinkP99Microseconds=sink["p99"],
            sameFacts=summary(*facts))

    def row_7(self):
        count = int(self.options.duration * 600_000) + 4_000
        ours, told = self.several(lambda: self.append(4, 1_000, "tasks", count))
        theirs, also = self.several(lambda: self.sqlite(1_000, count, "lean"))
        kept, refused = self.pairs("7", ours, theirs)
        sink = self.append(4, 1_000, "sink", count)
        facts = self.pairs(
            "7 same facts", lambda: self.append(4, 1_000, "tasks", count)["rate"],
            lambda: self.sqlite(1_000, count, "whole")["rate"])
        python = self.pairs(
            "7 through Python", lambda: self.append(4, 1_000, "tasks", count)["rate"],
            lambda: self.sqlite_in_python(1_000))
        self.row(
            "7", "durable bulk, 4 callers × 1,000", "events/s", "SQLite WAL FULL, 1,000 a transaction", kept,
            refused, processorMicroseconds=statistics.median(it["processorMicroseconds"] for it in told),
            yardstickProcessorMicroseconds=statistics.median(it["processorMicroseconds"] for it in also),
            sinkRate=sink["rate"], sameFacts=summary(*facts), throughPython=summary(*python))

    def sized(self):
        """The log of rows 8 and 9, the same events as JSON lines, and those compressed; made once."""
        place = self.directory / "sized"
        lines, packed = self.directory / "sized.jsonl", self.directory / "sized.lz4"
        if not place.exists():
            note(f"  {self.options.size:,} events for rows 8 and 9")
            self.tool("fill", count=self.options.size, dir=place, segment=self.options.segment)
            weight = self.tool("weigh", dir=place)
            isSealed = weight["sealedFiles"] > 0
            through = int(weight["sealedThrough"] if isSealed else weight["last"])
            self.size = {
                "isSealed": isSealed, "through": through,
                "bytes": weight["sealedBytes"] if isSealed else weight["bytes"]}
            exported = self.tool("export", dir=place, through=through, to=lines)
            if exported["events"] != through:
                raise Failed(f"{exported['events']} of {through} events were exported")
            self.size["jsonBytes"] = exported["bytes"]
            if not shutil.which("lz4"):
                raise Skipped("no lz4 on PATH")
            call(["lz4", "-1", "-q", "-f", lines, packed])
            self.size["packedBytes"] = packed.stat().st_size
            lines.unlink()
        return place, packed, self.size

    def row_8(self):
        before = self.disk.p50()
        _, _, size = self.sized()
        ratio = size["bytes"] / size["packedBytes"]
        pair = {
            "ours": size["bytes"], "yardstick": size["packedBytes"], "ratio": ratio,
            "fsync": [before, self.disk.p50()]}
        what = "sealed bytes" if size["isSealed"] else "bytes of segments as written (NOT SEALED)"
        self.row(
            "8", what, "bytes", "lz4 -1 of the same events as JSON lines", [pair], [], events=size["through"],
            isSealed=size["isSealed"], bytesAnEvent=size["bytes"] / size["through"],
            yardstickBytesAnEvent=size["packedBytes"] / size["through"], jsonBytes=size["jsonBytes"])

    def row_9(self):
        place, packed, size = self.sized()
        through = size["through"]

        def unpack():
            times = []
            with open(os.devnull, "wb") as nothing:
                # The first pass warms the kernel's pages and is not counted.
                for number in range(4):
                    began = time.perf_counter()
                    child = spawn(["lz4", "-d", "-q", "-c", packed], stdout=nothing)
                    status = child.wait(120)
                    took = time.perf_counter() - began
                    end(child)
                    if status:
                        raise Failed(f"lz4 -d ended with {status}")
                    if number:
                        times.append(took)
            return through / statistics.median(times)

        told = []

        def scan():
            told.append(self.tool("scan", dir=place, through=through))
            return through / told[-1]["seconds"]

        kept, refused = self.pairs("9", scan, unpack)
        verify = self.tool("verify", dir=place, through=through)
        self.row(
            "9", "scan with all checks", "events/s", "lz4 -d of those lines to /dev/null", kept, refused,
            events=through, isSealed=size["isSealed"], verifyRate=through / verify["seconds"],
            openSeconds=statistics.median(it["openSeconds"] for it in told),
            peakMemory=max(it["peakMemory"] for it in told))

    def large(self):
        """The log of rows 10 and 11; made once."""
        place = self.directory / "large"
        if not place.exists():
            note(f"  {self.options.n:,} events for rows 10 and 11")
            self.filled = self.tool(
                "fill", limit=900, count=self.options.n, dir=place, segment=self.options.segment)
        return place

    def row_10(self):
        place, table = self.large(), self.directory / "large.sqlite"
        self.tool("sqlite-fill", limit=900, count=self.options.n, file=table)
        turn = iter(range(1_000))
        ours, theirs = [], []

        def lookups():
            seed = self.options.seed + next(turn)
            ours.append(self.tool(
                "lookup", dir=place, count=self.options.n, probes=self.options.probes, probe_seed=seed))
            return ours[-1]["p50"]

        def sqlite():
            theirs.append(self.tool(
                "sqlite-lookup", file=table, count=self.options.n, probes=self.options.probes,
                probe_seed=self.options.seed + len(ours) - 1))
            return theirs[-1]["p50"]

        kept, refused = self.pairs("10", lookups, sqlite)
        middle = lambda told, key: statistics.median(it[key] for it in told)
        self.row(
            "10", f"lookup by id among {self.options.n:,} events, warm p50", "µs",
            "SQLite, unique index over the id", kept, refused,
            **{key: middle(ours, key) for key in (
                "p99", "keyP50", "keyP99", "missP50", "missP99", "openSeconds", "peakMemory")},
            sqlite={key: middle(theirs, key) for key in (
                "p99", "mappedP50", "mappedP99", "missP50", "missP99")})
        self.path("large.sqlite")

    def row_11(self):
        place = self.large()
        before = self.disk.p50()
        small = self.kills(place, fill=0)
        full = self.kills(place, fill=1)
        after = self.disk.p50()
        figure = statistics.median(life["answered"] for life in full)
        middle = lambda lives, key: statistics.median(life[key] for life in lives)
        row = {
            "what": f"process start to first durable answer after kill -9, {self.options.n:,} events",
            "unit": "ms", "ours": figure, "yardstick": "none: an absolute figure", "yardstickFigure": None,
            "ratio": None, "ratioLow": min(life["answered"] for life in full),
            "ratioHigh": max(life["answered"] for life in full), "must": TARGETS["11"][0],
            "goal": TARGETS["11"][1], "better": "lower", "fsyncP50Before": before, "fsyncP50After": after,
            "runs": len(full), "refused": 0, "pairs": full,
            "extra": {
                "opened": middle(full, "opened"), "openCall": middle(full, "open"),
                "tailEvents": middle(full, "tail"), "answeredAsFilled": middle(small, "answered"),
                "openedAsFilled": middle(small, "opened"), "tailEventsAsFilled": middle(small, "tail"),
                "peakMemory": max(life["peakMemory"] for life in small + full)}}
        self.finish("11", row, figure)

    def kills(self, place, fill):
        """Opens, appends and is killed, again and again; gives the lives that began after a kill."""
        dice = random.Random(self.options.seed + fill)
        lives, promised = [], 0
        for number in range(self.options.kills + 1):
            started = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            child = spawn(
                [self.options.program, "victim", "--seed", str(self.options.seed), "--dir", place, "--started",
                 str(started), "--fill", str(fill), "--segment", str(self.options.segment)],
                stdout=subprocess.PIPE)
            # A victim that hangs ends the run instead of waiting with it.
            signal.alarm(180)
            try:
                life = json.loads(child.stdout.readline() or "null")
                if life is None or child.stdout.readline() != b"filled\n":
                    raise Failed(f"the process to be killed ended by itself with {child.wait()}")
                time.sleep(dice.uniform(0.05, 0.2))
                child.kill()
                lines = child.stdout.read().split(b"\n")
            finally:
                signal.alarm(0)
                end(child)
            if life["found"] < promised:
                raise Failed(f"{promised} was answered as durable, after kill -9 the log ends at {life['found']}")
            # The last piece may have been cut by the kill.
            promised = max([promised] + [int(line) for line in lines[:-1] if line])
            note(
                f"  row 11: {'clean stop' if number == 0 else 'kill -9'}, open segment {life['tail']:,.0f} events: "
                f"open {life['open']:.0f} ms, first durable answer {life['answered']:.0f} ms after process start")
            if number > 0:
                lives.append(life)
        return lives

    def row_postgres(self):
        with Postgres(self.directory, self.payload()) as server:
            kept, refused = self.pairs(
                "postgres", lambda: self.singles()["rate"], lambda: server.rate(self.options.duration))
        self.row(
            "postgres", "durable appends, 64 callers × 1", "events/s",
            f"{server.version}, pgbench, 64 clients (pays a socket and a protocol)", kept, refused)

    def row_redis(self):
        with Redis(self.directory, self.payload()) as server:
            kept, refused = self.pairs(
                "redis", lambda: self.singles()["rate"], lambda: server.rate(self.options.duration))
        self.row(
            "redis", "durable appends, 64 callers × 1", "events/s",
            f"{server.version} XADD, AOF always, 64 clients (pays a socket and a protocol)", kept, refused)

    def payload(self):
        return call([self.options.program, "payload", "--seed", str(self.options.seed)]).decode().strip()


class Postgres:
    """A cluster of its own: reachable over a private socket only, gone with the run."""

    def __init__(self, directory, payload):
        self.home = directory / "postgres"
        self.payload = payload
        self.sockets = None
        self.child = None

    def __enter__(self):
        places = [os.path.dirname(found)] if (found := shutil.which("initdb")) else []
        places += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
        self.bin = next((Path(place) for place in places if os.access(f"{place}/pgbench", os.X_OK)), None)
        if not self.bin:
            found = shutil.which("pgbench")
            raise Skipped("no PostgreSQL with pgbench (package postgresql)" if not found else "no initdb beside pgbench")
        # The server refuses to run as root.
        self.user = []
        self.home.mkdir()
        self.sockets = Path(tempfile.mkdtemp(prefix="signalbox-pg-"))
        if os.geteuid() == 0:
            self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            for place in (self.home, self.sockets):
                shutil.chown(place, "postgres", "postgres")
        try:
            if subprocess.run([*self.user, "test", "-x", str(self.home)], check=False).returncode:
                raise Skipped(f"the user postgres cannot reach {self.home}; give another DATA")
            self.version = "PostgreSQL " + call([self.bin / "postgres", "--version"]).decode().split()[2]
            self.run("initdb", "-D", self.home / "data", "-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C",
                     "--no-sync")
            self.log = open(self.home.parent / "postgres.log", "wb")
            self.child = spawn(
                [*self.user, self.bin / "postgres", "-D", self.home / "data", "-k", self.sockets, "-c",
                 "listen_addresses=", "-c", "fsync=on", "-c", "synchronous_commit=on", "-c",
                 "unix_socket_permissions=0700"], stdout=self.log, stderr=self.log, cwd="/")
            bound = time.monotonic() + 30
            while subprocess.run(
                    [self.bin / "pg_isready", "-q", "-h", self.sockets], check=False).returncode:
                if time.monotonic() > bound or self.child.poll() is not None:
                    raise Failed("PostgreSQL did not start: " + (self.home.parent / "postgres.log").read_text()[-400:])
                time.sleep(0.05)
            self.sql("CREATE TABLE events (pos bigserial PRIMARY KEY, id uuid NOT NULL UNIQUE, payload bytea NOT NULL)")
            self.script = self.sockets / "insert.sql"
            self.script.write_text(
                f"INSERT INTO events (id, payload) VALUES (gen_random_uuid(), decode('{self.payload}', 'hex'));\n")
            os.chmod(self.script, 0o644)
            return self
        except BaseException:
            self.__exit__()
            raise

    def run(self, program, *arguments):
        return call([*self.user, self.bin / program, *arguments], stderr=subprocess.DEVNULL, cwd="/")

    def sql(self, text):
        self.run("psql", "-q", "-h", self.sockets, "-U", "bench", "-d", "postgres", "-c", text)

    def rate(self, duration):
        self.sql("TRUNCATE events")
        output = self.run(
            "pgbench", "-n", "-M", "prepared", "-f", self.script, "-c", "64", "-j", "2", "-T",
            str(max(1, round(duration))), "-h", self.sockets, "-U", "bench", "postgres").decode()
        for line in output.splitlines():
            if line.startswith("number of failed") and " 0 " not in line:
                raise Failed(f"pgbench: {line}")
        return next(float(line.split()[2]) for line in output.splitlines() if line.startswith("tps ="))

    def __exit__(self, *_):
        if self.child:
            # What PostgreSQL calls fast: no waiting for clients.
            end(self.child, signal.SIGINT)
        if self.sockets:
            shutil.rmtree(self.sockets, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)


class Redis:
    """A server of its own on a private socket, every write synced before it is answered."""

    def __init__(self, directory, payload):
        self.home = directory / "redis"
        self.payload = bytes.fromhex(payload)
        self.child = self.sockets = None
        self.last = 5_000

    def __enter__(self):
        for program in ("redis-server", "redis-benchmark", "redis-cli"):
            if not shutil.which(program):
                raise Skipped(f"no {program} on PATH (packages redis-server and redis-tools)")
        version = call(["redis-server", "--version"]).decode()
        self.version = "Redis " + version.split("v=")[1].split()[0]
        self.home.mkdir()
        self.sockets = Path(tempfile.mkdtemp(prefix="signalbox-redis-"))
        self.socket = self.sockets / "s"
        try:
            self.child = spawn(
                ["redis-server", "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700", "--dir",
                 self.home, "--save", "", "--appendonly", "yes", "--appendfsync", "always",
                 "--auto-aof-rewrite-percentage", "0", "--daemonize", "no"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            bound = time.monotonic() + 20
            while subprocess.run(
                    ["redis-cli", "-s", self.socket, "ping"], capture_output=True, check=False).stdout != b"PONG\n":
                if time.monotonic() > bound or self.child.poll() is not None:
                    raise Failed("Redis did not start")
                time.sleep(0.05)
            # How many make a slice of the asked length.
            self.rate(0)
            return self
        except BaseException:
            self.__exit__()
            raise

    def rate(self, duration):
        count = max(5_000, int(self.last * duration))
        child = spawn(
            ["redis-benchmark", "-s", self.socket, "-c", "64", "-n", str(count), "--csv", "-x", "XADD", "log", "*",
             "payload"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            output, errors = child.communicate(self.payload, timeout=120)
        finally:
            end(child)
        if child.returncode:
            raise Failed(f"redis-benchmark: {errors.decode()[-300:]}")
        self.last = float(output.decode().strip().splitlines()[-1].split(",")[1].strip('"'))
        written = int(call(["redis-cli", "-s", self.socket, "xlen", "log"]).split()[-1])
        if written < count:
            raise Failed(f"Redis took {written} of {count} events")
        call(["redis-cli", "-s", self.socket, "del", "log"])
        return self.last

    def __exit__(self, *_):
        if self.child:
            end(self.child)
        if self.sockets:
            shutil.rmtree(self.sockets, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)


def summary(kept, refused):
    """Medians over the pairs that count; where none does, figures without a ratio are still worth seeing."""
    middle = lambda value: statistics.median(value(pair) for pair in kept or refused)
    ratios = [pair["ratio"] for pair in kept]
    return {
        "ours": middle(lambda it: it["ours"]), "yardstickFigure": middle(lambda it: it["yardstick"]),
        "ratio": statistics.median(ratios) if kept else None, "ratioLow": min(ratios, default=None),
        "ratioHigh": max(ratios, default=None), "fsyncP50Before": middle(lambda it: it["fsync"][0]),
        "fsyncP50After": middle(lambda it: it["fsync"][-1]), "runs": len(kept), "refused": len(refused)}


# --- The table -------------------------------------------------------------------------------------------------


def shown(value, unit):
    if value is None:
        return "-"
    if unit == "events/s":
        return f"{value / 1e3:,.1f} k/s" if value < 1e6 else f"{value / 1e6:,.2f} M/s"
    if unit == "bytes":
        return f"{value / 1e6:,.1f} MB"
    return f"{value:,.1f} {unit}"


def table(rows):
    lines = [["row", "what", "ours", "yardstick", "its figure", "ratio (range)", "must", "goal", "fsync p50 µs", "runs",
              "reached"]]
    for name in ROWS:
        if name not in rows:
            continue
        row = rows[name]
        if "error" in row:
            lines.append([name, row["error"]] + [""] * 8 + [row["verdict"]])
            continue
        unit = row["unit"]
        if name == "11":
            ratio = f"- ({row['ratioLow']:.0f}–{row['ratioHigh']:.0f} ms)"
            bounds = [f"{row['must']:,} ms", f"{row['goal']:,} ms"]
        else:
            ratio = "disk moved" if row["ratio"] is None else (
                f"{row['ratio']:.2f} ({row['ratioLow']:.2f}–{row['ratioHigh']:.2f})")
            sign = "≤ " if row["better"] == "lower" else "≥ "
            bounds = ["-" if bound is None else f"{sign}{bound:g}" for bound in (row["must"], row["goal"])]
        fsync = "-" if row["fsyncP50Before"] is None else (
            f"{row['fsyncP50Before']:.0f} → {row['fsyncP50After']:.0f}")
        refused = f" (+{row['refused']} refused)" if row["refused"] else ""
        lines.append([
            name, row["what"], shown(row["ours"], unit), row["yardstick"], shown(row["yardstickFigure"], unit), ratio,
            *bounds, fsync, f"{row['runs']}{refused}", row["verdict"]])
    widths = [max(len(line[column]) for line in lines if not line[1].startswith("error")) for column in range(11)]
    text = []
    for line in lines:
        if line[2:10] == [""] * 8:
            text.append(f"{line[0].ljust(widths[0])}  {line[10]}: {line[1]}")
        else:
            text.append("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    for name in ROWS:
        extra = {key: value for key, value in rows.get(name, {}).get("extra", {}).items()}
        if extra:
            text.append("")
            text.append(f"row {name} also: " + ", ".join(f"{key} {brief(value)}" for key, value in extra.items()))
    return "\n".join(text)


def brief(value):
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {brief(it)}" for key, it in value.items()) + ")"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1_000 or value == int(value) else f"{value:.3g}"


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "Benchmarks/.build/release/LogBenchmark"))
    parser.add_argument("--data", default=str(ROOT / ".build/bench"), help="where data may be written; all of it goes again")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--duration", type=float, default=2, help="seconds of a slice of rows 6 and 7")
    parser.add_argument("--n", type=int, default=10_000_000, help="events of rows 10 and 11")
    parser.add_argument("--size", type=int, default=1_000_000, help="events of rows 8 and 9")
    parser.add_argument("--probes", type=int, default=20_000, help="lookups of a slice of row 10")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--segment", type=int, default=64 << 20, help="bytes of a segment in rows 8 to 11")
    parser.add_argument("--seed", type=int, default=20_261_120)
    parser.add_argument("--json", action="store_true", help="one JSON object keyed by row instead of the table")
    parser.add_argument("--quick", action="store_true", help="tiny and meaningless, to see that everything runs")
    found = parser.parse_args()
    if found.quick:
        found.pairs, found.duration, found.n, found.size = 1, 0.3, 20_000, 20_000
        found.probes, found.kills, found.segment = 500, 2, 1 << 20
    if min(found.pairs, found.n, found.size, found.probes, found.kills) < 1 or found.duration <= 0:
        parser.error("pairs, n, size, probes, kills and duration must be positive")
    return found


def interrupted(*_):
    # Once is enough: what follows is cleaning up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def hung(*_):
    raise Failed("a process to be killed gave no sign for three minutes")


def main():
    asked = options()
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGALRM, hung)
    Path(asked.data).mkdir(parents=True, exist_ok=True)
    needed = 450 * asked.n * ("10" in asked.rows or "11" in asked.rows) + 1_400 * asked.size + (1 << 30)
    free = os.statvfs(asked.data).f_bavail * os.statvfs(asked.data).f_frsize
    if free < needed:
        raise SystemExit(f"error: {asked.data} has {free >> 20} MiB free, this run needs {needed >> 20}; give another DATA")
    directory = Path(tempfile.mkdtemp(prefix="log-", dir=asked.data))
    # PostgreSQL runs as another user and must pass through.
    directory.chmod(0o711)
    bench = Bench(asked, directory)
    status = 0
    began = time.monotonic()
    try:
        for name in ROWS:
            if name not in asked.rows:
                continue
            note(f"── row {name}")
            try:
                getattr(bench, f"row_{name}")()
            except Skipped as reason:
                note(f"SKIPPED row {name}: {reason}")
                bench.rows[name] = {"error": str(reason), "verdict": "SKIPPED", "ratio": None}
            except Failed as reason:
                note(f"FAILED row {name}: {reason}")
                bench.rows[name] = {"error": str(reason), "verdict": "FAILED", "ratio": None}
                status = 1
    except KeyboardInterrupt:
        note("interrupted; cleaning up")
        status = 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for child in list(children):
            end(child)
        shutil.rmtree(directory, ignore_errors=True)
    note(f"{time.monotonic() - began:.0f} s, seed {asked.seed}")
    if status == 130:
        return status
    with contextlib.suppress(OSError):
        Path(asked.data, "log.json").write_text(json.dumps(bench.rows, indent=2) + "\n")
    print(json.dumps(bench.rows, indent=2) if asked.json else table(bench.rows), flush=True)
    if status == 0 and any(row["verdict"] == "disk moved" for row in bench.rows.values()):
        note("the disk moved by more than a factor of two within every pair of a row: no conclusion there")
        return 3
    return status


if __name__ == "__main__":
    sys.exit(main())
