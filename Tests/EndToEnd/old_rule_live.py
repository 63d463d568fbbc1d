"""The model of the old rule with its provider and its worker taken out, and the simulator's put in their places.

The steps of `Fixtures/incidents/cases.json` go through an OAuth server and a whole-record peer that are processes: what
the model says of a case is what those do to it.
"""

import datetime
import json

import old_rule
from support import exchange

SERVER, MACHINE_CLIENT = "app", "client"
#: Of a record: the model's name and the wire's.
NAMES = {"id": "displayName", "data": "providerSpecificData"}
TIMES = ("expiresAt", "rateLimitedUntil", "updatedAt")
TOKENS = {"access": "accessToken", "refresh": "refreshToken"}


class LiveProvider(old_rule.Provider):
    """Tokens are numbers in the model and strings at the server."""

    def __init__(self, world):
        super().__init__(world)
        self.strings, self.numbers = {}, {}

    def learn(self, account, generation, access, refresh):
        for kind, text in (("access", access), ("refresh", refresh)):
            self.strings[account, generation, kind] = text
            self.numbers[text] = generation

    def issue(self, account):
        client = self.world.rules.get("client", {}).get(account, f"{MACHINE_CLIENT}-{account}")
        made = self.world.control(
            "oauth/session", {"server": SERVER, "subject": account, "client": client})
        self.current[account] = self.current.get(account, 0) + 1
        self.revoked.discard(account)
        self.learn(account, self.current[account], made["accessToken"], made["refreshToken"])
        return self.current[account]

    def accepts(self, account, access):
        body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]})
        token = self.strings.get((account, access, "access"))
        answer = exchange(
            self.world.port, "POST", "/v1/chat/completions", body.encode(),
            {"authorization": f"Bearer {token}"})
        return answer.status == 200

    def redeem(self, account, refresh, who):
        if refresh is None:
            return None
        answer = exchange(
            self.world.port, "POST", f"/oauth/{SERVER}/token",
            json.dumps({"grant_type": "refresh_token",
                        "refresh_token": self.strings[account, refresh, "refresh"]}).encode())
        self.judge(account, refresh, who)
        if answer.status != 200:
            return None
        self.current[account] += 1
        fresh = answer.json()
        self.learn(account, self.current[account], fresh["access_token"], fresh["refresh_token"])
        return self.current[account]

    def judge(self, account, refresh, who):
        """What the server has on record of the call, and of whom it has signed out."""
        report = self.world.control("oauth")
        if report["calls"][-1]["outcome"] == "reused":
            self.world.note(
                f"{who} presents R{refresh} of {account} again after R{self.current[account]} was issued: "
                "refresh_token_reused, signed out everywhere")
        newest = {family["subject"]: family for family in report["families"]}
        clients = self.world.rules.get("client", {})
        calls = len([call for call in report["calls"] if call.get("grant") == "refresh_token"])
        for name in sorted(newest):
            if not newest[name]["revoked"] or name in self.revoked:
                continue
            self.revoked.add(name)
            if newest[name]["revokedBy"] == "spacing" and name in clients:
                self.world.note(
                    f"{name} is signed out by the provider: {calls} refreshes of its client within a minute")

    def expire(self, account):
        self.world.control("oauth/expire", {"server": SERVER, "subject": account})

    def refuse(self, account):
        self.world.control(
            "oauth/next", {"subject": account, "behaviour": {"error": "invalid_grant"}})


class Blobs:
    """The peer's machines in the order of their first push, as the model's stores."""

    def __init__(self, worker):
        self.worker, self.machines = worker, []

    def held(self):
        there = self.worker.world.control("sync")["machines"]
        return [machine for machine in self.machines if machine in there]

    def __len__(self):
        return len(self.held())

    def __contains__(self, machine):
        return machine in self.held()

    def pop(self, machine, default=None):
        self.worker.ask("DELETE", machine)

    def newest(self):
        held = self.held()
        return self.worker.read(held[-1]) if held else None


