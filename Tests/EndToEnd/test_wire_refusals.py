"""What no translation can carry is refused before any call, in the client's protocol and with the field's name."""

import json
import re
import unittest

import wire_plays as plays
from support import CLIENT_KEY, ROOT, exchange
from wire import SIDES, UPSTREAM, Wire

KEYS = {"chat": "authorization", "responses": "authorization", "messages": "x-api-key", "gemini": "x-goog-api-key"}
PROMPT = plays.mark("plain", 1)
GEMINI = "/v1beta/models/{}:generateContent"
#: A client's protocol: its path, the least request, and what only its own protocol has, by the name that is told.
TABLE = {
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": PROMPT}]}, {
        "logprobs": {"logprobs": True}, "n": {"n": 2}, "logit_bias": {"logit_bias": {"50256": -100}},
        "modalities": {"modalities": ["text", "audio"]}, "web_search_options": {"web_search_options": {}},
        "x_unknown": {"x_unknown": 1}, "store": {"store": True},
        "content[0]": {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}}),
    "responses": ("/v1/responses", {"input": PROMPT}, {
        "previous_response_id": {"previous_response_id": "resp_of_nobody"}, "conversation": {"conversation": "conv_1"},
        "background": {"background": True}, "top_logprobs": {"top_logprobs": 3}, "x_unknown": {"x_unknown": 1},
        "tools[0]": {"tools": [{"type": "web_search"}]},
        "content[0]": {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]}}),
    "messages": ("/v1/messages", {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 100}, {
        "container": {"container": "container_1"}, "context_management": {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
        "mcp_servers": {"mcp_servers": [{"type": "url", "url": "https://example.com", "name": "x"}]},
        "x_unknown": {"x_unknown": 1}, "tools[0]": {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        "content[0]": {"messages": [{"role": "user", "content": [
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}}]}]}}),
    "gemini": (GEMINI, {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}, {
        "cachedContent": {"cachedContent": "cachedContents/1"}, "safetySettings": {"safetySettings": [
            {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_LOW_AND_ABOVE"}]},
        "responseModalities": {"generationConfig": {"responseModalities": ["IMAGE"]}},
        "googleSearch": {"tools": [{"googleSearch": {}}]}, "xUnknown": {"xUnknown": 1},
        "parts[0]": {"contents": [{"role": "user", "parts": [
            {"fileData": {"mimeType": "image/png", "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}}]}]}}),
}
#: What only one maker's protocol has a path for.
ALONE = {
    "/v1/completions": ("openai", {"prompt": PROMPT}),
    "/v1/embeddings": ("openai", {"input": PROMPT}),
    "/v1/messages/count_tokens": ("anthropic", {"messages": [{"role": "user", "content": PROMPT}]}),
}


def form(body):
    """Whose error this is, and its words."""
    if body.get("type") == "error":
        return "messages", body["error"]["message"], body["error"]["type"]
    if "status" in body["error"]:
        return "gemini", body["error"]["message"], body["error"]["status"]
    return "openai", body["error"]["message"], body["error"]["type"]


class RefusalTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.wire = Wire()
        cls.addClassCleanup(cls.wire.close)

    def post(self, client, path, body, key=CLIENT_KEY, model="gpt-4.1-mini"):
        name = KEYS.get(client, "authorization")
        given = {name: f"Bearer {key}" if name == "authorization" else key} if key else {}
        if "{}" in path:
            path = path.format(model)
        else:
            body = {"model": model, **body}
        return exchange(self.wire.box.port, "POST", path, json.dumps(body).encode(), given)

    def assert_refused(self, answer, client, status, words=""):
        self.assertEqual(answer.status, status, answer.body)
        whose, message, kind = form(answer.json())
        self.assertEqual(whose, client if client in ("messages", "gemini") else "openai")
        self.assertIn(words, message)
        expected = {
            ("messages", 400): "invalid_request_error", ("messages", 401): "authentication_error",
            ("messages", 404): "not_found_error", ("gemini", 400): "INVALID_ARGUMENT",
            ("gemini", 401): "UNAUTHENTICATED", ("gemini", 404): "NOT_FOUND"}.get((whose, status), kind)
        self.assertEqual(kind, expected)
        self.assertTrue(answer.header("x-request-id"))
        if client == "messages":
            self.assertEqual(answer.header("request-id"), answer.header("x-request-id"))
            self.assertEqual(answer.json()["request_id"], answer.header("request-id"))

    def test_what_only_its_own_protocol_has(self):
        before = len(self.wire.providers.requests)
        for client, (path, body, fields) in TABLE.items():
            for provider in SIDES:
                if UPSTREAM[provider, client] == client:
                    continue
                for field, more in fields.items():
                    with self.subTest(client=client, provider=provider, field=field):
                        answer = self.post(client, path, {**body, **more}, model=SIDES[provider][1][0])
                        self.assert_refused(answer, client, 400, field)
        self.assertEqual(len(self.wire.providers.requests), before, "nobody was asked")

    def test_what_only_one_maker_has(self):
        before = len(self.wire.providers.requests)
        for path, (own, body) in ALONE.items():
            for provider in SIDES:
                if provider == own:
                    continue
                with self.subTest(path=path, provider=provider):
                    client = "messages" if own == "anthropic" else "openai"
                    answer = self.post(client, path, body, model=SIDES[provider][1][0])
                    self.assert_refused(answer, client, 400)
        self.assertEqual(len(self.wire.providers.requests), before, "nobody was asked")

    def test_the_page_says_what_is_served(self):
        rows = re.findall(r"^\| `(/v1[^`]*)` \| (.*) \|$", (ROOT / "docs" / "translation.md").read_text(), re.M)
        bodies = {path.replace("{}", "{model}"): (client, body) for client, (path, body, _) in TABLE.items()}
        bodies |= {path: ("messages" if own == "anthropic" else "openai", body) for path, (own, body) in ALONE.items()}
        bodies[GEMINI.replace("{}", "{model}").replace(":g", ":streamG")] = bodies[GEMINI.replace("{}", "{model}")]
        bodies["/v1/inference"] = ("openai", {"request_id": "r-1", "payload": PROMPT})
        self.assertEqual({path for path, _ in rows}, set(bodies), "a row for each path")
        for path, cells in rows:
            client, body = bodies[path]
            for provider, word in zip(SIDES, cells.split(" | ")):
                with self.subTest(path=path, provider=provider):
                    answer = self.post(client, path.replace("{model}", "{}"), body, model=SIDES[provider][1][0])
                    if word == "refused":
                        self.assert_refused(answer, client, 400)
                        continue
                    self.assertEqual(answer.status, 200, answer.body)
                    request = self.wire.providers.last()
                    self.assertEqual(answer.body == request.answered, word == "same bytes")

    def test_a_wrong_key_and_an_unknown_model(self):
        for client, (path, body, _) in TABLE.items():
            with self.subTest(client):
                for key in ("sk-wrong", None):
                    self.assert_refused(self.post(client, path, body, key), client, 401)
                self.assert_refused(self.post(client, path, body, model="no-such-model"), client, 404, "No provider offers")
