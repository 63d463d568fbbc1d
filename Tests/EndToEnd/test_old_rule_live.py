"""What the model of the old rule says of the sync and refresh cases is what the simulator's processes do."""

import unittest

import cases
import old_rule_live
from support import Case

#: Its third writer is a sign-in in the model, which begins a family of its own at a server.
OTHERWISE = {"T5"}


class OldRuleTests(Case):
    def test_every_case_does_the_same_damage_at_real_processes(self):
        simulator = self.simulator()
        book = [case for case in cases.cases() if case["id"][0] in "ST" and case["id"] not in OTHERWISE]
        self.assertEqual(len(book), cases.FAMILIES["S"] + cases.FAMILIES["T"] - len(OTHERWISE))
        for case in book:
            with self.subTest(case["id"]):
                self.assertEqual(old_rule_live.run(case, simulator), case["old"]["damage"])


if __name__ == "__main__":
    unittest.main()
