"""Incidents of lost configuration: damaged files, several writers, other directories, other keys, old forms."""

import re
import shlex
from concurrent.futures import ThreadPoolExecutor

from incident_stage import (
    EXPLAIN, LARGE, MINI, SERVICE_KEY, WRONG_KEY, bisect, blame, incident, require)
from log_reader import Log
from support import eventually, exchange

OTHER_MASTER_KEY = "A" * 43 + "="
NARROW_KEY = "sk-e2e-narrow"


def etag(answer):
    return answer.header("etag")


def calls(stage):
    return stage.upstream.total()


# MARK: Files

@incident("D1", "The disk had a hiccup, and the gateway does not start.",
          (["window", "--kind", "gateway.loss_accepted"], r"^\S+ +{at} +loss of positions \d+…\d+ accepted"),
          (["blame", "alias/fast.model"], None))
def damaged_log(stage):
    stage.ask(200, 2)
    stage.point(LARGE)
    stage.ask(200, 2)
    require(stage.box.stop() == 0, "the stop")
    log = Log(stage.box.data)
    segment, block = next(
        (segment, block) for segment, _ in log.segments() for block in segment.blocks
        if block.first > 19 and any(event["stream"] == "alias/fast" for event in block.events))
    data = bytearray(segment.path.read_bytes())
    data[block.offset + 110] ^= 0x20
    segment.path.write_bytes(data)
    code, said = stage.does_not_start()
    named = re.search(r"seg/\d+\.esl at offset \d+: (\S+): .*positions (\d+)…(\d+)", said)
    require(code == 3 and named and (int(named[2]), int(named[3])) == (block.first, block.first), (code, said))
    remedy = re.search(r"signalbox (accept-loss .*) --reason TEXT", said)
    require(remedy, said)
    words = [word for word in shlex.split(remedy[1])]
    at = words.index("--data")
    code, said = stage.command(*words[:at], *words[at + 2:], "--reason", "no backup")
    require(code == 0, said)
    stage.start()
    stage.culprit_since(block.first, "gateway", "gateway.loss_accepted")
    # A bundle has no holes.
    stage.range = ["--from", str(block.first + 2)]
    stage.ask(200, 2)
    in_force = stage.api("GET", "/api/models/alias")["aliases"]["fast"]
    accounts = [row["name"] for row in stage.api("GET", "/api/providers")["connections"]]
    require(in_force == MINI and sorted(accounts) == ["a1", "a2", "s1"], (in_force, accounts))
    stage.outcome = (
        f"The start is refused ({named[1]}) with file, offset and positions, and no byte changes; after the owner accepted "
        f"the loss, which is an event, {len(accounts)} of 3 accounts are there and only the edit in the damaged block is not.")


@incident("D4 D10", "The lists of requests are empty, and health says 200.",
          (["window", "--kind", "gateway.view_rebuilt"], r"^\S+ +{at} +view usage made anew"))
def views_overwritten(stage):
    stage.ask(200, 6)
    total = stage.api("GET", "/api/usage/history")["totalRequests"]
    views = stage.box.data / "views"

    def overwrite():
        for path in views.iterdir():
            if not path.name.endswith("-shm"):
                path.write_bytes(b"nothing like it" * 4000)
        # What the next request brings is what finds it.
        stage.ask(200, 1)
        first = stage.box.admin("GET", "/api/usage/history")
        require(first.status == 503 or first.json()["totalRequests"] == total + 1, first.body)

    stage.culprit("gateway", "gateway.view_rebuilt", overwrite)
    again = eventually(
        lambda: (answer := stage.box.admin("GET", "/api/usage/history")).status == 200 and answer.json(), "the sums")
    ready = exchange(stage.box.port, "GET", "/v1/status/readyz").json()
    require(again["totalRequests"] == total + 1 == 7 and ready["components"]["views"] == "healthy", (again, ready))
    stage.outcome = (
        "Whoever reads the tables while they are garbage gets 503 or all there is, never an empty list; they are made anew "
        f"from the log by themselves, with {again['totalRequests']} of {total + 1} requests, and the log says so.")


