#!/usr/bin/env python3
"""Rows 1 to 5 and 12 of the targets: Signalbox beside nginx as bare reverse proxy, and LiteLLM, in one run on one machine.

Row 15 is beside the targets: what it costs to translate, compared with forwarding within one protocol.

Short slices alternate and change their order in every pair, so that what the machine does meanwhile hits all alike. A
figure is the median of the pairs' ratios. If nginx itself moved by more than a factor of two between its slices, or the
upstream asked directly was restless, nothing is concluded and the exit status is 3.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "replay"))
import replay as decisions  # noqa: E402
from programs import (  # noqa: E402
    BODY, MODEL, ROOT, TRANSLATED, Bench, Failed, Program, Skipped, chat, litellm_program, note, wrk)

ROWS = ["1", "2", "3", "4", "5", "12", "15"]
#: By how much nginx may move between its slices.
MOVED = 2.0
#: Row 2 wants a machine that is left alone: the upstream's own p99 as a multiple of its p50.
RESTLESS = 6
#: Streams: milliseconds over which they open, and seconds for which all of them run.
RAMP, HOLD = 1_500, 3
PACE = 50  # frames a second of a stream


def middle(values):
    return statistics.median(values)


def verdict_of(figure, must, goal, better):
    reaches = (lambda bound: figure <= bound) if better == "lower" else (lambda bound: figure >= bound)
    return "BELOW MUST" if not reaches(must) else "goal" if reaches(goal) else "must"


def worst(verdicts):
    order = ["FAILED", "SKIPPED", "unsteady", "BELOW MUST", "must", "goal"]
    return min(verdicts, key=order.index)


class Part:
    """One figure of a row: what is compared with must and goal."""

    def __init__(self, what, unit, yardstick, must, goal, better="higher", judge="ratio"):
        self.what, self.unit, self.yardstick = what, unit, yardstick
        self.must, self.goal, self.better, self.judge = must, goal, better, judge
        self.pairs = []
        self.moved = False
        self.extra = {}

    @staticmethod
    def made(ours, yardstick):
        """A yardstick of nothing, or less by the noise of a difference, gives no ratio."""
        return {"ours": ours, "yardstick": yardstick, "ratio": ours / yardstick if yardstick > 0 else None}

    def pair(self, ours, yardstick):
        self.pairs.append(self.made(ours, yardstick))

    def value(self):
        ratios = [pair["ratio"] for pair in self.pairs if pair["ratio"] is not None]
        found = {
            "what": self.what, "unit": self.unit, "ours": middle(pair["ours"] for pair in self.pairs),
            "yardstick": self.yardstick, "yardstickFigure": middle(pair["yardstick"] for pair in self.pairs),
            "ratio": middle(ratios) if ratios else None, "ratioLow": min(ratios, default=None),
            "ratioHigh": max(ratios, default=None), "must": self.must, "goal": self.goal, "better": self.better,
            "judged": self.judge, "runs": len(self.pairs), "pairs": self.pairs}
        figure = found[self.judge]
        found["verdict"] = "unsteady" if self.moved or figure is None else verdict_of(
            figure, self.must, self.goal, self.better)
        found["extra"] = self.extra
        return found


class Run:
    def __init__(self, options, bench):
        self.options, self.bench = options, bench
        self.rows = {}
        self.peaks = {}
        self.starts = {}
        self.extra = {name: {} for name in ROWS}

    def wants(self, *names):
        return any(name in self.options.rows for name in names)

    def finish(self, name, parts):
        """The row's own figures are those of its first part; its verdict is the worst of all."""
        values = {key: part.value() for key, part in parts.items()}
        first = next(iter(values.values()))
        self.rows[name] = {
            **first, "verdict": worst([value["verdict"] for value in values.values()]), "parts": values,
            "extra": self.extra[name]}
        for key, value in values.items():
            ratio = "-" if value["ratio"] is None else f"{value['ratio']:.2f}"
            note(f"  row {name} {key}: {shown(value['ours'], value['unit'])}, ratio {ratio}: {value['verdict']}")

    # --- Rows 1 and 3: requests per second ---------------------------------------------------------------------

    def slice_of(self, program, connections, bears_errors=False, model=MODEL):
        before = program.cpu_seconds()
        result = wrk(program.port, connections, self.options.duration, bears_errors, model)
        used = program.cpu_seconds() - before
        found = {
            "rate": result["requests"] / (result["microseconds"] / 1e6),
            "cpu": used / max(1, result["requests"]) * 1e6, "errors": result["errors"]}
        note(f"  {connections:4} connections  {program.name:20} {found['rate']:9.0f} req/s  CPU {found['cpu']:7.1f} µs")
        return found

    def rounds(self, programs, connections):
        """One slice of each program per pair, every second pair in reverse order."""
        taken = []
        for number in range(self.options.pairs):
            order = programs if number % 2 == 0 else list(reversed(programs))
            taken.append({program.name: self.slice_of(program, connections) for program in order})
        return taken

    def moved(self, taken):
        rates = [row["nginx"]["rate"] for row in taken]
        return max(rates) / min(rates) > MOVED

    def rows_1_to_3(self):
        upstream = self.bench.upstream()
        nginx = self.bench.yardstick(upstream).wait()
        gateways = {}
        for mode in ["standard"] + (["off", "strict"] if self.wants("3") else []):
            gateways[mode] = self.bench.gateway(mode, upstream).wait()
            status, body = chat(gateways[mode].port)
            if body.decode() != BODY:
                raise Failed(f"signalbox {mode}: not the upstream's answer but {status} {body[:200]!r}")
        programs = [nginx, *gateways.values()]
        for program in programs:
            wrk(program.port, 32, 1)
        standard = gateways["standard"]
        recording = {}
        if self.wants("1", "3", "5"):
            note("── rows 1 and 3, 32 connections")
            for program in (nginx, standard):
                program.forget_peak()
            taken = self.rounds(programs, 32)
            for program in (nginx, standard):
                self.peaks.setdefault(program.name.split()[0], {})["row 1"] = program.peak_bytes()
            self.row_1(taken)
            self.recording(recording, taken, 32)
        if self.wants("2"):
            note("── row 2")
            self.row_2(upstream, nginx, standard)
        if self.wants("3"):
            note("── row 3, 256 connections")
            self.recording(recording, self.rounds(programs, 256), 256)
            self.finish("3", recording)
        if self.options.litellm:
            self.litellm_1_2_5(upstream)
        for program in [*reversed(programs), upstream]:
            program.stop()

    def row_1(self, taken):
        rate = Part("requests/s, 32 connections, standard", "req/s", "nginx, bare", 0.60, 0.90)
        cpu = Part("CPU per request, 32 connections, standard", "µs", "nginx, bare", 2.2, 1.3, "lower")
        for row in taken:
            ours, theirs = row["signalbox standard"], row["nginx"]
            rate.pair(ours["rate"], theirs["rate"])
            cpu.pair(ours["cpu"], theirs["cpu"])
        rate.moved = self.moved(taken)
        self.standard_rate = middle(row["signalbox standard"]["rate"] for row in taken)
        if self.wants("1"):
            self.finish("1", {"rate": rate, "cpu": cpu})

    def recording(self, parts, taken, connections):
        if "signalbox off" not in taken[0]:
            return
        for mode, must, goal in (("standard", 0.75, 0.92), ("strict", 0.45, 0.70)):
            part = Part(f"{mode}, {connections} connections", "req/s", "recording off", must, goal)
            for row in taken:
                part.pair(row[f"signalbox {mode}"]["rate"], row["signalbox off"]["rate"])
            part.moved = self.moved(taken)
            parts[f"{mode}{connections}"] = part

    # --- Row 2: added latency ----------------------------------------------------------------------------------

    def row_2(self, upstream, nginx, standard):
        rate, seconds = self.options.rate, self.options.duration * 2
        ports = [upstream.port, nginx.port, standard.port]
        part = Part(
            "added p99, one connection, open loop", "µs", "nginx's added p99", 3, 1.5, "lower")
        halves, refused = [], []
        for number in range(self.options.pairs):
            # The three take turns within the slice: each of them has a request due every 1/rate seconds.
            order = list(range(3)) if number % 2 == 0 else [2, 1, 0]
            found = self.bench.load(
                "rate", rate, seconds, 1, len(BODY), *(ports[place] for place in order), limit=seconds + 30)
            by_port = dict(zip(order, found["targets"]))
            direct, yardstick, ours = by_port[0], by_port[1], by_port[2]
            note(f"  at {rate}/s p50 {direct['p50']} {yardstick['p50']} {ours['p50']} µs, p99 {direct['p99']} "
                 f"{yardstick['p99']} {ours['p99']} µs (upstream, nginx, ours); generator woke {found['waking']['p99']} "
                 f"µs late at p99")
            added, own = ours["p99"] - direct["p99"], yardstick["p99"] - direct["p99"]
            halves.append((ours["p50"] - direct["p50"], yardstick["p50"] - direct["p50"]))
            restless = direct["p99"] > RESTLESS * direct["p50"]
            (refused if restless else part.pairs).append(part.made(added, own))
        # Figures without a verdict are still worth seeing.
        part.moved = not part.pairs
        part.pairs = part.pairs or refused
        self.extra["2"] = {
            "rate": rate, "refused": len(refused), "addedP50": middle(ours for ours, _ in halves),
            "nginxAddedP50": middle(theirs for _, theirs in halves)}
        # Half of what we do at most: the same schedule for both, which take turns.
        if self.wants("1", "3", "5"):
            each = max(100, round(self.standard_rate / 4))
            loaded = [
                self.bench.load("rate", each, self.options.duration, 32, len(BODY), nginx.port, standard.port,
                                limit=self.options.duration + 30)["targets"] for _ in range(self.options.pairs)]
            self.extra["2"]["loaded"] = {
                "rateOfEach": each, **{
                    f"{name}{key.upper()}": middle(found[place][key] for found in loaded)
                    for place, name in ((0, "nginx"), (1, "ours")) for key in ("p50", "p99", "p999")}}
        self.finish("2", {"added": part})

    # --- Row 4: streams ----------------------------------------------------------------------------------------

    def row_4(self):
        note("── row 4")
        ramp, hold = (200, 1) if self.options.quick else (RAMP, HOLD)
        self.ramp, frames = ramp, ramp * PACE // 1_000 + hold * PACE
        paced = self.bench.paced(frames)
        nginx = self.bench.yardstick(paced, buffering="off").wait()
        ours = self.bench.gateway("standard", paced).wait()
        for program in (nginx, ours):
            program.forget_peak()
        tries = []
        held = self.climb([nginx, ours], frames, tries)
        for program in (nginx, ours):
            self.peaks.setdefault(program.name.split()[0], {})["row 4"] = program.peak_bytes()
        if self.wants("4"):
            part = Part(
                f"streams at {1000 // PACE} ms pace", "streams", "nginx, bare, unbuffered", 1_024, max(1, held[nginx]),
                judge="ours")
            part.pair(held[ours], held[nginx])
            # Where nginx does not hold what we must, the machine has no room for the question.
            part.moved = max(held.values()) < 1_024
            self.extra["4"] = {**self.frame_costs(tries), "tries": len(tries)}
            self.finish("4", {"streams": part})
        if self.options.litellm:
            self.litellm_4(paced, frames)
        for program in (ours, nginx, paced):
            program.stop()

    def streams(self, program, count, frames, tries):
        before = program.cpu_seconds()
        found = self.bench.load("streams", program.port, count, self.ramp, frames, limit=60 + self.ramp / 1e3 + frames / PACE)
        found.update(program=program.name, cpu=(program.cpu_seconds() - before) / max(1, found["frames"]) * 1e6)
        tries.append(found)
        note(f"  {count:5} streams  {program.name:20} {'held' if found['holds'] else found['reason']}, late p99 "
             f"{found['late']['p99'] / 1e3:.1f} ms, at most {found['late']['max'] / 1e3:.0f} ms, CPU {found['cpu']:.1f} µs "
             f"a frame")
        return found["holds"]

    def holds(self, program, count, frames, tries):
        """Two of three tries."""
        won = lost = 0
        while won < 2 and lost < 2:
            if self.streams(program, count, frames, tries):
                won += 1
            else:
                lost += 1
                # What the broken try left behind must not burden the next.
                time.sleep(1)
        return won == 2

    def climb(self, programs, frames, tries):
        """The largest power of two that each holds."""
        held = {program: 0 for program in programs}
        step, climbing = self.options.streams, list(programs)
        falling = []
        while climbing and step <= 8_192:
            for program in list(climbing):
                if self.holds(program, step, frames, tries):
                    held[program] = step
                else:
                    climbing.remove(program)
                    if not held[program]:
                        falling.append(program)
            climbing.reverse()
            step *= 2
            if self.options.quick:
                break
        for program in falling:
            step = self.options.streams // 2
            while step and not self.holds(program, step, frames, tries):
                step //= 2
            held[program] = step
        return held

    def frame_costs(self, tries):
        """CPU microseconds of a frame at the largest step that both held."""
        costs = {}
        for found in tries:
            if found["holds"]:
                costs.setdefault(found["streams"], {}).setdefault(found["program"].split()[0], []).append(found)
        both = [count for count, programs in costs.items() if len(programs) == 2]
        if not both:
            return {}
        at = costs[max(both)]
        return {"at": max(both), **{
            name: {"cpuMicroseconds": middle(it["cpu"] for it in found),
                   "lateP99": middle(it["late"]["p99"] for it in found),
                   "firstFrameP99": middle(it["first"]["p99"] for it in found)}
            for name, found in at.items()}}

    # --- Row 5: memory and start -------------------------------------------------------------------------------

    def cold_starts(self):
        """From nothing on disk to the first answer; nginx and ours in turn."""
        note("── row 5, starts")
        upstream = self.bench.upstream()
        for _ in range(self.options.pairs):
            for program in (self.bench.yardstick(upstream), self.bench.gateway("standard", upstream)):
                for which, started in (("first", lambda: program), ("again", program.again)):
                    life = started().wait()
                    life.stop()
                    self.starts.setdefault((program.name.split()[0], which), []).append(life.first_answer * 1e3)
        upstream.stop()

    def row_5(self):
        memory = Part("peak resident memory, rows 1 and 4", "MB", "nginx", 96, 48, "lower", judge="ours")
        peaks = self.peaks
        memory.pair(max(peaks["signalbox"].values()) / 1e6, max(peaks["nginx"].values()) / 1e6)
        start = Part("process start to first answer, empty directory", "ms", "nginx", 300, 100, "lower", judge="ours")
        for ours, theirs in zip(self.starts["signalbox", "first"], self.starts["nginx", "first"]):
            start.pair(ours, theirs)
        self.extra["5"]["peakMegabytes"] = {
            name: {row: round(value / 1e6, 1) for row, value in found.items()} for name, found in peaks.items()}
        # A first start hashes the administrator's password, which is made to be slow; later ones do not.
        self.extra["5"]["startAgainMilliseconds"] = round(middle(self.starts["signalbox", "again"]), 1)
        self.finish("5", {"memory": memory, "start": start})

    # --- Row 12: decisions made again --------------------------------------------------------------------------

    def row_12(self):
        note("── row 12")
        count = 20_000 if self.options.quick else self.options.decisions
        log = self.bench.directory / "decisions"
        try:
            events = decisions.fill(self.options.filler, log, count)
            found, opening = decisions.measure(self.options.bin / "replay", log, max(2, self.options.pairs))
            check = json.loads(decisions.run(
                [self.options.filler, "verify", "--seed", "1", "--dir", log, "--through", str(events)])[0])
        except decisions.Broken as reason:
            raise Failed(str(reason)) from reason
        part = Part(
            "decisions made again a second and core, all checks of `verify` included", "/s",
            "the log's own check of the same bytes, events a second", 200_000, 1_000_000, judge="ours")
        for one in found:
            part.pair(one["rate"], check["events"] / check["seconds"])
        self.extra["12"] = {
            "decisions": found[0]["decisions"], "openMilliseconds": round(opening, 1),
            "peakMegabytes": round(max(one["memory"] for one in found) / 1e6, 1)}
        self.finish("12", {"decisions": part})
        shutil.rmtree(log, ignore_errors=True)

    # --- Row 15: translation -----------------------------------------------------------------------------------

    def row_15(self):
        """The same gateway is asked for a model of the client's protocol and for one of another, in turn."""
        note("── row 15")
        upstream = self.bench.upstream()
        gateway = self.bench.gateway("standard", upstream).wait()
        status, body = chat(gateway.port, model=TRANSLATED)
        told = json.loads(BODY)["choices"][0]["message"]["content"]
        if status != 200 or json.loads(body)["choices"][0]["message"]["content"] != told:
            raise Failed(f"not the upstream's answer but {status} {body[:200]!r}")
        for model in (MODEL, TRANSLATED):
            wrk(gateway.port, 32, 1, model=model)
        rate = Part("requests/s translated, 32 connections", "req/s", "one protocol", 0.40, 0.70)
        cpu = Part("CPU per request translated, 32 connections", "µs", "one protocol", 2.5, 1.5, "lower")
        for number in range(self.options.pairs):
            order = [MODEL, TRANSLATED] if number % 2 == 0 else [TRANSLATED, MODEL]
            found = {model: self.slice_of(gateway, 32, model=model) for model in order}
            rate.pair(found[TRANSLATED]["rate"], found[MODEL]["rate"])
            cpu.pair(found[TRANSLATED]["cpu"], found[MODEL]["cpu"])
        rates = [pair["yardstick"] for pair in rate.pairs]
        rate.moved = max(rates) / min(rates) > MOVED
        self.finish("15", {"rate": rate, "cpu": cpu})
        for program in (gateway, upstream):
            program.stop()

    # --- LiteLLM: beside it, not judged ------------------------------------------------------------------------

    def litellm_1_2_5(self, upstream):
        note("── LiteLLM")
        try:
            program = self.bench.litellm(litellm_program(), upstream).wait(90)
            status, body = chat(program.port)
            if status != 200:
                raise Failed(f"LiteLLM answered {status} {body[:200]!r}")
            program.forget_peak()
            wrk(program.port, 8, 2, bears_errors=True)
            # What takes longer than wrk's two seconds is an error, which is told.
            found = self.slice_of(program, 32, bears_errors=True)
            self.extra["1"]["litellm"] = {
                "rate": found["rate"], "cpuMicroseconds": found["cpu"], "errors": found["errors"]}
            # Too slow for row 2's schedule: closed loop, which is kind to it.
            base, through = (wrk(it.port, 1, self.options.duration) for it in (upstream, program))
            self.extra["2"]["litellm"] = {
                "addedP50": through["p50"] - base["p50"], "addedP99": through["p99"] - base["p99"]}
            self.extra["5"]["litellm"] = {
                "peakMegabytes": round(program.peak_bytes() / 1e6), "startMilliseconds": round(program.first_answer * 1e3)}
            program.stop()
        except (Skipped, Failed) as reason:
            # Its figures only stand beside ours: what it cannot do fails none of our rows.
            note(f"SKIPPED LiteLLM: {reason}")
            self.options.litellm = False

    def litellm_4(self, paced, frames):
        note("── LiteLLM, streams")
        program = self.bench.litellm(litellm_program(), paced).wait(90)
        held, step, tries = 0, 1, []
        # Its first stream loads modules for more than a second.
        self.streams(program, 1, frames, tries)
        while step <= 64 and self.holds(program, step, frames, tries):
            held, step = step, step * 2
        self.extra["4"]["litellm"] = {"streams": held}
        program.stop()


