"""`replay export`: what Python's own readers of CSV, JSON and SQLite find is what `window` shows."""

import csv
import io
import json
import sqlite3
import subprocess

from support import CLIENT_KEY, Spine, message, program, window

HOSTILE = '=HYPERLINK("http://127.0.0.1/","x"),\u001b[31m'
CANARY = "canary-7f3a-prompt"


class ExportTests(Spine):
    def export(self, *arguments, code=0):
        done = subprocess.run(
            [program("replay"), "export", "--log", str(self.box.data), *map(str, arguments)], capture_output=True,
            timeout=60)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def setUp(self):
        super().setUp()
        for _ in range(5):
            self.box.chat(message(CANARY))
        self.box.chat(message(CANARY, model=HOSTILE))
        self.box.chat(message(CANARY, model="+1"))
        self.box.stop()
        self.events = window(self.box.data)
        self.ends = [event for event in self.events if event["kind"].startswith("request.finished")]

    def test_csv_is_what_a_reader_of_csv_reads_and_no_spreadsheet_computes(self):
        data = self.export("--csv")
        self.assertEqual(data, self.export("--csv"))
        rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
        self.assertEqual(data.count(b"\n"), data.count(b"\r\n"))
        self.assertEqual([row["request_id"] for row in rows], [end["fields"]["id"] for end in self.ends])
        self.assertEqual([row["status"] for row in rows], [str(end["fields"]["status"]) for end in self.ends])
        asked = [row["model_asked"] for row in rows]
        self.assertIn("'" + HOSTILE.replace("\u001b", "\\u{1b}"), asked)
        self.assertIn("'+1", asked)
        for cell in (cell for row in rows for cell in row.values()):
            self.assertFalse(cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell)
            self.assertNotIn("\u001b", cell)

    def test_lines_of_json_have_every_event(self):
        lines = [json.loads(line) for line in self.export("--ndjson", "--table", "events").splitlines()]
        self.assertEqual(
            [(f"{line['epoch']}:{line['position']}", line["kind"], json.loads(line["fields"])) for line in lines],
            [(event["at"], event["kind"], event["fields"]) for event in self.events])

    def test_sqlite_has_all_of_it_with_types_and_sums_and_is_not_written_over(self):
        path = self.directory / "out.sqlite"
        self.export("--sqlite", "-o", path)
        bytes_then = path.read_bytes()
        self.export("--sqlite", "-o", self.directory / "again.sqlite")
        self.assertEqual((self.directory / "again.sqlite").read_bytes(), bytes_then)
        self.export("--sqlite", "-o", path, code=2)
        self.export("--csv", "-o", path, code=2)
        self.assertEqual(path.read_bytes(), bytes_then)
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            ask = lambda text: db.execute(text).fetchall()
            self.assertEqual(ask("PRAGMA integrity_check"), [("ok",)])
            self.assertEqual(ask("SELECT count(*) FROM events"), [(len(self.events),)])
            self.assertEqual(
                ask("SELECT request_id, model_asked, status, input_tokens FROM requests ORDER BY position"),
                [(end["fields"]["id"], end["fields"]["modelAsked"], end["fields"]["status"],
                  end["fields"]["usage"]["input"]) for end in self.ends])
            self.assertEqual(
                ask("SELECT account_id, total_us FROM attempts ORDER BY position, number"),
                [(attempt["account"], attempt["totalMicroseconds"]) for end in self.ends
                 for attempt in end["fields"]["attempts"]])
            self.assertEqual(ask("SELECT sum(requests), sum(failed) FROM usage_by_key"), [(7, 2)])
            for view in ("usage_by_day", "usage_by_model", "usage_by_account"):
                self.assertEqual(ask(f"SELECT sum(requests) FROM {view}"), [(7,)], view)
            self.assertEqual(ask("SELECT count(*) FROM failures"), [(2,)])
            self.assertGreater(ask("SELECT count(*) FROM edits WHERE stream LIKE 'alias/%' OR source = 'file'")[0][0], 0)
            self.assertEqual(
                ask("SELECT DISTINCT typeof(position), typeof(time), typeof(status) FROM requests"),
                [("integer", "text", "integer")])

    def test_neither_secrets_nor_prompts_are_in_any_format(self):
        self.export("--sqlite", "-o", self.directory / "out.sqlite")
        found = [(self.directory / "out.sqlite").read_bytes()]
        for table in ("requests", "attempts", "events"):
            found += [self.export("--ndjson", "--table", table), self.export("--csv", "--table", table)]
        for data in found:
            for secret in (CANARY, CLIENT_KEY, "sk-upstream"):
                self.assertNotIn(secret.encode(), data)

    def test_a_reader_that_goes_away_is_no_error_and_options_that_do_not_fit_are(self):
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {program('replay')} export --csv --table events --log {self.box.data} | head -1"],
            capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, len(done.stdout.splitlines())), (0, 1))
        for arguments in (["--sqlite"], ["--csv", "--ndjson"], [], ["--csv", "--json"],
                          ["--sqlite", "-o", "x", "--table", "events"], ["--csv", "--table", "nothing"]):
            with self.subTest(arguments):
                self.export(*arguments, code=2)
