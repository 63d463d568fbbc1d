"""Reports from the field about usage, records and streams."""

import http.client
import json
import socket
import threading

from story import Story, frames
from support import eventually, exchange, of_kind

ASKED = {"stream_options": {"include_usage": True}}


class UsageTests(Story):
    def tokens(self, answer):
        """What the log has of a request's tokens."""
        return self.finished(answer.header("x-request-id"))["tokens"]

    def finished_of(self, model):
        return [
            fields for fields in of_kind(self.box.window(), "request.finished")
            if fields["modelAsked"] == model]

    def logged(self, model):
        """The rows of the list of recent requests."""
        rows = self.must("GET", "/api/usage/logs")["logs"]
        return [row for row in rows if row["model"] == model]

    def test_u1_a_client_that_leaves_early_leaves_one_finished_record(self):
        pool = self.pool(1)
        self.play({"chunk-pace": "20ms", "chunks": 2000})
        for _ in range(3):
            connection, _ = self.open_stream(pool.model)
            connection.close()
        eventually(lambda: self.upstream.state()["abortedByClient"] == 3, "the upstream calls' ends")

        def ended():
            rows = self.logged(pool.model)
            return [row["outcome"] for row in rows] == ["client_hung_up"] * 3

        eventually(ended, "three records of hang-ups")
        self.assertEqual(len(self.finished_of(pool.model)), 3)
        self.assert_cool(pool, "a client's hang-up is no account's fault")

    def test_u2_split_cached_and_foreign_figures_are_recorded_as_told(self):
        pool = self.pool(1)
        told = {"prompt-tokens": 1000, "cached-tokens": 900, "completion-tokens": 50,
                "reasoning-tokens": 20}
        expected = {"input": 1000, "cached": 900, "output": 50, "reasoning": 20}
        for form in ("last", "unasked", "running", "with-finish", "input-output", "split"):
            for stream in (False, True):
                for asked in ({}, ASKED) if stream else ({},):
                    with self.subTest(form=form, stream=stream, asked=bool(asked)):
                        self.play({**told, "usage": form, "chunks": 4})
                        answer = self.chat(pool.model, stream=stream, **asked)
                        self.assertEqual(answer.status, 200)
                        self.assertEqual(self.tokens(answer), expected)

    def test_u2_what_the_client_reads_is_what_upstream_told(self):
        pool = self.pool(1)
        self.play({"prompt-tokens": 7, "completion-tokens": 3, "chunks": 3})
        usage = self.chat(pool.model).json()["usage"]
        self.assertEqual((usage["prompt_tokens"], usage["completion_tokens"]), (7, 3))
        streamed = self.chat(pool.model, stream=True, **ASKED)
        last = json.loads(frames(streamed.body)[-2])["usage"]
        self.assertEqual(last, usage)

    def test_u3_every_request_is_in_the_log_and_in_the_audit(self):
        pool = self.pool(2)
        self.play(accounts={pool.accounts[0]: {"behaviour": {"status": 500, "probability": 0.3}}})
        answers = [self.chat(pool.model, stream=bool(n % 2)) for n in range(20)]
        answers += [self.chat("nobody/offers", key="default") for _ in range(2)]
        self.assertEqual([answer.status for answer in answers[:20]], [200] * 20)
        found = self.finished_of(pool.model)
        self.assertEqual(len(found), 20)
        for answer in answers[:20]:
            record = self.box.audit(answer.header("x-request-id"))
            self.assertEqual(record["outcome"], "completed")
            self.assertEqual(record["attempts"][-1]["status"], 200)

    def test_u5_tokens_count_whatever_their_names_and_records_survive_a_price(self):
        pool = self.pool(1)
        self.play({"prompt-tokens": 10, "completion-tokens": 4, "usage": "input-output"})
        answer = self.chat(pool.model)
        before = self.record(answer)
        self.must("PATCH", "/api/pricing", {
            pool.provider: {"gpt-4o-mini": {"input": 1000, "output": 1000}}})
        self.assertEqual(self.record(answer), before, "what is recorded is not priced anew")
        self.assertEqual((before["usage"]["input"], before["usage"]["output"]), (10, 4))

    def test_u9_equal_requests_are_as_many_records(self):
        pool = self.pool(1)
        self.good(pool.model, 7)
        self.assertEqual(len(self.finished_of(pool.model)), 7)
        rows = self.logged(pool.model)
        self.assertEqual(len(rows), 7)
        self.assertEqual(len({row["requestId"] for row in rows}), 7)

    def test_r36_usage_is_there_after_restarts(self):
        pool = self.pool(1)
        self.good(pool.model, 3)
        before = self.finished_of(pool.model)
        self.assertEqual(len(before), 3)
        for end in (self.box.kill, self.box.stop):
            end()
            self.box.start()
            self.children.append(self.box.child)
            self.assertEqual(self.finished_of(pool.model), before)
            self.assertEqual(len(self.logged(pool.model)), 3)

    def test_r37_records_are_in_the_log_and_read_by_the_page(self):
        pool = self.pool(1)
        self.good(pool.model, 30)
        newest = self.must("GET", "/api/usage/logs?limit=5")["logs"]
        self.assertEqual([row["model"] for row in newest], [pool.model] * 5)
        positions = [int(row["position"].split(":")[1]) for row in newest]
        self.assertEqual(positions, sorted(positions, reverse=True))
        self.refused("GET", "/api/usage/logs?limit=1001", None, 400, "invalid_field")

    def test_r38_a_stream_is_recorded_with_its_tokens_with_none_and_with_no_report(self):
        pool = self.pool(1)
        for behaviour, expected in (
                ({"prompt-tokens": 6, "completion-tokens": 5}, (6, 5)),
                ({"prompt-tokens": 6, "completion-tokens": 0}, (6, 0)),
                ({"usage": "none"}, (None, None))):
            self.play({**behaviour, "chunks": 5})
            answer = self.chat(pool.model, stream=True)
            told = [json.loads(frame).get("usage") for frame in frames(answer.body)[:-1]]
            self.assertEqual(set(told), {None}, "the client did not ask for it")
            found = self.tokens(answer)
            self.assertEqual((found["input"], found["output"]), expected)


