"""What older gateways do to the same steps: a model of `whole-record-last-writer-wins`, as their code has it.

One record an account with one `updatedAt` for what an operator set, which token is in use and how it went; a store that
is read and written whole; a worker in the cloud that takes the newer record and stamps it with its own clock; a provider
whose refresh tokens work once. Steps come from `Fixtures/incidents/cases.json`. What is damage is judged here and in one
way for all of them: something acknowledged that no longer holds, a token older than one that was issued, a token
presented twice, an account in a state that nobody put it in. `rules` are what versions differ in.
"""

import copy

#: What the worker's record keeps of an account.
KEPT_BY_WORKER = ("id", "name", "priority", "isActive", "apiKey", "access", "refresh", "expiresAt", "data",
                  "rateLimitedUntil", "lastError", "updatedAt")
#: What is taken over from the worker's answer.
TAKEN_FROM_WORKER = ("access", "refresh", "expiresAt", "data", "rateLimitedUntil", "lastError")
EMPTY = {"accounts": {}, "aliases": {}, "combos": {}, "keys": {}, "settings": {}}
LIFE = 3600
EARLY = 300


def text_of(second):
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def second_of(text):
    hours, minutes, seconds = map(int, text.split(":"))
    return (hours * 60 + minutes) * 60 + seconds


class Provider:
    """Each refresh token works once; presented again, all that came of the same sign-in is revoked."""

    def __init__(self, world):
        self.world, self.current, self.expires, self.revoked, self.calls = world, {}, {}, set(), []
        self.refusing = set()

    def issue(self, account):
        self.current[account] = self.current.get(account, 0) + 1
        self.expires[account] = self.world.now + LIFE
        self.revoked.discard(account)
        return self.current[account]

    def accepts(self, account, access):
        return account not in self.revoked and access == self.current.get(account) and (
            self.world.now < self.expires[account])

    def redeem(self, account, refresh, who):
        """The next generation, or None: the grant is refused."""
        world = self.world
        client = world.rules.get("client", {}).get(account)
        if client is not None:
            self.calls = [at for at in self.calls if world.now - at < 60] + [world.now]
            if len(self.calls) > world.rules["spacing"]:
                for name, other in world.rules["client"].items():
                    if other == client and name not in self.revoked:
                        self.revoked.add(name)
                        world.note(f"{name} is signed out by the provider: {len(self.calls)} refreshes of its client "
                                   "within a minute")
        if account in self.refusing:
            self.refusing.discard(account)
            return None
        if account in self.revoked or refresh is None:
            return None
        if refresh != self.current[account]:
            self.revoked.add(account)
            world.note(f"{who} presents R{refresh} of {account} again after R{self.current[account]} was issued: "
                       "refresh_token_reused, signed out everywhere")
            return None
        return self.issue(account)

    def expire(self, account):
        self.expires[account] = self.world.now

    def refuse(self, account):
        """The next refresh, for whatever reason; what was issued stays good."""
        self.refusing.add(account)


