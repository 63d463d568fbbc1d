"""Reports from the field about edits that were lost, and about many accounts."""

import json
import os
import subprocess
import threading
from pathlib import Path

from story import Story, later, upstream_key
from support import program


class EditTests(Story):
    def history(self, stream):
        return self.must("GET", f"/api/history/{stream}")["steps"]

    def test_r1_r2_field_edits_outlive_the_writers_of_credentials_and_health(self):
        pool = self.pool(1)
        account, failures = pool.ids[0], []

        def write(*documents):
            for document in documents:
                answer = self.box.admin("PUT", f"/api/providers/{account}", document)
                if answer.status != 200:
                    failures.append(answer.body)

        key = upstream_key(pool.accounts[0])
        self.box.login()
        writers = [
            threading.Thread(target=write, args=documents) for documents in (
                [{"priority": n} for n in range(2, 12)], [{"weight": n} for n in range(2, 12)],
                [{"apiKey": key}, {"apiKey": f"{key}-b"}] * 4 + [{"apiKey": key}],
                [{"rateLimitedUntil": later(30 * 86_400)}, {"rateLimitedUntil": None}] * 5)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        self.assertEqual(failures, [])
        shown = self.shown(pool.accounts[0])
        self.assertEqual((shown["priority"], shown["weight"]), (11, 11))
        self.good(pool.model)

    def test_r3_a_switch_stays_as_it_was_set_and_health_does_not_move_its_revision(self):
        pool = self.pool(2)
        path = f"/api/providers/{pool.ids[0]}"
        tag = self.box.admin("GET", path).header("etag")
        self.must("PUT", path, {"rateLimitedUntil": later(30 * 86_400)})
        self.must("POST", path + "/test")
        self.assertEqual(self.box.admin("GET", path).header("etag"), tag)
        off = self.box.admin("PUT", path, {"isActive": False}, {"if-match": tag})
        self.assertEqual(off.status, 200, off.body)
        for document in ({"apiKey": upstream_key(pool.accounts[0])}, {"rateLimitedUntil": None}):
            self.must("PUT", path, document)
        self.must("POST", path + "/test")
        self.assertFalse(self.shown(pool.accounts[0])["isActive"])
        self.forget_calls()
        self.good(pool.model, 3)
        self.assertEqual(self.calls(pool), {pool.accounts[1]: 3})

    def test_r4_r5_nobody_rewrites_the_file_and_what_it_may_not_say_is_named(self):
        before = self.box.config.read_bytes()
        pool = self.pool(1)
        self.must("PUT", "/api/models/alias", {"alias": "panel", "model": pool.model})
        self.must("PATCH", "/api/settings", {"maxBodyBytes": 1 << 20})
        self.addCleanup(self.must, "PATCH", "/api/settings", {"maxBodyBytes": 32 << 20})
        self.assertEqual(self.box.config.read_bytes(), before)
        document = self.directory / "block.yaml"
        document.write_text("# ours\nstreaming: {keepalive: 15}\n")
        applied = subprocess.run(
            [program("signalbox"), "apply", str(document), "--data", str(self.box.data)],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(applied.returncode, 1)
        self.assertIn("streaming", applied.stdout + applied.stderr)
        self.assertEqual(document.read_text(), "# ours\nstreaming: {keepalive: 15}\n")

    def test_r7_saving_a_providers_models_again_leaves_the_aliases_alone(self):
        pool = self.pool(1)
        self.must("PUT", "/api/models/alias", {"alias": "second-screen", "model": pool.model})
        for models in (["gpt-4o-mini", "gpt-4o", "fresh"], ["gpt-4o-mini", "gpt-4o"]):
            self.must("PUT", f"/api/provider-nodes/{pool.provider}", {
                "models": [{"name": name} for name in models]})
            self.assertEqual(
                self.must("GET", "/api/models/alias")["aliases"]["second-screen"], pool.model)
            self.good("second-screen")

    def test_r8_a_file_that_was_replaced_under_the_same_name_is_seen(self):
        fresh = self.directory / "fresh.yaml"
        pool = self.pool(1)
        fresh.write_text(self.box.config.read_text() + f"aliases: {{replaced: {pool.model}}}\n")
        kept = self.box.config.read_text()
        os.replace(fresh, self.box.config)
        try:
            drift = json.dumps(self.must("GET", "/api/config/drift"))
            self.assertIn("replaced", drift)
        finally:
            self.box.config.write_text(kept)


class ManyAccountsTests(Story):
    #: What a process of a debug build may hold with them; others took 230 to 460 MB.
    RESIDENT_MIB = 200

    def test_r41_a_thousand_accounts_are_no_load(self):
        rows = "".join(
            f"      - {{name: m{n}, api-key: sk-many-{n}, priority: {n}}}\n"
            for n in range(1, 1001))
        document = self.directory / "many.yaml"
        document.write_text(
            f"providers:\n  - id: many\n    protocol: openai\n    base-url: {self.upstream.base_url}\n"
            f"    models: [{{name: gpt-4o}}]\n    accounts:\n{rows}")
        applied = subprocess.run(
            [program("signalbox"), "apply", str(document), "--data", str(self.box.data)],
            capture_output=True, text=True, timeout=120)
        self.assertEqual(applied.returncode, 0, applied.stderr)
        self.upstream.scenario({})
        self.good("many/gpt-4o", 50)
        self.assertEqual(len(self.must("GET", "/api/providers?limit=100")["connections"]), 100)
        status = Path(f"/proc/{self.box.child.pid}/status").read_text()
        resident = next(
            int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        self.assertLess(resident / 1024, self.RESIDENT_MIB)
