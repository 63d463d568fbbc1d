"""What one account has: a response is gone on with at the account that made it, also by a gateway that was killed since;
what no account has goes wherever it may."""

import http.server
import json
import tempfile
import threading
import unittest
from pathlib import Path

from support import CLIENT_KEY, Gateway, exchange

try:
    import openai
except ImportError:
    openai = None


class Provider(http.server.BaseHTTPRequestHandler):
    """Responses over several accounts, each of which knows its own answers only; Messages and Gemini over others."""

    protocol_version = "HTTP/1.1"
    made = {}
    #: Accounts that say 429, and who answered, in order.
    limited = set()
    answered = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.stored()

    def do_DELETE(self):
        self.stored()

    def stored(self):
        """What of a response is asked for, at the account that has it only."""
        account = self.headers["authorization"].removeprefix("Bearer ")
        identity, _, part = self.path.removeprefix("/v1/responses/").partition("?")[0].partition("/")
        if self.made.get(identity) != account:
            return self.answer(404, {"error": {
                "message": f"Response with id '{identity}' not found.", "type": "invalid_request_error",
                "param": None, "code": None}})
        if self.command == "DELETE":
            del self.made[identity]
            return self.answer(200, {"id": identity, "object": "response.deleted", "deleted": True})
        if part == "input_items":
            return self.answer(200, {
                "object": "list", "has_more": False, "first_id": "msg_in", "last_id": "msg_in", "data": [
                    {"id": "msg_in", "type": "message", "role": "user", "status": "completed", "content": [
                        {"type": "input_text", "text": self.path.partition("?")[2]}]}]})
        self.answer(200, self.response(
            identity, account, "cancelled" if part == "cancel" else "completed", "m", background=True))

    @staticmethod
    def response(identity, account, status, model, **more):
        return {
            "id": identity, "object": "response", "status": status, "model": model, "created_at": 1,
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None,
            "instructions": None, "metadata": {}, "temperature": 1, "top_p": 1,
            "output": [] if status != "completed" else [
                {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
                    {"type": "output_text", "text": account, "annotations": [], "logprobs": []}]}],
            "usage": None if status != "completed" else {
                "input_tokens": 3, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": 2,
                "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 5}, **more}

    def do_POST(self):
        if self.path.endswith("/cancel"):
            return self.stored()
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/v1/messages":
            return self.message(asked, self.headers["x-api-key"])
        if self.path.endswith(":generateContent"):
            return self.content(self.headers["x-goog-api-key"])
        account = self.headers["authorization"].removeprefix("Bearer ")
        previous = asked.get("previous_response_id")
        if previous is not None and self.made.get(previous) != account:
            return self.answer(400, {"error": {
                "message": "Previous response not found.", "type": "invalid_request_error",
                "param": "previous_response_id", "code": "previous_response_not_found"}})
        identity = f"resp_{len(self.made):04}"
        self.made[identity] = account
        is_background = asked.get("background") is True
        self.answer(200, self.response(
            identity, account, "queued" if is_background else "completed", asked["model"], background=is_background))

    def message(self, asked, account):
        if account in self.limited:
            return self.answer(429, {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}})
        self.answered.append(account)
        self.answer(200, {
            "id": f"msg_{len(self.answered)}", "type": "message", "role": "assistant", "model": asked["model"],
            "content": [{"type": "thinking", "thinking": "hm", "signature": "EqQBCkYIBxgCKkD" + "A" * 200},
                        {"type": "text", "text": account}],
            "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 2}})

    def content(self, account):
        self.answered.append(account)
        self.answer(200, {
            "responseId": f"g{len(self.answered)}", "modelVersion": "gemini",
            "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
                {"text": "hm", "thought": True}, {"text": account, "thoughtSignature": "c2lnbmVk"}]}}],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class StateTests(unittest.TestCase):
    def setUp(self):
        Provider.made, Provider.limited, Provider.answered = {}, set(), []
        self.upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
        self.upstream.daemon_threads = True
        threading.Thread(target=self.upstream.serve_forever, daemon=True).start()
        self.addCleanup(self.upstream.server_close)
        self.addCleanup(self.upstream.shutdown)
        directory = tempfile.TemporaryDirectory(prefix="signalbox-state-")
        self.addCleanup(directory.cleanup)
        self.box = Gateway(Path(directory.name), f"""\
providers:
  - id: o
    protocol: openai
    base-url: http://127.0.0.1:{self.upstream.server_port}/v1
    models: [{{name: m}}]
    accounts: [{{name: a1, api-key: key-1}}, {{name: a2, api-key: key-2}}, {{name: a3, api-key: key-3}}]
  - id: claude
    protocol: anthropic
    base-url: http://127.0.0.1:{self.upstream.server_port}/v1
    models: [{{name: m}}]
    accounts: [{{name: c1, api-key: claude-1, priority: 1}}, {{name: c2, api-key: claude-2, priority: 2}}]
  - id: gemini
    protocol: gemini
    base-url: http://127.0.0.1:{self.upstream.server_port}/v1beta
    models: [{{name: m}}]
    accounts: [{{name: g1, api-key: gemini-1}}]
keys:
  - {{name: default, key: "${{SIGNALBOX_CLIENT_KEY}}", organisation: acme}}
settings: {{fallback-strategy: round-robin, sticky-round-robin-limit: 1}}
""")
        self.addCleanup(self.box.kill)

    def client(self):
        return openai.OpenAI(
            base_url=f"http://127.0.0.1:{self.box.port}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=20,
            _strict_response_validation=True)

    def ask(self, previous=None):
        body = {"model": "o/m", "input": "hi", **({"previous_response_id": previous} if previous else {})}
        return exchange(
            self.box.port, "POST", "/v1/responses", json.dumps(body).encode(),
            {"authorization": f"Bearer {CLIENT_KEY}"})

    def made(self, previous=None):
        answer = self.ask(previous)
        self.assertEqual(answer.status, 200, answer.body)
        return json.loads(answer.body)["id"]

    def test_a_response_is_gone_on_with_at_its_account_after_a_kill_too(self):
        first = [self.made() for _ in range(3)]
        self.assertEqual({Provider.made[it] for it in first}, {"key-1", "key-2", "key-3"})
        self.box.kill()
        self.box.start()
        for start in first:
            last = start
            for _ in range(3):
                last = self.made(last)
                self.assertEqual(Provider.made[last], Provider.made[start])

    def test_an_id_of_nobody_is_the_providers_to_judge(self):
        answer = self.ask("resp_of_another_gateway")
        self.assertEqual(answer.status, 400, answer.body)
        self.assertIn(b"previous_response_not_found", answer.body)

    @unittest.skipIf(openai is None, "the openai SDK is not installed (pip could not reach an index)")
    def test_a_conversation_on_others_models_is_bound_to_nobody(self):
        with self.client() as client:
            items = [{"role": "user", "content": "hi"}]

            def turn(model):
                answer = client.responses.create(
                    model=f"{model}/m", input=items, store=False, include=["reasoning.encrypted_content"],
                    reasoning={"effort": "high", "summary": "auto"})
                items.extend(item.model_dump(exclude_none=True) for item in answer.output)
                items.append({"role": "user", "content": "more"})
                self.assertEqual([item.type for item in answer.output], ["reasoning", "message"])

            turn("claude")
            turn("claude")
            # Round robin: whoever it would be, both are limited in turn and the other one answers.
            for limited in ("claude-1", "claude-2"):
                Provider.limited = {limited}
                turn("claude")
                turn("claude")
                Provider.limited = set()
                for name in ("c1", "c2"):
                    self.box.admin("POST", f"/api/providers/{name}/cooldown/end")
                self.assertNotIn(limited, Provider.answered[-2:])
            turn("gemini")
            turn("claude")
            self.assertEqual(len(Provider.answered), 8)

    @unittest.skipIf(openai is None, "the openai SDK is not installed (pip could not reach an index)")
    def test_what_is_stored_is_fetched_cancelled_and_removed_at_its_account(self):
        with self.client() as client:
            started = [
                client.responses.create(model="o/m", input="hi", background=True, store=True) for _ in range(3)]
        self.assertEqual({it.status for it in started}, {"queued"})
        self.assertEqual(len({Provider.made[it.id] for it in started}), 3)
        self.box.kill()
        self.box.start()
        with self.client() as client:
            for it in started:
                found = client.responses.with_raw_response.retrieve(it.id, include=["reasoning.encrypted_content"])
                self.assertEqual(found.parse().output_text, Provider.made[it.id])
                record = self.box.audit(found.headers["x-request-id"])
                self.assertEqual(record["outcome"], "completed")
                self.assertIsNone((record["tokens"] or {}).get("input"))
                items = client.responses.input_items.list(it.id, limit=2, order="asc")
                self.assertIn("limit=2", items.data[0].content[0].text)
                self.assertEqual(client.responses.cancel(it.id).status, "cancelled")
                client.responses.delete(it.id)
                self.assertNotIn(it.id, Provider.made)
                with self.assertRaises(openai.NotFoundError):
                    client.responses.retrieve(it.id)
            with self.assertRaises(openai.NotFoundError) as raised:
                client.responses.retrieve("resp_of_nobody")
            self.assertEqual(raised.exception.type, "invalid_request_error")


if __name__ == "__main__":
    unittest.main()