class Host:
    """What a local gateway and the worker have in common: tokens in records."""

    def __init__(self, world, name):
        self.world, self.name, self.skew, self.held = world, name, 0, {}

    @property
    def now(self):
        return self.world.now + self.skew

    def record(self, account):
        return self.db["accounts"].get(account)

    def serves(self, account):
        record = self.record(account)
        if record is None:
            self.world.note(f"{self.name} does not know {account}")
        return record

    def request(self, account, key=None):
        """A client asks; after a 401 the account is refreshed and asked again."""
        world, record = self.world, self.serves(account)
        if record is None:
            return
        world.served += 1
        for promised, (value, at) in world.promises.items():
            if promised[1:] in (("accounts", account, "isActive"), ("keys", key, "isActive")) and value is False:
                world.note(f"{self.name} serves with {promised[2]}, which the operator switched off at {text_of(at)}")
        if record.get("sealed") not in (None, world.rules.get("masterKey")):
            world.note(f"{self.name} sends an empty bearer token for {account}")
            return
        if "access" in record and not world.provider.accepts(account, record["access"]):
            self.refresh(account)
            if not world.provider.accepts(account, record["access"]):
                record["rateLimitedUntil"] = self.now + 120
                good = account not in world.provider.revoked
                world.note(f"{account} fails with 401 at {self.name} and cools for two minutes"
                           + (", though its sign-in is good" if good else ""))

    def refresh(self, account):
        self.take(account, account)
        self.redeem(account)
        self.store(account)

    def take(self, account, call):
        """The refresh token is read; what is done with it comes in steps of their own."""
        self.held[call] = [account, self.record(account).get("refresh"), None]

    def redeem(self, call):
        account, refresh, _ = self.held[call]
        if self.world.rules.get("refresh") == "none":
            return
        self.held[call][2] = self.world.provider.redeem(account, refresh, self.name)

    def store(self, call):
        """What came is written, whatever was written meanwhile."""
        world = self.world
        account, presented, issued = self.held.pop(call)
        record, rules = self.record(account), world.rules
        if rules.get("refresh") == "none":
            return
        record["updatedAt"] = self.now
        if issued is None:
            refused = rules.get("refused", "cool")
            if refused != "cool" and record["refresh"] is not None:
                record["refresh"] = None
                world.note(f"the refresh token of {account} is erased at {self.name} on one refusal")
            if refused == "deactivate":
                record["isActive"] = False
                if world.provider.accepts(account, record["access"]):
                    world.note(f"{account} is switched off at {self.name} while its access token still works")
            return
        self.write(account, issued, "the answer of an earlier refresh")
        if not rules.get("dropsExpiry"):
            record["expiresAt"] = self.now + LIFE
        record.update({"testStatus": "active"} if self.name != "W" else {"status": "active"})
        if "data" in record and rules.get("returnsData") is not None:
            for lost in sorted(record["data"].keys() - rules["returnsData"].keys()):
                world.note(f"{lost} of {account} is gone at {self.name} after a refresh")
            record["data"] = rules["returnsData"]

    def write(self, account, generation, why):
        record = self.record(account)
        if (record.get("refresh") or 0) > generation:
            self.world.note(f"{self.name} goes back from R{record['refresh']} to R{generation} of {account} ({why})")
        record["access"] = record["refresh"] = generation

    def cool(self, account, seconds):
        record = self.record(account)
        record.update({"rateLimitedUntil": self.now + seconds, "lastError": "429", "updatedAt": self.now,
                       "status" if self.name == "W" else "testStatus": "unavailable"})


