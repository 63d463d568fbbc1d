"""What the wire cases share: the providers, one gateway before them, and what a provider was asked, in no protocol's words."""

import itertools
import tempfile
import unittest
from pathlib import Path

import wire_plays as plays
from support import CLIENT_KEY, Gateway, eventually
from wire_clients import CLIENTS, Wish
from wire_providers import KEY, Providers
from wire_strict import camel

#: A provider's protocol, its one account, and its models: the usual one, and those that think as each maker lets them.
SIDES = {
    "openai": ("o1", ["gpt-4.1-mini", "gpt-5.2", "deepseek-reasoner", "text-embedding-3-small"]),
    "anthropic": ("a1", ["claude-opus-5", "claude-haiku-4-5"]),
    "gemini": ("g1", ["gemini-3-flash-preview", "gemini-2.5-flash"]),
}
#: What a client's protocol becomes at a provider; the same word on both sides: bytes pass unchanged.
UPSTREAM = {
    ("openai", "chat"): "chat", ("openai", "responses"): "responses", ("openai", "messages"): "chat",
    ("openai", "gemini"): "chat",
    **{("anthropic", client): "messages" for client in CLIENTS}, **{("gemini", client): "gemini" for client in CLIENTS},
}
SEEDS = itertools.count(100)


def configuration(origin, key=KEY):
    base = {"openai": "/v1", "anthropic": "/v1", "gemini": "/v1beta"}
    rows = "".join(f"""\
  - id: {protocol}
    protocol: {protocol}
    base-url: {origin}{base[protocol]}
    models: [{", ".join("{name: %s}" % name for name in models)}]
    accounts: [{{name: {account}, api-key: {key}}}]
""" for protocol, (account, models) in SIDES.items())
    return f"""\
providers:
{rows}combos: {{relay: [{", ".join(f"{name}/{SIDES[name][1][0]}" for name in SIDES)}]}}
keys:
  - {{name: default, key: "${{SIGNALBOX_CLIENT_KEY}}", organisation: acme, diagnostics: true}}
"""


class Wire:
    """The providers and a gateway, for all cases of a file."""

    def __init__(self):
        self.providers = Providers([name for _, models in SIDES.values() for name in models])
        self.directory = tempfile.TemporaryDirectory(prefix="signalbox-wire-")
        self.box = Gateway(Path(self.directory.name), configuration(self.providers.origin))

    def close(self):
        text, is_alive = self.box.text(), self.box.child.is_running()
        self.box.kill()
        self.providers.close()
        self.directory.cleanup()
        if not is_alive:
            raise AssertionError("signalbox ended:\n" + text[max(0, text.find("Program crashed")):][:3000])

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.box.port}"

    def record(self, request_id):
        """What the log has of a request that ended."""
        def ended():
            found = self.box.audit(request_id)
            return found if found["outcome"] != "in_flight" else None

        return eventually(ended, f"the record of {request_id}")

    def warm(self, protocol, is_cool=False):
        """Ends what cools a provider's account; `is_cool`: something does, or will in a moment."""
        if is_cool:
            path = f"/api/providers/{SIDES[protocol][0]}"
            eventually(lambda: self.box.admin("GET", path).json()["connection"]["rateLimitedUntil"], f"the cooldown at {path}")
        self.box.admin("POST", f"/api/providers/{SIDES[protocol][0]}/cooldown/end")


class CellCase(unittest.TestCase):
    """One client's protocol before one provider's."""

    wire = None
    #: The SDKs by their protocol.
    clients = CLIENTS
    client = None
    provider = ""
    #: Asked without a gateway between: shows that the providers are as the SDKs want them.
    is_direct = False

    @classmethod
    def setUpClass(cls):
        sort = cls.clients[cls.client]
        if sort.sdk is None:
            raise unittest.SkipTest(f"the SDK of {cls.client} is not installed (pip could not reach an index)")
        origin = cls.wire.providers.origin if cls.is_direct else cls.wire.origin
        cls.sdk = sort(origin, KEY if cls.is_direct else CLIENT_KEY)
        cls.addClassCleanup(cls.sdk.close)
        cls.upstream = UPSTREAM[cls.provider, cls.client]
        cls.is_same = cls.upstream == cls.client
        cls.models = SIDES[cls.provider][1]

    def setUp(self):
        self.seed = next(SEEDS)

    def play(self, name):
        return plays.play(name, self.seed)

    def prompt(self, name, *images, text="Say something."):
        return self.sdk.user(f"{text} {plays.mark(name, self.seed)}", *images)

    def wish(self, **more):
        return Wish(**{"model": self.models[0], **more})

    def both(self, name, **more):
        """Has a check look at the answer as a whole and as a stream."""
        def run(check):
            for how in ("ask", "stream"):
                with self.subTest(play=name, how=how):
                    check(getattr(self.sdk, how)(self.wish(**more), self.prompt(name)))

        return run

    def asked(self):
        """The last request of this case at the provider."""
        found = self.wire.providers.of(self.seed)
        last = [(request.play.name, request.play.seed) for request in self.wire.providers.requests[-5:]]
        self.assertTrue(found, f"the provider was not asked for {self.seed}; it was for {last}")
        return found[-1]

    def record(self, request_id):
        return None if self.is_direct else self.wire.record(request_id)


