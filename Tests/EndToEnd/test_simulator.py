"""The simulator by itself: a test instrument that misbehaves exactly as told."""

import datetime
import email.utils
import http.client
import json
import random
import socket
import threading
import time
import unittest

from support import Case, exchange, eventually, message, scenario, sha256

KEY = {"authorization": "Bearer sk-upstream-1"}


def frames(body):
    return [line[6:] for line in body.decode().split("\n") if line.startswith("data: ")]


class SimulatorCase(Case):
    def setUp(self):
        super().setUp()
        self.upstream = self.simulator(scenario())

    def chat(self, body, headers=KEY):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return exchange(self.upstream.port, "POST", "/v1/chat/completions", body, headers)

    def start_stream(self, **more):
        """A raw connection that has asked for a stream."""
        connection = socket.create_connection(("127.0.0.1", self.upstream.port), timeout=10)
        body = json.dumps(message(model="gpt-4o", stream=True, **more)).encode()
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: s\r\nauthorization: Bearer sk-upstream-1"
            b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        return connection


class AnswersTests(SimulatorCase):
    def test_a_whole_answer_has_every_field_a_strict_client_wants(self):
        answer = self.chat(message("one two three", model="gpt-4o"))
        self.assertEqual(answer.status, 200)
        body = answer.json()
        self.assertEqual(body["object"], "chat.completion")
        self.assertEqual(body["model"], "gpt-4o")
        self.assertEqual(body["usage"]["prompt_tokens"], 3)
        self.assertEqual(body["usage"]["total_tokens"], 19)
        self.assertEqual(len(body["choices"][0]["message"]["content"].split()), 16)
        self.assertIsNone(body["choices"][0]["message"]["refusal"])

    def test_the_same_request_gets_the_same_bytes(self):
        first, second = (self.chat(message(model="gpt-4o")).body for _ in range(2))
        self.assertEqual(first, second)

    def test_a_stream_has_role_contents_finish_and_done(self):
        answer = self.chat(message(model="gpt-4o", stream=True))
        self.assertIn("text/event-stream", answer.header("content-type"))
        data = frames(answer.body)
        self.assertEqual(data[-1], "[DONE]")
        chunks = [json.loads(frame) for frame in data[:-1]]
        self.assertEqual(len(chunks), 18)
        self.assertEqual(chunks[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual(chunks[-1]["choices"][0]["finish_reason"], "stop")
        self.assertTrue(all("usage" not in chunk for chunk in chunks))

    def test_usage_comes_last_and_only_when_asked_for(self):
        answer = self.chat(
            message(model="gpt-4o", stream=True, stream_options={"include_usage": True}))
        chunks = [json.loads(frame) for frame in frames(answer.body)[:-1]]
        self.assertEqual(chunks[-1]["choices"], [])
        self.assertEqual(chunks[-1]["usage"]["completion_tokens"], 16)
        self.assertTrue(all(chunk["usage"] is None for chunk in chunks[:-1]))

    def test_maximum_tokens_shorten_the_answer(self):
        body = self.chat(message(model="gpt-4o", max_tokens=3)).json()
        self.assertEqual(body["usage"]["completion_tokens"], 3)
        self.assertEqual(body["choices"][0]["finish_reason"], "length")

    def test_a_wrong_key_an_unknown_model_and_broken_json_are_refused_as_openai_does(self):
        self.assertEqual(self.chat(message(model="gpt-4o"), {}).status, 401)
        wrong = self.chat(message(model="gpt-4o"), {"authorization": "Bearer sk-other"})
        self.assertEqual(wrong.json()["error"]["code"], "invalid_api_key")
        self.assertEqual(self.chat(message(model="none")).json()["error"]["code"], "model_not_found")
        self.assertEqual(self.chat(b'{"model":"gpt-4o","messages":[}').status, 400)
        self.assertEqual(self.chat(b'{"model":"gpt-4o"}').status, 400)

    def test_models_are_listed_and_found(self):
        listed = exchange(self.upstream.port, "GET", "/v1/models", None, KEY).json()
        self.assertEqual([row["id"] for row in listed["data"]], ["gpt-4o-mini", "gpt-4o"])
        one = exchange(self.upstream.port, "GET", "/v1/models/gpt-4o", None, KEY)
        self.assertEqual(one.json()["object"], "model")
        self.assertEqual(
            exchange(self.upstream.port, "GET", "/v1/models/x", None, KEY).status, 404)

    def test_the_list_of_models_misbehaves_as_told(self):
        for behaviour, status, body in (
                ({"status": 503}, 503, b"server_error"), ({"fault": "empty-stream"}, 200, b"[]"),
                ({"fault": "error-in-stream"}, 200, b"server_error"), ({}, 200, b"gpt-4o-mini")):
            self.upstream.control(
                "POST", "scenario", {"model-list": behaviour, "models": ["gpt-4o-mini"]})
            answer = exchange(self.upstream.port, "GET", "/v1/models")
            self.assertEqual(answer.status, status, behaviour)
            self.assertIn(body, answer.body)
        self.upstream.control("POST", "scenario", {"model-list": {"fault": "close-mid-stream"}})
        with self.assertRaises(http.client.IncompleteRead):
            exchange(self.upstream.port, "GET", "/v1/models")


class FaultsTests(SimulatorCase):
    def test_a_queued_status_strikes_as_often_as_told_and_only_its_account(self):
        self.upstream.next({"status": 429, "retry-after": 7}, times=2, account="a1")
        other = {"authorization": "Bearer sk-upstream-2"}
        self.assertEqual(self.chat(message(model="gpt-4o"), other).status, 200)
        for _ in range(2):
            answer = self.chat(message(model="gpt-4o"))
            self.assertEqual(answer.status, 429)
            self.assertEqual(answer.header("retry-after"), "7")
        self.assertEqual(self.chat(message(model="gpt-4o")).status, 200)

    def test_every_status_has_openais_shape(self):
        for status in (400, 401, 402, 403, 404, 408, 429, 500, 502, 503, 529):
            self.upstream.next({"status": status})
            answer = self.chat(message(model="gpt-4o"))
            self.assertEqual(answer.status, status)
            self.assertEqual(
                sorted(answer.json()["error"]), ["code", "message", "param", "type"])

    def test_a_sequence_is_played_step_by_step(self):
        self.upstream.scenario({"accounts": [{
            "name": "a1", "key": "sk-upstream-1", "sequence": [
                {"times": 2, "behaviour": {"status": 500}}, {"behaviour": {"status": 503}}]}]})
        got = [self.chat(message(model="gpt-4o")).status for _ in range(5)]
        self.assertEqual(got, [500, 500, 503, 200, 200])

    def test_the_dice_are_seeded(self):
        runs = []
        for seed in (7, 7, 8):
            self.upstream.scenario(
                {**scenario(status=500, probability=0.5), "seed": seed})
            runs.append([self.chat(message(model="gpt-4o")).status for _ in range(64)])
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0], runs[2])
        self.assertTrue(16 < runs[0].count(500) < 48, runs[0].count(500))

    def test_a_reset_before_the_head_is_a_reset(self):
        self.upstream.next({"fault": "reset-before-head"})
        with self.assertRaises(ConnectionResetError):
            self.chat(message(model="gpt-4o"))

    def test_a_close_before_the_head_is_an_empty_answer(self):
        self.upstream.next({"fault": "close-before-head"})
        with self.assertRaises(http.client.RemoteDisconnected):
            self.chat(message(model="gpt-4o"))

    def test_a_stream_cut_by_fin_or_rst_ends_after_the_given_chunk(self):
        for fault, expected in (("close-mid-stream", False), ("reset-mid-stream", True)):
            self.upstream.next({"fault": fault, "at-chunk": 3, "chunk-pace": "5ms"})
            data, was_reset = b"", False
            with self.start_stream() as connection:
                try:
                    while piece := connection.recv(65536):
                        data += piece
                except ConnectionResetError:
                    was_reset = True
            self.assertEqual(was_reset, expected, fault)
            self.assertEqual(data.count(b'"content":"'), 4, fault)
            self.assertNotIn(b"[DONE]", data, fault)

    def test_an_error_in_the_stream_follows_a_200(self):
        self.upstream.next({"fault": "error-in-stream", "at-chunk": 2})
        answer = self.chat(message(model="gpt-4o", stream=True))
        self.assertEqual(answer.status, 200)
        self.assertIn("error", json.loads(frames(answer.body)[-1]))

    def test_an_empty_stream_is_empty(self):
        self.upstream.next({"fault": "empty-stream"})
        self.assertEqual(self.chat(message(model="gpt-4o", stream=True)).body, b"")

    def test_a_wrong_content_length_is_wrong(self):
        self.upstream.next({"content-length": "long"})
        with self.assertRaises(http.client.IncompleteRead):
            self.chat(message(model="gpt-4o"))
        self.upstream.next({"content-length": "short"})
        with self.assertRaises(json.JSONDecodeError):
            self.chat(message(model="gpt-4o")).json()

    def test_split_bytes_keep_the_content(self):
        whole = self.chat(message(model="gpt-4o", stream=True)).body
        self.upstream.next({"split-bytes": 7})
        self.assertEqual(self.chat(message(model="gpt-4o", stream=True)).body, whole)
        self.upstream.next({"split-bytes": 113, "split-pace": "1ms"})
        self.assertEqual(self.chat(message(model="gpt-4o", stream=True)).body, whole)

    def test_a_huge_body_is_as_large_as_told(self):
        self.upstream.next({"body-bytes": 5_000_000})
        content = self.chat(message(model="gpt-4o")).json()["choices"][0]["message"]["content"]
        self.assertEqual(content.count("x" * 1000), 5_000)

    def test_every_named_error_has_its_status_and_its_services_shape(self):
        # Status, and what a reader of that service looks for.
        shapes = {
            "openai": (500, "server_error"), "openai-tokens": (429, '"tokens"'),
            "openai-quota": (429, "insufficient_quota"),
            "openai-context": (400, "context_length_exceeded"),
            "openai-content": (400, "content_policy_violation"),
            "openai-parameter": (400, "unsupported_parameter"),
            "openai-model": (404, "model_not_found"),
            "openai-deactivated": (401, "account_deactivated"),
            "anthropic-rate-limit": (429, "rate_limit_error"),
            "anthropic-overloaded": (529, "overloaded_error"),
            "anthropic-invalid": (400, "invalid_request_error"),
            "anthropic-credit": (400, "credit balance"), "anthropic-api": (500, "api_error"),
            "google-exhausted": (429, "RESOURCE_EXHAUSTED"),
            "google-invalid": (400, "INVALID_ARGUMENT"), "google-key": (400, "API_KEY_INVALID"),
            "google-unavailable": (503, "UNAVAILABLE"),
            "codex-usage-limit": (429, "usage_limit_reached"),
            "html-challenge": (403, "Just a moment"), "html-gateway": (502, "Bad Gateway"),
            "text": (503, "upstream connect error"), "empty": (503, "")}
        for name, (status, word) in shapes.items():
            self.upstream.next({"error": name})
            answer = self.chat(message(model="gpt-4o"))
            self.assertEqual(answer.status, status, name)
            self.assertIn(word, answer.body.decode(), name)
            if "html" in name:
                self.assertIn("text/html", answer.header("content-type"))
            elif name not in ("text", "empty"):
                self.assertIn("error", answer.json(), name)
            # The same words with another status.
            self.upstream.next({"error": name, "status": 418})
            self.assertEqual(self.chat(message(model="gpt-4o")).status, 418, name)

    def test_every_reset_is_told_where_it_belongs(self):
        def asked(form, after, error="openai"):
            self.upstream.next(
                {"status": 429, "error": error, "reset": {"form": form, "in": after}})
            return self.chat(message(model="gpt-4o"))

        for form, after, value in (
                ("retry-after", "1500ms", "2"), ("retry-after-ms", "1500ms", "1500"),
                ("x-ratelimit-reset-requests", "20ms", "20ms"),
                ("x-ratelimit-reset-tokens", "362s", "6m2s")):
            self.assertEqual(asked(form, after).header(form), value)
        hour = time.time() + 3600
        told = [
            email.utils.parsedate_to_datetime(
                asked("retry-after-date", "60m").header("retry-after")).timestamp(),
            int(asked("x-ratelimit-reset", "60m").header("x-ratelimit-reset")),
            datetime.datetime.fromisoformat(
                asked("anthropic-ratelimit-requests-reset", "60m").header(
                    "anthropic-ratelimit-requests-reset").replace("Z", "+00:00")).timestamp(),
            asked("resets-at", "60m", "codex-usage-limit").json()["error"]["resets_at"]]
        for moment in told:
            self.assertTrue(hour - 1 <= moment <= hour + 30, (moment, hour))
        info = asked("retry-info", "3050ms", "google-exhausted").json()["error"]["details"][0]
        self.assertEqual(info["retryDelay"], "3.050s")
        usage = asked("resets-in-seconds", "90s", "codex-usage-limit").json()["error"]
        self.assertEqual(usage["resets_in_seconds"], 90)

    def test_an_error_under_a_200_is_the_first_frame_or_the_whole_body(self):
        for error, word in (("openai", "server_error"), ("html-gateway", "502 Bad Gateway")):
            self.upstream.next({"fault": "error-in-200", "error": error}, times=2)
            whole = self.chat(message(model="gpt-4o"))
            self.assertEqual(whole.status, 200)
            self.assertIn(word, whole.body.decode())
            streamed = self.chat(message(model="gpt-4o", stream=True))
            self.assertEqual(streamed.status, 200)
            if "html" in error:
                self.assertEqual(streamed.body, whole.body)
                self.assertIn("text/html", streamed.header("content-type"))
            else:
                self.assertIn(word, frames(streamed.body)[0])
                self.assertEqual(len(frames(streamed.body)), 1)

    def test_a_provider_without_stream_options_says_so(self):
        self.upstream.scenario(scenario(**{"rejects-stream-options": True}))
        asked = message(model="gpt-4o", stream=True, stream_options={"include_usage": True})
        refused = self.chat(asked)
        self.assertEqual(refused.status, 400)
        self.assertIn("stream_options", refused.json()["error"]["message"])
        del asked["stream_options"]
        self.assertEqual(self.chat(asked).status, 200)

    def test_usage_comes_in_every_form(self):
        def chunks(form, **options):
            self.upstream.next({
                "usage": form, "chunks": 3, "prompt-tokens": 10, "cached-tokens": 4,
                "reasoning-tokens": 2})
            answer = self.chat(message(model="gpt-4o", stream=True, **options))
            return [json.loads(frame) for frame in frames(answer.body)[:-1]]

        def told(form, **options):
            return [
                (place, chunk["usage"].get("prompt_tokens"), chunk["usage"].get("completion_tokens"))
                for place, chunk in enumerate(chunks(form, **options)) if chunk.get("usage")]

        asked = {"stream_options": {"include_usage": True}}
        self.assertEqual(told("last"), [])
        self.assertEqual(told("last", **asked), [(5, 10, 3)])
        self.assertEqual(told("none", **asked), [])
        self.assertEqual(told("unasked"), [(5, 10, 3)])
        self.assertEqual(told("split"), [(0, 10, None), (5, None, 3)])
        self.assertEqual(
            told("running"), [(0, 10, 0), (1, 10, 1), (2, 10, 2), (3, 10, 3), (4, 10, 3)])
        self.assertEqual(told("with-finish"), [(4, 10, 3)])
        renamed = chunks("input-output", **asked)[-1]["usage"]
        self.assertEqual((renamed["input_tokens"], renamed["output_tokens"]), (10, 3))
        self.assertEqual(renamed["input_tokens_details"]["cached_tokens"], 4)
        self.assertEqual(renamed["output_tokens_details"]["reasoning_tokens"], 2)

    def test_usage_can_be_left_out(self):
        self.upstream.next({"usage": False})
        self.assertNotIn("usage", self.chat(message(model="gpt-4o")).json())

    def test_silence_lasts_until_the_client_goes_and_counts_as_its_abort(self):
        self.upstream.next({"fault": "never-answer"})
        connection = self.start_stream()
        eventually(lambda: self.upstream.state()["inFlight"] == 1, "one request in flight")
        connection.close()
        eventually(lambda: self.upstream.state()["abortedByClient"] == 1, "the abort")
        self.assertEqual(self.upstream.state()["inFlight"], 0)

    def test_a_client_that_leaves_a_paced_stream_is_noticed(self):
        self.upstream.next({"chunk-pace": "10ms", "chunks": 10_000})
        connection = self.start_stream()
        connection.recv(100)
        connection.close()
        eventually(lambda: self.upstream.state()["abortedByClient"] == 1, "the abort")


