"""What the gateway refuses: in OpenAI's shape, recorded, and without any upstream call."""

import json

from support import CLIENT_KEY, Spine, message, raw_exchange


class RefusalsTests(Spine):
    def refused(self, answer, status, code, *, request_bytes=None):
        """Checks shape, record and upstream's innocence; the message."""
        self.assertEqual(answer.status, status, answer.body[:300])
        error = answer.json()["error"]
        self.assertEqual(sorted(error), ["code", "message", "param", "type"])
        self.assertEqual(error["code"], code)
        identity = answer.header("x-request-id")
        self.assertTrue(identity)
        record = self.box.recorded(identity)
        self.assertEqual(record["status"], status)
        self.assertEqual(record["ending"], "denied")
        self.assertEqual(record["errorCode"], code)
        self.assertEqual(record["attempts"], [])
        self.assertEqual(self.upstream.total(), 0)
        return error

    def test_a_wrong_key(self):
        self.refused(self.box.chat(message(), key="sk-wrong"), 401, "invalid_api_key")

    def test_no_key(self):
        self.refused(self.box.chat(message(), key=None), 401, "missing_api_key")

    def test_an_unknown_model_with_candidates(self):
        error = self.refused(
            self.box.chat(message(model="gpt-4o-minni")), 404, "model_not_found")
        self.assertIn("mock/gpt-4o-mini", error["message"])
        self.assertEqual(error["param"], "model")

    def test_an_unknown_model_that_resembles_nothing_names_what_there_is(self):
        error = self.refused(self.box.chat(message(model="zzz")), 404, "model_not_found")
        self.assertIn("mock/gpt-4o-mini", error["message"])

    def test_broken_json_names_the_place(self):
        body = b'{"model": "mock/gpt-4o-mini",\n "messages": [}'
        error = self.refused(self.box.chat(body), 400, "invalid_json")
        self.assertRegex(error["message"], r"line 2\b")
        self.assertRegex(error["message"], r"column 15\b")

    def test_a_model_twice(self):
        body = b'{"model":"mock/gpt-4o","messages":[],"model":"mock/gpt-4o-mini"}'
        error = self.refused(self.box.chat(body), 400, "duplicate_field")
        self.assertEqual(error["param"], "model")
        self.assertRegex(error["message"], r"line 1, column 38\b")

    def test_a_model_that_is_no_string(self):
        error = self.refused(self.box.chat(b'{"model":["a"],"messages":[]}'), 400, "invalid_field")
        self.assertEqual(error["param"], "model")

    def test_forty_megabytes_announced(self):
        head = (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: %s\r\nauthorization: Bearer %s\r\n"
            b"content-type: application/json\r\ncontent-length: 40000000\r\n\r\n")
        host = f"127.0.0.1:{self.box.port}".encode()
        answer = raw_exchange(
            self.box.port, head % (host, CLIENT_KEY.encode()) + b" " * 40_000_000)
        self.refused(answer, 413, "body_too_large")

    def test_forty_megabytes_chunked(self):
        head = (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: %s\r\nauthorization: Bearer %s\r\n"
            b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
        host = f"127.0.0.1:{self.box.port}".encode()
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        answer = raw_exchange(
            self.box.port, head % (host, CLIENT_KEY.encode()) + chunk * 40 + b"0\r\n\r\n")
        self.refused(answer, 413, "body_too_large")

    def test_the_gateway_is_as_well_as_before(self):
        self.box.chat(b"{")
        self.assertEqual(self.box.chat(message()).status, 200)

    def test_a_clients_own_request_id_finds_its_record(self):
        answer = self.box.chat(b"{", x_request_id="client-7")
        self.assertEqual(answer.status, 400)
        record = self.box.recorded("client-7")
        self.assertEqual(record["clientRequestId"], "client-7")

    def test_neither_key_nor_prompt_is_in_any_refusal(self):
        for body in (
            json.dumps(message("a whispered prompt", model="none")).encode(),
            b'{"messages":"a whispered prompt","model":3}',
            b'{"a whispered prompt',
        ):
            for key in ("sk-whispered", CLIENT_KEY):
                answer = self.box.chat(body, key=key)
                self.assertGreaterEqual(answer.status, 400)
                self.assertNotIn(b"whispered", answer.body)
        self.assertNotIn("whispered", self.box.text())


class SmugglingTests(Spine):
    """Requests that two parsers could read differently end the connection with 400."""

    CASES = {
        "two lengths": b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "length and chunks": b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "a folded line": b"x-a: b\r\n c\r\ncontent-length: 0\r\n\r\n",
        "a bare line feed": b"x-a: b\ncontent-length: 0\r\n\r\n",
        "a signed length": b"content-length: +5\r\n\r\nhello",
        "a blank before the colon": b"content-length : 5\r\n\r\nhello",
    }

    def test_ambiguous_framing_is_refused(self):
        for name, rest in self.CASES.items():
            with self.subTest(name):
                start = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
                answer = raw_exchange(self.box.port, start + rest)
                self.assertEqual(answer.status, 400)
        self.assertEqual(self.upstream.total(), 0)
