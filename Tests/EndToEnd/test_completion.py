"""The shell's completion of `replay`: made by itself, understood by the shell, and knows every verb."""

import re
import shutil
import subprocess
import unittest

from support import program


def output(*arguments):
    return subprocess.run(
        [program("replay"), *arguments], capture_output=True, text=True, timeout=60, check=True).stdout


class CompletionTests(unittest.TestCase):
    def complete(self, line):
        """What bash offers for the last word of a line."""
        words = line.split(" ")
        script = f"""{output("--generate-completion-script", "bash")}
            COMP_WORDS=({" ".join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}
            COMP_LINE={line!r}; COMP_POINT={len(line)}
            _replay replay {words[-1]!r} {words[-2]!r}; printf '%s\\n' "${{COMPREPLY[@]}}\""""
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def test_bash_completes_verbs_and_options(self):
        verbs = re.findall(r"^  ([a-z-]+)  ", output("--help").partition("SUBCOMMANDS:")[2], re.M)
        self.assertIn("tail", verbs)
        for verb in verbs:
            self.assertIn(verb, self.complete(f"replay {verb[:-1]}"))
        self.assertIn("--follow", self.complete("replay tail --fo"))
        self.assertIn("--sqlite", self.complete("replay export --sq"))

    def test_other_shells_take_theirs(self):
        for shell, arguments in (("zsh", ["-n"]), ("fish", ["--no-execute"])):
            with self.subTest(shell):
                script = output("--generate-completion-script", shell)
                self.assertTrue("export" in script and "bisect" in script, shell)
                if shutil.which(shell):
                    subprocess.run([shell, *arguments], input=script, text=True, check=True, timeout=60)
