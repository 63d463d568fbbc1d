"""What the model of the old rule says of the sync and refresh cases is what the simulator's processes do."""

import unittest

import cases
import old_rule_live
from support import Case


class OldRuleTests(Case):
    def test_every_case_does_the_same_damage_at_real_processes(self):
        simulator = self.simulator()
        book = [case for case in cases.cases() if cases.is_live(case)]
        self.assertEqual(len(book), cases.FAMILIES["S"] + cases.FAMILIES["T"] - len(cases.MODEL_ONLY))
        for case in book:
            with self.subTest(case["id"]):
                self.assertEqual(old_rule_live.run(case, simulator), case["old"]["damage"])


if __name__ == "__main__":
    unittest.main()