class ControlTests(SimulatorCase):
    def test_bodies_are_kept_byte_for_byte(self):
        dice = random.Random(20261120)
        for size in (0, 1, 55, 56, 63, 64, 65, 1000, 100_000):
            text = "".join(chr(dice.randrange(32, 0x2FFF)) for _ in range(size))
            self.chat(json.dumps(message(text, model="gpt-4o"), ensure_ascii=False).encode())
        bodies = self.upstream.bodies()
        rows = self.upstream.state()["last"]
        self.assertEqual(len(rows), 9)
        for row, body in zip(rows, bodies):
            self.assertEqual(row["sha256"], sha256(body))
            self.assertEqual(row["bytes"], len(body))

    def test_counts_by_account_model_and_status(self):
        self.chat(message(model="gpt-4o"))
        self.upstream.next({"status": 500})
        self.chat(message(model="gpt-4o-mini"))
        self.chat(message(model="gpt-4o"), {"authorization": "Bearer sk-wrong"})
        requests = self.upstream.state()["requests"]
        self.assertEqual(requests["total"], 3)
        self.assertEqual(requests["byAccount"], {"a1": 2})
        self.assertEqual(requests["byModel"], {"gpt-4o": 2, "gpt-4o-mini": 1})
        self.assertEqual(
            requests["byAccountAndModel"], {"a1": {"gpt-4o": 1, "gpt-4o-mini": 1}})
        self.assertEqual(requests["peakByAccount"], {"a1": 1})
        self.assertEqual(requests["byStatus"], {"200": 1, "401": 1, "500": 1})
        self.assertEqual(requests["unknownKeys"], 1)
        self.upstream.control("POST", "reset")
        self.assertEqual(self.upstream.total(), 0)

    def test_how_much_an_account_had_at_once_is_counted(self):
        self.upstream.next({"head-latency": "1500ms"}, times=3)
        threads = [
            threading.Thread(target=self.chat, args=(message(model="gpt-4o"),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.chat(message(model="gpt-4o"))
        requests = self.upstream.state()["requests"]
        self.assertEqual(requests["peakByAccount"], {"a1": 3})
        self.assertEqual(requests["byAccount"], {"a1": 4})

    def test_unknown_fields_are_refused_by_name(self):
        for document, name in (
            ({"sneed": 1}, "sneed"),
            ({"behaviour": {"latency": "1s"}}, "latency"),
            ({"accounts": [{"name": "a", "key": "k", "colour": 1}]}, "colour"),
            ({"behaviour": {"head-latency": "soon"}}, "head-latency"),
            ({"behaviour": {"fault": "explode"}}, "fault"),
            ({"behaviour": {"status": 500, "fault": "never-answer"}}, "exclude"),
            ({"behaviour": {"error": "openai-weather"}}, "error"),
            ({"behaviour": {"usage": "some"}}, "usage"),
            ({"behaviour": {"reset": {"form": "retry-after", "in": "1s"}}}, "need"),
            ({"behaviour": {"status": 429, "reset": {"form": "retry-info", "in": "1s"}}},
             "google-exhausted"),
            ({"behaviour": {"status": 429, "reset": {"in": "1s"}}}, "form and in"),
        ):
            answer = exchange(
                self.upstream.port, "POST", "/_control/scenario", json.dumps(document).encode())
            self.assertEqual(answer.status, 400, document)
            self.assertIn(name, answer.json()["error"])

    def test_sigterm_stops_it_cleanly_with_connections_open(self):
        connection = self.start_stream()
        self.upstream.next({"fault": "never-answer"})
        self.assertEqual(self.upstream.stop(), 0)
        connection.close()


if __name__ == "__main__":
    unittest.main()