# --- The table -------------------------------------------------------------------------------------------------


def shown(value, unit):
    if value is None:
        return "-"
    if unit == "req/s" or unit == "streams":
        return f"{value:,.0f}"
    return f"{value:,.1f} {unit}"


def brief(value):
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {brief(it)}" for key, it in value.items()) + ")"
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def table(rows):
    lines = [["row", "what", "ours", "yardstick", "its figure", "ratio (range)", "must", "goal", "runs", "reached"]]
    problems = []
    for name, row in rows.items():
        if "error" in row:
            problems.append(f"row {name} {row['verdict']}: {row['error']}")
            continue
        for part in row["parts"].values():
            ratio = "-" if part["ratio"] is None else (
                f"{part['ratio']:.2f} ({part['ratioLow']:.2f}–{part['ratioHigh']:.2f})")
            sign = "≤ " if part["better"] == "lower" else "≥ "
            unit = f" {part['unit']}" if part["judged"] == "ours" else " ×"
            lines.append([
                name, part["what"], shown(part["ours"], part["unit"]), part["yardstick"],
                shown(part["yardstickFigure"], part["unit"]), ratio,
                *(f"{sign}{bound:g}{unit}" for bound in (part["must"], part["goal"])), str(part["runs"]),
                part["verdict"]])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    text += problems
    for name, row in rows.items():
        if row.get("extra"):
            text += ["", f"row {name} also: " + ", ".join(f"{key} {brief(it)}" for key, it in row["extra"].items())]
    return "\n".join(text)


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / ".build" / "release", help="where signalbox lies")
    parser.add_argument("--rows", nargs="+", choices=ROWS, help="default: all that can be measured")
    parser.add_argument("--filler", type=Path, help="the program LogBenchmark, for row 12")
    parser.add_argument("--decisions", type=int, default=1_000_000, help="requests in row 12's log")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--duration", type=int, default=4, help="seconds of a slice")
    parser.add_argument("--rate", type=int, default=1_000, help="requests a second of each in row 2")
    parser.add_argument("--streams", type=int, default=512, help="where row 4 begins, a power of two")
    parser.add_argument("--without-litellm", dest="litellm", action="store_false")
    parser.add_argument("--json", action="store_true", help="one JSON object keyed by row instead of the table")
    parser.add_argument("--quick", action="store_true", help="tiny and meaningless, to see that everything runs")
    found = parser.parse_args()
    if found.rows is None:
        found.rows = [name for name in ROWS if name != "12" or found.filler]
    elif "12" in found.rows and not found.filler:
        parser.error("row 12 needs --filler")
    if found.quick:
        found.pairs, found.duration, found.streams, found.litellm = 1, 1, 16, False
    if min(found.pairs, found.duration, found.rate, found.streams) < 1 or found.streams & (found.streams - 1):
        parser.error("pairs, duration, rate and streams must be at least 1, and streams a power of two")
    return found


