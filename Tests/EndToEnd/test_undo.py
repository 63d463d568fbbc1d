"""Who set what, going back, and a file beside others' edits; with a gateway that runs."""

import json
import subprocess
import threading
import time

from support import CLIENT_KEY, Spine, eventually, message, program, replay, window

SLOW = "mock/gpt-4o"
FAST = "mock/gpt-4o-mini"


def signalbox(data, *words, text=None, environment=None):
    return subprocess.run(
        [program("signalbox"), *map(str, words), "--data", str(data)], input=text or "",
        capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "SIGNALBOX_CLIENT_KEY": CLIENT_KEY, **(environment or {})})


def intent(data):
    return [e for e in window(data) if not e["kind"].startswith(("gateway.", "request.", "access."))]


class UndoTests(Spine):
    def cli(self, *words, code=0, **more):
        done = signalbox(self.box.data, *words, **more)
        self.assertEqual(done.returncode, code, f"{words}\n{done.stdout}\n{done.stderr}")
        return done

    def point(self, model, tag=None):
        headers = {"if-match": f'"{tag}"'} if tag else None
        return self.box.admin(
            "PUT", "/api/models/alias", {"alias": "fast", "model": model}, headers)

    def history(self, stream):
        answer = self.box.admin("GET", f"/api/history/{stream}")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()["steps"]

    def served_by(self, model="fast"):
        answer = self.box.chat(message(model=model))
        if answer.status != 200:
            return answer.status
        return self.box.recorded(answer.header("x-request-id"))["modelResolved"]

    def test_an_alias_goes_back_three_times(self):
        self.assertEqual(self.served_by(), "mock/gpt-4o-mini")
        self.assertEqual(self.point(SLOW).status, 200)
        self.assertEqual(self.served_by(), "mock/gpt-4o")
        plan = self.cli("revert", "alias/fast", "--to", 1, "--plan").stdout
        self.assertIn("model: mock/gpt-4o → mock/gpt-4o-mini", plan)
        self.assertIn("of 2 requests of the last 24 h, decided anew, 2 would go elsewhere", plan)
        self.assertIn("2 × fast: mock/a1 gpt-4o → mock/a1 gpt-4o-mini", plan)
        self.assertIn("planned, nothing written", plan)
        self.assertEqual(self.served_by(), "mock/gpt-4o", "a plan changed something")
        asked = self.cli("revert", "alias/fast", "--to", 1, code=2)
        self.assertIn("--yes", asked.stderr)
        for to, model in ((1, "mock/gpt-4o-mini"), (2, "mock/gpt-4o"), (3, "mock/gpt-4o-mini")):
            self.cli("revert", "alias/fast", "--to", to, "--yes")
            self.assertEqual(self.served_by(), model)
        steps = self.history("alias/fast")
        self.assertEqual([step["revision"] for step in steps], [5, 4, 3, 2, 1])
        self.assertEqual([step["source"] for step in steps], ["cli", "cli", "cli", "api", "file"])
        by_revision = {step["revision"]: step for step in steps}
        for revision, to in ((3, 1), (4, 2), (5, 3)):
            self.assertEqual(by_revision[revision]["cause"], by_revision[to]["event"])
        told = self.cli("history", "alias/fast").stdout
        self.assertIn("going back to event " + by_revision[1]["event"], told)
        self.assertIn("model: mock/gpt-4o → mock/gpt-4o-mini", told)
        again = self.cli("revert", "alias/fast", "--to", 3, "--yes").stdout
        self.assertIn("it is so already", again)
        self.assertIn("refused (not_found)", self.cli("revert", "alias/no", "--to", 1, code=1).stderr)

    def test_the_configuration_goes_back_to_before_an_incident(self):
        self.assertEqual(self.served_by(), "mock/gpt-4o-mini")
        before = json.loads(replay(self.box.data, "state", "--json"))["at"]
        for method, path, document in (
            ("DELETE", "/api/models/alias?alias=fast", None),
            ("PUT", "/api/provider-nodes/mock", {"prefix": "moved"}),
            ("PUT", "/api/providers/a1", {"isActive": False}),
            ("DELETE", "/api/providers/a2", None),
            ("PATCH", "/api/settings", {"requireApiKey": False}),
        ):
            self.assertEqual(self.box.admin(method, path, document).status, 200, path)
        self.assertEqual(self.served_by(), 404)
        plan = json.loads(
            self.cli("restore-config", "--at", before, "--plan", "--json").stdout)
        self.assertEqual(plan["events"], 0)
        self.assertEqual(
            {row["title"]: row["change"] for row in plan["changes"]},
            {"settings": "changed", "provider mock": "changed", "account mock/a1": "changed",
             "account mock/a2": "added", "alias fast": "added"})
        self.assertEqual(plan["effect"]["changed"], 2, "both requests for `fast` are served again")
        self.assertEqual(plan["effect"]["groups"][0]["to"]["name"], "mock/a1")
        count = len(intent(self.box.data))
        done = self.cli("restore-config", "--at", before, "--yes").stdout
        self.assertIn("comes back without a credential", done)
        self.assertEqual(self.served_by(), "mock/gpt-4o-mini")
        self.assertFalse(
            [row for row in self.box.admin("GET", "/api/providers").json()["connections"]
             if row["name"] == "a2"][0]["hasCredential"])
        written = intent(self.box.data)[count:]
        self.assertEqual({e["provenance"]["cause"] for e in written}, {plan["event"]})
        nothing = self.cli("restore-config", "--at", before, "--yes").stdout
        self.assertIn("it is so already", nothing)
        self.assertEqual(len(intent(self.box.data)), count + len(written))

    def test_of_64_clients_one_wins_each_revision(self):
        self.box.login()
        wins = {}
        for revision in range(1, 5):
            answers = [None] * 64

            def edit(client):
                answers[client] = self.box.admin(
                    "PUT", "/api/models/alias",
                    {"alias": "fast", "model": f"lost/{revision}-{client}", "allowUnresolved": True},
                    {"if-match": f'"{revision}"'}).status

            threads = [threading.Thread(target=edit, args=(n,)) for n in range(64)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            self.assertEqual(sorted(answers), [200] + [412] * 63)
            wins[revision + 1] = f"lost/{revision}-{answers.index(200)}"
        steps = {step["revision"]: step for step in self.history("alias/fast")}
        self.assertEqual(sorted(steps), [1, 2, 3, 4, 5])
        for revision, model in wins.items():
            change = [c for c in steps[revision]["changes"] if c["field"] == "model"][0]
            self.assertEqual(change["after"], model)
            self.assertEqual(change["before"], wins.get(revision - 1, FAST))
            self.assertEqual(steps[revision]["base"], revision - 1)

    def test_an_edit_by_api_is_kept_when_the_gateway_starts_with_the_file(self):
        drift = self.cli("drift")
        self.assertIn("0 changed", drift.stdout)
        self.assertEqual(self.point(SLOW).status, 200)
        self.assertEqual(self.box.admin("PUT", "/api/providers/a2", {"priority": 9}).status, 200)
        self.assertEqual(self.box.stop(), 0)
        self.box.start(with_config=True)
        self.children.append(self.box.child)
        self.assertEqual(self.served_by(), "mock/gpt-4o", "the file took an operator's edit back")
        self.assertRegex(
            self.box.text(),
            r"alias fast: model left at mock/gpt-4o, the file says mock/gpt-4o-mini: edited "
            r"elsewhere, by admin via api")
        self.assertIn("account mock/a2: priority left at 9, the file says 2", self.box.text())
        drift = self.cli("drift", code=1)
        self.assertRegex(
            drift.stdout, r"! alias fast model: left at mock/gpt-4o, the file says mock/gpt-4o-mini "
            r"\(edited elsewhere by admin via api, \S+Z, \d+:\d+\)")
        named = self.cli("drift", self.box.config, "--json", code=1)
        kept = json.loads(named.stdout)["kept"]
        self.assertEqual([row["title"] for row in kept], ["account mock/a2", "alias fast"])
        taken = self.cli("apply", self.box.config, "--overwrite")
        self.assertIn("0 added, 2 changed", taken.stdout)
        self.assertEqual(self.served_by(), "mock/gpt-4o-mini")
        self.cli("drift")

    def test_files_that_are_no_files_change_nothing(self):
        count = len(intent(self.box.data))
        whole = self.box.config.read_text()
        for text, word in (
            (whole[: len(whole) // 2], "line "),
            (whole.replace("SIGNALBOX_CLIENT_KEY", "NOBODY_SET_THIS"), "NOBODY_SET_THIS"),
            (whole + "colours: [red]\n", "colours"),
        ):
            self.box.config.write_text(text)
            with self.subTest(word):
                for plan in ((), ("--plan",)):
                    refused = self.cli("apply", self.box.config, *plan, code=1)
                    self.assertIn(word, refused.stderr)
                answer = self.box.admin("GET", "/api/config/drift").json()
                self.assertIn(word, answer["fault"])
                self.assertIsNone(answer["comparison"])
        self.assertEqual(len(intent(self.box.data)), count)
        self.assertEqual(self.box.stop(), 0)
        child = self.gateway(whole[: len(whole) // 2], wait=False).child
        self.assertEqual(child.process.wait(20), 1)
        self.assertIn("line ", child.text())

    def test_two_processes_apply_at_once(self):
        texts = [
            self.box.config.read_text() + f"settings: {{max-body-bytes: {size}}}\n"
            for size in (2_000_000, 3_000_000)]
        files = []
        for number, text in enumerate(texts):
            more = "".join(f", b{number}x{n}: {SLOW}" for n in range(40))
            files.append(self.directory / f"file{number}.yaml")
            files[-1].write_text(text.replace(f"fast: {FAST}", f"fast: {FAST}{more}"))
        done = [None, None]

        def apply(number):
            done[number] = signalbox(self.box.data, "apply", files[number])

        threads = [threading.Thread(target=apply, args=(n,)) for n in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for result in done:
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        aliases = self.box.admin("GET", "/api/models/alias").json()["aliases"]
        self.assertEqual(len(aliases), 81, "one process undid the other")
        sizes = [
            c["after"] for s in self.history("settings") for c in s["changes"]
            if c["field"] == "maxBodyBytes"]
        self.assertEqual(sorted(sizes), [2_000_000, 3_000_000], "each once, the later holds")

    def test_a_gateway_killed_while_a_file_is_applied_has_all_of_it_or_nothing(self):
        before = self.box.config.read_text()
        for number in range(3):
            more = "".join(f", k{number}x{n}: {SLOW}" for n in range(200))
            file = self.directory / f"kill{number}.yaml"
            file.write_text(before.replace(f"fast: {FAST}", f"fast: {FAST}{more}"))
            process = subprocess.Popen(
                [program("signalbox"), "apply", str(file), "--data", str(self.box.data)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env={"PATH": "/usr/bin:/bin", "SIGNALBOX_CLIENT_KEY": CLIENT_KEY})
            # Somewhere between sending and answering; any moment must do.
            time.sleep(0.03 * number)
            self.box.kill()
            out, err = process.communicate(timeout=60)
            self.restart(self.box)
            aliases = self.box.admin("GET", "/api/models/alias").json()["aliases"]
            found = sum(name.startswith(f"k{number}x") for name in aliases)
            self.assertIn(found, (0, 200), out + err)
            if process.returncode == 0:
                self.assertEqual(found, 200, "an acknowledged change is gone")
            again = self.cli("apply", file)
            self.assertIn(f"{200 - found} added", again.stdout)
        self.box.replay("verify")

    def test_a_provider_removed_while_its_request_runs_serves_it_to_the_end(self):
        self.upstream.next({"head-latency": "1500ms"})
        answers = []
        running = threading.Thread(target=lambda: answers.append(self.box.chat(message(model="fast"))))
        running.start()
        eventually(lambda: self.upstream.total() >= 1, "the request at the provider")
        for path in ("/api/providers/a1", "/api/providers/a2", "/api/provider-nodes/mock"):
            self.assertEqual(self.box.admin("DELETE", path).status, 200, path)
        self.assertEqual(self.served_by(), 404, "a request after the edit was acknowledged")
        running.join(30)
        self.assertEqual(answers[0].status, 200, answers[0].body)
        steps = self.history("provider/mock")
        self.assertEqual(steps[0]["kind"], "provider.removed.v1")
        self.assertEqual(
            [c for c in steps[0]["changes"] if c["field"] == "prefix"][0],
            {"field": "prefix", "before": "mock", "after": None})