class Local(Host):
    def __init__(self, world, name):
        super().__init__(world, name)
        self.db, self.forms, self.pushed, self.answered = copy.deepcopy(EMPTY), {}, None, None
        self.cloud, self.synced, self.tried = False, 0, 0

    # MARK: An operator

    def login(self, account, **fields):
        """A sign-in: by mail address, the row that has it is taken."""
        accounts = self.db["accounts"]
        mail = fields.get("email")
        taken = next((name for name, row in accounts.items() if mail and row.get("email") == mail), None)
        if taken not in (None, account):
            self.world.note(f"the sign-in of {account} takes the row of {taken}, whose tokens are gone: both are {mail}")
            self.world.provider.issue(account)
            accounts[taken].update(access=None, refresh=None)
            return
        generation = self.world.provider.issue(account)
        self.world.logins[account] = self.world.logins.get(account, 0) + 1
        accounts[account] = {
            "id": f"{account}#{self.world.logins[account]}", "name": account, "priority": 1, "isActive": True,
            "access": generation, "refresh": generation, "expiresAt": self.now + LIFE, "testStatus": "active",
            "updatedAt": self.now, **fields}
        for sibling, client in self.world.rules.get("invalidates", {}).items():
            if client == account and sibling in accounts:
                self.world.provider.revoked.add(sibling)
                self.world.note(f"{sibling} is signed out by the provider: {account} was added at the same client")
        self.world.promise(self.name, "accounts", account, "isActive", True)

    def add(self, account, **fields):
        """An account with a key: one that has the name is overwritten."""
        before = self.db["accounts"].get(account)
        if before is not None:
            for field, value in before.items():
                promised = self.world.promises.get((self.name, "accounts", account, field))
                now = {"priority": 1, **fields}.get(field, value)
                if promised and now != value:
                    self.world.note(f"{account}.{field} is {now} for {value}: a POST of the same name overwrote it")
            before.update({"priority": 1, **fields, "updatedAt": self.now})
            return
        self.db["accounts"][account] = {
            "id": account, "name": account, "priority": 1, "isActive": True, **fields, "testStatus": "unknown",
            "updatedAt": self.now}
        for field, value in fields.items():
            self.world.promise(self.name, "accounts", account, field, value)

    def edit(self, account, **fields):
        self.db["accounts"][account].update(fields, updatedAt=self.now)
        for field, value in fields.items():
            self.world.promise(self.name, "accounts", account, field, value)

    def remove(self, account):
        del self.db["accounts"][account]
        self.world.promise(self.name, "accounts", account, None, None)

    def set(self, table, name, **fields):
        """An alias, a combo, a key or a setting."""
        self.db[table].setdefault(name, {}).update(fields)
        for field, value in fields.items():
            self.world.promise(self.name, table, name, field, value)

    def unset(self, table, name):
        del self.db[table][name]
        self.world.promise(self.name, table, name, None, None)

    def fail_test(self, account):
        self.db["accounts"][account].update(testStatus="error", updatedAt=self.now)

    def test(self, account):
        """A button: what is behind its expiry is refreshed, whatever the token is worth."""
        record = self.db["accounts"][account]
        if self.now < record["expiresAt"] - EARLY:
            return
        before = self.world.provider.current[account]
        self.refresh(account)
        if self.world.provider.current[account] > before and before == record["access"] - 1 and (
                self.world.rules.get("dropsExpiry")):
            self.world.note(f"a rotation of {account} is spent on a token that was good: its expiry was not stored")

    def sweep(self, account):
        """Every minute, for all whose expiry is near."""
        record = self.db["accounts"][account]
        if self.world.rules.get("refreshable", {}).get(account, True) is False:
            record["testStatus"] = "expired"
            self.world.note(f"{account} is marked expired for having no refresh token, though it works")
        elif self.now >= record["expiresAt"] - self.world.rules.get("lead", EARLY):
            self.refresh(account)

    # MARK: The store

    def open(self, form):
        """A browser or a second request reads the whole."""
        self.forms[form] = copy.deepcopy(self.db)

    def save(self, form, table, name, **fields):
        """And writes the whole, with its change."""
        whole = self.forms.pop(form)
        whole[table].setdefault(name, {}).update(fields, updatedAt=self.now)
        self.db = whole
        for field, value in fields.items():
            self.world.promise(self.name, table, name, field, value)

    def share(self, form):
        """All requests hold one object: a read replaces what another one changed and has not written."""
        self.db = self.forms[form]

    def damage(self):
        self.db = None

    def malformed(self):
        """The database can be opened, and no row of it can be read."""
        self.db = copy.deepcopy(EMPTY)
        self.world.note(f"the database of {self.name} is malformed: its lists are empty, and health is 200")

    def restart(self):
        """What cannot be read is replaced by defaults, and they are written."""
        if self.db is None:
            self.db = copy.deepcopy(EMPTY)
            self.world.note(f"{self.name} starts with defaults in place of a file that it could not read, and says nothing")
        for name, value in self.world.rules.get("defaults", {}).items():
            if name in self.db["settings"]:
                self.db["settings"][name] = {"value": value}

    def upgrade(self):
        """The new version keeps its store elsewhere."""
        self.db = copy.deepcopy(EMPTY)
        self.world.note(f"{self.name} opens a new and empty store, and health is 200")

    def seal(self, key):
        """Secrets are encrypted under this key from now on; what is there stays under its own."""
        before, self.world.rules["masterKey"] = self.world.rules.get("masterKey"), key
        for record in self.db["accounts"].values():
            record.setdefault("sealed", before or key)

    def export(self, drops):
        """Written to a file and read from it elsewhere, without these fields."""
        for row in [row for table in self.db.values() for row in table.values()]:
            for field in drops:
                row.pop(field, None)

    # MARK: Sync

    def enable(self):
        self.cloud = True

    def disable(self, reaches=True):
        self.cloud = False
        worker = self.world.worker
        if reaches:
            worker.blobs.pop(self.machine, None)
        elif self.machine in worker.blobs:
            self.world.note(f"the cloud is switched off, and {len(worker.db['accounts'])} account with its tokens stays in it")

    @property
    def machine(self):
        return f"random-{self.synced}" if self.world.rules.get("machine") == "random" else "machine"

    def snapshot(self):
        self.pushed = copy.deepcopy(self.db)
        if self.world.rules.get("omitsUpdatedAt"):
            for record in self.pushed["accounts"].values():
                del record["updatedAt"]

    def arrive(self):
        self.answered = self.world.worker.merge(self.machine, self.pushed)
        self.synced += 1
        copies = len(self.world.worker.blobs)
        if copies > 1:
            self.world.note(f"the cloud holds {copies} copies of the same machine with its tokens")

    def answer(self):
        for account, theirs in self.answered["accounts"].items():
            ours = self.db["accounts"].get(account)
            if ours is None or not theirs["updatedAt"] > ours["updatedAt"]:
                continue
            status, until = ours.get("testStatus"), ours.get("rateLimitedUntil")
            generation = ours.get("refresh")
            for field in TAKEN_FROM_WORKER:
                if field in theirs:
                    ours[field] = theirs[field]
            if generation and theirs.get("refresh") and theirs["refresh"] < generation:
                self.world.note(
                    f"{self.name} goes back from R{generation} to R{theirs['refresh']} of {account} (cloud sync)")
            ours["testStatus"] = theirs.get("status", "active")
            if status in ("error", "unavailable") and ours["testStatus"] == "active":
                cooling = until and until > self.now
                self.world.note(f"{account} turns from {status} to active at {self.name} without a test"
                                + (", and is still put aside until " + text_of(until) if cooling else ""))
            ours["updatedAt"] = self.now

    def sync(self):
        self.tried += 1
        self.snapshot()
        self.arrive()
        self.answer()

    def sync_fails(self):
        """Nothing retries, nothing is said."""
        self.tried += 1

    def callback(self, account):
        """The worker writes what it refreshed by naming the provider: the first account of it is taken."""
        first = min(self.db["accounts"], key=lambda name: self.db["accounts"][name]["priority"])
        theirs = self.world.worker.record(account)
        if first != account:
            self.world.note(f"tokens of {account} are written into {first}, whose own are gone")
        self.db["accounts"][first].update(access=theirs["access"], refresh=theirs["refresh"], updatedAt=self.now)


