"""The case book: what the field reports of older gateways, what the old rule makes of it, and what comes of it here.

`Fixtures/incidents/cases.json` has a row for each case: its source; the steps under the old rule and the damage that they
do, which is what `old_rule` gives when it goes through them; the act that does the same to a real gateway, with its outcome
and the verbs that name the cause, which are what the act gives; or what is expected once it can be acted out; or why it
cannot be.
"""

import json

import old_rule
from support import ROOT

FILE = ROOT / "Fixtures" / "incidents" / "cases.json"
FAMILIES = {"S": 18, "T": 11, "D": 13}
LEGEND = ("L and M are gateways, W is the worker in the cloud that they sync with; R1, R2 … are the generations of an "
          "account's refresh token")


def cases():
    return json.loads(FILE.read_text())


def of_act(name):
    return [case for case in cases() if case["act"] == name]


def faults(case):
    """Whether the old rule does what the row says."""
    damage = old_rule.run(case)
    if not damage:
        return [f"{case['id']}: the old rule does no damage"]
    return [] if damage == case["old"]["damage"] else [f"{case['id']}: the old rule gives {damage}"]


def act_faults(case, outcome, verbs):
    """Whether an act gave what the row says."""
    found = []
    if case["here"] != outcome:
        found.append(f"{case['id']}: it came to {outcome!r}")
    if case["verbs"] != verbs:
        found.append(f"{case['id']}: named by {verbs}, not {case['verbs']}")
    return found


def told(case, outcome=None, verbs=None):
    """The lines of a case: of the old rule from a run of the model, of here from a run of the act."""
    lines = [f"{case['id']:4} old rule  {'; '.join(old_rule.run(case))}"]
    if "unmet" in case:
        lines.append(f"     not met   {case['unmet']}")
    elif case["act"] is None:
        lines.append(f"     expected  {case['expected']} (not acted out yet)")
    else:
        lines.append(f"     here      {outcome}")
        lines.append(f"     named by  {', '.join(verbs) or 'the refusal itself: nothing happened that a log could have'}")
    return lines
