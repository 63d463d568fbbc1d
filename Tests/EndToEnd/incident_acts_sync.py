"""Incidents of configuration and accounts that two gateways share: what one of them does, and what the other makes of it."""

import socket
import threading

from incident_acts_credentials import (
    CLIENT, REFRESHED, SERVER, held, history, nobody_is_signed_out, outcomes, signed_in)
from incident_stage import PROMPT, SERVICE_KEY, blame, incident, require
from shifted_clock import ShiftedClock
from support import Gateway, eventually, message

CLOUD = "/api/sync/cloud"
A1 = "/api/providers/mock-a1"


class Line(threading.Thread):
    """What leads from one gateway to the other: an address that stays, and can be cut."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        #: Where it leads; None: it is cut.
        self.port = None
        self.start()

    def run(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.port or 0), timeout=5)
            except OSError:
                near.close()
                continue
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    @staticmethod
    def carry(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Page(threading.Thread):
    """A site that has a page for whatever is asked."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.start()

    def run(self):
        body = b"<!doctype html><title>Not found</title>"
        while True:
            try:
                connection, _ = self.listener.accept()
                connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\nconnection: close\r\n"
                    b"content-length: %d\r\n\r\n" % len(body) + body)
                connection.close()
            except OSError:
                return


class Other:
    """A second gateway that began with nothing, under the same master key."""

    def __init__(self, stage, name="second", own_clock=False):
        self.stage = stage
        place = stage.directory / name
        place.mkdir()
        #: Its own is set apart from the first one's, with which it begins.
        self.clock = ShiftedClock(place, stage.clock.now()) if own_clock else stage.clock
        master = (stage.box.data / "keys" / "master.key").read_text().strip()
        self.box = Gateway(
            place, None, environment={**self.clock.environment, "SIGNALBOX_MASTER_KEY": master})
        stage.children.append(self.box.child)
        self.line = Line()
        self.line.port = self.box.port

    def api(self, method, path, document=None, status=200):
        answer = self.box.admin(method, path, document)
        require(answer.status == status, f"{method} {path} of the other: {answer.status}, not {status}: {answer.body!r}")
        return answer.json() if answer.body else None

    @property
    def node(self):
        return self.api("GET", CLOUD)["node"]

    def pair(self):
        """The stage's gateway syncs with this one from now on."""
        made = self.api("POST", "/api/sync/tokens", {"name": "the first"}, 201)
        self.token = made["id"]
        self.stage.secrets.append(made["token"])
        self.stage.api("PATCH", "/api/settings", {"cloudUrl": self.line.url, "cloudToken": made["token"]})
        return cloud(self.stage, "enable")

    def asked(self, account="mock-a1", **more):
        return self.box.chat(message(PROMPT, model="fast"), **more).status

    def connection(self, account="mock-a1"):
        return self.api("GET", f"/api/providers/{account}")["connection"]


def cloud(stage, action, status=200):
    return stage.api("POST", CLOUD, {"action": action}, status)


def state(stage):
    return stage.api("GET", CLOUD)


def peer(stage, name):
    return next(row for row in state(stage)["peers"] if row["peer"] == name)


def window(kind):
    return ["window", "--kind", kind], r"^\S+ +{at} "


# Acts whose culprit stands in a stream with the other gateway's name, which is another one each time, are not in the gate.


@incident("S3", "An account that the provider refuses is shown as healthy after every sync.",
          (["blame", "health/mock-a1.rateLimitedUntil"], r"^  rateLimitedUntil .* {at} "))
def cooled_on_one(stage):
    other = Other(stage)
    other.pair()
    stage.play(a1={"status": 429, "retry-after": 1800})
    stage.culprit("health/mock-a1", "health.cooldown_started", stage.ask, 200, 1)
    stage.play(a2={"status": 401})
    tested = stage.api("POST", "/api/providers/mock-a2/test", {})
    require(not tested["valid"], tested)
    before = [stage.api("GET", f"/api/providers/mock-{name}")["connection"] for name in ("a1", "a2")]
    # Both ways, and with something to tell.
    stage.point("mock/gpt-4o-mini", "night")
    other.api("PUT", "/api/models/alias", {"alias": "day", "model": "mock/gpt-4o-mini"})
    stage.play()
    cloud(stage, "sync")
    aliases = stage.api("GET", "/api/models/alias")["aliases"]
    require({"night", "day"} <= aliases.keys(), aliases)
    for name, told in zip(("a1", "a2"), before):
        now = stage.api("GET", f"/api/providers/mock-{name}")["connection"]
        for field in ("testStatus", "rateLimitedUntil", "errorCode", "lastError"):
            require(now[field] == told[field], (name, field, now, told))
        there = other.connection(f"mock-{name}")
        require((there["rateLimitedUntil"], there["errorCode"]) == (None, None), there)
    require(other.asked() == 200, "the other one does not ask")
    stage.outcome = (
        "Health is not exchanged: a cooldown and a failed test at one gateway are there after a sync as before it, and the other, which "
        "met neither, serves (200).")


