"""Incidents of a gateway whose peer is a worker of the older protocol: whole records, of which the newer one wins."""

import copy
import datetime
import json

from incident_acts_credentials import (
    CREDENTIAL, REFRESHED, held, history, nobody_is_signed_out, outcomes, refresh, signed_in)
from incident_acts_sync import A1, CLOUD, Other, cloud, window
from incident_stage import blame, incident, require
from support import exchange

MACHINE, TOKEN = "m1", "a-token-of-the-old-peer"
#: What an account's health is, as answers tell it.
HEALTH = ("testStatus", "rateLimitedUntil", "errorCode", "lastError")


class Worker:
    """The simulator's, which is as careless as it was; the stage's gateway syncs with it from now on."""

    def __init__(self, stage, **settings):
        self.port = stage.upstream.port
        stage.secrets.append(TOKEN)
        #: Without its cache, so that what it answers is what it holds.
        stage.upstream.control("POST", "sync/rules", {"cache": "0s"})
        self.settings = {
            "cloudUrl": f"http://127.0.0.1:{self.port}", "cloudToken": TOKEN, "cloudProtocol": "9router",
            "machineId": MACHINE, **settings}
        stage.api("PATCH", "/api/settings", self.settings)
        cloud(stage, "enable")

    def ask(self, method, document=None):
        body = None if document is None else json.dumps(document).encode()
        answer = exchange(self.port, method, f"/sync/{MACHINE}", body, {"authorization": f"Bearer {TOKEN}"})
        require(answer.status == 200, f"{method} at the worker: {answer.status}")
        return answer.json().get("data")

    @property
    def told(self):
        return self.ask("GET")

    def push(self, whole):
        """Some other writer's, of a whole."""
        self.ask("POST", {**whole, "providers": list(whole["providers"].values())})


def health(stage, account="mock-a1"):
    shown = stage.api("GET", f"/api/providers/{account}")["connection"]
    return {field: shown[field] for field in HEALTH}


def cooled(stage):
    """a1 meets a 429 and is put aside for half an hour; another one answers."""
    stage.upstream.next({"status": 429, "retry-after": 1800})
    stage.ask(200, 1)
    stage.cooled("mock-a1")
    return health(stage)


@incident("S1", "The account worked after its token was refreshed, and a sync later it was signed out everywhere.",
          window("credential.stale_write_refused"), history(), (["blame", f"{CREDENTIAL}.fingerprint"], None))
def snapshot_on_its_way(stage):
    signed_in(stage, "a1")
    worker = Worker(stage, syncSecrets=True)
    on_its_way = copy.deepcopy(worker.told)
    old = on_its_way["providers"]["mock-a1"]["accessToken"]
    refresh(stage)
    before = cooled(stage)
    cloud(stage, "sync")
    new = worker.told["providers"]["mock-a1"]["accessToken"]
    require(old and new and old != new, "the worker was not told of the new token")
    # What was read before the refresh arrives after it, and is stamped on arrival.
    for name, record in on_its_way["providers"].items():
        stamped = datetime.datetime.fromisoformat(worker.told["providers"][name]["updatedAt"].replace("Z", "+00:00"))
        record["updatedAt"] = (stamped + datetime.timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    head = stage.head
    worker.push(on_its_way)
    cloud(stage, "sync")
    stage.culprit_since(head, CREDENTIAL, "credential.stale_write_refused")
    require(worker.told["providers"]["mock-a1"]["accessToken"] == new, "the worker has the older one still")
    now = held(stage)
    require(now["generation"] == REFRESHED and now["standing"] == "usable", now)
    require(health(stage) == before, (health(stage), before))
    require(outcomes(stage) == ["refreshed"], outcomes(stage))
    nobody_is_signed_out(stage)
    stage.outcome = (
        f"The older token that comes back is refused and written down, and set right at the worker; generation {now['generation']} "
        f"stays in force, the cooldown stands, and the provider sees {len(outcomes(stage))} refresh.")


@incident("S11", "The machine was set up anew, and since then the copy in the cloud is empty.", window("sync.failed"))
def machine_set_up_anew(stage):
    worker = Worker(stage)
    before = worker.told
    accounts = sorted(before["providers"])
    require(accounts == ["mock-a1", "mock-a2", "spare-s1"] and before["modelAliases"], before)
    # One that has nothing yet, under the same machine's name.
    anew = Other(stage, "anew")
    anew.api("PATCH", "/api/settings", worker.settings)
    anew.api("POST", CLOUD, {"action": "enable"})
    after = worker.told
    require(sorted(after["providers"]) == accounts and after["modelAliases"] == before["modelAliases"], after)
    # An older gateway that lost its file tells of nothing, and the worker takes that for removals.
    head = stage.head
    worker.push({"providers": {}, "modelAliases": {}, "combos": [], "apiKeys": []})
    require(not worker.told["providers"], worker.told)
    cloud(stage, "sync")
    stage.culprit_since(head, "sync/9router", "sync.failed")
    (failed,) = [event for event in stage.events(head) if event["kind"].startswith("sync.failed")]
    require("sync_shrunken" in json.dumps(failed), failed)
    here = sorted(row["id"] for row in stage.api("GET", "/api/providers")["connections"])
    again = worker.told
    require(here == accounts == sorted(again["providers"]), (here, again))
    require(again["modelAliases"] == before["modelAliases"], again)
    stage.outcome = (
        f"A machine that has nothing takes nothing away, and a copy that tells of nothing is refused (sync_shrunken): all "
        f"{len(here)} accounts stay here, and are told again.")


@incident("S15", "What the operator switches off goes on being used, and what cools is shown as active.",
          blame("account/mock-a1.isActive"), history("account/mock-a1"), (["window", "--kind", "sync.mirrored"], None))
def record_without_a_time(stage):
    signed_in(stage, "a1")
    worker = Worker(stage)
    before = cooled(stage)
    # The worker's own record is the newer one whatever comes: its clock is ahead, and other pushes have no time at all.
    stage.upstream.control("POST", "sync/rules", {"skew": "10m"})
    timeless = copy.deepcopy(worker.told)
    for record in timeless["providers"].values():
        del record["updatedAt"]
    stage.culprit("account/mock-a1", "account.disabled", stage.api, "PUT", A1, {"isActive": False})
    cloud(stage, "sync")
    require(worker.told["providers"]["mock-a1"]["isActive"] is False, "the worker goes on using it")
    worker.push(timeless)
    cloud(stage, "sync")
    there = worker.told["providers"]["mock-a1"]
    require((there["isActive"], there["status"]) == (False, "active"), there)
    require(stage.api("GET", A1)["connection"]["isActive"] is False, "it is on again")
    require(health(stage) == before, (health(stage), before))
    stage.outcome = (
        "Values are compared with what was told before, not times: the edit holds here and at the worker, whose record was the "
        "newer one, and its 'active' changes nothing of a cooldown here.")
