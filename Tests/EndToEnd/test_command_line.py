"""Administration from the command line: beside a gateway through its control socket, and without one."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading

from support import ADMIN_PASSWORD, Case, Spine, exchange, message, program, window

#: Ids and times, which no two runs share.
VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|sk-sb-\w+…?\w*"
    r"|\d{4}-\d\d-\d\dT[\d:.]+Z|\b[0-9a-f]{12}\b|\b[0-9a-f]{64}\b")


def signalbox(data, *words, secret=None, environment=None, user=None):
    prefix = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
    return subprocess.run(
        [*prefix, program("signalbox"), *words, "--data", str(data)], input=secret,
        capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", **(environment or {})})


def without_usage(text):
    """What is told of what limits have used up, left out of a verb's words for people and for machines."""
    def pruned(value):
        if isinstance(value, dict):
            return {name: pruned(inner) for name, inner in value.items() if name != "usage"}
        return [pruned(inner) for inner in value] if isinstance(value, list) else value

    return "\n".join(
        json.dumps(pruned(json.loads(line))) if line.startswith("{") else line
        for line in text.splitlines() if not line.startswith("usage "))


def operator_events(data):
    """What operators did, without what differs between two runs of the same."""
    rows = []
    for event in window(data):
        if event["kind"].startswith(("gateway.", "request.")):
            continue
        fields = {name: value for name, value in event["fields"].items()}
        rows.append((event["kind"], VARYING.sub("*", json.dumps(fields, sort_keys=True, ensure_ascii=False))))
    return rows


#: Every verb once; `{…}` is an id that an earlier answer showed.
STORY = [
    ("providers add second --base-url http://127.0.0.1:9/v1 --model gpt-4o=big --model o1", None),
    ("providers list", None),
    ("providers change second --prefix two --no-excluded-models --if-match 1", None),
    ("providers show second", None),
    ("accounts add s1 --provider second --api-key-stdin --priority 2", "sk-second-1\n"),
    ("accounts add s2 --provider second --api-key-env SECOND", None),
    ("accounts change s2 --weight 7 --api-key-stdin", "sk-second-3"),
    ("accounts disable s1", None),
    ("accounts enable s1", None),
    ("accounts degrade s1 --reason slow", None),
    ("accounts degrade s1", None),
    ("accounts end-cooldown s1", None),
    ("accounts list", None),
    ("accounts show s2 --json", None),
    ("accounts remove s2", None),
    ("alias set quick two/o1", None),
    ("alias set slow two/o9 --allow-unresolved", None),
    ("alias list", None),
    ("alias show quick", None),
    ("alias remove quick", None),
    ("keys create night --organisation acme --diagnostics", None),
    ("keys list", None),
    ("models disable second/o1", None),
    ("models list", None),
    ("models enable second/o1", None),
    ("models show second/o1", None),
    ("backends list", None),
    ("backends show s1", None),
    ("organisations add corp --rps 5 --budget month,usd=12.50", None),
    ("organisations change corp --name Corporation", None),
    ("organisations list", None),
    ("organisations pause corp", None),
    ("organisations resume corp", None),
    ("keys create bound --organisation corp --allowed-model two/o1 --allowed-account s1", None),
    ("combo add smart two/gpt-4o two/o1", None),
    ("combo change smart two/o1 two/gpt-4o", None),
    ("combo list", None),
    ("combo show smart", None),
    ("policies set corp o1 --backend s1=80 --failover-threshold 4", None),
    ("policies change corp o1 --backend s1=70", None),
    ("policies list", None),
    ("policies show corp o1", None),
    ("policies remove corp o1", None),
    ("combo remove smart", None),
    ("pricing set second o1 --input 2.5 --output 10", None),
    ("pricing set second o1 --cached 1.25", None),
    ("pricing list", None),
    ("pricing remove second o1", None),
    ("settings change --fallback-strategy round-robin --sticky-round-robin-limit 2 --max-attempts 5", None),
    ("settings change --fallback-strategy fill-first --max-body-bytes 65536 --request-timeout 30", None),
    ("settings change --cloud-url https://peer.example.com/ --cloud-protocol 9router --machine-id m-1 --sync-interval 60", None),
    ("settings change --cloud-token-stdin --sync-secrets", "sbs_0_told-to-nobody-else"),
    ("settings show", None),
    ("settings change --no-cloud-token --no-sync-secrets --cloud-protocol signalbox", None),
    ("sync tokens", None),
    ("providers disable second", None),
    # What is refused is refused alike.
    ("providers remove second", None),
    ("providers change second --name late --if-match 1", None),
    ("accounts add s3 --provider nowhere --api-key-stdin", "sk-second-4"),
    ("alias show gone", None),
    ("keys revoke gone", None),
    ("settings change --cloud-url http://peer.example.com", None),
]


