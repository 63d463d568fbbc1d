"""The first start, where its terminal or its keys are not as they should be."""

import os
import re
import shutil
import subprocess

from support import Case, Child, eventually, exchange, free_port, program

FILE = """\
providers:
  - id: mock
    protocol: openai
    base-url: http://127.0.0.1:9/v1
    models: [{name: gpt-4o-mini}]
    accounts: [{name: a1, api-key: sk-file-1}]
keys:
  - {name: default, key: sk-client-of-the-file}
"""


class StartTests(Case):
    def setUp(self):
        super().setUp()
        self.data = self.directory / "data"
        self.file = self.directory / "signalbox.yaml"
        self.file.write_text(FILE)

    def run_once(self, verb, *options, **more):
        return subprocess.run(
            [program("signalbox"), verb, *options, "--data", str(self.data)],
            stderr=subprocess.PIPE, text=True, timeout=60, env={"PATH": "/usr/bin:/bin"}, **more)

    def test_what_cannot_be_shown_once_is_not_kept(self):
        with open("/dev/full", "w") as full:
            failed = self.run_once("serve", "--listen", "127.0.0.1:0", stdout=full)
        self.assertEqual(failed.returncode, 1, failed.stderr)
        self.assertIn("standard output cannot be written", failed.stderr)
        port = free_port()
        child = Child(
            [program("signalbox"), "serve", "--listen", f"127.0.0.1:{port}", "--data",
             str(self.data)], self.directory / "second.log")
        self.children.append(child)
        shown = eventually(
            lambda: re.search(r"admin password \(shown once\): (\S+)", child.text()),
            "the password at the second start")
        eventually(lambda: "listening on" in child.text(), "the listener")
        answer = exchange(
            port, "POST", "/api/auth/login", f'{{"password":"{shown[1]}"}}'.encode())
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(child.stop(), 0)

    def test_a_reader_of_standard_output_that_left_does_not_end_the_gateway(self):
        # With the file's key and a password given nothing needs showing.
        self.assertEqual(self.apply().returncode, 0)
        port = free_port()
        read, write = os.pipe()
        os.close(read)
        with open(self.directory / "stderr.log", "wb") as log:
            process = subprocess.Popen(
                [program("signalbox"), "serve", "--listen", f"127.0.0.1:{port}", "--data",
                 str(self.data)], stdout=write, stderr=log,
                env={"PATH": "/usr/bin:/bin", "SIGNALBOX_ADMIN_PASSWORD": "a-long-password"})
        os.close(write)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def answers():
            self.assertIsNone(process.poll(), (self.directory / "stderr.log").read_text())
            try:
                return exchange(port, "GET", "/health").status == 200
            except OSError:
                return False

        eventually(answers, "/health")
        process.terminate()
        self.assertEqual(process.wait(20), 0)

    def apply(self, *options):
        return self.run_once("apply", str(self.file), *options, stdout=subprocess.PIPE)

    def test_a_lost_key_directory_is_said_and_not_replaced(self):
        self.assertEqual(self.apply().returncode, 0)
        shutil.move(self.data / "keys", self.directory / "kept")
        for verb, options in [
            ("apply", (str(self.file),)), ("serve", ("--listen", "127.0.0.1:0"))]:
            failed = self.run_once(verb, *options, stdout=subprocess.PIPE)
            self.assertEqual(failed.returncode, 1, failed.stderr)
            self.assertIn("wrongMasterKey", failed.stderr)
            self.assertFalse((self.data / "keys").exists())
        shutil.move(self.directory / "kept", self.data / "keys")
        again = self.apply()
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("0 events written", again.stdout)

    def contents(self):
        return {path: (path.read_bytes(), path.stat().st_mtime_ns)
                for path in self.data.rglob("*") if path.is_file()}

    def test_under_a_wrong_or_missing_master_key_nothing_is_written(self):
        self.assertEqual(self.apply().returncode, 0)
        other = self.directory / "other.key"
        other.write_text("A" * 43 + "=\n")
        other.chmod(0o600)
        nonsense = self.directory / "nonsense.key"
        nonsense.write_text("not a key\n")
        nonsense.chmod(0o600)
        before = self.contents()
        self.assertTrue(before)
        cases = [
            (("--master-key-file", str(other)), {}, "wrongMasterKey"),
            (("--master-key-file", str(self.directory / "lost.key")), {}, "does not exist"),
            (("--master-key-file", str(nonsense)), {}, "32 bytes"),
            ((), {"SIGNALBOX_MASTER_KEY": "A" * 43 + "="}, "wrongMasterKey"),
            ((), {"SIGNALBOX_MASTER_KEY": "short"}, "32 bytes"),
        ]
        for more, environment, why in cases:
            for verb, options in [
                    ("serve", ("--listen", "127.0.0.1:0")), ("apply", (str(self.file),)),
                    ("checkpoint", ())]:
                with self.subTest(f"{verb}: {why}"):
                    done = subprocess.run(
                        [program("signalbox"), verb, *options, *more, "--data", str(self.data)],
                        capture_output=True, text=True, timeout=60,
                        env={"PATH": "/usr/bin:/bin", **environment})
                    self.assertEqual(done.returncode, 1, done.stderr)
                    self.assertIn(why, done.stderr)
                    self.assertNotIn("shown once", done.stdout)
                    self.assertEqual(self.contents(), before)
        (self.data / "keys" / "master.key").rename(self.directory / "kept.key")
        before = self.contents()
        missing = self.run_once("serve", "--listen", "127.0.0.1:0", stdout=subprocess.PIPE)
        self.assertEqual(missing.returncode, 1, missing.stderr)
        self.assertIn("wrongMasterKey", missing.stderr)
        self.assertEqual(self.contents(), before)
        # With the right one from elsewhere all is as it was.
        again = self.apply("--master-key-file", str(self.directory / "kept.key"))
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("0 events written", again.stdout)