class StreamTests(Story):
    def test_r34_an_empty_stream_is_answered_by_the_next_account(self):
        pool = self.pool(3)
        self.play(accounts={name: {"behaviour": {"fault": "empty-stream"}}
                            for name in pool.accounts[:2]})
        answer = self.chat(pool.model, stream=True)
        self.assertEqual(answer.status, 200)
        self.assertEqual(frames(answer.body)[-1], "[DONE]")
        attempts = self.record(answer)["attempts"]
        self.assertEqual(len(attempts), 3)
        self.assertEqual([row["errorCode"] for row in attempts[:2]], ["empty_stream"] * 2)

    def test_r35_an_error_before_the_first_byte_is_answered_by_the_next_account(self):
        for fault in ({"fault": "error-in-200"}, {"fault": "close-before-head"},
                      {"fault": "error-in-200", "error": "anthropic-overloaded"},
                      {"fault": "error-in-200", "error": "html-gateway"},
                      {"error": "html-challenge"}, {"error": "anthropic-credit"},
                      {"error": "google-key"}, {"error": "openai-quota"},
                      {"fault": "reset-before-head"}, {"status": 408}, {"status": 503}):
            for stream in (True, False):
                with self.subTest(fault=fault, stream=stream):
                    pool = self.pool(2)
                    self.play(accounts={pool.accounts[0]: {"behaviour": fault}})
                    answer = self.chat(pool.model, stream=stream)
                    self.assertEqual(answer.status, 200, answer.body)
                    self.assertNotIn(b"error", answer.body)
                    self.assertEqual(
                        self.record(answer)["attempts"][-1]["account"], pool.ids[1])

    def test_r35_after_the_first_byte_the_client_gets_an_error_and_no_second_answer(self):
        for fault in ("close-mid-stream", "reset-mid-stream", "error-in-stream"):
            pool = self.pool(2)
            self.play(accounts={pool.accounts[0]: {"behaviour": {
                # A reset takes away what was not read yet.
                "fault": fault, "at-chunk": 3, "chunk-pace": "150ms"}}})
            answer = self.chat(pool.model, stream=True)
            data = frames(answer.body)
            self.assertIn("error", json.loads(data[-1]), fault)
            self.assertNotIn("[DONE]", data, fault)
            contents = [frame for frame in data[:-1]
                        if json.loads(frame)["choices"][0]["delta"].get("content")]
            self.assertEqual(len(contents), 3, fault)
            self.assertEqual(self.calls(pool), {pool.accounts[0]: 1}, fault)
            self.assertNotEqual(
                self.finished(answer.header("x-request-id"))["outcome"], "completed", fault)

    def test_a_provider_without_stream_options_is_found_out_once(self):
        pool = self.pool(1)
        self.play({"rejects-stream-options": True, "usage": "unasked", "prompt-tokens": 9})
        first = self.chat(pool.model, stream=True)
        self.assertEqual(first.status, 200, first.body)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 2}, "asked again without the option")
        for _ in range(2):
            self.forget_calls()
            answer = self.chat(pool.model, stream=True)
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(self.calls(pool), {pool.accounts[0]: 1}, "and not asked with it since")
            self.assertEqual(self.finished(answer.header("x-request-id"))["tokens"]["input"], 9)
            self.kill()
        self.assert_cool(pool)
        # Who asks for the option has to be told.
        self.assertEqual(self.chat(pool.model, stream=True, **ASKED).status, 400)

    def test_r31_clients_that_leave_cool_nobody(self):
        pool = self.pool(2)
        # Long enough to be seen under way; nobody waits for it.
        self.play({"head-latency": "10s"})
        body = json.dumps({"model": pool.model, "messages": []}).encode()
        for _ in range(8):
            with socket.create_connection(("127.0.0.1", self.box.port)) as connection:
                connection.sendall(
                    b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
                    b"authorization: Bearer sk-e2e-client\r\ncontent-length: %d\r\n\r\n"
                    % len(body) + body)
                eventually(lambda: self.upstream.state()["inFlight"] == 1, "the call")
            eventually(lambda: self.upstream.state()["inFlight"] == 0, "its end")
        self.play()
        self.good(pool.model, 3)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 3})
        self.assert_cool(pool)

    def test_r10_a_provider_that_hangs_holds_up_nobody_else(self):
        hanging, other = self.pool(2), self.pool(1)
        self.play(accounts={name: {"behaviour": {"fault": "never-answer"}}
                            for name in hanging.accounts},
                  **{"model-list": {"fault": "never-answer"}})
        threads = [
            threading.Thread(target=self.leave_hanging, args=(hanging.model,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: self.upstream.state()["inFlight"] == 4, "four calls that hang")
            # A start asks nobody upstream before it serves, and neither does administration.
            self.kill()
            self.good(other.model, 3)
            self.assertEqual(self.must("GET", "/api/providers?provider=" + hanging.provider)
                             ["connections"][0]["provider"], hanging.provider)
        finally:
            for thread in threads:
                thread.join()

    def leave_hanging(self, model):
        try:
            exchange(
                self.box.port, "POST", "/v1/chat/completions",
                json.dumps({"model": model, "messages": []}).encode(),
                {"authorization": "Bearer sk-e2e-client"})
        except (OSError, http.client.HTTPException):
            pass  # The gateway is killed below it.
