"""Incidents of tokens that are refreshed: at a provider whose refresh tokens work once, by two clocks that agree."""

import http.client
import shutil
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from incident_stage import EXPLAIN, blame, incident, require
from support import PATIENCE, eventually, exchange

SERVER, CLIENT = "corp", "gateway"
HOUR = 3600
CREDENTIAL = "credential/mock-a1"
#: Generations: the file's API key is the first one.
SIGNED_IN, REFRESHED = 2, 3


def history(kind_of_stream=CREDENTIAL):
    return ["history", kind_of_stream], r"^\d+ +{at} "


# MARK: The provider's side

def signed_in(stage, *accounts, client=None, **server):
    """These accounts have tokens of the provider's OAuth server that end in an hour; `client` is how it is refreshed."""
    stage.upstream.scenario({
        "models": ["gpt-4o-mini", "gpt-4o"],
        "accounts": [{"name": name, "key": f"sk-upstream-{number}"} for number, name in enumerate(("a1", "a2", "s1"), 1)],
        "oauth": {"servers": [
            {"shape": "oidc", "name": SERVER, "client-id": CLIENT, "access-lifetime": "1h", **server}]}})
    stage.api("PUT", "/api/provider-nodes/mock", {"oauth": {
        "tokenUrl": f"http://127.0.0.1:{stage.upstream.port}/oauth/{SERVER}/token", "clientId": CLIENT, "leadSeconds": 300,
        **(client or {})}})
    for name in accounts:
        sign_in(stage, name)


def sign_in(stage, name, refresh=True, life=HOUR):
    made = stage.upstream.control(
        "POST", "oauth/session", {"server": SERVER, "subject": name, "client": CLIENT})
    stage.secrets += [made["accessToken"], made["refreshToken"]]
    given = {"accessToken": made["accessToken"]}
    if refresh:
        given["refreshToken"] = made["refreshToken"]
    if life:
        given["expiresIn"] = life
    stage.api("PUT", f"/api/providers/mock-{name}/credential", given)


def later(stage, seconds):
    """By the gateway's clock and the provider's."""
    stage.upstream.control("POST", "clock", {"advance": f"{seconds}s"})
    stage.clock.forward(seconds)


def mishap(stage, **behaviour):
    """What befalls the next refresh."""
    stage.upstream.control("POST", "oauth/next", {"server": SERVER, "endpoint": "token", "behaviour": behaviour})


def outcomes(stage, account="a1"):
    """What came of the refreshes of an account, as the provider has them."""
    return [call["outcome"] for call in stage.upstream.control("GET", "oauth")["calls"]
            if call["endpoint"] == "token" and call.get("subject") == account]


def nobody_is_signed_out(stage):
    families = stage.upstream.control("GET", "oauth")["families"]
    require(families and not any(family["revoked"] for family in families), families)


# MARK: The gateway's side

def held(stage, account="mock-a1"):
    """A credential as operators see it."""
    return stage.api("GET", f"/api/providers/{account}")["connection"]["credential"]


def generation(stage, wanted, account="mock-a1"):
    eventually(lambda: held(stage, account)["generation"] >= wanted, f"generation {wanted} of {account}")


def refresh(stage, status=200):
    return stage.api("POST", "/api/providers/mock-a1/credential/refresh", {}, status)


def asked_for_refresh(stage):
    """A connection on which a refresh was asked for; the answer is still to come."""
    connection = http.client.HTTPConnection("127.0.0.1", stage.box.port, timeout=PATIENCE)
    connection.request(
        "POST", "/api/providers/mock-a1/credential/refresh", b"{}",
        {"content-type": "application/json", **stage.box.login()})
    return connection


# MARK: Ahead of time

@incident("T1", "The account works after every sign-in, and some hours later never again.",
          EXPLAIN, blame(f"{CREDENTIAL}.fingerprint"), history())
def token_of_an_hour(stage):
    signed_in(stage, "a1")
    stage.ask(200, 2)
    first = held(stage)

    def ends_soon():
        later(stage, HOUR - 240)
        generation(stage, REFRESHED)

    stage.culprit(CREDENTIAL, "credential.refreshed", ends_soon)
    stage.ask(200, 2)
    # Long after the first token's end.
    later(stage, 600)
    stage.ask(200, 2)
    second = held(stage)
    require(outcomes(stage) == ["refreshed"] and second["expiresAt"] > first["expiresAt"], (outcomes(stage), second))
    require(stage.api("GET", "/api/providers/mock-a1")["connection"]["rateLimitedUntil"] is None, "it cools")
    nobody_is_signed_out(stage)
    stage.outcome = (
        f"{len(outcomes(stage))} refresh ahead of the end brings generation {second['generation']} and its end with it; requests are "
        f"{200} before and long after, and nothing cools.")