class Worker(Host):
    def __init__(self, world, name):
        super().__init__(world, name)
        self.blobs, self.cached = {}, None

    @property
    def db(self):
        return next(reversed(self.blobs.values()), EMPTY)

    def serves(self, account):
        if not self.blobs:
            self.world.note(f"{self.name} answers 401 to every key, and the gateway says that the cloud is on")
            return None
        self.world.unrecorded += 1
        return super().serves(account)

    def merge(self, machine, pushed):
        stored = self.blobs.get(machine, EMPTY)
        merged = {table: copy.deepcopy(pushed[table]) for table in ("aliases", "combos", "keys")}
        merged.update(accounts={}, settings={})
        for account, local in pushed["accounts"].items():
            ours = stored["accounts"].get(account)
            record = ours if ours and ours["updatedAt"] > local.get("updatedAt", 0) else local
            held, won = (ours or {}).get("refresh"), record.get("refresh")
            if held and won and won < held:
                self.world.note(f"W goes back from R{held} to R{won} of {account} (cloud sync)")
            merged["accounts"][account] = {
                **{field: record[field] for field in KEPT_BY_WORKER if field in record},
                "status": record.get("status", "active"), "updatedAt": self.now}
        self.blobs.pop(machine, None)
        self.blobs[machine] = merged
        return copy.deepcopy(merged)

    def hold(self):
        """One isolate reads the blob."""
        self.cached = copy.deepcopy(self.db)

    def release(self, account, seconds):
        """And saves it whole, with the cooldown that it noted."""
        self.blobs[next(reversed(self.blobs))] = self.cached
        self.cool(account, seconds)

    def purge(self):
        """What nobody touched for seven days."""
        self.blobs.clear()


