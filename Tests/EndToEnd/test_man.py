"""The manual pages say what the programs say of themselves, and are good roff."""

import json
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from support import program

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("replay", "signalbox", "simulator")


class ManualTests(unittest.TestCase):
    def test_the_pages_are_what_the_programs_say(self):
        done = subprocess.run(
            [sys.executable, ROOT / "Scripts/man.py", "--check", Path(program("replay")).parent],
            capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_verb_and_option_that_is_shown_stands_in_its_page(self):
        def verbs(path, command):
            for it in command.get("subcommands", []):
                if it["shouldDisplay"] and it["commandName"] != "help":
                    inner = f"{path} {it['commandName']}"
                    yield inner, it
                    yield from verbs(inner, it)

        for name in NAMES:
            dump = json.loads(subprocess.run(
                [program(name), "--experimental-dump-help"], capture_output=True, text=True, check=True).stdout)
            page = (ROOT / f"docs/man/{name}.1").read_text().replace("\\-", "-")
            found = list(verbs(name, dump["command"]))
            self.assertGreater(len(found), 0)
            for path, verb in found:
                section = re.split(r"^\.S[SH] ", page, flags=re.M)
                mine = [text for text in section if text.startswith(f'"{path}"\n')]
                self.assertEqual(len(mine), 1, path)
                for option in verb["arguments"]:
                    if option["kind"] != "positional" and option["shouldDisplay"]:
                        self.assertIn(f"--{option['preferredName']['name']}", mine[0], path)

    def test_roff_has_nothing_to_warn_of(self):
        if not shutil.which("groff"):
            raise unittest.SkipTest("groff is not installed; Scripts/setup.sh test installs it")
        for name in NAMES:
            done = subprocess.run(
                ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", ROOT / f"docs/man/{name}.1"], capture_output=True, text=True,
                timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)
            plain = re.sub(".\b", "", done.stdout)
            self.assertIn("VERBS" if name != "simulator" else "SYNOPSIS", plain)
            # What a shell takes is written with its own hyphens.
            self.assertNotIn("\u2010-", plain)
