"""What one account has: a response is gone on with at the account that made it, also by a gateway that was killed since."""

import http.server
import json
import tempfile
import threading
import unittest
from pathlib import Path

from support import CLIENT_KEY, Gateway, exchange


class Provider(http.server.BaseHTTPRequestHandler):
    """Responses over several accounts, each of which knows its own answers only."""

    protocol_version = "HTTP/1.1"
    made = {}

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        account = self.headers["authorization"].removeprefix("Bearer ")
        previous = asked.get("previous_response_id")
        if previous is not None and self.made.get(previous) != account:
            return self.answer(400, {"error": {
                "message": "Previous response not found.", "type": "invalid_request_error",
                "param": "previous_response_id", "code": "previous_response_not_found"}})
        identity = f"resp_{len(self.made):04}"
        self.made[identity] = account
        self.answer(200, {
            "id": identity, "object": "response", "status": "completed", "model": asked["model"],
            "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
                {"type": "output_text", "text": account, "annotations": []}]}],
            "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class StateTests(unittest.TestCase):
    def setUp(self):
        Provider.made = {}
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
keys:
  - {{name: default, key: "${{SIGNALBOX_CLIENT_KEY}}", organisation: acme}}
settings: {{fallback-strategy: round-robin, sticky-round-robin-limit: 1}}
""")
        self.addCleanup(self.box.kill)

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


if __name__ == "__main__":
    unittest.main()