@incident("D5 D8", "After the upgrade all is empty: no accounts, no keys.")
def upgrade_to_another_store(stage):
    stage.ask(200, 2)
    require(stage.box.stop() == 0, "the stop")
    line = stage.box.data / "FORMAT"
    text = line.read_text()
    refusals = []
    for change, rule in ((re.sub(r" 1\.\d+ ", " 1.99 ", text), "format.newer"), (text.replace(" 1.", " 2."), "format.unknown")):
        line.write_text(change)
        code, said = stage.does_not_start()
        require(code == 1 and rule in said and str(line) in said, (code, said))
        refusals.append(rule)
    # Without the line the log itself says which store it is.
    line.unlink()
    stage.start()
    require(line.read_text() == text, line.read_text())
    stage.ask(200, 2)
    require(stage.box.stop() == 0, "the stop")
    # The wrong directory.
    right, stage.box.data = stage.box.data, stage.directory / "empty"
    stage.start()
    require(re.search(r"log created", stage.box.text()), stage.box.text())
    ready = exchange(stage.box.port, "GET", "/v1/status/readyz")
    require(ready.status == 503 and ready.json()["components"]["backend_registry"] != "healthy", ready.body)
    require(stage.box.stop() == 0, "the stop")
    stage.box.data = right
    stage.start()
    stage.ask(200, 2)
    accounts = len(stage.api("GET", "/api/providers")["connections"])
    require(accounts == 3, accounts)
    stage.outcome = (
        f"A log of another format is refused ({', '.join(refusals)}) and no byte changes; an empty directory is told as a log "
        f"created and is {ready.status} at readyz; in the right one {accounts} of 3 accounts are there.")


@incident("D9 S17", "Every account answers 401 since the installation was repaired.")
def other_master_key(stage):
    stage.ask(200, 2)
    require(stage.box.stop() == 0, "the stop")
    before = calls(stage)
    for key in (OTHER_MASTER_KEY, "short"):
        code, said = stage.does_not_start(SIGNALBOX_MASTER_KEY=key)
        require(code == 1 and ("wrongMasterKey" in said or key == "short" and "32 bytes" in said), (code, said))
    keys = stage.box.data / "keys"
    keys.rename(stage.directory / "keys")
    code, lost = stage.does_not_start()
    require(code == 1 and "wrongMasterKey" in lost and not keys.exists(), (code, lost))
    (stage.directory / "keys").rename(keys)
    require(calls(stage) == before, "a provider was called under another key")
    stage.start()
    stage.ask(200, 2)
    stage.outcome = (
        f"Under a changed, broken or lost key the start is refused (wrongMasterKey), no byte changes and providers get "
        f"{calls(stage) - before - 2} calls; under the right one every request is {200}.")


# MARK: Several writers

@incident("D2 D3", "I saved a new key for the account and got 200. The old one is in use.",
          blame("credential/mock-a1.fingerprint"), bisect("credential/mock-a1.credentialGeneration = 2"),
          (["history", "account/mock-a1"], None))
def writers_at_once(stage):
    stage.ask(200, 2)
    where, tag = "/api/providers/mock-a1", etag(stage.box.admin("GET", "/api/providers/mock-a1"))
    edits = [{"priority": 5}, {"weight": 7}, {"priority": 6}, {"weight": 8}]

    def save(edit):
        """As a careful form does; how often it was told to look again."""
        seen, refused = tag, 0
        while (answer := stage.box.admin("PUT", where, edit, {"if-match": seen})).status == 412:
            seen, refused = etag(stage.box.admin("GET", where)), refused + 1
        require(answer.status == 200, answer.body)
        return refused

    def at_once():
        with ThreadPoolExecutor(len(edits) + 1) as pool:
            token = pool.submit(stage.api, "PUT", where, {"apiKey": "sk-upstream-2"})
            stage.refusals = sum(pool.map(save, edits))
            token.result()

    stage.culprit("credential/mock-a1", "credential.", at_once)
    stage.again()
    shown = stage.api("GET", where)["connection"]
    steps = stage.api("GET", "/api/history/account/mock-a1")["steps"]
    kept = [field for edit in edits for field in edit.items()
            if any(step["fields"].get(field[0]) == field[1] for step in steps)]
    require(stage.refusals >= 3 and len(kept) == 4 and shown["priority"] in (5, 6) and shown["weight"] in (7, 8),
            (stage.refusals, steps, shown))
    stage.ask(200, 2)
    called = stage.upstream.state()["requests"]["byAccount"]
    require(called.get("a2", 0) >= 2, called)
    stage.outcome = (
        f"Of {len(edits)} forms opened on one revision one wins, the others get 412 with the newer one; a key saved at the "
        f"same moment touches none of them. After kill -9 all {len(kept) + 1} edits that got 200 are in the log and in force.")


@incident("D13", "Somebody added an account, and an account that was there has a wrong key.",
          blame("credential/mock-third.fingerprint"), (["history", "credential/mock-third"], r"^1 +{at} "))
