"""Incidents of edits: sums that do not add up, keys, files that take edits back, several people."""

from incident_stage import (
    DRIFT, EXPLAIN, LARGE, MINI, SERVICE_KEY, bisect, blame, incident, report, require)

# MARK: Usage

@incident("U5", "Two pages disagree about yesterday's cost.", blame("pricing.mock/gpt-4o-mini"),
          bisect(
              "pricing.mock/gpt-4o-mini = "
              "{input: 15000000, output: 60000000, cached: –, reasoning: –, cacheCreation: –}"), in_gate=False)
def price_changed(stage):
    stage.ask(200, 4)
    stage.culprit(
        "pricing", "pricing.changed", stage.api, "PATCH", "/api/pricing",
        {"mock": {"gpt-4o-mini": {"input": 15, "output": 60}}})
    stage.ask(200, 4)


@incident("U1", "A third of the requests fail, and no provider reports an error.",
          bisect(f"alias/fast.model = {LARGE}"), EXPLAIN, (["bisect", "--predicate", "p80 > 20ms over 5m of 4"], None))
def clients_hang_up(stage):
    stage.play(models=["gpt-4o-mini", {"name": "gpt-4o", "behaviour": {"chunk-pace": "20ms", "chunks": 2000}}])
    stage.ask(200, 6)
    stage.culprit("alias/fast", "alias.set", stage.point, LARGE)
    for _ in range(3):
        stage.hang_up()


@incident("", "402 for a whole organisation in the middle of the month.",
          blame("organisation/acme.budgets"), (["history", "organisation/acme"], r"^\d+ +{at} "), in_gate=False)
def budget_in_cents(stage):
    stage.ask(200, 4)
    stage.culprit(
        "organisation/acme", "organisation.budgets_set", stage.api, "PUT", "/api/organisations/acme",
        {"budgets": [{"period": "month", "usd": 0.000001}]})
    stage.ask(402, 4)


@incident("", "The nightly service gets 401 since the clean-up of keys.",
          (["blame", "{key}.status"], r"^  status .* {at} "), bisect("{key}.status = revoked"), in_gate=False)
def key_still_in_use(stage):
    stage.ask(200, 2, key=SERVICE_KEY)
    listed = stage.api("GET", "/api/keys")["keys"]
    identity = next(row["id"] for row in listed if row["name"] == "service")
    stage.key = f"key/{identity}"
    stage.culprit(stage.key, "key.", stage.api, "DELETE", f"/api/keys/{identity}")
    stage.ask(401, 2, key=SERVICE_KEY)
    stage.request = None


# MARK: The file, and several people

@incident("A2 D11", "What was set in the browser on Friday is gone on Monday.", DRIFT, blame("alias/fast.model"), in_gate=False)
def old_file_applied(stage):
    stage.apply(("aliases: {fast: mock/gpt-4o-mini}", "aliases: {fast: spare/gpt-4o-mini}"))
    stage.point(LARGE)
    stage.ask(200)
    stage.culprit("alias/fast", "alias.set", stage.apply)
    stage.ask(200)


@incident("", "The file says one thing, the gateway does the other.", DRIFT, blame("account/mock-a2.priority"), in_gate=False)
def edit_under_the_file(stage):
    stage.api("PUT", "/api/providers/mock-a2", {"priority": 7})
    stage.apply(("priority: 2", "priority: 3"))
    stage.ask(200)
    stage.culprit("account/mock-a2", "account.", stage.api, "PUT", "/api/providers/mock-a2", {"priority": 7})
    stage.ask(200)


@incident("D12", "Priorities jump back whenever somebody saves the form.", DRIFT, blame("account/mock-a1.priority"))
def form_of_yesterday(stage):
    stage.api("PUT", "/api/providers/mock-a1", {"priority": 4})
    stage.line("accounts", "change", "mock-a1", "--priority", 9)
    stage.ask(200)
    stage.culprit("account/mock-a1", "account.", stage.api, "PUT", "/api/providers/mock-a1", {"priority": 4})
    stage.ask(200)
    # A form that says which revision it showed.
    error = stage.api("PUT", "/api/providers/mock-a1", {"priority": 9}, 412, {"if-match": '"1"'})["error"]
    newest = stage.api("GET", "/api/history/account/mock-a1")["revision"]
    require(error["revision"] == newest > 1, (error, newest))
    stage.outcome = (
        "Only the fields that a form sends are written; one that names the revision it showed gets 412 with the newer one, one "
        "that does not is let through and told as an overwriting.")


# MARK: The worked example of docs/runbooks/postmortem.md

@incident("A2", "Errors for some minutes, over by themselves. Cause unknown.",
          (["window", "--status", "5xx"], None), (["bisect", "--predicate", "errors > 20% over 5m of 10"], None),
          EXPLAIN, DRIFT,
          # An edit of the same moment to an account whose calls all failed stands beside it.
          report(), in_gate=False)
def errors_of_an_afternoon(stage):
    stage.apply(("fast: mock/gpt-4o-mini", f"fast: {LARGE}"))
    stage.minutes(2, 200)
    stage.point(MINI)
    stage.minutes(8, 200)
    stage.api("PATCH", "/api/pricing", {"mock": {"gpt-4o": {"input": 2.25, "output": 9}}})
    stage.minutes(2, 200, model="smart")
    stage.point("spare/gpt-4o-mini", alias="nightly")
    # Nobody asks for it but by the combo, which has another.
    stage.play(models=["gpt-4o-mini", {"name": "gpt-4o", "behaviour": {"status": 500}}])
    stage.minutes(4, 200, model="nightly")
    stage.line("accounts", "change", "mock-a2", "--priority", 3)
    stage.minutes(9, 200)
    stage.culprit(
        "alias/fast", "alias.set", stage.apply, ("fast: mock/gpt-4o-mini", f"fast: {LARGE}"), ("rpm: 100000", "rpm: 50000"))
    stage.ask(200, 1, model="nightly")
    stage.ask(500, 1)
    first = stage.request
    stage.minutes(8, 500)
    stage.ask(200, 2, model="nightly")
    stage.api("POST", "/api/keys", {"name": "loadtest", "organisation": "acme"}, 201)
    stage.minutes(6, 500)
    stage.api("PATCH", "/api/settings", {"maxAttempts": 3})
    stage.minutes(11, 500)
    stage.point(MINI)
    stage.minutes(10, 200)
    stage.request = first