@incident("T2", "Healthy tokens are refreshed again and again.", blame(f"{CREDENTIAL}.expiresAt"), history())
def end_untold(stage):
    signed_in(stage, "a1", "a2")
    mishap(stage, omit=["expires_in"])
    stage.culprit(CREDENTIAL, "credential.refreshed", refresh, stage)
    shown = held(stage)
    require(shown["expiresAt"] is None and shown["nextRefreshAt"] is None, shown)
    # That the other one is refreshed shows that it was looked what is due.
    later(stage, HOUR - 240)
    generation(stage, REFRESHED, "mock-a2")
    stage.ask(200, 2)
    require(outcomes(stage) == ["refreshed"] and held(stage)["generation"] == REFRESHED, outcomes(stage))
    stage.outcome = (
        f"An answer without expires_in leaves the end unknown, not past: {len(outcomes(stage))} refresh, then none, and requests are "
        f"{200}.")


@incident("T4 T10", "Three accounts were signed out within a minute of each other.",
          blame("credential/mock-a4.fingerprint"), history("credential/mock-a4"),
          (["window", "--kind", "credential.refresh_attempted"], None))
def accounts_of_one_client(stage):
    stage.apply(("      - {name: a2", "      - {name: a4, api-key: sk-upstream-3, priority: 4}\n      - {name: a2"))
    accounts = ("a1", "a2", "a4")
    signed_in(
        stage, *accounts, client={"family": "per-client", "spacingSeconds": 40, "leadSeconds": HOUR // 2},
        spacing={"refreshes": 2, "within": "1m"})

    def half_of_their_life():
        later(stage, HOUR // 2 + 60)
        for number, name in enumerate(accounts, 1):
            generation(stage, REFRESHED, f"mock-{name}")
            done = [it for account in accounts for it in outcomes(stage, account)]
            require(done == ["refreshed"] * number, done)
            later(stage, 41)

    stage.culprit("credential/mock-a4", "credential.refreshed", half_of_their_life)
    nobody_is_signed_out(stage)
    stage.ask(200, 2)
    stage.outcome = (
        f"At half of their life {len(accounts)} accounts of one client are refreshed one after the other, never two within the "
        "spacing, and nobody is signed out.")


@incident("T8", "An account that cannot be refreshed is marked expired every minute.",
          blame(f"{CREDENTIAL}.canRefresh"), history(), in_gate=False)
def token_without_a_refresh_token(stage):
    signed_in(stage, "a2", **{"access-lifetime": "7d"})
    stage.culprit(CREDENTIAL, "credential.issued", sign_in, stage, "a1", False, None)
    stage.ask(200, 2)
    later(stage, 20 * HOUR)
    # The other one's hour is over: it was looked what is due.
    generation(stage, REFRESHED, "mock-a2")
    stage.ask(200, 2)
    shown = held(stage)
    require((outcomes(stage), shown["standing"], shown["canRefresh"], shown["failures"]) == ([], "usable", False, 0), shown)
    nobody_is_signed_out(stage)
    stage.outcome = (
        f"What cannot be refreshed is never due: after 20 hours {len(outcomes(stage))} attempts, still {shown['standing']}, and "
        f"requests are {200}.")


@incident("T9", "Half of what the sign-in brought is gone after a refresh.",
          history(), (["blame", f"{CREDENTIAL}.fingerprint"], r"^  fingerprint .* \({at} "), in_gate=False)
def answer_with_less(stage):
    signed_in(stage, "a1", rotation="reusable")
    mishap(stage, omit=["refresh_token", "id_token"])
    stage.culprit(CREDENTIAL, "credential.refreshed", refresh, stage)
    shown = held(stage)
    require(shown["canRefresh"] and shown["generation"] == REFRESHED, shown)
    refresh(stage)
    stage.ask(200, 2)
    require(outcomes(stage) == ["refreshed"] * 2 and held(stage)["generation"] == REFRESHED + 1, outcomes(stage))
    stage.outcome = (
        f"What an answer does not bring stays: after one without a refresh token the next refresh works with the one there was "
        f"({len(outcomes(stage))} of 2).")


# MARK: One after the other

@incident("T3", "Everything fails for two minutes whenever a token ends.",
          EXPLAIN, blame(f"{CREDENTIAL}.fingerprint"), history(),
          (["window", "--kind", "credential.refresh_attempted"], None))
def many_meet_a_401(stage):
    clients = 32
    signed_in(stage, "a1")
    stage.ask(200, 1)

    def at_once():
        stage.upstream.control("POST", "oauth/expire", {"server": SERVER, "subject": "a1"})
        with ThreadPoolExecutor(clients) as pool:
            for asked in [pool.submit(stage.ask, 200, 1) for _ in range(clients)]:
                asked.result()

    stage.culprit(CREDENTIAL, "credential.refreshed", at_once)
    require(outcomes(stage) == ["refreshed"] and held(stage)["generation"] == REFRESHED, outcomes(stage))
    require(stage.api("GET", "/api/providers/mock-a1")["connection"]["rateLimitedUntil"] is None, "it cools")
    nobody_is_signed_out(stage)
    # Those of before were decided when the older one was in force.
    stage.ask(200, 1)
    stage.outcome = (
        f"{clients} requests that meet a 401 at once make {len(outcomes(stage))} refresh, all are answered with {200}, and nothing "
        "cools.")


@incident("T5", "The newest sign-in is overwritten by an older token.",
          (["window", "--kind", "credential.stale_write_refused"], r"^\S+ +{at} "), history(),
          (["blame", f"{CREDENTIAL}.fingerprint"], None))
def third_writer(stage):
    signed_in(stage, "a1")
    mishap(stage, hold="after")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(stage.box.admin, "POST", "/api/providers/mock-a1/credential/refresh", {})
        eventually(lambda: outcomes(stage), "a refresh whose answer is held")
        # Meanwhile somebody signs in anew.
        sign_in(stage, "a1")
        newest = stage.api("GET", "/api/providers/mock-a1")["connection"]["fingerprint"]

        def late():
            stage.upstream.control("POST", "release", {"label": "token", "count": 1})
            asked.result()

        stage.culprit(CREDENTIAL, "credential.stale_write_refused", late)
    shown = stage.api("GET", "/api/providers/mock-a1")["connection"]
    require(shown["fingerprint"] == newest and shown["credential"]["generation"] == SIGNED_IN + 1, shown)
    stage.ask(200, 2)
    stage.outcome = (
        f"The result of a refresh is for the generation that it began on: for another it is refused and written down, generation "
        f"{shown['credential']['generation']} of the sign-in stays in force, and requests are {200}.")


@incident("T6", "The one who waited for a refresh presents the token that was used up by it.",
          history(), (["window", "--kind", "credential.refreshed"], r"^\S+ +{at} "))
def waiter_in_line(stage):
    signed_in(stage, "a1")
    mishap(stage, hold="after")

    def three_want_it():
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(refresh, stage)
            eventually(lambda: outcomes(stage), "a refresh whose answer is held")
            waiting = [asked_for_refresh(stage) for _ in range(2)]
            # An answer to somebody who came later: the two were heard.
            held(stage)
            stage.upstream.control("POST", "release", {"label": "token", "count": 1})
            first.result()
            for connection in waiting:
                answer = connection.getresponse()
                require(answer.status == 200, f"a refresh that waited: {answer.status}, {answer.read()!r}")
                connection.close()

    stage.culprit(CREDENTIAL, "credential.refreshed", three_want_it)
    shown = held(stage)
    require(outcomes(stage) == ["refreshed"] and (shown["generation"], shown["failures"]) == (REFRESHED, 0), (outcomes(stage), shown))
    nobody_is_signed_out(stage)
    stage.ask(200, 2)
    stage.outcome = (
        f"Who waits for a refresh gets what it brought: 3 that want one make {len(outcomes(stage))}, generation "
        f"{shown['generation']} is in force and {shown['failures']} failures are on record.")


# MARK: Refusals

@incident("T7", "The provider said no once, and the account is off and its tokens are gone.",
          (["blame", f"{CREDENTIAL}.standing"], r"^  standing .* \({at} "), history())
def refused_once(stage):
    signed_in(stage, "a1")
    mishap(stage, error="invalid_grant")
    stage.culprit(CREDENTIAL, "credential.refresh_rejected", later, stage, HOUR - 240)
    eventually(lambda: held(stage)["standing"] == "reauth_required", "the refusal")
    shown = stage.api("GET", "/api/providers/mock-a1")["connection"]
    stage.ask(200, 2)
    require(shown["isActive"] and shown["credential"]["attempt"], shown)
    # The operator, who knows better, lets it be tried again: nothing was erased.
    stage.api("POST", "/api/providers/mock-a1/credential/release", {})
    refresh(stage)
    require(outcomes(stage)[-1] == "refreshed" and held(stage)["generation"] == REFRESHED, outcomes(stage))
    stage.ask(200, 2)
    stage.outcome = (
        f"A refused refresh makes the credential {'reauth_required'}, with code and attempt; the account stays on and its access token "
        f"serves ({200}); no token is erased: released by an operator it is refreshed.")


# MARK: Two that have the same tokens

@incident("S2 S9", "The machine was cloned, and since then its accounts are signed out one by one.",
          (["window", "--kind", "gateway.restored"], r"^\S+ +{at} "), (["blame", f"{CREDENTIAL}.standing"], None),
          (["window", "--kind", "gateway.identified"], None), in_gate=False)
def cloned_machine(stage):
    signed_in(stage, "a1")
    stage.ask(200, 1)
    require(stage.box.stop() == 0, "the stop")
    original, clone = stage.box.data, stage.directory / "clone"
    shutil.copytree(original, clone)
    stage.start()
    # The one that is at home refreshes.
    later(stage, HOUR - 240)
    generation(stage, REFRESHED)
    node = held(stage)["home"]
    require(stage.box.stop() == 0, "the stop")
    # The clone has the token that was used up by it.
    stage.box.data = clone
    stage.start()
    stage.culprit_since(0, "gateway", "gateway.restored")
    shown = held(stage)
    require((shown["standing"], shown["reason"], shown["generation"]) == ("uncertain", "restored", SIGNED_IN), shown)
    stage.upstream.control("POST", "oauth/expire", {"server": SERVER, "subject": "a1"})
    before = outcomes(stage)
    stage.box.admin("POST", "/api/providers/mock-a1/test", {})
    refused = stage.box.admin("POST", "/api/providers/mock-a1/credential/refresh", {})
    require(refused.status == 409 and outcomes(stage) == before == ["refreshed"], (refused.body, outcomes(stage)))
    nobody_is_signed_out(stage)
    require(stage.box.stop() == 0, "the stop")
    stage.box.data = original
    stage.start()
    stage.ask(200, 2)
    require(held(stage)["home"] == node and held(stage)["standing"] == "usable", held(stage))
    require(stage.box.stop() == 0, "the stop")
    # What the bundle is of.
    stage.box.data = clone
    stage.outcome = (
        f"The clone finds that it is one, writes it down and refreshes nothing ({refused.status}): its credentials are {shown['standing']} "
        f"until an operator says otherwise; the one at home made the only refresh ({len(before)}), and nobody is signed out.")


# MARK: Whose tokens

@incident("T11", "After a colleague signed in, the first account's tokens were gone.",
          (["blame", "account/{second}.name"], r"^  name .* {at} "), history("account/{second}"))
def mail_in_two_workspaces(stage):
    stage.upstream.scenario({
        "models": ["gpt-4o-mini"],
        "oauth": {"servers": [{"shape": "claude", "subjects": [
            {"name": "u1", "email": "a@b.test", "workspace": "ws-a"},
            {"name": "u1-there", "email": "a@b.test", "workspace": "ws-b"}]}]}})
    server = f"http://127.0.0.1:{stage.upstream.port}/oauth/claude"
    stage.api("POST", "/api/provider-nodes", {
        "id": "claude", "baseUrl": stage.upstream.base_url, "models": [{"name": "gpt-4o-mini"}],
        "oauth": {"kind": "claude", "clientId": CLIENT, "encoding": "json", "scopes": ["openid"],
                  "tokenUrl": f"{server}/token", "authorizeUrl": f"{server}/authorize"}}, 201)

    def sign_in_by_browser(subject):
        begun = stage.api("GET", "/api/oauth/claude/authorize")
        url = urlsplit(begun["authUrl"])
        shown = exchange(stage.upstream.port, "GET", f"{url.path}?{url.query}&approve={subject}")
        require(shown.status == 200, shown.body)
        stage.secrets.append(shown.json()["code"])
        return stage.api("POST", "/api/oauth/claude/exchange", {"code": shown.json()["code"]})["connection"]

    first = sign_in_by_browser("u1")
    before = stage.api("GET", f"/api/providers/{first['id']}")["connection"]["fingerprint"]
    head = stage.head
    second = sign_in_by_browser("u1-there")
    stage.words["{second}"] = second["id"]
    stage.culprit_since(head, f"account/{second['id']}", "account.added")
    require(first["email"] == second["email"] and first["id"] != second["id"], (first, second))
    after = [stage.api("GET", f"/api/providers/{one['id']}")["connection"] for one in (first, second)]
    require(after[0]["fingerprint"] == before and after[1]["fingerprint"] != before, after)
    generations = [one["credential"]["generation"] for one in after]
    require(generations == [1, 1], generations)
    # Each serves by itself.
    for gone in (second, first):
        stage.api("PUT", f"/api/providers/{gone['id']}", {"isActive": False})
        stage.ask(200, 2, model="claude/gpt-4o-mini")
        stage.api("PUT", f"/api/providers/{gone['id']}", {"isActive": True})
    # Who comes again is known.
    again = sign_in_by_browser("u1")
    require((again["id"], again["credentialGeneration"]) == (first["id"], 2), again)
    stage.outcome = (
        f"An account is known by provider, subject and workspace: one mail address in two workspaces is {len({first['id'], second['id']})} "
        f"accounts, each with generation {generations[0]} of its own, and requests by either are {200}; a sign-in anew is the next "
        "generation of its own account alone.")