def name_taken(stage):
    stage.culprit(
        "credential/mock-third", "credential.issued", stage.apply,
        ("      - {name: a2", "      - {name: third, api-key: sk-upstream-3, priority: 4}\n      - {name: a2"))
    stage.ask(200, 4)
    before = stage.box.admin("GET", "/api/providers/mock-third")
    again = {"provider": "mock", "name": "third", "apiKey": WRONG_KEY, "priority": 1}
    error = stage.api("POST", "/api/providers", again, 409)["error"]
    after = stage.box.admin("GET", "/api/providers/mock-third")
    require(etag(before) == etag(after) and before.json() == after.json(), (before.body, after.body))
    stage.api("PUT", "/api/providers/mock-a1", {"isActive": False})
    stage.api("PUT", "/api/providers/mock-a2", {"isActive": False})
    stage.ask(200, 4)
    stage.outcome = (
        f"The second POST of a name is 409 ({error['code']}); key, priority and revision of the account stay as they were, and its "
        f"requests are {200}.")


@incident("D11", "The setting was accepted; after the restart it is back.",
          blame("settings.maxAttempts"), bisect("settings.maxAttempts = 5"))
def setting_after_restart(stage):
    stage.ask(200, 2)
    stage.culprit("settings", "settings.", stage.api, "PATCH", "/api/settings", {"maxAttempts": 5})
    for unknown in ({"maxAttemps": 2}, {"maxAttempts": 0}):
        error = stage.api("PATCH", "/api/settings", unknown, 400)["error"]
        require(next(iter(unknown)) in error["message"], error)
    stage.again()
    require(stage.box.stop() == 0, "the stop")
    # With the file, which knows nothing of it, as at the first start.
    stage.box.start(with_config=True)
    stage.children.append(stage.box.child)
    found = stage.api("GET", "/api/settings")["maxAttempts"]
    require(found == 5, found)
    stage.ask(200, 2)
    stage.outcome = (
        f"A field that does not exist or a value out of bounds is 400 with its name; what got 200 is in force after kill -9, a "
        f"restart and the file of the first start: {found}.")


@incident("D7", "A key for the small model runs up the bill of the large one.",
          (["blame", "{key}.allowedModels"], r"^  allowedModels .* \({at} "), (["history", "{key}"], r"^\d+ +{at} "))
def restored_without_restrictions(stage):
    text = stage.box.config.read_text().replace(
        "aliases:", f"  - {{name: narrow, key: {NARROW_KEY}, organisation: acme, allowed-models: [gpt-4o-mini], "
        "limits: {rpm: 600}, budgets: [{period: day, usd: 3}], expires-at: 2027-01-01T00:00:00Z}\naliases:")
    file = stage.directory / "narrow.yaml"
    file.write_text(text)
    # A misspelt restriction is a fault of the file, not a key without one.
    file.write_text(text.replace("allowed-models:", "allowed-model:"))
    code, said = stage.command("apply", file)
    require(code != 0 and "`allowed-model`" in said, (code, said))
    file.write_text(text)
    stage.line("apply", file)

    def narrow():
        """Its restrictions, and what a request for the large model gets."""
        row = next(row for row in stage.api("GET", "/api/keys")["keys"] if row["name"] == "narrow")
        stage.key = f"key/{row['id']}"
        rights = {name: row[name] for name in ("allowedModels", "limits", "budgets", "expiresAt")}
        return rights, stage.box.chat(
            {"model": LARGE, "messages": [{"role": "user", "content": "?"}]}, key=NARROW_KEY).status

    before, status = narrow()
    require(status in (403, 404) and before["allowedModels"] == ["gpt-4o-mini"], (before, status))
    # Somebody takes it off; going back to the moment before brings every restriction back.
    position = int(stage.api("GET", "/api/events?limit=1")["events"][0]["at"].split(":")[1])
    stage.culprit(stage.key, "key.", stage.api, "PUT", f"/api/keys/{stage.key.split('/')[1]}", {"allowedModels": []})
    require(narrow()[1] == 200, "it is not open")
    stage.line("restore-config", "--at", position, "--yes", "--effect-seconds", 0)
    require(narrow() == (before, status), narrow())
    # On another machine the same file makes the same key.
    data = stage.directory / "elsewhere"
    code, said = stage.command("apply", file, data=data)
    require(code == 0, said)
    here, stage.box.data = stage.box.data, data
    require(stage.box.stop() == 0, "the stop")
    stage.start()
    moved, there = narrow()
    require((moved, there) == (before, status), (moved, there))
    require(stage.box.stop() == 0, "the stop")
    stage.box.data = here
    stage.start()
    stage.request = None
    stage.outcome = (
        f"Moved by file, or set back to a moment, the key keeps its {len(before)} restrictions and the large model is {status}; a "
        "misspelt restriction is refused by name.")