def cells(base, module, has_direct=True, clients=CLIENTS):
    """A class for each cell, and for each SDK before its own provider, by name."""
    found = {}
    own = {"chat": "openai", "responses": "openai", "messages": "anthropic", "gemini": "gemini"}
    for client in clients:
        table = [(own[client], True)] if has_direct else []
        table += [(provider, False) for provider in SIDES]
        for provider, is_direct in table:
            name = f"{client.capitalize()}{'Before' if is_direct else 'To'}{provider.capitalize()}{base.__name__}"
            found[name] = type(name, (base, CellCase), {
                "clients": clients, "client": client, "provider": provider, "is_direct": is_direct, "__module__": module})
    return found


def seen(request):
    """What a provider was asked for, in no protocol's words."""
    body = request.json
    read = {"chat": seen_chat, "responses": seen_responses, "messages": seen_messages, "gemini": seen_gemini}
    return {"temperature": None, "top_p": None, "stop": [], **read[request.dialect](body)}


def joined(content):
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content or [])


def listed(value):
    return [value] if isinstance(value, str) else list(value or [])


def seen_chat(body):
    choice = body.get("tool_choice") or ""
    return {
        "system": joined(next((m["content"] for m in body["messages"] if m["role"] in ("system", "developer")), "")),
        "user": joined([m for m in body["messages"] if m["role"] == "user"][-1]["content"]),
        "limit": body.get("max_completion_tokens", body.get("max_tokens")), "temperature": body.get("temperature"),
        "top_p": body.get("top_p"), "stop": listed(body.get("stop")),
        "tools": {tool["function"]["name"]: tool["function"]["parameters"] for tool in body.get("tools") or []},
        "choice": choice["function"]["name"] if isinstance(choice, dict) else {"required": "any"}.get(choice, choice),
        "single": body.get("parallel_tool_calls") is False,
        "schema": ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")}


def seen_responses(body):
    choice = body.get("tool_choice") or ""
    users = [item for item in body["input"] if item.get("role") == "user"]
    return {
        "system": body.get("instructions") or "", "user": joined(users[-1]["content"]),
        "limit": body.get("max_output_tokens"), "temperature": body.get("temperature"), "top_p": body.get("top_p"),
        "tools": {tool["name"]: tool["parameters"] for tool in body.get("tools") or []},
        "choice": choice["name"] if isinstance(choice, dict) else {"required": "any"}.get(choice, choice),
        "single": body.get("parallel_tool_calls") is False,
        "schema": ((body.get("text") or {}).get("format") or {}).get("schema")}


def seen_messages(body):
    choice = body.get("tool_choice") or {}
    return {
        "system": joined(body.get("system")), "user": joined(body["messages"][-1]["content"]),
        "limit": body["max_tokens"], "temperature": body.get("temperature"), "top_p": body.get("top_p"),
        "stop": body.get("stop_sequences") or [],
        "tools": {tool["name"]: tool["input_schema"] for tool in body.get("tools") or []},
        "choice": choice.get("name") or choice.get("type") or "",
        "single": choice.get("disable_parallel_tool_use") is True,
        "schema": ((body.get("output_config") or {}).get("format") or {}).get("schema")}


def seen_gemini(body):
    body = camel(body)
    generation = body.get("generationConfig") or {}
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    names = calling.get("allowedFunctionNames") or []
    functions = [function for tool in body.get("tools") or [] for function in tool["functionDeclarations"]]
    return {
        "system": joined((body.get("systemInstruction") or {}).get("parts")),
        "user": joined(body["contents"][-1]["parts"]), "limit": generation.get("maxOutputTokens"),
        "temperature": generation.get("temperature"), "top_p": generation.get("topP"),
        "stop": generation.get("stopSequences") or [],
        "tools": {function["name"]: function.get("parametersJsonSchema") for function in functions},
        "choice": names[0] if names else calling.get("mode", "").lower(), "single": False,
        "schema": generation.get("responseJsonSchema")}
