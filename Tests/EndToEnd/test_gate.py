"""The gate's own checkers find what they are there to find."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import BIN, ROOT


class BoundariesTests(unittest.TestCase):
    def findings(self, target, text):
        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory) / "Sources" / target / "Inner"
            folder.mkdir(parents=True)
            (folder / "File.swift").write_text(text)
            done = subprocess.run(
                [sys.executable, str(ROOT / "Scripts" / "boundaries.py"), directory],
                capture_output=True, text=True)
            return done.returncode, done.stdout

    def test_each_forbidden_thing_is_found(self):
        for target, text in (
            ("Domain", "import Glibc\n"),
            ("Domain", "internal import struct Foundation.Date\n"),
            ("EventStore", "import Domain\n"),
            ("EventStore", "public import Foundation\n"),
            ("Surface", "@preconcurrency import NIOCore\n"),
            ("Surface", "@_implementationOnly import EventStore\n"),
            ("DataPlane", "import ControlPlane\n"),
            ("DataPlane", "import FoundationEssentials\n"),
            ("ControlPlane", "import DataPlane\n"),
            ("Inquiry", "import NIOCore\n"),
            ("replay", "import Foundation\n"),
            ("simulator", "import Domain\n"),
            ("Mystery", "let a = 1\n"),
            ("ControlPlane", "let a = try! b()\n"),
            ("ControlPlane", "let a = b as! C\n"),
            ("ControlPlane", "fatalError()\n"),
            ("ControlPlane", "\nfinal class A: @unchecked Sendable {}\n"),
        ):
            with self.subTest(f"{target}: {text.strip()}"):
                status, told = self.findings(target, text)
                self.assertEqual(status, 1, told)
                self.assertIn(f"Sources/{target}", told)

    def test_what_is_allowed_is_not_found(self):
        for target, text in (
            ("Domain", "// import Foundation\nlet a = 1  // try! nothing\n"),
            ("EventStore", "import Glibc\nimport Crypto\n"),
            ("DataPlane", "public import NIOCore\nimport Domain\n"),
            ("ControlPlane", "import Foundation\n"),
            ("DataPlane", "/// Confined to its loop.\nfinal class A: @unchecked Sendable {}\n"),
        ):
            with self.subTest(f"{target}: {text.strip()}"):
                status, told = self.findings(target, text)
                self.assertEqual(status, 0, told)


class ReplayLinkageTests(unittest.TestCase):
    def test_a_program_without_symbols_or_with_a_network_stack_does_not_pass(self):
        check = str(ROOT / "Scripts" / "check-replay.sh")
        self.assertNotEqual(subprocess.run([check, "/bin/true"], capture_output=True).returncode, 0)
        done = subprocess.run([check, str(BIN / "signalbox")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("must not link", done.stderr)