@incident("S18", "503 for one organisation's model since its account was made anew.",
          EXPLAIN, (["history", "account/mock-a2"], r"^\d+ +{at} "))
def account_made_anew(stage):
    policies = "/v1/admin/routing/policies"
    policy = {"organization_id": "acme", "model": "gpt-4o-mini", "backends": [{"backend_id": "mock-a2", "weight": 1}]}
    stage.api("POST", policies, policy)
    stage.ask(200, model="gpt-4o-mini")
    stage.culprit("account/mock-a2", "account.removed", stage.api, "DELETE", "/api/providers/mock-a2")
    made = stage.api("POST", "/api/providers", {"provider": "mock", "name": "a2", "apiKey": "sk-upstream-2"}, 201)
    stage.ask(503, model="gpt-4o-mini")
    named = stage.api("GET", f"{policies}/acme/gpt-4o-mini")["removed_backends"]
    require(named == ["mock-a2"], named)
    missed = stage.request
    policy["backends"][0]["backend_id"] = made["connection"]["id"]
    stage.api("PUT", f"{policies}/acme/gpt-4o-mini", policy)
    stage.ask(200, model="gpt-4o-mini")
    named = stage.api("GET", f"{policies}/acme/gpt-4o-mini")["removed_backends"]
    require(named == [], named)
    stage.request = missed
    stage.outcome = (
        "The policy shows the account that it names and that was removed, and explain the event that did it; requests get 503 "
        "until the policy is set, and never an account that it does not name.")


@incident("S5", "An alias, an account and a key that were changed while an account was put aside: is all of it there?",
          blame("alias/fast.model"), bisect(f"alias/fast.model = {LARGE}"),
          (["window", "--kind", "health.cooldown_started"], None), (["window", "--kind", "key.revoked"], None))
def edits_during_a_cooldown(stage):
    stage.ask(200, 2)
    late = {"status": 429, "head-latency": "1s", "reset": {"form": "retry-after", "in": "20m"}}
    stage.play(a1=late)
    key = next(row["id"] for row in stage.api("GET", "/api/keys")["keys"] if row["name"] == "service")

    def meanwhile():
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(stage.ask, 200, 1)
            # The call that will put the account aside is under way.
            eventually(lambda: stage.upstream.state()["inFlight"], "a call in flight")
            stage.point(LARGE)
            stage.api("DELETE", "/api/providers/spare-s1")
            stage.api("DELETE", f"/api/keys/{key}")
            require(not asked.done(), "the call came back before the edits were made")
            asked.result()

    stage.culprit("alias/fast", "alias.set", meanwhile)
    stage.cooled("mock-a1")
    for _ in range(2):
        target = stage.api("GET", "/api/models/alias")["aliases"]["fast"]
        accounts = sorted(row["name"] for row in stage.api("GET", "/api/providers")["connections"])
        require((target, accounts) == (LARGE, ["a1", "a2"]), (target, accounts))
        require(stage.api("GET", "/api/providers/mock-a1")["connection"]["rateLimitedUntil"], "it cools no more")
        stage.ask(401, 1, key=SERVICE_KEY)
        stage.again()
    stage.ask(200, 2)
    stage.request = None
    stage.outcome = (
        f"An account is put aside in a stream of its own: the alias, the removal and the revoked key ({401}) that came while the "
        "429 was on its way are in force, with the cooldown, also after kill -9.")


@incident("S6", "One account has the token of another.",
          blame("credential/spare-a1.fingerprint"), (["history", "credential/spare-a1"], r"^2 +{at} "))
def token_for_a_name_of_two(stage):
    stage.apply(("accounts: [{name: s1, ", "accounts: [{name: a1, "))
    before = {name: stage.api("GET", f"/api/providers/{name}")["connection"] for name in ("mock-a1", "spare-a1")}
    error = stage.api("PUT", "/api/providers/a1", {"apiKey": "sk-upstream-2"}, 404)["error"]
    require(error["candidates"] == ["mock-a1", "spare-a1"], error)
    stage.culprit(
        "credential/spare-a1", "credential.", stage.api, "PUT", "/api/providers/spare-a1", {"apiKey": "sk-upstream-2"})
    after = {name: stage.api("GET", f"/api/providers/{name}")["connection"] for name in before}
    changed = [name for name in before if before[name]["fingerprint"] != after[name]["fingerprint"]]
    require(changed == ["spare-a1"] and after["spare-a1"]["credentialGeneration"] == 2, after)
    stage.ask(200, 2)
    stage.outcome = (
        f"A secret is written to the account that is named: a name that {len(error['candidates'])} have is {404} with their "
        f"ids, and by id only that one gets generation {after['spare-a1']['credentialGeneration']}.")
