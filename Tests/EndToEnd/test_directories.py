"""What the programs say of a directory that they do not open, and how one goes on behind a loss."""

import os
import re
import resource
import shlex
import shutil
import subprocess
import uuid

from log_reader import Log
from support import (
    Case, Child, Spine, configuration, eventually, free_port, message, of_kind, program, replay,
    scenario, window)

#: A program that has no more rights than the owner of a file.
UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []
TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
TIMES = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"


def run(*argv, prefix=(), environment=None):
    """A program's end: exit status and everything it said."""
    done = subprocess.run(
        [*prefix, program(argv[0]), *map(str, argv[1:])], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60, stdin=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})})
    return done.returncode, done.stdout


def serve(data, prefix=()):
    return run("signalbox", "serve", "--data", data, "--listen", "127.0.0.1:0", prefix=prefix)


def segments(data):
    """The files with events, in their order."""
    return sorted(path for path in (data / "seg").iterdir() if path.suffix in (".esl", ".sealed"))


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 0x20
    path.write_bytes(data)


class DirectoryCase(Case):
    """A log of several segments that a gateway wrote and closed."""

    def setUp(self):
        super().setUp()
        self.upstream = self.simulator(scenario())
        self.box = self.gateway(configuration(self.upstream), "--segment-bytes", "65536")
        self.data = self.box.data
        while len(segments(self.data)) < 4:
            for _ in range(50):
                # As long as a client's id may be, and nothing that compresses.
                identity = "".join(uuid.uuid4().hex for _ in range(4))
                answer = self.box.chat(message(), x_request_id=identity)
                self.assertEqual(answer.status, 200)
        self.assertEqual(self.box.stop(), 0)
        self.box.options = []

    def assert_says(self, text, *patterns):
        for pattern in patterns:
            self.assertRegex(text, pattern)


