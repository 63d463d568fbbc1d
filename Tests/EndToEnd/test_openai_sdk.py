"""The official `openai` SDK against the gateway against the simulator."""

import json
import unittest

from support import CLIENT_KEY, Spine, eventually, message, scenario

try:
    import openai
except ImportError:
    openai = None

#: Upstream's `chunks`, which is what a whole answer has of words.
WORDS = 16


@unittest.skipIf(openai is None, "the openai SDK is not installed (pip could not reach an index)")
class SDKCase(Spine):
    def setUp(self):
        super().setUp()
        self.client = self.make_client()

    def make_client(self, key=CLIENT_KEY):
        client = openai.OpenAI(
            base_url=self.box.base_url, api_key=key, max_retries=0, timeout=20,
            _strict_response_validation=True)
        self.addCleanup(client.close)
        return client

    def create(self, client=None, model="mock/gpt-4o-mini", **more):
        return (client or self.client).chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": "one two three"}], **more)

    def warm(self, cooled):
        """Waits until these accounts cool, and ends what cools any."""
        for name in cooled:
            eventually(
                lambda name=name: self.box.admin("GET", f"/api/providers/{name}").json()[
                    "connection"]["rateLimitedUntil"], f"the cooldown of {name}")
        for name in ("a1", "a2"):
            self.box.admin("POST", f"/api/providers/{name}/cooldown/end")


class AnswersTests(SDKCase):
    def test_chat_gets_the_providers_answer_and_a_request_id_of_ours(self):
        raw = self.create()
        answer = raw.parse()
        self.assertEqual(len(answer.choices[0].message.content.split()), WORDS)
        self.assertEqual(answer.usage.prompt_tokens, 3)
        identity = raw.headers["x-request-id"]
        self.assertNotIn("simulator", identity)
        record = self.box.audit(identity)
        self.assertEqual(record["outcome"], "completed")
        self.assertEqual(record["tokens"]["input"], 3)
        self.assertEqual(record["tokens"]["output"], WORDS)
        self.assertEqual([a["accountName"] for a in record["attempts"]], ["a1"])

    def test_an_alias_and_a_bare_name_reach_the_same_model(self):
        for name in ("fast", "gpt-4o-mini"):
            self.assertEqual(self.create(model=name).parse().usage.prompt_tokens, 3)
        self.assertEqual(
            self.upstream.state()["requests"]["byModel"], {"gpt-4o-mini": 2})

    def test_a_stream_arrives_whole_and_hides_the_usage_that_nobody_asked_for(self):
        raw = self.create(stream=True)
        chunks = list(raw.parse())
        words = [c.choices[0].delta.content for c in chunks if c.choices[0].delta.content]
        self.assertEqual(len(words), WORDS)
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")
        self.assertTrue(all(chunk.usage is None for chunk in chunks))
        self.assertTrue(all(chunk.choices for chunk in chunks))
        record = self.box.audit(raw.headers["x-request-id"])
        self.assertEqual(record["tokens"]["output"], WORDS, "read all the same")

    def test_a_stream_with_include_usage_ends_with_it(self):
        raw = self.create(stream=True, stream_options={"include_usage": True})
        chunks = list(raw.parse())
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.completion_tokens, WORDS)

    def test_stream_helper_accumulates(self):
        with self.client.chat.completions.stream(
            model="fast", messages=[{"role": "user", "content": "hello"}]
        ) as stream:
            for _ in stream:
                pass
            final = stream.get_final_completion()
        self.assertEqual(len(final.choices[0].message.content.split()), WORDS)

    def test_models_are_listed_and_retrieved(self):
        listed = [model.id for model in self.client.models.list()]
        self.assertIn("mock/gpt-4o-mini", listed)
        self.assertIn("mock/gpt-4o", listed)
        self.assertIn("fast", listed)
        self.assertEqual(self.client.models.retrieve("mock/gpt-4o").id, "mock/gpt-4o")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("mock/none")

    def test_a_hundred_requests_on_one_connection(self):
        identities = {self.create().headers["x-request-id"] for _ in range(100)}
        self.assertEqual(len(identities), 100)
        self.assertEqual(self.upstream.total(), 100)


