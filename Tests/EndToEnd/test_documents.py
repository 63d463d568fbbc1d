"""Every ```sh block of the documents works as it stands.

Blocks run in the order of their document, in one directory where `.build/release` and `Fixtures` are those of the
repository, `signalbox-data` is the data directory of a running gateway, and 127.0.0.1:8080 leads to it. What a reader
fills in is filled in: `<x-request-id>` (of the newest request), `$SIGNALBOX_CLIENT_KEY`, `$SIGNALBOX_ADMIN_PASSWORD`.
`make` lines are checked to name a target; running them is what `make test` does or what would never end.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import (
    ADMIN_PASSWORD, BIN, CLIENT_KEY, ROOT, Case, configuration, eventually, message, scenario)


def commands():
    listed = subprocess.run(
        [sys.executable, str(ROOT / "Scripts" / "doc-commands.py")], capture_output=True, text=True,
        check=True)
    return json.loads(listed.stdout)


class DocumentsTests(Case):
    def setUp(self):
        super().setUp()
        self.upstream = self.simulator(scenario())
        self.box = self.gateway(configuration(self.upstream))
        self.place = self.directory / "checkout"
        (self.place / ".build").mkdir(parents=True)
        (self.place / ".build" / "release").symlink_to(BIN)
        (self.place / "Fixtures").symlink_to(ROOT / "Fixtures")
        (self.place / "signalbox-data").symlink_to(self.box.data)
        # Without it curl is content with any status.
        curl = self.place / "bin" / "curl"
        curl.parent.mkdir()
        curl.write_text(f'#!/bin/sh\nexec {shutil.which("curl")} --fail-with-body "$@"\n')
        curl.chmod(0o755)
        self.identity = self.box.chat(message()).header("x-request-id")
        # A gateway that stops signs what it recorded: then there is a proof of that request.
        self.box.stop()
        self.restart(self.box)

    def prepared(self, text):
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{self.box.port}")
        text = text.replace("localhost:8080", f"127.0.0.1:{self.box.port}")
        return re.sub(r"<(?:x-)?request[- ]id[^>]*>", self.identity, text)

    def run_block(self, block):
        lines = []
        for line in block["text"].splitlines():
            if re.match(r"^(?:[A-Z_]+=\S+ )*make(\s|$)", line):
                target = re.search(r"make\s+([a-z]+)", line)
                checked = subprocess.run(
                    ["make", "-n", target[1] if target else "help"], cwd=ROOT, capture_output=True)
                self.assertEqual(checked.returncode, 0, f"{block['file']}: {line}")
            elif re.match(r"^(git clone|cd) ", line):
                continue
            else:
                lines.append(line)
        script = self.prepared("\n".join(lines))
        if not script.strip():
            return
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=self.place, capture_output=True,
            text=True, timeout=60, env={
                **os.environ, "PATH": f"{self.place}/bin:{BIN}:{os.environ['PATH']}",
                "SIGNALBOX_CLIENT_KEY": CLIENT_KEY, "SIGNALBOX_ADMIN_PASSWORD": ADMIN_PASSWORD})
        self.assertEqual(
            done.returncode, 0,
            f"{block['file']}:{block['line']}\n{script}\n{done.stdout[-1500:]}{done.stderr[-1500:]}")

    def test_every_sh_block_of_the_documents_works(self):
        # The runbooks' come with a world of their own: test_runbooks.py.
        blocks = [block for block in commands() if not block["file"].startswith("docs/runbooks/")]
        self.assertTrue(any(block["file"] == "README.md" for block in blocks), "README has none")
        for block in blocks:
            with self.subTest(f"{block['file']}:{block['line']}"):
                self.run_block(block)
        eventually(lambda: self.box.child.is_running(), "the gateway still runs")


class ExtractionTests(unittest.TestCase):
    def test_only_sh_blocks_are_taken_and_an_open_fence_is_an_error(self):
        script = str(ROOT / "Scripts" / "doc-commands.py")
        with tempfile.NamedTemporaryFile("w", suffix=".md") as file:
            file.write("a\n```sh\none\n```\n```text\ntwo\n```\n  ```sh\n  three\n  ```\n````md\n```sh\nno\n```\n````\n")
            file.flush()
            listed = json.loads(subprocess.run(
                [sys.executable, script, file.name], capture_output=True, text=True,
                check=True).stdout)
            self.assertEqual([block["text"] for block in listed], ["one\n", "three\n"])
            self.assertEqual(listed[0]["line"], 3)
            file.write("```sh\nopen\n")
            file.flush()
            self.assertNotEqual(
                subprocess.run([sys.executable, script, file.name], capture_output=True).returncode,
                0)