@incident("S4", "The account that was switched off goes on being charged.",
          blame("account/mock-a1.isActive"), history("account/mock-a1"))
def switched_off_while_refreshed(stage):
    signed_in(stage, "a1")
    other = Other(stage)
    other.pair()
    # Where tokens are refreshed each gateway is told by itself.
    oauth = stage.upstream.port
    other.api("PUT", "/api/provider-nodes/mock", {"oauth": {
        "tokenUrl": f"http://127.0.0.1:{oauth}/oauth/{SERVER}/token", "clientId": CLIENT, "leadSeconds": 300}})
    stage.api("POST", f"{A1}/credential/home", {"node": other.node})
    cloud(stage, "sync")
    other.line.port = None
    stage.culprit("account/mock-a1", "account.disabled", stage.api, "PUT", A1, {"isActive": False})
    cloud(stage, "sync", 502)
    # Meanwhile the other one, which is its home, refreshes the token.
    stage.upstream.control("POST", "oauth/expire", {"server": SERVER, "subject": "a1"})
    require(other.asked() == 200, "the other one's request")
    require(outcomes(stage) == ["refreshed"], outcomes(stage))
    other.line.port = other.box.port
    cloud(stage, "sync")
    here, there = stage.api("GET", A1)["connection"], other.connection()
    require((here["isActive"], there["isActive"]) == (False, False), (here, there))
    versions = {(one["credential"]["generation"], one["credential"]["homeEpoch"]) for one in (here, there)}
    require(versions == {(REFRESHED, 1)}, versions)
    before = stage.upstream.state()["requests"]["byAccount"].get("a1", 0)
    require(other.asked() == 200 and stage.upstream.state()["requests"]["byAccount"].get("a1", 0) == before, "a1 is asked")
    nobody_is_signed_out(stage)
    stage.outcome = (
        f"The edit, whose sync failed, and the newer token are of different kinds: after the next sync the account is "
        f"off on both, each holds generation {REFRESHED}, and no request goes to it.")


@incident("S7", "With two clocks that differ the older edit wins, and tokens go back.", window("sync.reconciled"),
          in_gate=False)
def clocks_that_differ(stage):
    signed_in(stage, "a1")
    other = Other(stage, own_clock=True)
    other.pair()
    name = other.node
    # Twenty minutes behind: the newer generation is newer all the same.
    other.clock.forward(-1200)
    stage.upstream.control("POST", "oauth/expire", {"server": SERVER, "subject": "a1"})
    stage.ask(200, 1)
    cloud(stage, "sync")
    there = other.connection()["credential"]["generation"]
    require(there == REFRESHED == held(stage)["generation"], other.connection())
    # Ten minutes ahead: what it writes is not looked at yet.
    other.clock.forward(1800)
    cloud(stage, "sync")
    head = stage.head
    other.api("PUT", A1, {"priority": 9})
    cloud(stage, "sync")
    stage.culprit_since(head, f"sync/{name}", "sync.reconciled")
    waiting = peer(stage, name)["waiting"]
    require(waiting > 0 and stage.api("GET", A1)["connection"]["priority"] == 1, peer(stage, name))
    stage.clock.forward(601)
    cloud(stage, "sync")
    require(
        stage.api("GET", A1)["connection"]["priority"] == 9 and peer(stage, name)["waiting"] == 0, peer(stage, name))
    # An edit of now, whose author has seen that one, does not lose against it.
    stage.api("PUT", A1, {"priority": 4})
    cloud(stage, "sync")
    require(other.connection()["priority"] == 4, other.connection())
    require(outcomes(stage) == ["refreshed"], outcomes(stage))
    nobody_is_signed_out(stage)
    stage.outcome = (
        f"Generations are counted, not dated: {there} is newer at a clock 20 minutes behind too. An edit of a clock 10 minutes "
        "ahead waits, is shown as waiting and holds when that time has come; one made on top of it holds after it.")


