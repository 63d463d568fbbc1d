"""`signalbox rebuild`: the views are what the log gives, whatever ended the gateway; what is not is found and named."""

import json
import random
import shutil
import sqlite3
import subprocess
import threading
import time

from support import Spine, message, of_kind, program


class RebuildTests(Spine):
    def rebuild(self, *arguments, data=None):
        done = subprocess.run(
            [program("signalbox"), "rebuild", "--data", str(data or self.box.data), *arguments],
            capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def checked(self, *, code=0):
        found, out, said = self.rebuild("--check", "--json")
        self.assertEqual(found, code, out + said)
        return json.loads(out)

    def verified(self):
        done = subprocess.run(
            [program("replay"), "verify", "--json", "--log", str(self.box.data)], capture_output=True, text=True, timeout=120)
        return done.returncode, json.loads(done.stdout), done.stderr

    def looks(self):
        """Every file of the directory, as it is and when it was changed."""
        return {path: (path.read_bytes(), path.stat().st_mtime_ns)
                for path in sorted(self.box.data.rglob("*")) if path.is_file()}

    @property
    def file(self):
        return self.box.data / "views" / "usage.sqlite"

    def again(self):
        self.box.start()
        self.children.append(self.box.child)

    def test_verify_leaves_the_views_out_where_it_is_told_to(self):
        self.chats(4)
        # The views have them all once this is answered.
        self.assertEqual(self.box.admin("GET", "/api/usage/history").json()["totalRequests"], 4)
        self.assertEqual(self.box.stop(), 0)
        with sqlite3.connect(self.file) as database:
            database.execute("UPDATE usage_hour SET requests = requests + 1")
        database.close()
        looks = self.looks()

        def verify(*arguments):
            done = subprocess.run(
                [program("replay"), "verify", "--json", *arguments, "--log", str(self.box.data)], capture_output=True, text=True,
                timeout=60)
            return done.returncode, json.loads(done.stdout)

        code, whole = verify()
        self.assertEqual((code, whole["views"]["verdict"]), (1, "differ"))
        for arguments in (["--no-views"], ["--no-views", "--from", "2"]):
            code, verdict = verify(*arguments)
            self.assertEqual((code, verdict["views"]["verdict"]), (0, "none"), verdict)
            self.assertIn("left out", json.dumps(verdict["views"]))
            self.assertEqual(verdict["decisions"], whole["decisions"])
        self.assertEqual(self.looks(), looks)

    def chats(self, count, model="mock/gpt-4o-mini"):
        for _ in range(count):
            self.box.chat(message(model=model))

    def count(self):
        """Requests that the views have; SQLite itself is asked, beside the gateway."""
        with sqlite3.connect(f"file:{self.file}?mode=ro", uri=True) as database:
            return database.execute("SELECT COALESCE(SUM(requests), 0) FROM usage_by_hour WHERE kind = 1").fetchone()[0]

    def rebuilt(self):
        return of_kind(self.box.window(), "gateway.view_rebuilt")

    def test_killed_at_any_moment_the_views_are_what_the_log_gives(self):
        seed = random.randrange(1 << 32)
        dice = random.Random(seed)
        with self.subTest(seed=seed):
            for _ in range(4):
                stop = threading.Event()

                def load():
                    while not stop.is_set():
                        try:
                            self.chats(5)
                            self.chats(1, "nobody/offers")
                        except OSError:
                            return

                threads = [threading.Thread(target=load, daemon=True) for _ in range(4)]
                for thread in threads:
                    thread.start()
                # A moment of the load, not a wait for something.
                time.sleep(dice.uniform(0.2, 2.2))
                # Beside the gateway that writes.
                self.assertTrue(self.checked()["isSame"])
                code, verdict, said = self.verified()
                self.assertEqual((code, verdict["views"]["verdict"]), (0, "same"), said)
                self.box.kill()
                stop.set()
                for thread in threads:
                    thread.join()
                before = self.looks()
                dead = self.checked()
                self.assertTrue(dead["isSame"], dead)
                # Nothing is healed or tidied up by who only looks, though SQLite's files are as the kill left them.
                self.assertEqual(self.looks(), before)
                self.again()
                history = self.box.admin("GET", "/api/usage/history").json()
                self.assertEqual(history["lag"], 0)
                self.assertTrue(self.checked()["isSame"])
            self.assertGreater(history["totalRequests"], 100)
            self.assertEqual(self.count(), history["totalRequests"])
            self.assertEqual(self.rebuilt(), [])

    def test_a_row_edited_by_hand_is_found_and_named_and_made_good(self):
        self.chats(20)
        before = self.box.admin("GET", "/api/usage/history").json()["totalRequests"]
        self.assertEqual(before, 20)
        code, out, said = self.rebuild()
        self.assertEqual((code, out), (5, ""), said)
        self.assertEqual(self.box.stop(), 0)
        whole = self.checked()
        self.assertEqual([table["isSame"] for table in whole["tables"]], [True] * len(whole["tables"]))
        self.assertIn("usage_by_hour", [table["table"] for table in whole["tables"]])
        for statement, table, words in [
                ("UPDATE usage_hour SET requests = requests + 1", "usage_by_hour",
                 "requests=21"),
                ("DELETE FROM usage_minute", "usage_minute", ""),
                ("UPDATE name SET text = 'mock/other' WHERE text = 'mock/gpt-4o-mini'", "usage_by_month", "mock/"),
                ("INSERT INTO in_flight VALUES (x'00112233445566778899aabbccddeeff', 3)", "in_flight",
                 "request=00112233445566778899aabbccddeeff position=3")]:
            shutil.copy(self.file, self.directory / "kept.sqlite")
            with sqlite3.connect(self.file) as database:
                database.execute(statement)
            database.close()
            found = self.checked(code=1)
            self.assertEqual((found["verdict"], found["difference"]["table"]), ("differ", table))
            self.assertIn(words, found["difference"]["file" if words else "log"] or "")
            self.assertNotEqual(found["difference"]["file"], found["difference"]["log"])
            self.assertIn(False, [row["isSame"] for row in found["tables"] if row["table"] == table])
            code, out, _ = self.rebuild("--check")
            self.assertEqual(code, 1)
            self.assertIn(f"  first    in {table}\n", out)
            # The other door to the same, which tells it beside what it says of the log.
            code, verdict, said = self.verified()
            self.assertEqual((code, verdict["views"]), (1, found), said)
            self.assertEqual((verdict["integrity"]["isIntact"], verdict["decisions"]["differing"]), (True, 0))
            shutil.copy(self.directory / "kept.sqlite", self.file)
        self.assertTrue(self.checked()["isSame"])
        before = self.looks()
        code, verdict, said = self.verified()
        self.assertEqual((code, verdict["views"]["verdict"]), (0, "same"), said)
        self.assertEqual(self.looks(), before, "verify changed something beside the log")
        with sqlite3.connect(self.file) as database:
            database.execute("UPDATE usage_hour SET requests = 7")
        database.close()
        self.checked(code=1)
        code, out, said = self.rebuild()
        self.assertEqual(code, 0, said)
        self.assertRegex(out, r"^made anew through position \d+\n$")
        self.assertTrue(self.checked()["isSame"])
        self.assertEqual(self.count(), 20)
        (note,) = [event for event in self.box.window() if event["kind"].startswith("gateway.view_rebuilt")]
        self.assertEqual((note["fields"]["view"], note["fields"]["reason"]), ("usage", "asked"))
        self.assertEqual((note["provenance"]["actor"][:6], note["provenance"]["source"]), ("local:", "cli"))
        self.again()
        self.assertEqual(self.box.admin("GET", "/api/usage/history").json()["totalRequests"], 20)

    def test_what_cannot_be_compared_is_said_and_each_remaking_is_noted_once(self):
        self.chats(5)
        self.box.admin("GET", "/api/usage/history")
        self.assertEqual(self.box.stop(), 0)

        def broken():
            for path in self.file.parent.iterdir():
                path.unlink()
            self.file.write_bytes(b"nothing like it" * 1000)

        def ahead():
            with sqlite3.connect(self.file) as database:
                database.execute("UPDATE checkpoint SET position = position + 1000")
            database.close()

        for number, (harm, reason) in enumerate([
                (lambda: shutil.rmtree(self.file.parent), "missing"), (broken, "damaged"), (ahead, "astray")], 1):
            harm()
            found = self.checked(code=1)
            self.assertEqual(found["tables"], [])
            self.assertIn(reason if reason != "astray" else "not of this log", found["why"].replace("has none", "missing"))
            # Views that are missing are no fault of the directory; what is no view, or of another log, is.
            code, verdict, said = self.verified()
            self.assertEqual((code, verdict["views"]), (0 if reason == "missing" else 1, found), said)
            self.again()
            deadline = time.monotonic() + 20
            while len(self.rebuilt()) < number and time.monotonic() < deadline:
                self.box.admin("GET", "/api/usage/history")
            self.assertEqual([it["reason"] for it in self.rebuilt()][-1:], [reason])
            self.assertEqual(self.box.stop(), 0)
            self.assertTrue(self.checked()["isSame"])
        self.assertEqual(len(self.rebuilt()), 3)
        text = self.box.replay("window", "--kind", "gateway.view_rebuilt")
        self.assertIn("view usage made anew through", text)

        # A log that cannot be read gives no views to compare with.
        copy = self.directory / "copy"
        shutil.copytree(self.box.data, copy, ignore=shutil.ignore_patterns("control.sock"))
        segment = max((copy / "seg").iterdir(), key=lambda path: path.stat().st_size)
        data = bytearray(segment.read_bytes())
        used = len(bytes(data).rstrip(b"\0"))
        data[used // 2] ^= 0xFF
        segment.write_bytes(data)
        code, _, said = self.rebuild("--check", data=copy)
        self.assertEqual(code, 3, said)
        self.assertEqual(self.rebuild("--check", data=self.directory / "nothing")[0], 1)
        self.assertEqual(self.rebuild("--chek")[0], 2)

    def test_version_tells_build_formats_and_log_to_administrators(self):
        told = self.box.admin("GET", "/api/system/version").json()
        ready = json.loads(self.box.admin("GET", "/v1/status/readyz").body)
        for name, value in ready["build"].items():
            self.assertEqual(told[name], value)
        self.assertEqual(ready["components"]["views"], "healthy")
        self.assertEqual(told["formats"]["log"], (self.box.data / "FORMAT").read_text().split()[1])
        self.assertEqual(told["store"], (self.box.data / "FORMAT").read_text().split()[2])
        self.assertLess(told["uptimeSeconds"], 60)
        epoch = told["epoch"]
        self.assertEqual(self.box.stop(), 0)
        self.again()
        self.assertGreater(self.box.admin("GET", "/api/system/version").json()["epoch"], epoch)
        # A stamped program tells what it was stamped with.
        stamped = self.directory / "stamped"
        shutil.copy(program("signalbox"), stamped)
        stamp = self.directory / "stamp"
        stamp.write_bytes(b"0123456789ab\n2026-11-22T12:00:00Z\n".ljust(128, b"\0"))
        subprocess.run(["objcopy", "--update-section", f".signalbox_build={stamp}", str(stamped)], check=True)
        self.assertEqual(self.box.stop(), 0)
        self.box.under = ["/bin/sh", "-c", f'shift; exec "{stamped}" "$@"', "sh"]
        self.again()
        told = self.box.admin("GET", "/api/system/version").json()
        self.assertEqual((told["commit"], told["build_time"]), ("0123456789ab", "2026-11-22T12:00:00Z"))