class World:
    def __init__(self, rules=None):
        self.now, self.rules = 0, copy.deepcopy(rules or {})
        self.damage, self.promises, self.logins = [], {}, {}
        self.served = self.unrecorded = 0
        self.provider = Provider(self)
        self.worker = Worker(self, "W")
        self.hosts = {"L": Local(self, "L"), "M": Local(self, "M"), "W": self.worker, "P": self.provider}

    def note(self, sentence):
        if sentence not in self.damage:
            self.damage.append(sentence)

    def promise(self, host, table, name, field, value):
        """Acknowledged to the operator of a host."""
        gone = [it for it in self.promises if it[:3] == (host, table, name) and (field is None or it[3] is None)]
        for it in gone:
            del self.promises[it]
        self.promises[host, table, name, field] = (value, self.now)

    def step(self, when, host, verb, *arguments):
        self.now = second_of(when)
        if host == "clock":
            # How far a host's clock is ahead from now on.
            self.hosts[verb].skew = arguments[0]
            return
        fields = arguments[-1] if arguments and isinstance(arguments[-1], dict) else {}
        names = arguments[:-1] if fields else arguments
        getattr(self.hosts[host], verb)(*names, **fields)

    def finish(self):
        """What was acknowledged and does not hold, on each host that has state."""
        for name in ("L", "M", "W"):
            host = self.hosts[name]
            if host.db is None or name == "W" and not host.blobs:
                continue
            for (owner, table, row, field), (value, at) in self.promises.items():
                if name not in (owner, "W") or name == "W" and table == "settings":
                    continue
                found = host.db[table].get(row)
                if field is None:
                    if found is not None:
                        self.note(f"{name} still has {row}, which the operator removed at {text_of(at)}")
                elif found is None:
                    self.note(f"{row} is gone at {name}")
                elif found.get(field) != value:
                    self.note(f"{row}.{field} is {shown(found.get(field))} at {name}; the operator set {shown(value)} at {text_of(at)}")
            for row, record in host.db["accounts"].items():
                issued = self.provider.current.get(row)
                if issued and record.get("refresh") and record["refresh"] < issued:
                    self.note(f"{name} holds R{record['refresh']} of {row}, R{issued} was issued")
            for combo, row in host.db["combos"].items():
                ids = {record["id"] for record in host.db["accounts"].values()}
                for dead in [it for it in row.get("pins", []) if it not in ids]:
                    self.note(f"{combo} points at {dead}, which is not there any more")
        for host in (self.hosts["L"], self.hosts["M"]):
            if host.cloud and host.tried and not host.synced:
                self.note(f"{host.name} says that the cloud is on; {host.tried} of {host.tried} syncs failed without a word")
        if self.unrecorded:
            self.note(f"{self.unrecorded} of {self.served} requests are in no sum: the worker records none")
        return self.damage


def shown(value):
    if value is None or isinstance(value, bool):
        return {None: "unset", True: "true", False: "false"}[value]
    return "[" + ", ".join(value) + "]" if isinstance(value, list) else value


def run(case):
    """The damage that a case's steps do under the old rule, in the order in which it shows."""
    world = World(case["old"].get("rules"))
    for step in case["old"]["steps"]:
        world.step(*step)
    return world.finish()