class LiveWorker(old_rule.Worker):
    """The peer in a process: it merges, stamps and refreshes by itself."""

    def __init__(self, world, name):
        self.lead = 0
        super().__init__(world, name)
        self.blobs, self.reads = Blobs(self), 0

    # `Host` sets the skew of its clock; here it is the process's.
    @property
    def skew(self):
        return self.lead

    @skew.setter
    def skew(self, seconds):
        self.lead = seconds
        self.world.control("sync/rules", {"skew": f"{seconds}s"})

    @property
    def db(self):
        return self.blobs.newest() or old_rule.EMPTY

    def ask(self, method, machine, document=None, isolate="http"):
        body = None if document is None else json.dumps(document).encode()
        answer = exchange(
            self.world.port, method, f"/sync/{machine}", body, {"x-isolate": isolate})
        if answer.status != 200:
            raise AssertionError(f"{method} {machine}: {answer.status} {answer.body!r}")
        return answer.json().get("data")

    def read(self, machine):
        """Past every cache."""
        self.reads += 1
        return self.from_wire(self.ask("GET", machine, isolate=f"reader-{self.reads}"))

    def merge(self, machine, pushed):
        if machine not in self.blobs.machines:
            self.blobs.machines.append(machine)
        before = self.blobs.held()
        held = self.read(machine)["accounts"] if machine in before else {}
        answer = self.from_wire(self.ask("POST", machine, self.to_wire(pushed)))
        for account, record in answer["accounts"].items():
            old, new = held.get(account, {}).get("refresh"), record.get("refresh")
            if old and new and new < old:
                self.world.note(f"W goes back from R{old} to R{new} of {account} (cloud sync)")
        return answer

    def request(self, account, key=None):
        world, record = self.world, self.serves(account)
        if record is None:
            return
        world.served += 1
        for promised, (value, at) in world.promises.items():
            if promised[1:] in (("accounts", account, "isActive"), ("keys", key, "isActive")) and value is False:
                if key is None or self.verifies(key):
                    world.note(
                        f"W serves with {promised[2]}, which the operator switched off at {old_rule.text_of(at)}")
        if "access" in record and not world.provider.accepts(account, record["access"]):
            self.refresh(account)
            if not world.provider.accepts(account, self.record(account)["access"]):
                world.note(f"{account} fails with 401 at W and cools for two minutes")

    def verifies(self, key):
        answer = exchange(
            self.world.port, "GET", f"/{self.blobs.held()[-1]}/v1/verify",
            headers={"authorization": f"Bearer sk-{key}"})
        return answer.status == 200

    def refresh(self, account):
        provider, presented = self.world.provider, self.record(account).get("refresh")
        outcome = self.act("refresh", account)
        provider.judge(account, presented, "W")
        if outcome != "refreshed":
            return
        machine = self.blobs.held()[-1]
        fresh = self.ask("GET", machine, isolate="after a refresh")["providers"][account]
        provider.current[account] += 1
        provider.learn(
            account, provider.current[account], fresh["accessToken"], fresh["refreshToken"])

    def act(self, do, account=None, isolate="http"):
        document = {"do": do, "machine": self.blobs.held()[-1], "isolate": isolate}
        if account is not None:
            document["account"] = account
        return self.world.control("sync/act", document)["outcome"]

    def hold(self):
        self.act("look", isolate="another")

    def release(self, account, seconds):
        self.act("cooldown", account, isolate="another")

    def purge(self):
        self.world.advance(8 * 86_400)

    # MARK: The wire

    def to_wire(self, store):
        rows = {name: [{"id": row, **fields} for row, fields in store[name].items()] for name in ("combos", "keys")}
        return {
            "providers": [self.record_to_wire(name, row) for name, row in store["accounts"].items()],
            "modelAliases": store["aliases"], "combos": rows["combos"],
            "apiKeys": [{**row, "key": f"sk-{row['id']}"} for row in rows["keys"]]}

    def from_wire(self, data):
        def rows(name):
            return {row["id"]: {field: value for field, value in row.items() if field not in ("id", "key")}
                    for row in data[name]}

        return {
            "accounts": {name: self.record_from_wire(row) for name, row in data["providers"].items()},
            "aliases": data["modelAliases"], "combos": rows("combos"), "keys": rows("apiKeys"), "settings": {}}

    def record_to_wire(self, account, record):
        wire = {"provider": SERVER}
        for field, value in record.items():
            if field in TOKENS:
                wire[TOKENS[field]] = self.world.provider.strings.get((account, value, field))
            elif field in TIMES:
                wire[field] = value if value is None else self.world.moment(value)
            else:
                wire[NAMES.get(field, field)] = value
        wire["id"] = account
        return wire

    def record_from_wire(self, wire):
        record = {}
        for field, value in wire.items():
            if field in TIMES:
                record[field] = value if value is None else self.world.second(value)
        for field, name in TOKENS.items():
            if wire.get(name) is not None:
                record[field] = self.world.provider.numbers.get(wire[name])
        for field in ("name", "priority", "isActive", "apiKey", "status", "lastError"):
            if wire.get(field) is not None:
                record[field] = wire[field]
        record["id"] = wire.get("displayName", wire["id"])
        if wire["providerSpecificData"]:
            record["data"] = wire["providerSpecificData"]
        return record


class LiveWorld(old_rule.World):
    """Time is the simulator's, which stands still between steps."""

    def __init__(self, simulator, rules=None):
        self.simulator, self.port = simulator, simulator.port
        spacing = (rules or {}).get("spacing")
        server = {"name": SERVER, "shape": "oidc", "access-lifetime": "1h", "old-access": "revoked",
                  **({"spacing": {"refreshes": spacing, "within": "1m"}} if spacing else {})}
        simulator.scenario({"oauth": {"servers": [server]}})
        self.base = self.parsed(self.control("clock", {"stopped": True})["now"])
        super().__init__(rules)
        self.provider, self.worker = LiveProvider(self), LiveWorker(self, "W")
        self.hosts.update(W=self.worker, P=self.provider)

    def control(self, path, document=None):
        return self.simulator.control("GET" if document is None else "POST", path, document)

    def step(self, when, *rest):
        self.advance(old_rule.second_of(when) - self.now)
        super().step(when, *rest)

    def advance(self, seconds):
        self.control("clock", {"advance": f"{seconds}s"})

    @staticmethod
    def parsed(text):
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))

    def moment(self, second):
        told = self.base + datetime.timedelta(seconds=second)
        return told.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def second(self, text):
        return round((self.parsed(text) - self.base).total_seconds())


def run(case, simulator):
    """The damage that a case's steps do, in the order in which it shows."""
    world = LiveWorld(simulator, case["old"].get("rules"))
    for step in case["old"]["steps"]:
        world.step(*step)
    return world.finish()
