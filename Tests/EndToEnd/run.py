#!/usr/bin/env python3
"""Runs the end-to-end cases one after the other and closes with `N passed, N failed, N skipped`.

usage: run.py [-k PART]... [FILE...]     names of files without `.py`; PART of a case's name
"""

import argparse
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


class Result(unittest.TestResult):
    """Tells each case as it ends, with its time."""

    def __init__(self):
        super().__init__()
        self.passed = 0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def tell(self, word, test, more=""):
        name = test.id()
        print(f"{word:7} {time.monotonic() - self.began:6.2f} s  {name}{more}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1
        self.tell("passed", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.tell("FAILED", test, "\n" + self.failures[-1][1])

    def addError(self, test, err):
        self.began = getattr(self, "began", time.monotonic())
        super().addError(test, err)
        self.tell("FAILED", test, "\n" + self.errors[-1][1])

    def addSkip(self, test, reason):
        self.began = getattr(self, "began", time.monotonic())
        super().addSkip(test, reason)
        self.tell("SKIPPED", test, f": {reason}")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.tell("FAILED", subtest, "\n" + self._exc_info_to_string(err, subtest))

    def addExpectedFailure(self, test, err):
        self.addError(test, err)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", action="append", default=[], metavar="PART")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    loader = unittest.TestLoader()
    if options.k:
        loader.testNamePatterns = [f"*{part}*" for part in options.k]
    names = options.files or sorted(path.stem for path in HERE.glob("test_*.py"))
    suite = loader.loadTestsFromNames(names)
    result = Result()
    if suite.countTestCases() == 0:
        print("no case has such a name", file=sys.stderr)
        return 2
    suite.run(result)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
