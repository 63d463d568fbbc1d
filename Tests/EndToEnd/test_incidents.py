"""The incidents that are kept: acted out anew, and asked again of the bundles in Fixtures/incidents."""

import json
import os
import unittest

from incident_acts import INCIDENTS
from incidents import FILE, KEPT, act_all, answers, faults, named

UPDATES = os.environ.get("UPDATE_GOLDEN") == "1"


class IncidentTests(unittest.TestCase):
    def test_each_is_acted_out_anew_and_its_bundle_names_the_culprit(self):
        for incident, told, found, verbs in act_all(INCIDENTS):
            with self.subTest(incident.name):
                self.assertEqual(found, [])
                self.assertTrue(verbs, "no verb is asked for the culprit")
                kept = json.loads((KEPT / incident.name / "incident.json").read_text())
                for what in ("stream", "kind"):
                    self.assertEqual(told["culprit"][what], kept["culprit"][what])
                self.assertEqual((told["page"], told["reports"]), (kept["page"], kept["reports"]))
                self.assertEqual(
                    [(question["ask"][0], question["names"]) for question in told["questions"]],
                    [(question["ask"][0], question["names"]) for question in kept["questions"]])

    def test_every_kept_bundle_names_its_culprit_in_the_same_bytes(self):
        for incident in INCIDENTS:
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
        kept = {place.name: {file.name for file in place.iterdir()} for place in KEPT.iterdir()}
        self.assertEqual(kept, {one.name: {FILE, "incident.json", "expected"} for one in INCIDENTS})
        self.assertGreaterEqual(len(kept), 12)
        reports = " ".join(report for one in INCIDENTS for report in one.reports)
        for family in "ACU":
            self.assertRegex(reports, rf"\b{family}\d")

    def test_a_position_is_named_only_as_itself(self):
        for answer, is_named in (
                ("1:31 x", True), ("at 1:31 x", True), ("at 1:31, x", False), ("11:31 x", False), ("2:1:31 x", False),
                ("1:312 x", False)):
            self.assertEqual(named("{at} ", "1:31", answer), is_named, answer)
