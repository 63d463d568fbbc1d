"""What a schema cannot say of valid requests, said to schemathesis; and what would take the run its own means."""

import hashlib
import os
from datetime import datetime, timedelta, timezone

import schemathesis
from schemathesis import GenerationMode

#: The configuration that the run itself stands on: without it all that is left to see is 401 and 503.
KEPT = set(os.environ["SIGNALBOX_KEPT"].split())
#: A model that the simulator offers.
MODEL = "mock/gpt-4o"


@schemathesis.hook
def before_call(context, case, kwargs):
    # Who follows the log waits for what comes, and the run with it.
    if case.path == "/api/events" and str((case.query or {}).get("follow")).lower() == "true":
        case.query.pop("follow")
    if case.method not in ("GET", "POST"):
        for name, value in (case.path_parameters or {}).items():
            if str(value) in KEPT:
                case.path_parameters[name] = "somebody-else"
    if isinstance(case.body, dict):
        # Two settings that are valid and change what is right for the requests that come after: a limit of
        # 1 KiB refuses valid ones, and where no key is needed a wrong one is as good as none.
        limit = case.body.get("maxBodyBytes")
        if isinstance(limit, int) and 1024 <= limit < 1 << 20:
            case.body["maxBodyBytes"] = 1 << 20
        if case.body.get("requireApiKey") is False:
            case.body["requireApiKey"] = True
        # Which texts are blocks of addresses is more than the schema says.
        if isinstance(case.body.get("trustedProxies"), list):
            case.body["trustedProxies"] = ["10.0.0.0/8"]
        # Going back in earnest would take away what the run stands on.
        if case.path in ("/api/config/restore", "/api/config/revert"):
            if case.body.get("plan") in (None, False):
                case.body["plan"] = True
    if case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE:
        # A cursor is an answer's: an invented one is refused, which a test of its own shows.
        if case.query:
            case.query.pop("after", None)
            case.query.pop("before", None)
        if isinstance(case.body, dict):
            adapt(case.body, f"{case.method} {case.path}")


def adapt(body, row):
    """Fields that exclude each other, and bounds that lie outside of the request."""
    # Two names of one field must not contradict each other.
    for name, other in (("organization", "organisation"), ("apiType", "protocol")):
        if name in body and other in body:
            del body[name]
    # Limits and budgets in which no field contradicts another; accounts that are there.
    if isinstance(body.get("limits"), dict) and body["limits"].get("burst"):
        body["limits"]["rps"] = 1
    if isinstance(body.get("budgets"), list):
        body["budgets"] = [{"period": "day", "usd": 1.25}]
    if isinstance(body.get("allowedAccounts"), list):
        body["allowedAccounts"] = ["a1"]
    # Most keys are for an organisation that is there.
    if len(body.get("organisation") or "") > 1:
        body["organisation"] = "acme"
    # Expiry lies in the future; 2240 is a leap year, so that every day is one.
    if isinstance(body.get("expiresAt"), str):
        body["expiresAt"] = "2240" + body["expiresAt"][4:]
    # `0` and its like are refused as placeholders.
    if isinstance(body.get("apiKey"), str):
        body["apiKey"] = hashlib.sha256(body["apiKey"].encode()).hexdigest()
    # A cooldown ends within a year from now.
    if isinstance(body.get("rateLimitedUntil"), str):
        soon = datetime.now(timezone.utc) + timedelta(days=1)
        body["rateLimitedUntil"] = soon.strftime("%Y-%m-%dT%H:%M:%SZ")
    # Whose fault an error was is only repeated, never told.
    if isinstance(body.get("lastError"), dict):
        body["lastError"].pop("type", None)
    # A moment and a revision that there are.
    if row == "POST /api/config/restore":
        body["at"] = "1"
    if row == "POST /api/config/revert":
        body |= {"stream": "settings", "to": 1}
    # The models of a combo are known, or said not to be; the prefix is nobody's.
    if "/api/combos" in row:
        is_free = body.get("allowUnresolved") is True
        body["models"] = ["nowhere/one", "nowhere/two"] if is_free else [MODEL]
    # A policy shares out among accounts that are there, for an organisation that is there.
    elif "/routing/policies" in row:
        body.pop("organisation_id", None)
        for name, value in (("organization_id", "acme"), ("model", "gpt-4o")):
            body.pop(name, None)
            if row.startswith("POST"):
                body[name] = value
        body["backends"] = [{"backend_id": "a1", "weight": 1}]
    # A first price has both that every price has; amounts are exact to six decimals.
    elif "/api/pricing" in row:
        for models in body.values():
            for price in models.values():
                price.update(input=1.5, output=2)
                for name in ("cached", "reasoning", "cache_creation"):
                    if price.get(name) is not None:
                        price[name] = 0.25
    # A provider's names differ from each other.
    elif isinstance(body.get("models"), list):
        for number, model in enumerate(body["models"]):
            model["name"] = f"{model['name'][:150]}{number}"
            if model.get("alias"):
                model["alias"] = f"{model['alias'][:150]}-{number}"
    # A target is known, or said not to be; an alias has no slash, so none is met.
    if row == "PUT /api/models/alias":
        is_free = body.get("allowUnresolved") is True
        body["model"] = "nowhere/" + body["model"][:180] if is_free else MODEL
    # What else a chat must have is the provider's to say; half of them reach it.
    if row.endswith("/chat/completions"):
        body["messages"] = [{"role": "user", "content": "How long is a block section?"}]
        if len(str(body)) % 2:
            body["model"] = MODEL