COPIED = "signalbox: the data directory is a copy or a backup: refresh tokens in it are uncertain"


class StoryTests(Spine):
    def tell(self, data):
        told = []
        for words, secret in STORY:
            done = signalbox(
                data, *words.split(), secret=secret, environment={"SECOND": "sk-second-2"})
            told.append((words, done.returncode, VARYING.sub("*", done.stdout + done.stderr)))
        return told

    def test_every_verb_does_the_same_beside_a_gateway_and_without_one(self):
        self.box.stop()
        alone = self.directory / "alone"
        shutil.copytree(self.box.data, alone)
        self.box.start()
        self.children.append(self.box.child)
        self.maxDiff = None
        beside, without = (
            # What is used of limits only a gateway counts.
            [(words, code, without_usage(text)) for words, code, text in self.tell(data)]
            for data in (self.box.data, alone))
        # The directory that no gateway has is a copy, and its first edit says so, once.
        self.assertEqual([COPIED in text for _, _, text in without], [True] + [False] * (len(STORY) - 1))
        without[0] = (*without[0][:2], without[0][2].partition("\n" + COPIED)[0])
        self.assertEqual(beside, without)
        self.assertEqual([code for _, code, _ in beside], [0] * (len(STORY) - 6) + [1] * 6, beside)
        self.assertEqual(operator_events(self.box.data), operator_events(alone))
        for data in (self.box.data, alone):
            mine = [event["provenance"] for event in window(data)
                    if event["provenance"].get("source") == "cli"]
            self.assertGreaterEqual(len(mine), 14)
            self.assertEqual({event["actor"] for event in mine}, {f"local:{os.getuid()}"})
            self.assertEqual({event.get("address") for event in mine}, {None})
            for path in data.rglob("*"):
                if path.is_file():
                    content = path.read_bytes()
                    for number in (1, 2, 3, 4):
                        self.assertNotIn(b"sk-second-%d" % number, content, path)

    def test_a_created_key_is_shown_once_and_is_good_at_once(self):
        made = signalbox(self.box.data, "keys", "create", "fresh", "--organisation", "acme")
        self.assertEqual(made.returncode, 0, made.stderr)
        key = re.search(r"^key \(shown once\): (\S+)$", made.stdout, re.M)[1]
        self.assertEqual(self.box.chat(message(), key=key).status, 200)
        listed = signalbox(self.box.data, "keys", "list", "--json")
        self.assertNotIn(key, listed.stdout)
        row = next(row for row in json.loads(listed.stdout)["keys"] if row["name"] == "fresh")
        self.assertEqual(signalbox(self.box.data, "keys", "pause", row["id"]).returncode, 0)
        self.assertEqual(self.box.chat(message(), key=key).status, 401)
        self.assertEqual(signalbox(self.box.data, "keys", "resume", row["id"]).returncode, 0)
        self.assertEqual(self.box.chat(message(), key=key).status, 200)

    def test_what_the_tables_show_cannot_move_a_cursor(self):
        done = signalbox(self.box.data, "providers", "change", "mock", "--name", "a\x1b[2Jb\u202ec")
        shown = signalbox(self.box.data, "providers", "show", "mock")
        for text in (done.stdout + done.stderr, shown.stdout + shown.stderr):
            self.assertNotIn("\x1b", text)
            self.assertNotIn("\u202e", text)

    def test_wrong_usage_is_2_and_changes_nothing(self):
        before = len(window(self.box.data))
        for words in ("accounts add", "accounts change a1 --if-match new", "keys purge x",
                      "accounts add x --provider mock --api-key sk-in-clear", "nonsense"):
            with self.subTest(words):
                self.assertEqual(signalbox(self.box.data, *words.split()).returncode, 2)
        self.assertEqual(len(window(self.box.data)), before)