def interrupted(*_):
    # Once is enough: what follows is cleaning up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    asked = options()
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    home = ROOT / ".build" / "bench"
    home.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="proxy-", dir=home))
    status, began = 0, time.monotonic()
    rows = {}
    try:
        run = Run(asked, Bench(asked.bin, directory))
        rows = run.rows
        steps = [(run.cold_starts, ["5"]), (run.rows_1_to_3, ["1", "2", "3", "5"]), (run.row_4, ["4", "5"]),
                 (run.row_5, ["5"]), (run.row_12, ["12"]), (run.row_15, ["15"])]
        for step, names in steps:
            concerned = [name for name in names if name in asked.rows and name not in rows]
            if not concerned:
                continue
            try:
                step()
            except (Skipped, Failed) as reason:
                verdict = "SKIPPED" if isinstance(reason, Skipped) else "FAILED"
                note(f"{verdict} rows {', '.join(concerned)}: {reason}")
                for name in concerned:
                    rows.setdefault(name, {"error": str(reason), "verdict": verdict, "ratio": None})
                status = 1 if verdict == "FAILED" else status
                Program.stop_all()
    except (Skipped, Failed) as reason:
        note(f"error: {reason}")
        status = 1
    except KeyboardInterrupt:
        note("interrupted; cleaning up")
        status = 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Program.stop_all()
        if status != 1:
            shutil.rmtree(directory, ignore_errors=True)
    note(f"{time.monotonic() - began:.0f} s on {os.cpu_count()} cores that also carry load generator and upstream"
         + (f"; logs in {directory}" if status == 1 else ""))
    if status == 130:
        return status
    rows = {name: rows[name] for name in ROWS if name in rows}
    with contextlib.suppress(OSError):
        (home / "proxy.json").write_text(json.dumps(rows, indent=2) + "\n")
    print(json.dumps(rows, indent=2) if asked.json else table(rows), flush=True)
    if status == 0 and any(row["verdict"] == "unsteady" for row in rows.values()):
        note("the machine was too unsteady for a row (README.md says when that is): no conclusion there")
        return 3
    return status


if __name__ == "__main__":
    sys.exit(main())