@incident("S10", "The key that was paused goes on working on the other machine.",
          (["blame", "key/{key}.status"], r"^  status .* {at} "), history("key/{key}"))
def key_paused_elsewhere(stage):
    other = Other(stage)
    other.pair()
    require(other.asked(key=SERVICE_KEY) == 200, "the key is not known there")
    (row,) = [row for row in stage.api("GET", "/api/keys")["keys"] if row["name"] == "service"]
    stage.key = row["id"]
    head = int(other.api("GET", "/api/events?limit=1")["events"][0]["at"].split(":")[1])
    stage.api("PUT", f"/api/keys/{row['id']}", {"isActive": False})
    cloud(stage, "sync")
    refused = other.box.chat(message(PROMPT, model="fast"), key=SERVICE_KEY)
    require((refused.status, refused.json()["error"]["code"]) == (401, "key_paused"), refused.body)
    # What the bundle is of.
    require(stage.box.stop() == 0, "the stop")
    stage.box = other.box
    stage.culprit_since(head, f"key/{stage.key}", "key.paused")
    stage.outcome = (
        f"A key's status is what admission asks on every gateway: paused on one, after the sync it is {401} "
        f"({refused.json()['error']['code']}) on the other.")


@incident("S12", "Sync was switched on and off, and nobody knows what the other side still has.",
          window("sync.failed"), (["window", "--kind", "sync.disabled"], None), in_gate=False)
def enabled_by_word_alone(stage):
    other = Other(stage)
    made = other.api("POST", "/api/sync/tokens", {"name": "the first"}, 201)
    stage.secrets.append(made["token"])
    stage.api("PATCH", "/api/settings", {"cloudUrl": other.line.url, "cloudToken": made["token"]})
    other.line.port = None
    cloud(stage, "enable", 502)
    require(state(stage)["enabled"] is False, state(stage))
    other.line.port = other.box.port
    require(cloud(stage, "enable")["verified"] and state(stage)["enabled"], state(stage))
    name = other.node
    other.line.port = None
    head = stage.head
    told = cloud(stage, "disable")
    stage.culprit_since(head, f"sync/{name}", "sync.failed")
    require((told["copyRemoved"], peer(stage, name)["owesRemoval"], state(stage)["enabled"]) == (False, True, False), told)
    other.line.port = other.box.port

    def confirmed():
        stage.clock.forward(60)
        return not peer(stage, name)["owesRemoval"]

    eventually(confirmed, "the removal")
    stage.outcome = (
        "Sync is on after a first exchange and not before; a removal that did not reach the other side is on record, "
        "shown as owed, and tried again until it is confirmed.")


@incident("S13", "The other side has forgotten us, and the page says that sync is on.", window("sync.failed"),
          in_gate=False)
def forgotten_by_the_peer(stage):
    other = Other(stage)
    other.pair()
    name = other.node
    other.api("DELETE", f"/api/sync/tokens/{other.token}")
    stage.culprit(f"sync/{name}", "sync.failed", cloud, stage, "sync", 502)
    shown, told = peer(stage, name), state(stage)
    require(shown["failure"]["code"] == "sync_unauthorized" and shown["failure"]["since"], shown)
    require(told["connected"] is False, told)
    stage.outcome = (
        f"An other side that does not know this gateway any more is a failure of the sync with its name, time and code "
        f"({shown['failure']['code']}), shown as not connected.")


@incident("S16", "Every quarter of an hour the log has a page that says Not found.", window("sync.failed"))
def page_for_a_peer(stage):
    page = Page()
    stage.secrets.append("sbs_nobody_")
    other = Other(stage)
    made = other.api("POST", "/api/sync/tokens", {"name": "the first"}, 201)
    stage.secrets.append(made["token"])
    stage.api("PATCH", "/api/settings", {"cloudUrl": page.url, "cloudToken": made["token"]})
    head = stage.head
    failed = cloud(stage, "enable", 502)["error"]
    stage.culprit_since(head, "sync/cloud", "sync.failed")
    told = state(stage)
    require((told["enabled"], told["connected"]) == (False, False), told)
    stage.outcome = (
        f"What answers with a page is not a gateway: enabling it is refused ({failed['reason']}), and sync stays off.")
