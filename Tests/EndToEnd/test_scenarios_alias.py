"""Reports from the field about names: aliases, combos, prefixes, lists of models."""

import json
import subprocess
import time

from story import Story
from support import CLIENT_KEY, exchange, program

ALIAS = "/api/models/alias"


class AliasTests(Story):
    def point(self, alias, model, status=200):
        return self.must("PUT", ALIAS, {"alias": alias, "model": model}, status)

    def sent_models(self, count):
        """The names that upstream was asked for, last ones last."""
        return [json.loads(body)["model"] for body in self.upstream.bodies(count)]

    def test_a1_an_alias_set_in_one_place_routes_and_shows_in_every_other(self):
        pool = self.pool(1)
        # What a fallback to a default provider would be paid by.
        bait = self.pool(1, models=("o3",), id="openai")
        self.play(models=["gpt-4o", "o3"])
        self.point("swift", pool.other)
        self.good("swift")
        self.assertEqual(self.sent_models(1), ["gpt-4o"])
        self.assertIn("swift", self.must("GET", ALIAS)["aliases"])
        self.assertIn("swift", self.names())
        shown = self.must("GET", f"/api/models/{pool.other}")["model"]
        self.assertIn("swift", shown["aliases"])
        # A target without a slash means the one provider that offers it, or is refused.
        self.point("bare", "o3")
        self.good("bare")
        self.assertEqual(self.calls(bait), {bait.accounts[0]: 1})
        self.refused("PUT", ALIAS, {"alias": "x", "model": "gtp-4o"}, 400, "unknown_target")
        # A typo or a lost alias reaches nobody.
        self.must("DELETE", f"{ALIAS}?alias=swift")
        self.forget_calls()
        for name in ("swift", "swfit", "openai/swift", f"{pool.provider}/gtp-4o"):
            self.assertEqual(self.ask(name), [404], name)
        self.assertEqual(self.calls(), {})

    def test_a2_the_ways_to_write_an_alias_have_one_store(self):
        pool = self.pool(1)
        document = self.directory / "alias.yaml"
        document.write_text(f"aliases: {{shared: {pool.model}}}\n")

        def by_file():
            self.signalbox("apply", str(document))

        def by_line(target):
            self.signalbox("alias", "set", "shared", target)

        for write, model in (
                (by_file, pool.model), (lambda: self.point("shared", pool.other), pool.other),
                (lambda: by_line(pool.model), pool.model),
                (lambda: self.point("shared", pool.other), pool.other),
                # The file says nothing new, so that it takes nobody's edit back.
                (by_file, pool.other)):
            write()
            self.good("shared")
            self.assertEqual(self.sent_models(1), [model.split("/")[1]])
            self.assertEqual(self.must("GET", ALIAS)["aliases"]["shared"], model)

    def signalbox(self, *words):
        done = subprocess.run(
            [program("signalbox"), *words, "--data", str(self.box.data)], capture_output=True,
            text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a3_names_that_would_hide_each_other_are_refused_when_written(self):
        pool = self.pool(1, prefix="tower")
        self.point("lamp", "tower/gpt-4o")
        self.must("POST", "/api/combos", {"name": "bells", "models": ["tower/gpt-4o"]}, 201)
        node = {"id": "other", "baseUrl": self.upstream.base_url, "models": [{"name": "m"}]}
        for taken in ("tower", "lamp", "bells"):
            self.refused(
                "POST", "/api/provider-nodes", {**node, "prefix": taken}, 409, "name_collision")
        for taken in ("tower", "bells"):
            self.refused(
                "PUT", ALIAS, {"alias": taken, "model": "tower/gpt-4o"}, 409, "name_collision")
        for taken in ("tower", "lamp"):
            self.refused(
                "POST", "/api/combos", {"name": taken, "models": ["tower/gpt-4o"]}, 409,
                "name_collision")
        # No table of built-in names stands behind: a prefix that others reserve is the operator's.
        short = self.pool(1, prefix="cc")
        self.forget_calls()
        self.good("cc/gpt-4o")
        self.good("tower/gpt-4o")
        self.assertEqual(self.calls(), {short.accounts[0]: 1, pool.accounts[0]: 1})

    def test_a4_a_prefix_leads_to_its_provider_whatever_others_call_their_models(self):
        mall = self.pool(1, models=("forge/gpt-5", "gpt-5"))
        forge = self.pool(1, models=("gpt-5",), prefix="forge")
        for asked, pool, name in (
                ("forge/gpt-5", forge, "gpt-5"),
                (f"{mall.provider}/forge/gpt-5", mall, "forge/gpt-5"),
                (f"{mall.provider}/gpt-5", mall, "gpt-5")):
            self.play(models=["gpt-5", "forge/gpt-5"])
            self.good(asked)
            self.assertEqual(self.calls(), {pool.accounts[0]: 1}, asked)
            self.assertEqual(self.sent_models(1), [name])
        # An alias means what its operator said, also where a catalogue brings such a model later.
        self.point("auto", "forge/gpt-5")
        self.play(models=["gpt-5", "auto"])
        found = self.must("POST", f"/api/providers/{mall.ids[0]}/models/refresh")
        self.assertIn("auto", found["added"])
        self.good("auto")
        self.assertEqual(self.calls(), {forge.accounts[0]: 1})
        self.play(models=["gpt-5", "forge/gpt-5"])
        # Two offer the bare name: who wants it says which.
        refused = self.chat("gpt-5")
        self.assertEqual(refused.status, 404)
        for candidate in ("forge/gpt-5", f"{mall.provider}/gpt-5"):
            self.assertIn(candidate, refused.json()["error"]["message"])
        # A combo's name is one word, so that it is never read as a prefix.
        self.refused(
            "POST", "/api/combos", {"name": "combo/night", "models": ["forge/gpt-5"]}, 400,
            "invalid_field")

    def test_a5_an_edited_combo_and_a_disabled_provider_count_from_the_next_request(self):
        first, second = self.pool(1), self.pool(1)
        self.must("POST", "/api/combos", {"name": "duty", "models": [first.model]}, 201)
        self.good("duty")
        self.must("PUT", "/api/combos/duty", {"models": [second.model]})
        self.forget_calls()
        self.good("duty")
        self.assertEqual(self.calls(), {second.accounts[0]: 1})
        self.must("PUT", "/api/combos/duty", {"models": [second.model, first.model]})
        self.must("PUT", f"/api/provider-nodes/{second.provider}", {"isActive": False})
        self.forget_calls()
        self.good("duty", 5)
        self.assertEqual(self.ask(second.model), [503])
        self.assertEqual(self.calls(), {first.accounts[0]: 5})

    def test_a6_an_alias_and_a_combo_never_have_one_name(self):
        pool = self.pool(1)
        self.point("dawn", pool.model)
        self.refused(
            "POST", "/api/combos", {"name": "dawn", "models": [pool.other]}, 409, "name_collision")
        self.must("POST", "/api/combos", {"name": "dusk", "models": [pool.other]}, 201)
        self.refused("PUT", ALIAS, {"alias": "dusk", "model": pool.model}, 409, "name_collision")
        # Once the combo is gone the name is nobody's, and no older alias comes to light.
        self.must("DELETE", "/api/combos/dusk")
        self.assertEqual(self.ask("dusk"), [404])
        self.good("dawn")
        self.assertEqual(self.sent_models(1), ["gpt-4o-mini"])


class ModelListTests(Story):
    def test_r17_new_credentials_serve_and_list_their_models_at_once(self):
        pool = self.pool(1)
        self.must("PUT", f"/api/providers/{pool.ids[0]}", {"apiKey": "sk-revoked"})
        self.assertNotEqual(self.ask(pool.model), [200])
        self.must("DELETE", f"/api/providers/{pool.ids[0]}")
        type(self).used += 1
        self.account(pool.provider, f"a{self.used}")
        self.assertIn(pool.model, self.names())
        self.good(pool.model)
        before = self.names()
        self.kill()
        self.assertEqual(self.names(), before, "a full load is what the edits had made")

    def test_r18_disabled_and_enabled_again_is_as_before(self):
        pool = self.pool(1)
        before = self.names()
        for path in (f"/api/providers/{pool.ids[0]}", f"/api/provider-nodes/{pool.provider}"):
            self.must("PUT", path, {"isActive": False})
            self.assertNotEqual(self.ask(pool.model), [200], path)
            self.must("PUT", path, {"isActive": True})
            self.assertEqual(self.names(), before, path)
            self.good(pool.model)

    def test_r20_the_list_says_which_models_can_be_served_now(self):
        pool = self.pool(2)

        def row():
            listed = exchange(
                self.box.port, "GET", "/v1/models",
                headers={"authorization": f"Bearer {CLIENT_KEY}"}).json()["data"]
            return next(model for model in listed if model["id"] == pool.model)

        before = self.names()
        self.assertTrue(row()["available"])
        self.upstream.next({"status": 429, "retry-after": 600}, times=2)
        self.assertEqual(self.ask(pool.model), [429])
        for name in pool.accounts:
            self.cooled(name)
        self.assertFalse(row()["available"])
        self.assertTrue(500 < row()["available_at"] - time.time() < 602, row())
        self.assertEqual(self.names(), before, "nothing vanishes from a list that clients keep")
        for identity in pool.ids:
            self.must("POST", f"/api/providers/{identity}/cooldown/end")
        self.assertTrue(row()["available"])
        self.good(pool.model)

    def test_r21_an_alias_needs_no_second_entry_and_is_not_sent_upstream(self):
        pool = self.pool(1)
        self.must("PUT", "/api/models/alias", {"alias": "alone", "model": pool.model})
        self.good("alone")
        self.assertEqual(json.loads(self.upstream.bodies(1)[0])["model"], "gpt-4o-mini")
        self.assertEqual(self.names().count("alone"), 1)

    def test_r22_every_alias_of_a_model_is_kept_and_a_name_means_one_thing(self):
        pool = self.pool(1)
        names = [f"many-{number}" for number in range(5)]
        for name in names:
            self.must("PUT", "/api/models/alias", {"alias": name, "model": pool.model})
        for name in names:
            self.good(name)
        self.assertTrue(set(names) <= set(self.names()))
        # Inside one provider a name is one model's.
        node = {"id": "twice", "baseUrl": self.upstream.base_url}
        error = self.refused("POST", "/api/provider-nodes", {
            **node, "models": [{"name": "m1", "alias": "m"}, {"name": "m2", "alias": "m"}]},
            400, "invalid_field")
        self.assertIn("models", error["field"])
        # In a file the same name twice is a fault, not a choice.
        document = self.directory / "twice.yaml"
        document.write_text(f"aliases:\n  many: {pool.model}\n  many: {pool.other}\n")
        applied = subprocess.run(
            [program("signalbox"), "apply", str(document), "--data", str(self.box.data)],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(applied.returncode, 1, applied.stdout)
        self.assertIn("many", applied.stderr + applied.stdout)

    def test_r23_a_model_of_two_providers_is_listed_by_prefix_and_asked_for_by_it(self):
        first, second = self.pool(1, models=("twin",)), self.pool(1, models=("twin",))
        pair = [f"{pool.provider}/twin" for pool in (first, second)]
        listed = self.names()
        self.assertEqual([listed.count(name) for name in pair], [1, 1])
        self.assertNotIn("twin", listed)
        refused = self.chat("twin")
        self.assertEqual(refused.status, 404)
        for name in pair:
            self.assertIn(name, refused.json()["error"]["message"])
        self.play(models=["twin"])
        for name, pool in zip(pair, (first, second)):
            self.good(name)
            self.assertEqual(self.calls(pool), {pool.accounts[0]: 1})

    def test_r24_a_forced_prefix_forces_prefixes_and_nothing_else(self):
        pool = self.pool(1, models=("lone",))
        self.must("PUT", "/api/models/alias", {"alias": "by-alias", "model": f"{pool.provider}/lone"})
        self.play(models=["lone"])
        for forced, bare in ((False, 200), (True, 404), (False, 200)):
            self.must("PATCH", "/api/settings", {"forceModelPrefix": forced})
            self.assertEqual(self.ask("lone"), [bare], forced)
            self.good(f"{pool.provider}/lone")
            self.good("by-alias")

    def test_r25_what_is_excluded_is_neither_listed_nor_served(self):
        pool = self.pool(
            1, models=("gpt-4o", "gpt-4o-mini", "o1-preview"),
            excludedModels=["*-preview", "gpt-4o-mini"])
        mine = [name for name in self.names() if name.startswith(pool.provider + "/")]
        self.assertEqual(mine, [f"{pool.provider}/gpt-4o"])
        for name in ("o1-preview", "gpt-4o-mini"):
            self.assertEqual(self.ask(f"{pool.provider}/{name}"), [404], name)
        self.assertEqual(self.calls(), {})
        self.good(f"{pool.provider}/gpt-4o")
        self.must("PUT", f"/api/provider-nodes/{pool.provider}", {"excludedModels": []})
        self.good(pool.model)

    def test_r27_a_request_under_way_keeps_its_account_while_the_others_are_reordered(self):
        pool = self.pool(3)
        self.play(accounts={
            pool.accounts[0]: {"behaviour": {"chunk-pace": "30ms", "chunks": 20}}})
        connection, received = self.open_stream(pool.model)
        # The account under way goes from the first place to the last, and one of the others goes.
        self.must("PUT", f"/api/providers/{pool.ids[0]}", {"priority": 9})
        self.must("DELETE", f"/api/providers/{pool.ids[1]}")
        self.good(pool.model)
        while b"[DONE]" not in received:
            piece = connection.recv(65536)
            self.assertTrue(piece, "the stream was cut")
            received += piece
        self.assertEqual(self.calls(), {pool.accounts[0]: 1, pool.accounts[2]: 1})
        identity = next(
            line.split(": ")[1] for line in received.decode().split("\r\n")
            if line.lower().startswith("x-request-id: "))
        attempts = self.finished(identity)["attempts"]
        self.assertEqual([row["accountName"] for row in attempts], [pool.accounts[0]])
        self.verified()
