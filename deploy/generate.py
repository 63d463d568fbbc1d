#!/usr/bin/env python3
"""Writes deploy/slo-rules.yaml, the recording and alert rules that follow from deploy/slos.yaml.

usage: generate.py            writes the file
       generate.py --print    writes to standard output instead

Only the standard library: whoever changes a promise needs nothing but this.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIELDS = {"slo", "share", "bad", "all", "seconds", "quantile", "histogram"}
NEEDED = {"slo", "share", "bad", "all"}
TIMED = {"seconds", "quantile", "histogram"}

#: The spans over which the burn rate is recorded, in seconds.
WINDOWS = {"1m": 60, "5m": 300, "1h": 3600}

#: Of fewer failures in a window nothing follows: one of three requests is no incident.
LEAST = 3
#: How fast the budget burns, over which span and a shorter one that shows that it goes on, and for how long.
BURNS = [
    ("SloBurnSev1", "SEV-1", "critical", 6, "5m", "1m", "5m"),
    ("SloBurnSev2", "SEV-2", "warning", 2, "1h", "5m", "10m"),
]
#: Quantile ÷ bound: more than the first, at most the second.
OVERRUNS = [
    ("LatencyFarOverSlo", "SEV-1", "critical", 2, None, "5m"),
    ("LatencyOverSlo", "SEV-2", "warning", 1.5, 2, "15m"),
]


def fail(place, text):
    sys.exit(f"error: slos.yaml:{place}: {text}")


def read(text):
    """The promises, each a dictionary of strings; anything that is not a flat list of maps ends the program."""
    found = []
    for place, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        row = re.fullmatch(r"(- |  )([a-z]+): (?:'([^']*)'|\"([^\"\\]*)\"|([^\s'\"#\[{&*!|>%@`][^#]*?))\s*", line)
        if row is None:
            fail(place, "`- slo: NAME` or `  FIELD: VALUE` is expected, a value with ' or # in it within quotes")
        if row[1] == "- ":
            found.append({"place": place})
        elif not found:
            fail(place, "the first line of a promise begins with `- `")
        if row[2] not in FIELDS:
            fail(place, f"unknown field {row[2]}; known are {', '.join(sorted(FIELDS))}")
        if row[2] in found[-1]:
            fail(place, f"{row[2]} stands there twice")
        found[-1][row[2]] = next(value for value in row.groups()[2:] if value is not None)
    for slo in found:
        check(slo, slo.pop("place"))
    if not found:
        fail(1, "no promise is in it")
    if len({slo["slo"] for slo in found}) < len(found):
        fail(1, "two promises have one name")
    return found


def check(slo, place):
    missing = NEEDED - slo.keys()
    if TIMED & slo.keys():
        missing |= TIMED - slo.keys()
    if missing:
        fail(place, f"{', '.join(sorted(missing))} is missing")
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", slo["slo"]):
        fail(place, f"slo is {slo['slo']}; a name of small letters, digits, - and _ is expected")
    number(slo, "share", place, 0, 1)
    for name in ("bad", "all"):
        if "[$window]" not in slo[name]:
            fail(place, f"{name} has no [$window]")
    if TIMED <= slo.keys():
        seconds = number(slo, "seconds", place, 0, 1e6)
        number(slo, "quantile", place, 0, 1)
        bound = f'le="{seconds:g}"'
        if bound not in slo["bad"]:
            fail(place, f"bad has to count what is beyond {bound}, as seconds says")


def number(slo, name, place, above, below):
    try:
        value = float(slo[name])
    except ValueError:
        fail(place, f"{name} is {slo[name]}; a number is expected")
    if not above < value < below:
        fail(place, f"{name} is {slo[name]}; a number above {above:g} and below {below:g} is expected")
    return value


class Writer:
    """YAML of which every scalar is a JSON string: nothing to escape wrongly."""

    def __init__(self):
        self.lines = [
            "# Made from slos.yaml by generate.py: change that file and run it again.", "groups:"]

    def group(self, name):
        self.lines += [f"  - name: {name}", "    rules:"]

    def record(self, name, labels, expression):
        self.lines.append(f"      - record: {name}")
        self.lines.append(f"        labels: {json.dumps(labels)}")
        self.block(expression)

    def alert(self, name, labels, duration, expression, annotations):
        self.lines.append(f"      - alert: {name}")
        self.block(expression)
        self.lines.append(f"        for: {duration}")
        self.lines.append(f"        labels: {json.dumps(labels)}")
        self.lines.append("        annotations:")
        for key, value in annotations.items():
            self.lines.append(f"          {key}: {json.dumps(value, ensure_ascii=False)}")

    def block(self, expression):
        self.lines.append("        expr: |")
        self.lines += [f"          {line}" for line in expression.splitlines()]

    def text(self):
        return "\n".join(self.lines) + "\n"


def runbook(name):
    return f"docs/runbooks/alerts.md#{name.lower()}"


def burn(slo, window):
    """How many times faster than the budget allows it is spent; nothing where nothing was asked."""
    bad, every = (slo[name].replace("$window", window) for name in ("bad", "all"))
    return (
        f"(({bad}) or 0 * ({every}))\n  / (({every}) > 0)\n"
        f"  / {1 - float(slo['share']):.6g}")


def add_recordings(writer, slo):
    for window, seconds in WINDOWS.items():
        labels = {"slo": slo["slo"], "window": window}
        writer.record("slo_burn_rate", labels, burn(slo, window))
        writer.record("slo_failures", labels, f"({slo['bad'].replace('$window', window)}) * {seconds}")
    if "histogram" in slo:
        rates = f"sum by (le) (rate({slo['histogram']}_bucket[5m]))"
        writer.record(
            "slo_latency_ratio", {"slo": slo["slo"]},
            f"histogram_quantile({slo['quantile']}, {rates}) / {slo['seconds']}")


def add_burns(writer):
    for alert, sev, severity, times, span, shorter, duration in BURNS:
        writer.alert(
            alert, {"severity": severity, "sev": sev}, duration,
            f'slo_burn_rate{{window="{span}"}} > {times}\n'
            f'  and on (slo) slo_burn_rate{{window="{shorter}"}} > {times}\n'
            f'  and on (slo) slo_failures{{window="{span}"}} >= {LEAST}',
            {
                "summary": "The budget of {{ $labels.slo }} burns {{ $value | printf \"%.1f\" }} times as fast as "
                           f"promised, over {span} (bound: {times})",
                "command": f"replay window --from -{span} --limit 50",
                "runbook": runbook(alert),
            })
    alert, rate = "SloBurnBackToSev3", 'slo_burn_rate{window="1h"}'
    writer.alert(
        alert, {"severity": "info", "sev": "SEV-3"}, "0s",
        f"max_over_time({rate}[7d:15m]) < 1\n  and max_over_time({rate}[14d:15m]) > {BURNS[-1][3]}",
        {
            "summary": "For seven days the budget of {{ $labels.slo }} burned at most "
                       "{{ $value | printf \"%.2f\" }} times as fast as promised: back to SEV-3",
            "command": "replay window --from -1h --limit 50",
            "runbook": runbook(alert),
        })


def add_overruns(writer):
    for alert, sev, severity, above, at_most, duration in OVERRUNS:
        bounds = f"slo_latency_ratio > {above}" + (f"\n  and slo_latency_ratio <= {at_most}" if at_most else "")
        writer.alert(
            alert, {"severity": severity, "sev": sev}, duration,
            f'{bounds}\n  and on (slo) slo_failures{{window="5m"}} >= {LEAST}',
            {
                "summary": "{{ $labels.slo }} takes {{ $value | printf \"%.1f\" }} times as long as promised, over 5m",
                "command": "replay window --from -15m --limit 50",
                "runbook": runbook(alert),
            })


def rules(slos):
    writer = Writer()
    writer.group("slo-recordings")
    for slo in slos:
        add_recordings(writer, slo)
    writer.group("slo-alerts")
    add_burns(writer)
    if any("histogram" in slo for slo in slos):
        add_overruns(writer)
    return writer.text()


def main(arguments):
    if arguments not in ([], ["--print"]):
        sys.exit(__doc__)
    text = rules(read((HERE / "slos.yaml").read_text()))
    if arguments:
        sys.stdout.write(text)
    else:
        (HERE / "slo-rules.yaml").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
