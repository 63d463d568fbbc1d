"""OmniRoute's incident response: what its first fifteen minutes and its mitigations call."""

from seeds import Seed, left_out, whole

STEPS = {
    "ping": "curl http://localhost:8080/api/health/ping",
    "switch a provider connection off": 'PUT /api/providers/{id} {"isActive": false}',
    "the running version": "GET /api/system/version",
    "the inventory of checks": "curl http://localhost:8080/api/settings/authz-inventory | jq",
    "disable a model": 'PUT /api/models/{model} {"isActive": false}',
}

LeftOut = left_out(globals(), {
    "0-5 min: PagerDuty, the channel, the dashboard": "people and services outside of the gateway",
    "mitigation: bin/rollback.sh, docker compose, bin/snapshot-data.sh": "scripts of the old system's deployment",
    "4.3: bin/restore-policies.sh": "a script of the old system; `signalbox restore-config --at` is what docs/runbooks/incident.md runs",
    "4.4: bin/restore-data.sh": "a script of the old system; docs/durability.md and docs/integrity.md say what is done here",
    "status page, mail, tickets": "people and services outside of the gateway",
})
TableTests = whole(globals())


class ResponseTests(Seed):
    steps = STEPS

    def test_minute_12_a_ping_touches_the_log(self):
        pool = self.pool(1)
        first = self.step("ping", admin=False).json()
        self.assertEqual(first["status"], "ok")
        self.good(pool.model)
        second = self.step("ping", admin=False).json()
        epoch, position = (int(part) for part in second["position"].split(":"))
        self.assertEqual(epoch, int(first["position"].split(":")[0]))
        self.assertGreater(position, int(first["position"].split(":")[1]), "it names the newest event")

    def test_4_1_a_connection_that_is_switched_off_gets_zero_calls(self):
        pool = self.pool(2)
        self.good(pool.model, 3)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 3})
        off = self.step("switch a provider connection off", id=pool.ids[0]).json()["connection"]
        self.assertIs(off["isActive"], False)
        self.forget_calls()
        self.good(pool.model, 50)
        self.assertEqual(self.calls(pool), {pool.accounts[1]: 50}, "zero calls from the next request on")
        self.kill()
        self.forget_calls()
        self.good(pool.model, 5)
        self.assertEqual(self.calls(pool), {pool.accounts[1]: 5}, "and after a crash")

    def test_4_1_a_model_is_disabled_where_nobody_serves_it(self):
        pool = self.pool(1)
        self.step("disable a model", model=pool.model)
        self.assertNotIn(pool.model, self.names())
        self.forget_calls()
        self.assertEqual(self.ask(pool.model), [404])
        self.assertEqual(self.calls(), {})
        self.good(pool.other)

    def test_4_2_the_running_version_is_told_with_its_start(self):
        self.pool(1)  # Without an account it is not ready.
        shown = self.step("the running version").json()
        ready = self.must("GET", "/v1/status/readyz")
        self.assertEqual({name: shown[name] for name in ready["build"]}, ready["build"])
        self.kill()
        again = self.step("the running version").json()
        self.assertEqual((again["version"], again["store"]), (shown["version"], shown["store"]))
        self.assertGreater(again["epoch"], shown["epoch"], "it was started anew since")
        self.assertGreater(again["started"], shown["started"])
        self.step("the running version", status=401, admin=False)

    def test_4_3_the_inventory_names_the_checks_in_force_and_each_route_once(self):
        shown = self.step("the inventory of checks").json()
        active = {row["name"]: row["routes"] for row in shown["policies_active"]}
        self.assertTrue(active, "policies_active is not empty")
        self.assertTrue(all(count > 0 for count in active.values()))
        routes = [(row["method"], row["path"]) for tier in shown["tiers"] for row in tier["routes"]]
        self.assertEqual(len(routes), len(set(routes)), "a route is in one tier")
        self.assertIn(("PUT", "/api/providers/{id}"), routes)
        self.assertFalse(shown["bypassEnabled"])
        self.step("the inventory of checks", status=401, admin=False)