class ErrorsTests(SDKCase):
    def test_a_wrong_key_is_an_authentication_error(self):
        with self.assertRaises(openai.AuthenticationError) as caught:
            self.create(self.make_client("sk-wrong"))
        self.assertEqual(caught.exception.code, "invalid_api_key")
        self.assertTrue(caught.exception.request_id)
        self.assertEqual(self.upstream.total(), 0)

    def test_an_unknown_model_is_not_found_and_names_candidates(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.create(model="gpt-4o-minni")
        self.assertIn("gpt-4o-mini", str(caught.exception))
        self.assertEqual(self.upstream.total(), 0)

    def test_what_upstream_calls_a_bad_request_is_one_and_is_not_tried_elsewhere(self):
        self.upstream.next({"status": 400})
        with self.assertRaises(openai.BadRequestError) as caught:
            self.create()
        self.assertEqual(self.upstream.total(), 1)
        record = self.box.audit(caught.exception.request_id)
        self.assertEqual(record["status"], 400)
        self.assertEqual(len(record["attempts"]), 1)

    def test_when_every_account_is_limited_the_client_sees_a_rate_limit(self):
        self.upstream.next({"status": 429, "retry-after": 3}, times=2)
        with self.assertRaises(openai.RateLimitError) as caught:
            self.create()
        record = self.box.audit(caught.exception.request_id)
        self.assertEqual([a["status"] for a in record["attempts"]], [429, 429])

    def test_when_every_account_fails_the_client_sees_a_server_error(self):
        for status in (500, 503):
            self.upstream.next({"status": status}, times=2)
            with self.assertRaises(openai.InternalServerError) as caught:
                self.create()
            record = self.box.audit(caught.exception.request_id)
            self.assertEqual([a["status"] for a in record["attempts"]], [status, status])
            self.assertEqual(record["outcome"], "failed")

    def test_a_provider_that_refuses_our_credentials_does_not_make_the_clients_key_wrong(self):
        for status in (401, 402, 403):
            self.upstream.next({"status": status}, times=2)
            with self.assertRaises(openai.InternalServerError, msg=status) as caught:
                self.create()
            record = self.box.audit(caught.exception.request_id)
            self.assertEqual([a["status"] for a in record["attempts"]], [status, status])
            # A 403 of both accounts may as well be about the request: it cools neither.
            self.warm(("a1", "a2") if status != 403 else ())

    def test_an_upstream_that_breaks_off_in_the_stream_is_an_error_and_not_a_short_answer(self):
        self.upstream.next({"fault": "close-mid-stream", "at-chunk": 4, "chunk-pace": "5ms"})
        raw = self.create(stream=True)
        with self.assertRaises((openai.APIError, openai.APIConnectionError)):
            for _ in raw.parse():
                pass
        record = eventually(
            lambda: self.finished(raw.headers["x-request-id"]), "the record of the broken stream")
        self.assertEqual(record["outcome"], "upstream_cut")
        self.assertEqual(self.upstream.total(), 1, "no second attempt after the first byte")

    def finished(self, identity):
        record = self.box.audit(identity)
        return record if record["outcome"] != "in_flight" else None


class FailoverTests(SDKCase):
    def failed_over(self, behaviour, stream=False):
        """The attempts of a request that a1 never answers well; more than once, for a fault on a
        connection of the pool may be tried again on a fresh one."""
        document = scenario()
        document["accounts"][0]["behaviour"] = behaviour
        self.upstream.scenario(document)
        raw = self.create(stream=stream)
        answer = raw.parse()
        if stream:
            self.assertEqual(
                sum(1 for chunk in answer if chunk.choices[0].delta.content), WORDS)
        else:
            self.assertEqual(answer.usage.completion_tokens, WORDS)
        record = self.box.audit(raw.headers["x-request-id"])
        self.assertEqual(record["outcome"], "completed")
        self.assertEqual(
            [attempt["accountName"] for attempt in record["attempts"]], ["a1", "a2"])
        return record["attempts"]

    def test_statuses_that_another_account_may_not_have_are_invisible(self):
        for status in (401, 402, 403, 429, 500, 502, 503, 529):
            with self.subTest(status=status):
                attempts = self.failed_over({"status": status})
                self.assertEqual([a["status"] for a in attempts], [status, 200])
            self.warm(("a1",) if status < 500 else ())

    def test_a_reset_or_a_closed_connection_is_invisible(self):
        for fault in ("reset-before-head", "close-before-head"):
            with self.subTest(fault=fault):
                attempts = self.failed_over({"fault": fault})
                self.assertIsNone(attempts[0]["status"])
                self.assertEqual(attempts[0]["errorClass"], "network")

    def test_a_failure_before_the_first_frame_of_a_stream_is_invisible(self):
        for behaviour in (
            {"status": 503}, {"fault": "reset-before-head"}, {"fault": "empty-stream"},
        ):
            with self.subTest(behaviour):
                self.failed_over(behaviour, stream=True)

    def test_a_provider_that_restarted_costs_no_request(self):
        # The gateway's pool holds connections that the provider has closed meanwhile.
        for _ in range(3):
            self.assertEqual(self.create().parse().usage.prompt_tokens, 3)
            self.upstream.stop()
            self.upstream = self.simulator(scenario(), self.upstream.port)
        self.assertEqual(self.create().parse().usage.prompt_tokens, 3)


class HangUpTests(SDKCase):
    behaviour = {"chunk-pace": "20ms", "chunks": 2000}

    def test_a_client_that_leaves_ends_the_upstream_call_and_is_recorded_so(self):
        raw = self.create(stream=True)
        stream = raw.parse()
        next(iter(stream))
        stream.close()
        eventually(
            lambda: self.upstream.state()["abortedByClient"] == 1, "the upstream call's end")
        identity = raw.headers["x-request-id"]

        def hung_up():
            record = self.box.audit(identity)
            return record if record["outcome"] == "client_hung_up" else None

        record = eventually(hung_up, "the record of the hang-up")
        self.assertEqual(len(record["attempts"]), 1)
        self.assertEqual(record["attempts"][0]["errorClass"], "client", "nobody else's fault")


class OddUpstreamTests(SDKCase):
    def test_frames_cut_at_odd_bytes_arrive_whole(self):
        for size in (1, 7, 113):
            self.upstream.next({"split-bytes": size})
            chunks = list(self.create(stream=True).parse())
            words = [c.choices[0].delta.content for c in chunks if c.choices[0].delta.content]
            self.assertEqual(len(words), WORDS, size)
            self.assertTrue(all(chunk.usage is None for chunk in chunks), size)

    def test_usage_that_was_not_reported_is_recorded_as_such(self):
        self.upstream.next({"usage": False})
        raw = self.create(stream=True)
        list(raw.parse())
        record = self.box.audit(raw.headers["x-request-id"])
        self.assertIsNone(record["tokens"]["output"])
        self.assertEqual(record["outcome"], "completed")

    def test_an_error_inside_a_200_stream_reaches_the_client_as_an_error(self):
        # After the first byte: what comes before it is another account's to answer.
        self.upstream.next({"fault": "error-in-stream", "at-chunk": 4, "chunk-pace": "20ms"})
        with self.assertRaises(openai.APIError):
            list(self.create(stream=True).parse())

    def test_a_large_answer_arrives_whole(self):
        self.upstream.next({"body-bytes": 3_000_000})
        content = self.create().parse().choices[0].message.content
        self.assertEqual(content.count("x" * 1000), 3_000)


class BytesTests(Spine):
    """Needs no SDK: an SDK would tidy the body up."""

    BODY = (
        b'{ "messages" : [ {"content":"na\xc3\xafve \\u00e9\\n\\ud83d\\ude82 \xf0\x9f\x9a\x82",'
        b'"role":"user"} ],\t"temperature":0.30000000000000004,\r\n "seed": 9007199254740993,\n'
        b' "model" :  "mock/gpt-4o-mini" , "logit_bias":{"50256":-100}, "x":[1e5,-0.0,1E-7]%s }')

    def test_a_body_reaches_the_provider_byte_for_byte_but_for_the_models_name(self):
        body = self.BODY % b""
        answer = self.box.chat(body)
        self.assertEqual(answer.status, 200, answer.body)
        expected = body.replace(b'"mock/gpt-4o-mini"', b'"gpt-4o-mini"')
        self.assertEqual(self.upstream.bodies()[-1], expected)

    def test_a_streams_body_gains_the_usage_option_and_nothing_else(self):
        body = self.BODY % b', "stream":true'
        answer = self.box.chat(body)
        self.assertEqual(answer.status, 200, answer.body)
        arrived = self.upstream.bodies()[-1]
        option = b'"stream_options":{"include_usage":true}'
        self.assertEqual(arrived.count(option), 1, arrived)
        before, after = arrived.split(option)
        if after.startswith(b","):
            rest = before + after[1:]
        else:
            rest = before.rstrip(b",") + after
        self.assertEqual(rest, body.replace(b'"mock/gpt-4o-mini"', b'"gpt-4o-mini"'))

    def test_a_stream_that_asks_for_usage_itself_is_left_alone(self):
        body = self.BODY % b', "stream":true, "stream_options" : { "include_usage" : true }'
        self.assertEqual(self.box.chat(body).status, 200)
        self.assertEqual(
            self.upstream.bodies()[-1], body.replace(b'"mock/gpt-4o-mini"', b'"gpt-4o-mini"'))

    def test_a_body_of_thirty_megabytes_arrives(self):
        body = json.dumps(message("x" * 30_000_000)).encode()
        answer = self.box.chat(body)
        self.assertEqual(answer.status, 200, answer.body[:200])
        self.assertEqual(len(self.upstream.bodies()[-1]), len(body) - len("mock/"))

