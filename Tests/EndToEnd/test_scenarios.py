"""The table of reports is whole, and what it points to exists."""

import importlib
import re
import unittest
from pathlib import Path

from scenarios import REPORTS

HERE = Path(__file__).resolve().parent
EXPECTED = (
    [f"C{n}" for n in range(1, 14)] + [f"A{n}" for n in range(1, 7)]
    + [f"U{n}" for n in range(1, 10)] + [f"R{n}" for n in range(1, 43)])


class TableTests(unittest.TestCase):
    def test_every_report_stands_in_the_table_once_in_order(self):
        self.assertEqual(list(REPORTS), EXPECTED)
        names = re.findall(r'^    "([A-Z]\d+)": Report\(', (HERE / "scenarios.py").read_text(), re.M)
        self.assertEqual(names, EXPECTED)

    def test_every_report_is_shown_or_belongs_to_something_later(self):
        for name, report in REPORTS.items():
            self.assertTrue(report.went_wrong.endswith("."), name)
            self.assertNotEqual(bool(report.shown), bool(report.later), name)

    def test_every_case_named_exists(self):
        for name, report in REPORTS.items():
            for shown in report.shown:
                with self.subTest(report=name, case=shown):
                    if ": " in shown:
                        target, display = shown.split(": ", 1)
                        sources = (HERE.parent / target).rglob("*.swift")
                        self.assertTrue(any(
                            f'@Test("{display}"' in re.sub(r"@Test\(\s+", "@Test(", source.read_text())
                            for source in sources))
                    else:
                        module, group, case = shown.split(".")
                        self.assertTrue(case.startswith("test_"))
                        self.assertTrue(callable(
                            getattr(getattr(importlib.import_module(module), group), case, None)))

    def test_every_case_that_is_named_after_a_report_is_in_its_row(self):
        for path in sorted(HERE.glob("test_scenarios_*.py")):
            module = importlib.import_module(path.stem)
            for group in vars(module).values():
                if not (isinstance(group, type) and issubclass(group, unittest.TestCase)
                        and group.__module__ == path.stem):
                    continue
                for case in unittest.TestLoader().getTestCaseNames(group):
                    for report in re.findall(r"_([acur]\d+)(?=_)", case):
                        self.assertIn(
                            f"{path.stem}.{group.__name__}.{case}", REPORTS[report.upper()].shown)
