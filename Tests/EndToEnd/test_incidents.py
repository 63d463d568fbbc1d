"""The incidents that are kept: acted out anew, and asked again of the bundles in Fixtures/incidents."""

import json
import os
import unittest

import cases
import rule_logs
from incident_acts import INCIDENTS
from incidents import FILE, KEPT, act_all, answers, faults, named

BUNDLED = [one for one in INCIDENTS if one.questions]
UPDATES = os.environ.get("UPDATE_GOLDEN") == "1"


class IncidentTests(unittest.TestCase):
    def test_each_of_the_gate_is_acted_out_anew_and_its_bundle_names_the_culprit(self):
        for incident, told, found, verbs in act_all([one for one in INCIDENTS if one.in_gate]):
            with self.subTest(incident.name):
                self.assertEqual(found, [])
                if not incident.questions:
                    self.assertTrue(cases.of_act(incident.name), "nothing is asked and no case is about it")
                    continue
                self.assertTrue(verbs, "no verb is asked for the culprit")
                kept = json.loads((KEPT / incident.name / "incident.json").read_text())
                self.assertEqual(told["culprit"]["stream"], kept["culprit"]["stream"])
                # A kept bundle has the version of its day.
                self.assertEqual(*(one["culprit"]["kind"].rpartition(".v")[0] for one in (told, kept)))
                self.assertEqual((told["page"], told["reports"]), (kept["page"], kept["reports"]))
                self.assertEqual(
                    [(question["ask"][0], question["names"]) for question in told["questions"]],
                    [(question["ask"][0], question["names"]) for question in kept["questions"]])

    def test_every_kept_bundle_names_its_culprit_in_the_same_bytes(self):
        for incident in BUNDLED:
            place = KEPT / incident.name
            told = json.loads((place / "incident.json").read_text())
            with self.subTest(incident.name):
                self.assertEqual(faults(place, told)[0], [])
                given = answers(place, told)
                if UPDATES:
                    for name, text in given.items():
                        (place / "expected" / name).write_text(text)
                self.assertEqual(given, {file.name: file.read_text() for file in (place / "expected").iterdir()})

    def test_nothing_else_is_kept_and_enough_of_each_family(self):
        kept = {place.name: {file.name for file in place.iterdir()} for place in KEPT.iterdir() if place.is_dir()}
        self.assertEqual(kept, {one.name: {FILE, "incident.json", "expected"} for one in BUNDLED})
        self.assertGreaterEqual(len(kept), 12)
        reports = " ".join(report for one in INCIDENTS for report in one.reports)
        for family in "ACDU":
            self.assertRegex(reports, rf"\b{family}\d")

    def test_a_position_is_named_only_as_itself(self):
        for answer, is_named in (
                ("1:31 x", True), ("at 1:31 x", True), ("at 1:31, x", False), ("11:31 x", False), ("2:1:31 x", False),
                ("1:312 x", False)):
            self.assertEqual(named("{at} ", "1:31", answer), is_named, answer)


class CaseBookTests(unittest.TestCase):
    def test_every_case_has_a_row_with_an_act_an_expectation_or_a_reason(self):
        book = cases.cases()
        self.assertEqual(
            [case["id"] for case in book],
            [f"{family}{number}" for family, count in cases.FAMILIES.items() for number in range(1, count + 1)])
        acts = {one.name for one in INCIDENTS}
        for case in book:
            with self.subTest(case["id"]):
                said = {"here", "expected", "unmet"} & case.keys()
                self.assertEqual(said, {"here"} if case["act"] else said & {"expected", "unmet"})
                self.assertEqual(len(said), 1)
                if case["act"]:
                    self.assertIn(case["act"], acts)
                    act = next(one for one in INCIDENTS if one.name == case["act"])
                    self.assertIn(case["id"], act.reports)

    def test_the_old_rule_does_to_each_case_the_damage_that_its_row_names(self):
        for case in cases.cases():
            with self.subTest(case["id"]):
                self.assertEqual(cases.faults(case), [])

    def test_in_logs_of_the_old_rule_drift_points_at_the_damage_and_in_ours_at_none(self):
        book = cases.cases()
        self.assertEqual(rule_logs.all_faults(book), [])
        for case in book:
            if case["id"][0] in "ST":
                with self.subTest(case["id"]):
                    self.assertNotEqual(rule_logs.is_played(case), case["id"] in rule_logs.NOTHING_WRITTEN_OVER)

    def test_a_row_that_promises_something_else_is_a_fault(self):
        case = cases.of_act("damaged-log")[0]
        self.assertEqual(cases.act_faults(case, case["here"], case["verbs"]), [])
        self.assertEqual(len(cases.act_faults(case, "all was lost", [])), 2)
        case["old"]["steps"].pop()
        self.assertTrue(cases.faults(case))
        played = next(case for case in cases.cases() if rule_logs.is_played(case))
        played["logs"]["old"].pop()
        self.assertTrue(rule_logs.faults(played))
