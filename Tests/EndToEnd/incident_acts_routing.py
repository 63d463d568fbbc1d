"""Incidents of routing: names that lead elsewhere, cooldowns that were nobody's wish."""

from incident_stage import (
    DRIFT, EXPLAIN, LARGE, MINI, STRATEGY, WRONG_KEY, bisect, blame, incident, report)

# MARK: Names

@incident("A1 A2", "Everything that asks for `fast` fails since a few minutes.",
          bisect(f"alias/fast.model = {LARGE}"), blame("alias/fast.model"), EXPLAIN)
def alias_moved(stage):
    stage.play(models=["gpt-4o-mini"])
    stage.ask(200, 5)
    stage.culprit("alias/fast", "alias.set", stage.point, LARGE)
    stage.ask(404, 1)
    first = stage.request
    # From then on the model cools at both accounts, and the answer speaks of that alone.
    for account in ("mock-a1", "mock-a2"):
        stage.cooled(account, "modelCooldowns")
    stage.ask(503, 4)
    stage.request = first


@incident("A2", "The model behind `fast` changes back and forth, the bill with it.", DRIFT, blame("alias/fast.model"))
def alias_two_writers(stage):
    stage.point(LARGE)
    stage.ask(200, 2)
    stage.line("alias", "set", "fast", MINI)
    stage.ask(200, 2)
    stage.point(LARGE)
    stage.ask(200, 2)
    stage.culprit("alias/fast", "alias.set", stage.line, "alias", "set", "fast", MINI)
    stage.ask(200, 2)


@incident("A6", "`fast` answers with another model than last week, and nobody touched the alias.",
          bisect("combo/fast exists"), blame("combo/fast.models"), EXPLAIN, in_gate=False)
def combo_over_alias(stage):
    stage.ask(200)
    combo = {"name": "fast", "models": [LARGE]}
    stage.refused("POST", "/api/combos", combo, "name_collision")
    stage.api("DELETE", "/api/models/alias?alias=fast")
    stage.culprit("combo/fast", "combo.set", stage.api, "POST", "/api/combos", combo, 201)
    stage.ask(200)


@incident("A3", "`spare/…` is unknown since the new provider came.",
          bisect("provider/spare.prefix = reserve"), blame("provider/spare.prefix"), in_gate=False)
def prefix_made_room(stage):
    stage.ask(200, model="spare/gpt-4o-mini")
    node = {"id": "depot", "baseUrl": stage.upstream.base_url, "prefix": "spare", "models": [{"name": "gpt-4o-mini"}]}
    stage.refused("POST", "/api/provider-nodes", node, "name_collision")
    stage.culprit("provider/spare", "provider.", stage.api, "PUT", "/api/provider-nodes/spare", {"prefix": "reserve"})
    stage.ask(404, model="spare/gpt-4o-mini")


@incident("A5", "503 for `fast`: no account. All accounts are well.", EXPLAIN, blame("provider/mock.isActive"), report(), in_gate=False)
def provider_switched_off(stage):
    stage.minutes(10, 200)
    stage.culprit("provider/mock", "provider.", stage.api, "PUT", "/api/provider-nodes/mock", {"isActive": False})
    stage.minutes(10, 503)


@incident("R25", "404 for a model that is in the contract.",
          bisect("provider/mock.excludedModels = [gpt-4o*]"), blame("provider/mock.excludedModels"), in_gate=False)
def excluded_by_a_star(stage):
    stage.ask(200, model=MINI)
    stage.culprit(
        "provider/mock", "provider.", stage.api, "PUT", "/api/provider-nodes/mock", {"excludedModels": ["gpt-4o*"]})
    stage.ask(404, model=MINI)


# MARK: Cooldowns

@incident("C3", "One account does all the work; the other was repaired this morning.",
          (["bisect", "--predicate", "account/mock-a1 is cooling"], None), (["explain", "{request}"], None),
          blame("credential/mock-a1.fingerprint"), bisect("credential/mock-a1.credentialGeneration = 2"), in_gate=False)
def wrong_credential(stage):
    stage.ask(200)
    stage.culprit("credential/mock-a1", "credential.", stage.api, "PUT", "/api/providers/mock-a1", {"apiKey": WRONG_KEY})
    stage.ask(200, 1)
    stage.cooled("mock-a1")
    stage.ask(200)


@incident("C5 C13", "429 for everybody, and it does not pass.",
          bisect("account/mock-a2 is cooling"), EXPLAIN, blame("health/mock-a2.cooldownRule"), in_gate=False)
def long_reset(stage):
    stage.minutes(10, 200)
    late = {"status": 429, "reset": {"form": "retry-after", "in": "55m"}}
    stage.play(a1=late)
    stage.ask(200, 1)
    stage.cooled("mock-a1")
    stage.play(a1=late, a2=late)
    stage.culprit("health/mock-a2", "health.cooldown_started", stage.ask, 429, 1)
    stage.cooled("mock-a2")
    stage.minutes(10, 429)


@incident("C13", "One account's limit took the whole model down, though there are two.",
          EXPLAIN, blame("account/mock-a1.degraded"), report(), in_gate=False)
def degrade_forgotten(stage):
    stage.ask(200)
    stage.culprit(
        "account/mock-a1", "account.", stage.api, "POST", "/v1/admin/routing/backends/mock-a1/degrade",
        {"reason": "slow, looking at it"})
    stage.minutes(10, 200)
    stage.play(a2={"status": 429, "reset": {"form": "retry-after", "in": "20m"}})
    stage.ask(429, 1)
    stage.cooled("mock-a2")
    stage.minutes(10, 429)


@incident("C8", "An account is put aside for every single hiccup since the new policy.",
          blame("policy/acme/gpt-4o-mini.failoverThreshold"), EXPLAIN, in_gate=False)
def threshold_of_one(stage):
    rows = [{"backend_id": f"mock-{name}", "weight": 50} for name in ("a1", "a2")]
    policy = {"organization_id": "acme", "model": "gpt-4o-mini", "backends": rows}
    stage.api("POST", "/v1/admin/routing/policies", {**policy, "failover_threshold": 5})
    stage.ask(200, model="gpt-4o-mini")
    stage.culprit(
        "policy/acme/gpt-4o-mini", "policy.", stage.api, "PUT", "/v1/admin/routing/policies/acme/gpt-4o-mini",
        {"failover_threshold": 1})
    stage.upstream.next({"status": 500}, account="a1")
    stage.ask(200, 4, model="gpt-4o-mini")
    stage.cooled("mock-a1")
    stage.ask(200, model="gpt-4o-mini")


@incident("C12", "The metered account is billed for half of the traffic.",
          bisect(f"{STRATEGY} = round-robin"), blame(STRATEGY), EXPLAIN,
          (["what-if", "--set", f"{STRATEGY}=fill-first"], None), in_gate=False)
def strategy_changed(stage):
    stage.ask(200, 6)
    stage.culprit(
        "settings", "settings.changed", stage.api, "PATCH", "/api/settings",
        {"fallbackStrategy": "round-robin", "stickyRoundRobinLimit": 1})
    stage.ask(200, 6)