class SocketTests(Spine):
    @property
    def socket(self):
        return self.box.data / "control.sock"

    def test_the_socket_is_the_owners_and_goes_with_the_gateway(self):
        mode = self.socket.stat().st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.box.data.stat().st_mode), 0o700)
        self.assertEqual(self.box.stop(), 0)
        self.assertFalse(self.socket.exists())

    def test_after_kill_9_the_command_line_works_alone_and_the_next_gateway_too(self):
        self.box.kill()
        self.assertTrue(self.socket.exists())
        done = signalbox(self.box.data, "accounts", "disable", "a1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.box.start()
        self.children.append(self.box.child)
        shown = signalbox(self.box.data, "accounts", "show", "a1", "--json")
        self.assertIs(json.loads(shown.stdout)["connection"]["isActive"], False)
        done = signalbox(self.box.data, "accounts", "enable", "a1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.box.chat(message()).status, 200)

    def test_a_held_directory_without_a_socket_is_said_to_be_held(self):
        self.socket.unlink()
        done = signalbox(self.box.data, "accounts", "disable", "a1")
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn("control.sock", done.stderr)

    def test_a_gateway_that_stands_still_loses_no_change(self):
        self.box.child.process.send_signal(signal.SIGSTOP)
        results = []
        asking = threading.Thread(target=lambda: results.append(
            signalbox(self.box.data, "providers", "change", "mock", "--name", "patient")))
        asking.start()
        asking.join(0.5)
        self.assertTrue(asking.is_alive())
        self.box.child.process.send_signal(signal.SIGCONT)
        asking.join(30)
        self.assertEqual(results[0].returncode, 0, results[0].stderr)

    def test_other_users_are_kept_out_also_when_the_modes_are_loosened(self):
        if os.getuid() != 0:
            self.skipTest("only root can become another user")
        refused = signalbox(self.box.data, "accounts", "list", user=65534)
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertNotIn("a1", refused.stdout)
        for path in (self.directory, self.box.data, self.socket):
            path.chmod(0o777)
        refused = signalbox(self.box.data, "accounts", "disable", "a1", user=65534)
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertIn("went away", refused.stderr)
        self.box.data.chmod(0o700)
        shown = signalbox(self.box.data, "accounts", "show", "a1", "--json")
        self.assertIs(json.loads(shown.stdout)["connection"]["isActive"], True)

    def test_the_listener_is_never_local(self):
        # The very bytes that the socket takes are nobody's on the listener.
        for headers in ({}, {"x-local-user": "0", "host": "localhost"}):
            self.assertEqual(
                exchange(self.box.port, "GET", "/api/providers", None, headers).status, 401)
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(str(self.socket))
            door.sendall(b"GET /api/providers HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n")
            answer = http.client.HTTPResponse(door)
            answer.begin()
            self.assertEqual(answer.status, 200)
            self.assertIn(b'"a1"', answer.read())

    def test_many_at_once_lose_nothing(self):
        names = [f"n{number}" for number in range(12)]
        results = []

        def add(name):
            results.append(signalbox(self.box.data, "alias", "set", name, "mock/gpt-4o"))

        threads = [threading.Thread(target=add, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual([done.returncode for done in results], [0] * 12, results)
        listed = json.loads(signalbox(self.box.data, "alias", "list", "--json").stdout)
        self.assertLessEqual(set(names), set(listed["aliases"]))


class LongPathTests(Case):
    def test_a_long_path_has_a_socket_too(self):
        data = self.directory / ("d" * 60) / ("e" * 60)
        data.parent.mkdir()
        started = self.gateway(None)
        started.stop()
        shutil.move(started.data, data)
        started.data = data
        started.start()
        self.children.append(started.child)
        done = signalbox(data, "settings", "show")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((data / "control.sock").exists())


FILE = """\
providers:
  - id: filed
    protocol: openai
    base-url: http://127.0.0.1:9/v1
    models: [{name: o1}]
    accounts:
      - {name: f1, api-key: "${FILE_KEY}"}
"""


class ApplyTests(Spine):
    def apply(self, text, *options, name="applied.yaml", environment=None):
        path = self.directory / name
        path.write_text(text)
        return signalbox(
            self.box.data, "apply", str(path), *options,
            environment={"FILE_KEY": "sk-second-9", "OTHER_SECRET": "sk-not-named",
                         **(environment or {})})

    def operator_count(self):
        return len(operator_events(self.box.data))

    def test_a_file_enters_beside_a_gateway_as_it_does_without_one(self):
        before = self.operator_count()
        planned = self.apply(FILE + "aliases: {dossier: filed/o1}\n", "--plan")
        self.assertEqual(planned.returncode, 0, planned.stderr)
        self.assertIn("+ provider filed", planned.stdout)
        self.assertIn("nothing written", planned.stdout)
        self.assertEqual(self.operator_count(), before)
        revision = int(re.search(r"at revision (\d+)", planned.stdout)[1])
        stale = self.apply(FILE, "--if-match", str(revision - 1))
        self.assertEqual(stale.returncode, 1, stale.stdout)
        self.assertIn("revision_mismatch", stale.stderr)
        self.assertEqual(self.operator_count(), before)
        done = self.apply(
            FILE + "aliases: {dossier: filed/o1}\n", "--if-match", str(revision))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(planned.stdout.splitlines()[:-1], done.stdout.splitlines()[:-1])
        event = next(event for event in window(self.box.data)
                     if event["kind"] == "alias.set.v1" and event["fields"]["name"] == "dossier")
        self.assertEqual(event["provenance"]["actor"], f"local:{os.getuid()}")
        self.assertEqual(event["provenance"]["source"], "file")
        after = self.operator_count()
        self.assertEqual(self.apply(FILE + "aliases: {dossier: filed/o1}\n").returncode, 0)
        self.assertEqual(self.operator_count(), after)
        # The very next request knows it.
        self.assertEqual(self.box.chat(message(model="dossier")).status, 502)
        for text in (planned.stdout, done.stdout, self.box.text(), json.dumps(window(self.box.data))):
            self.assertNotIn("sk-second-9", text)
            self.assertNotIn("sk-not-named", text)
        # And the same plan without a gateway.
        self.box.stop()
        again = self.apply(FILE + "aliases: {dossier: filed/o1}\n", "--plan")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("0 added, 0 changed", again.stdout)

    def test_two_files_at_once_both_enter_and_nothing_enters_twice(self):
        aliases = [f"n{number}" for number in range(40)]
        halves = [", ".join(f"{name}: mock/gpt-4o" for name in aliases[:30]),
                  ", ".join(f"{name}: mock/gpt-4o" for name in aliases[10:])]
        results = {}

        def run(number):
            results[number] = self.apply(
                f"{FILE}aliases: {{{halves[number % 2]}}}\n", "--json", name=f"{number}.yaml")

        threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for done in results.values():
            self.assertEqual(done.returncode, 0, done.stderr)
        told = window(self.box.data)
        set_names = [event["fields"]["name"] for event in told if event["kind"] == "alias.set.v1"]
        for name in aliases:
            self.assertEqual(set_names.count(name), 1, name)
        self.assertEqual(
            [event["fields"]["id"] for event in told
             if event["kind"].startswith("provider.added.")].count("filed"), 1)
        mine = [event for event in told if event["provenance"].get("actor") == f"local:{os.getuid()}"
                and event["fields"].get("id") != "mock"]
        written = sum(json.loads(done.stdout)["events"] for done in results.values())
        self.assertGreaterEqual(len(mine), written)
        self.assertEqual(self.box.chat(message(model="n39")).status, 200)

    def test_what_is_wrong_is_named_by_line_and_nothing_is_written(self):
        before = self.operator_count()
        for text, words, environment in (
            (FILE + "aliases: {half", ["invalid_configuration"], None),
            (FILE + "colours: [red]\n", ["colours", "line 8"], None),
            (FILE.replace("FILE_KEY", "NOBODY_SET_THIS"), ["NOBODY_SET_THIS", "line 7"], None),
            (FILE + "aliases: {a: filed/nothing}\n", ["refused"], None),
        ):
            with self.subTest(words):
                refused = self.apply(text, environment=environment)
                self.assertEqual(refused.returncode, 1, refused.stdout)
                for word in words:
                    self.assertIn(word, refused.stderr)
        self.assertEqual(self.operator_count(), before)


class ResetPasswordTests(Spine):
    def sign_in(self, password):
        return exchange(
            self.box.port, "POST", "/api/auth/login",
            json.dumps({"password": password}).encode()).status

    def reset(self, *options, secret=None):
        return signalbox(self.box.data, "admin", "reset-password", *options, secret=secret)

    def test_beside_a_gateway_every_session_ends_and_the_new_password_holds(self):
        self.assertEqual(self.box.admin("GET", "/api/settings").status, 200)
        done = self.reset()
        self.assertEqual(done.returncode, 0, done.stderr)
        made = re.search(r"^admin password \(shown once\): (\S+)$", done.stdout, re.M)[1]
        self.assertEqual(self.box.admin("GET", "/api/settings").status, 401)
        self.assertEqual(self.sign_in(ADMIN_PASSWORD), 401)
        self.assertEqual(self.sign_in(made), 200)
        for path in self.box.data.rglob("*"):
            if path.is_file():
                self.assertNotIn(made.encode(), path.read_bytes(), path)
        self.assertNotIn(made, self.box.text())

    def test_without_a_gateway_it_holds_from_the_next_start(self):
        self.box.stop()
        done = self.reset("--password-stdin", secret="a quite new signal box\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("quite", done.stdout + done.stderr)
        del self.box.environment["SIGNALBOX_ADMIN_PASSWORD"]
        self.restart(self.box)
        self.assertEqual(self.sign_in("a quite new signal box"), 200)

    def test_a_weak_one_is_refused_and_the_old_one_holds(self):
        for secret in ("short\n", "signalbox-admin\n", "1234567890abcdefgh\n"):
            refused = self.reset("--password-stdin", secret=secret)
            self.assertEqual(refused.returncode, 1, refused.stdout)
            self.assertIn("weak_password", refused.stderr)
        self.assertEqual(self.sign_in(ADMIN_PASSWORD), 200)

    def test_the_listener_has_no_such_path(self):
        for path in ("/api/settings/reset-password", "/api/config/apply"):
            for headers in ({}, self.box.login()):
                self.assertEqual(
                    exchange(self.box.port, "POST", path, b"{}", headers).status, 404, path)
