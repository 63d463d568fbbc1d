"""The case book: what the field reports of older gateways, what the old rule makes of it, and what comes of it here.

`Fixtures/incidents/cases.json` has a row for each case: its source; the steps under the old rule and the damage that they
do, which is what `old_rule` gives when it goes through them (the sync and refresh cases also at a worker and an OAuth server
that are processes, see `old_rule_live`); what `replay` finds in logs of the same steps under that rule and under ours (`logs`, see
`rule_logs`); the act that does the same to a real gateway, with its outcome
and the verbs that name the cause, which are what the act gives; or what is expected once it can be acted out; or why it
cannot be.
"""

import json

import old_rule
import old_rule_live
import rule_logs
from support import ROOT

FILE = ROOT / "Fixtures" / "incidents" / "cases.json"
FAMILIES = {"S": 18, "T": 11, "D": 13}
#: Its third writer is a sign-in in the model, which begins a family of its own at a server.
MODEL_ONLY = {"T5"}
LEGEND = ("L and M are gateways, W is the worker in the cloud that they sync with; R1, R2 … are the generations of an "
          "account's refresh token")


def cases():
    return json.loads(FILE.read_text())


def of_act(name):
    return [case for case in cases() if case["act"] == name]


def is_live(case):
    """Whether its steps can go through processes instead of the model's provider and worker."""
    return case["id"][0] in "ST" and case["id"] not in MODEL_ONLY


def damage(case, simulator=None):
    """What the old rule does; with a simulator at processes, where it can."""
    return old_rule_live.run(case, simulator) if simulator and is_live(case) else old_rule.run(case)


def faults(case, simulator=None):
    """Whether the old rule does what the row says."""
    done = damage(case, simulator)
    if not done:
        return [f"{case['id']}: the old rule does no damage"]
    return [] if done == case["old"]["damage"] else [f"{case['id']}: the old rule gives {done}"]


def act_faults(case, outcome, verbs):
    """Whether an act gave what the row says."""
    found = []
    if case["here"] != outcome:
        found.append(f"{case['id']}: it came to {outcome!r}")
    if case["verbs"] != verbs:
        found.append(f"{case['id']}: named by {verbs}, not {case['verbs']}")
    return found


def told(case, outcome=None, verbs=None, simulator=None):
    """The lines of a case: of the old rule from a run of its steps, of here from a run of the act."""
    lines = [f"{case['id']:4} old rule  {'; '.join(damage(case, simulator))}"]
    if rule_logs.is_played(case):
        lines += rule_logs.told(case)
    if "unmet" in case:
        lines.append(f"     not met   {case['unmet']}")
    elif case["act"] is None:
        lines.append(f"     expected  {case['expected']} (not acted out yet)")
    else:
        lines.append(f"     here      {outcome}")
        lines.append(f"     named by  {', '.join(verbs) or 'the refusal itself: nothing happened that a log could have'}")
    return lines