class RefusedDirectoryTests(DirectoryCase):
    def damage_in_the_middle(self, data):
        # A start reads old segments only where no snapshot stands behind them.
        shutil.rmtree(data / "snapshots", ignore_errors=True)
        path = segments(data)[1]
        flip(path, path.stat().st_size // 2)
        return path

    def missing_segment(self, data):
        segments(data)[1].unlink()
        return segments(data)[1]

    def foreign_segment(self, data):
        other = self.directory / "other"
        made = run(
            "signalbox", "apply", self.box.config, "--data", other,
            environment=self.box.environment)
        self.assertEqual(made[0], 0, made)
        path = segments(data)[1]
        shutil.copy(segments(other)[0], path)
        return path

    def newer_major(self, data):
        path = data / "FORMAT"
        path.write_text(path.read_text().replace(" 1.", " 2."))
        return path

    def newer_minor(self, data):
        path = data / "FORMAT"
        path.write_text(re.sub(r" 1\.\d+ ", " 1.99 ", path.read_text()))
        return path

    def other_format(self, data):
        path = data / "FORMAT"
        path.write_text("holiday photos\n")
        return path

    def unreadable_segment(self, data):
        path = segments(data)[1]
        path.chmod(0)
        return path

    def open_to_others(self, data):
        data.chmod(0o755)
        return data

    def test_each_refusal_names_file_place_rule_and_remedy(self):
        damaged = (
            r"at offset \d+: ", r"positions? \d+", rf"\(after {TIME}", rf"before {TIME}\)",
            "no event was changed", "restore the named files from a backup",
            r"signalbox accept-loss --data '\S+' (--positions|--at-position) \S+.* --reason TEXT")
        # What serve ends with and says, and what `replay verify` ends with and says.
        rows = [
            (self.damage_in_the_middle, 3, (r"block\.[a-z-]+: ", *damaged), 3,
             (r"positions? \d+", r"block\.[a-z-]+")),
            (self.missing_segment, 3, (r"segment\.missing: ", *damaged), 3,
             (r"positions? \d+ through \d+", r"segment\.missing")),
            (self.foreign_segment, 3, (r"segment\.store-id: ", *damaged), 3,
             (r"positions? \d+", r"segment\.store-id", r"segment\.missing")),
            (self.newer_major, 1, ("at offset 0: format.unknown", "use the build that wrote it"), 2,
             ("at offset 0: format.unknown", "use the build that wrote it")),
            (self.newer_minor, 1, ("at offset 0: format.newer", "start the build that wrote it"), 0,
             ()),
            (self.other_format, 1, ("at offset 0: format.line", "move the file away"), 2,
             ("at offset 0: format.line", "move the file away")),
            (self.unreadable_segment, 1,
             ("Permission denied", "run this as the user who owns the log's directory"), 2,
             ("Permission denied", "run this as the user who owns the log's directory")),
            (self.open_to_others, 1, (r"store\.mode: mode 755 lets other users in", "chmod 700 '"),
             0, ()),
        ]
        kept = self.directory / "kept"
        shutil.copytree(self.data, kept)
        for change, code, words, reader_code, reader_words in rows:
            with self.subTest(change.__name__):
                shutil.rmtree(self.data)
                shutil.copytree(kept, self.data)
                path = change(self.data)
                ended, text = serve(self.data, UNPRIVILEGED)
                self.assertEqual(ended, code, text)
                self.assert_says(text, re.escape(str(path)), *words)
                ended, text = run("replay", "verify", "--log", self.data, prefix=UNPRIVILEGED)
                self.assertEqual(ended, reader_code, text)
                if reader_code:
                    self.assert_says(text, re.escape(path.name), *reader_words)

    def test_what_is_left_of_a_refused_log_is_read_and_the_rest_named(self):
        before = window(self.data)
        path = self.damage_in_the_middle(self.data)
        self.assertEqual(serve(self.data)[0], 3)
        after = replay(self.data, "window", "--limit", "0", "--json", codes=(3,))
        found = [line for line in after.splitlines() if '"kind"' in line]
        text = replay(self.data, "window", codes=(3,))
        hole = re.search(
            rf"damaged: position (\d+)(?: through (\d+))?, after {TIMES}, before {TIMES}"
            rf" \({re.escape(path.name)} at byte \d+, block\.", text)
        self.assertTrue(hole, text[:2000])
        lost = int(hole[2] or hole[1]) - int(hole[1]) + 1
        self.assertGreater(lost, 0)
        self.assertLess(lost, len(before) // 2)
        self.assertTrue(found)
        state = replay(self.data, "state", codes=(3,))
        self.assertIn("mock", state)
        last = before[-1]["fields"]
        self.assertEqual(before[-1]["kind"].split(".")[0], "gateway", last)
        finished = of_kind(before, "request.finished")
        for row in (finished[0], finished[-1]):
            story = replay(self.data, "show", row["id"], codes=(0, 3))
            self.assertIn(row["id"], story)

    def test_a_place_without_a_log_is_no_log(self):
        empty = self.directory / "empty"
        empty.mkdir(mode=0o700)
        for place in (empty, self.directory / "none"):
            for argv in (
                    ("replay", "verify", "--log"), ("signalbox", "checkpoint", "--data"),
                    ("signalbox", "accept-loss", "--positions", "1..2", "--reason", "r", "--data")):
                with self.subTest(place=place.name, argv=argv[:2]):
                    code, text = run(*argv, place)
                    self.assertEqual(code, 2 if argv[0] == "replay" else 1, text)
                    self.assertIn("store.missing: there is no log", text)
                    self.assertIn(str(place), text)
        self.assertEqual(list(empty.iterdir()), [])
        self.assertFalse((self.directory / "none").exists())
        file = self.directory / "file"
        file.write_text("")
        code, text = serve(file)
        self.assertEqual(code, 1)
        self.assert_says(text, r"store\.directory: .* name the directory", re.escape(str(file)))

    def test_a_read_only_file_system_is_named_and_can_be_read(self):
        script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
        alone = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
        prefix = [*alone, "sh", "-c", script, "sh", str(self.data)]
        if subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("this machine lets nobody mount")
        code, text = serve(self.data, prefix)
        self.assertEqual(code, 1, text)
        self.assert_says(text, "Read-only file system", "mount it writable", re.escape(str(self.data)))
        code, text = run("replay", "verify", "--log", self.data, prefix=prefix)
        self.assertEqual(code, 0, text)


class AcceptedLossTests(DirectoryCase):
    def test_the_command_of_the_refusal_accepts_the_loss_which_is_an_event(self):
        shutil.rmtree(self.data / "snapshots", ignore_errors=True)
        path = segments(self.data)[1]
        flip(path, path.stat().st_size // 2)
        code, text = serve(self.data)
        self.assertEqual(code, 3, text)
        command = re.search(r"signalbox accept-loss .* --reason TEXT", text)[0]
        argv = shlex.split(command.replace("TEXT", "'the disk was old'"))
        first, last = re.search(r"--positions (\d+)\.\.(\d+)", command).groups()

        # Neither less nor more than what is damaged.
        wrong = [word.replace(f"{first}..{last}", f"{first}..{int(last) + 1}") for word in argv]
        code, text = run(*wrong)
        self.assertEqual(code, 3, text)
        self.assertIn(command, text)
        self.assertEqual(serve(self.data)[0], 3)

        code, text = run(*argv)
        self.assertEqual(code, 0, text)
        self.assert_says(
            text, rf"accepted: positions {first}…{last} are lost", "gateway.loss_accepted",
            "a key that was revoked may be valid again")
        code, text = run(*argv)
        self.assertEqual(code, 0, text)
        self.assertIn("accepted before", text)

        self.restart(self.box)
        answer = self.box.chat(message())
        self.assertEqual(answer.status, 200)
        edit = self.box.admin(
            "PUT", "/api/models/alias", {"alias": "later", "model": "mock/gpt-4o"})
        self.assertEqual(edit.status, 200, edit.body)
        self.assertEqual(self.box.stop(), 0)
        text = replay(self.data, "window", "--limit", "0", codes=(0, 3))
        self.assertEqual(text.count("loss of positions"), 1)
        self.assertIn(f"loss of positions {first}…{last} accepted", text)
        self.assertIn("the disk was old", text)
        self.assertIn(answer.header("x-request-id"), text)

    def test_nothing_is_accepted_where_nothing_is_damaged(self):
        code, text = run(
            "signalbox", "accept-loss", "--data", self.data, "--positions", "3..4", "--reason", "r")
        self.assertEqual(code, 1, text)
        self.assertIn("nothing here needs to be accepted", text)
        code, text = run("signalbox", "accept-loss", "--data", self.data, "--reason", "r")
        self.assertEqual(code, 2, text)


class LockTests(Spine):
    def second(self, name):
        child = Child(
            [program("signalbox"), "serve", "--data", str(self.box.data), "--listen",
             f"127.0.0.1:{free_port()}"], self.directory / f"{name}.log", self.box.environment)
        self.children.append(child)
        return child.process.wait(20), child.text()

    def test_no_second_gateway_also_when_somebody_deleted_the_lock(self):
        lock = self.box.data / "LOCK"
        code, text = self.second("held")
        self.assertEqual(code, 5, text)
        self.assertRegex(
            text, rf"store\.lock: .*\(process {self.box.child.pid}, epoch \d+, open since {TIME}")
        for remake in (False, True):
            lock.unlink()
            if remake:
                lock.touch(mode=0o600)
            code, text = self.second(f"deleted-{remake}")
            self.assertEqual(code, 5, text)
            self.assertIn("the file LOCK was deleted", text)
        self.assertEqual(self.box.chat(message()).status, 200)
        self.box.replay("verify")
        self.assertEqual(self.box.stop(), 0)
        self.restart(self.box)


class FileSizeLimitTests(Spine):
    def test_a_limit_on_the_size_of_files_is_a_full_disk_and_not_the_end(self):
        def end():
            # Of what is written; the zeros ahead of it stand behind.
            return list(Log(self.box.data).segments())[-1][0].end

        segment = segments(self.box.data)[-1]
        limit = end() + 4_096
        hard = resource.prlimit(self.box.child.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.box.child.pid, resource.RLIMIT_FSIZE, (limit, hard))

        for _ in range(100):
            self.box.chat(message())
        self.assertEqual(segments(self.box.data)[-1], segment)
        self.assertLessEqual(end(), limit)
        self.assertTrue(self.box.child.is_running(), self.box.text()[-2000:])
        resource.prlimit(self.box.child.pid, resource.RLIMIT_FSIZE, (hard, hard))

        def recorded():
            answer = self.box.chat(message())
            return answer.status == 200 and answer.header("x-request-id") in [
                row["id"] for row in of_kind(self.box.window(), "request.finished")]

        eventually(recorded, "a record after the limit was raised")
        eventually(
            lambda: of_kind(self.box.window(), "gateway.gap_closed"), "the end of the gap")
        self.assertEqual(self.box.stop(), 0)
        self.box.replay("verify")
