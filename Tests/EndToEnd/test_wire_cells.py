"""Every client's protocol before every provider's, judged by the official SDKs: one table, the same cases for each cell."""

import json
import random
import unittest

import wire_plays as plays
from support import CLIENT_KEY, eventually
from wire import SEEDS, SIDES, CellCase, Wire, cells, joined, seen
from wire_clients import CLIENTS, SCHEMA, TOOLS, status_of
from wire_providers import images

BOTH_TOOLS = tuple(TOOLS)


def setUpModule():
    CellCase.wire = Wire()


def tearDownModule():
    CellCase.wire.close()


class Answers:
    """What the model says arrives as the client's protocol has it, and is counted as the provider counted it."""

    def assert_usage(self, got, play):
        usage = play.usage
        told = {"input": usage.input, "cached": usage.cached, "output": usage.output, "reasoning": usage.reasoning}
        self.assertEqual(got.usage, told)
        if record := self.record(got.request_id):
            self.assertEqual({name: record["tokens"][name] or 0 for name in told}, told)
            self.assertEqual(record["outcome"], "completed")
            self.assertEqual([a["accountName"] for a in record["attempts"]], [SIDES[self.provider][0]])

    def test_plain(self):
        @self.both("plain")
        def check(got):
            self.assertEqual(got.text, plays.TEXT)
            self.assertEqual(got.stop, self.sdk.stops["end"])
            self.assertEqual(got.model, self.models[0])
            self.assert_usage(got, self.play("plain"))

    def test_events_come_in_the_protocols_order_and_number(self):
        for name in ("plain", "think", "text-call", "calls", "length"):
            with self.subTest(play=name):
                play = self.play(name)
                tools = BOTH_TOOLS if play.calls() else ()
                events = list(self.sdk.events(self.wish(tools=tools), self.prompt(name)))
                self.sdk.check_events(events)
                self.assertEqual("".join(map(self.sdk.text_of, events)), play.text())
                if name == "plain":
                    self.assertGreater(sum(bool(self.sdk.text_of(event)) for event in events), 3, "pieces pass as they come")

    def test_usage_with_cached_and_reasoning_tokens(self):
        for name in ("cached", "written") if self.upstream == "messages" else ("cached",):
            @self.both(name)
            def check(got, name=name):
                self.assert_usage(got, self.play(name))

    def test_reasons_to_stop(self):
        for name in ("length", "filtered"):
            @self.both(name)
            def check(got, name=name):
                self.assertEqual(got.stop, self.sdk.stops[name])
                self.assertEqual(got.text, self.play(name).text())

    def test_a_text_to_stop_at(self):
        if self.client == "responses":
            return  # has no such field
        @self.both("sequence", stop=("STOP", "\n\n"))
        def check(got):
            self.assertEqual(seen(self.asked())["stop"], ["STOP", "\n\n"])
            # Only Anthropic tells a stop at a text from an end.
            told = "sequence" if self.upstream == "messages" else "end"
            self.assertEqual(got.stop, self.sdk.stops[told])

    def test_a_refusal(self):
        words = self.play("refusal").refusal()
        @self.both("refusal")
        def check(got):
            if self.upstream == "gemini":
                self.assertEqual((got.text, got.refusal), ("", ""))
                self.assertEqual(got.stop, self.sdk.stops["filtered"])
            else:
                self.assertEqual(got.refusal or got.text, words)


class Tools:
    def test_calls_and_their_results(self):
        for name in ("call", "empty-call", "text-call", "calls"):
            @self.both(name, tools=BOTH_TOOLS)
            def check(got, name=name):
                play = self.play(name)
                self.assertEqual([call[1:] for call in got.calls], play.calls())
                self.assertEqual(len({call[0] for call in got.calls}), len(got.calls))
                self.assertEqual(got.text, play.text())
                self.assertEqual(got.stop, self.sdk.stops["calls"])
                results = [(identity, tool, f"result {number} {plays.mark('plain', self.seed)}")
                           for number, (identity, tool, _) in enumerate(got.calls)]
                history = [*self.prompt(name), *self.sdk.follow(got, results)]
                # The provider refuses results without calls, calls without results, and names it does not know.
                again = self.sdk.ask(self.wish(tools=BOTH_TOOLS), history)
                self.assertEqual(again.text, plays.TEXT)
                for number in range(len(results)):
                    self.assertIn(b"result %d " % number, self.asked().body)

    def test_schemas_arrive(self):
        self.sdk.ask(self.wish(tools=BOTH_TOOLS), self.prompt("plain"))
        self.assertEqual(seen(self.asked())["tools"], {name: schema for name, (_, schema) in TOOLS.items()})

    def test_choice(self):
        for choice in ("auto", "none", "any", "get_time"):
            with self.subTest(choice):
                self.sdk.ask(self.wish(tools=BOTH_TOOLS, choice=choice), self.prompt("plain"))
                told = seen(self.asked())["choice"]
                self.assertIn(told, (choice, "") if choice == "auto" else (choice,))

    def test_no_parallel_calls(self):
        if self.client == "gemini":
            return  # has no such field
        wish, prompt = self.wish(tools=BOTH_TOOLS, single=True), self.prompt("plain")
        if self.upstream != "gemini":
            self.sdk.ask(wish, prompt)
            self.assertTrue(seen(self.asked())["single"])
            return
        with self.assertRaises(self.sdk.failed(400)) as caught:
            self.sdk.ask(wish, prompt)
        self.assertIn("parallel", str(caught.exception))
        self.assertEqual(self.wire.providers.of(self.seed), [], "refused before any call")


class Thoughts:
    def thinkers(self):
        if self.upstream == "chat":
            return ["deepseek-reasoner"]
        if self.client == "messages":
            return self.models[:1]
        return self.models[:2]

    def test_thoughts_are_shown_and_counted(self):
        for model in self.thinkers():
            @self.both("think", model=model, thinking=True)
            def check(got):
                play = self.play("think")
                self.assertEqual(got.text, play.text())
                self.assertEqual(got.thoughts, play.thoughts())
                self.assertEqual(got.usage["reasoning"], play.usage.reasoning)

    def test_signatures_find_their_way_back(self):
        for model in self.thinkers():
            @self.both("think-call", model=model, thinking=True, tools=BOTH_TOOLS)
            def check(got, model=model):
                play = self.play("think-call")
                self.assertEqual(got.thoughts, play.thoughts())
                self.assertEqual([call[1:] for call in got.calls], play.calls())
                results = [(identity, tool, plays.mark("plain", self.seed)) for identity, tool, _ in got.calls]
                history = [*self.prompt("think-call"), *self.sdk.follow(got, results)]
                again = self.sdk.ask(self.wish(model=model, thinking=True, tools=BOTH_TOOLS), history)
                self.assertEqual(again.text, plays.TEXT)
                signature = play.signature(1 if self.upstream == "gemini" else 0).encode()
                if self.upstream == "chat":
                    self.assertIn(b"reasoning_content", self.asked().body)
                else:
                    self.assertIn(signature, self.asked().body)


class Requests:
    def test_a_system_prompt(self):
        words = 'Be brief, "é" 🚂\nAlways.'
        self.sdk.ask(self.wish(system=words), self.prompt("plain"))
        self.assertEqual(seen(self.asked())["system"], words)

    def test_words_of_the_system_between_turns(self):
        """They keep their place where the provider has one, and are never the user's."""
        if self.client == "gemini":
            return  # has no such turns
        for model in self.models[:2] if self.provider == "anthropic" else self.models[:1]:
            with self.subTest(model=model):
                history = [{"role": "user", "content": "First."}, {"role": "assistant", "content": "Second."},
                           *self.prompt("plain"), {"role": "system", "content": "Answer in French."}]
                wish = self.wish(model=model, system="Be brief.")
                if self.is_same and model == "claude-haiku-4-5":
                    # As it came: what it may say there the provider decides.
                    with self.assertRaises(self.sdk.failed(400)):
                        self.sdk.ask(wish, history)
                    continue
                self.assertEqual(self.sdk.ask(wish, history).text, plays.TEXT)
                body = self.asked().json
                if self.upstream == "gemini" or model == "claude-haiku-4-5":
                    self.assertIn("Answer in French.", seen(self.asked())["system"])
                    self.assertNotIn("Answer in French.", str(body.get("messages", body.get("contents"))))
                else:
                    last = body.get("messages", body.get("input"))[-1]
                    self.assertEqual((last["role"], joined(last["content"])), ("system", "Answer in French."))
                    self.assertEqual(seen(self.asked())["system"], "Be brief.")

    def test_settings(self):
        self.sdk.ask(self.wish(temperature=0.25, top_p=0.5, limit=1234), self.prompt("plain"))
        told = seen(self.asked())
        self.assertEqual((told["temperature"], told["top_p"], told["limit"]), (0.25, 0.5, 1234))

    def test_a_form_of_the_answer(self):
        @self.both("json", schema=True)
        def check(got):
            self.assertEqual(json.loads(got.text), {"city": "Zürich", "days": 3})
            self.assertEqual(seen(self.asked())["schema"], SCHEMA)

    def test_images_byte_for_byte(self):
        given = [random.Random(n).randbytes(length) for n, length in enumerate((1, 750_001, 77))]
        self.sdk.ask(self.wish(), self.prompt("plain", *given))
        self.assertEqual([len(image) for image in images(self.asked())], [len(image) for image in given])
        self.assertTrue(images(self.asked()) == given)

    def test_a_long_prompt(self):
        chance = random.Random(self.seed)
        words = "".join(chance.choice('abc"\\\n\té漢🚂 ') for _ in range(600_000))
        got = self.sdk.stream(self.wish(), self.prompt("plain", text=words))
        self.assertEqual(got.text, plays.TEXT)
        self.assertTrue(seen(self.asked())["user"] == f"{words} {plays.mark('plain', self.seed)}")


class Failing:
    def tearDown(self):
        if not self.is_direct:
            self.wire.warm(self.provider)

    def assert_form(self, error):
        if self.is_direct:
            return
        if self.client == "gemini":
            body = error.details
            self.assertEqual(body["error"]["code"], error.code)
            self.assertTrue(error.status.isupper(), error.status)
            self.assertTrue(error.message)
            identity = error.response.headers["x-request-id"]
        else:
            identity = error.request_id
            self.assertTrue(identity)
            self.assertEqual(error.response.headers["x-request-id"], identity)
            body = error.response.json()
            if self.client == "messages":
                self.assertEqual(body["type"], "error")
                self.assertTrue(body["error"]["type"] and body["error"]["message"])
            else:
                self.assertEqual(set(body["error"]) & {"message", "type", "param", "code"},
                                 {"message", "type", "param", "code"})
        self.assertEqual(self.record(identity)["status"], status_of(error))


class Failures(Failing):
    #: What the client reads where the only account answers so: what is the account's trouble is not the client's.
    SEEN = {**{status: status for status in (400, 404, 413, 422, 429, 500, 503, 529)}, 401: 502, 403: 502}
    #: The class of each status in the words of the client's protocol, where the gateway writes the error.
    CLASSES = {
        "chat": {**dict.fromkeys((400, 404, 413, 422), "invalid_request_error"), 429: "rate_limit_error"},
        "messages": {
            400: "invalid_request_error", 404: "not_found_error", 413: "request_too_large", 422: "invalid_request_error",
            429: "rate_limit_error", 500: "api_error", 502: "api_error", 503: "overloaded_error",
            529: "overloaded_error"},
        "gemini": {
            **dict.fromkeys((400, 413, 422), "INVALID_ARGUMENT"), 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
            500: "INTERNAL", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 529: "UNAVAILABLE"},
    }

    def assert_class(self, error, status):
        if self.client == "gemini":
            self.assertEqual(error.status, self.CLASSES["gemini"][status])
            return
        told = error.response.json()["error"]
        table = self.CLASSES["messages" if self.client == "messages" else "chat"]
        self.assertEqual(told["type"], table.get(status, "server_error"))
        if self.client != "messages":
            self.assertTrue(told["message"])
            if not self.is_same:
                self.assertEqual((told["param"], told["code"]), (None, "rate_limited" if status == 429 else "upstream_error"))

    def test_the_sdks_own_exceptions(self):
        for status, seen_as in self.SEEN.items():
            for how in ("ask", "stream"):
                with self.subTest(status=status, how=how), self.assertRaises(self.sdk.broken) as caught:
                    getattr(self.sdk, how)(self.wish(), self.prompt(f"status-{status}"))
                if not self.is_direct:
                    # What an account is cooled for at its first failure.
                    self.wire.warm(self.provider, is_cool=status in (401, 429))
                error = caught.exception
                with self.subTest(status=status, how=how):
                    self.assertEqual(status_of(error), status if self.is_direct else seen_as)
                    self.assertIsInstance(error, self.sdk.failed(status_of(error)))
                    self.assert_form(error)
                    if not self.is_direct:
                        self.assert_class(error, seen_as)
                    if status == 429 and not self.is_direct:
                        self.assertIn(int(error.response.headers["retry-after"]), range(1, 8), "as the provider told")

    def test_a_prompt_that_is_too_long(self):
        """Clients that shorten their prompts themselves know it by a code, or by a phrase."""
        for how in ("ask", "stream"):
            with self.subTest(how=how), self.assertRaises(self.sdk.broken) as caught:
                getattr(self.sdk, how)(self.wish(), self.prompt("too-long"))
            with self.subTest(how=how):
                error = caught.exception
                self.assertEqual(status_of(error), 400)
                self.assertIsInstance(error, self.sdk.failed(400))
                self.assert_form(error)
                told = error.details["error"] if self.client == "gemini" else error.response.json()["error"]
                if self.client == "gemini":
                    self.assertEqual(told["status"], "INVALID_ARGUMENT")
                    self.assertRegex(told["message"], r"The input token count .*exceeds the maximum number of tokens")
                elif self.client == "messages":
                    self.assertEqual(told["type"], "invalid_request_error")
                    self.assertRegex(told["message"], "^prompt is too long")
                else:
                    self.assertEqual((told["type"], told["code"]), ("invalid_request_error", "context_length_exceeded"))
                self.assertRegex(told["message"], r"\d{6}", "the provider's own figures")

    def test_a_client_that_hangs_up(self):
        events = self.sdk.events(self.wish(identity=f"slow-{self.seed}"), self.prompt("slow"))
        for _ in range(3):
            next(events)
        events.close()
        eventually(lambda: self.asked().hung_up.is_set(), "the provider's seeing it")
        if record := self.record(f"slow-{self.seed}"):
            self.assertEqual(record["outcome"], "client_hung_up")


class BrokenStreams(Failing):
    """Only of the gateway: before a provider, the SDKs of OpenAI and Anthropic take a cut for an end."""

    def broken_stream(self, name):
        """Reads a stream that breaks; the text that came before, and the error."""
        text = ""
        with self.assertRaises(self.sdk.broken) as caught:
            for event in self.sdk.events(self.wish(identity=f"{name}-{self.seed}"), self.prompt(name)):
                text += self.sdk.text_of(event)
        return text, caught.exception

    def outcome(self, name):
        return self.record(f"{name}-{self.seed}")["outcome"]

    def test_an_error_within_the_stream(self):
        text, _ = self.broken_stream("error")
        self.assertTrue(text and self.play("error").text().startswith(text))
        self.assertEqual(self.outcome("error"), "failed")

    def test_a_stream_that_breaks_off(self):
        text, _ = self.broken_stream("cut")
        self.assertTrue(text and self.play("cut").text().startswith(text))
        self.assertEqual(self.outcome("cut"), "upstream_cut")

    def test_a_response_that_breaks_ends_as_one_that_failed(self):
        """As OpenAI ends it: an `error`, for which SDKs raise, then `response.failed`, which others wait for."""
        if self.client != "responses":
            return
        for name in ("error", "cut"):
            with self.subTest(name):
                events = self.sdk.raw_events(self.wish(), self.prompt(name))
                kinds = [event["type"] for event in events]
                self.assertEqual([event["sequence_number"] for event in events], list(range(len(events))))
                self.assertEqual(kinds[-2:], ["error", "response.failed"])
                ends = {"response.completed", "response.incomplete", "response.failed"}
                self.assertEqual([kind for kind in kinds if kind in ends], ["response.failed"])
                failed = self.sdk.checked_failure(events[-1])
                self.assertEqual(failed.response.id, events[0]["response"]["id"])
                self.assertEqual(failed.response.status, "failed")
                self.assertEqual((failed.response.error.code, events[-2]["param"]), ("server_error", None))
                self.assertEqual(failed.response.error.message, events[-2]["message"])
                self.assertEqual(events[-2]["error"]["type"], "server_error")
                self.wire.warm(self.provider)
                with self.assertRaises(self.sdk.broken) as caught:
                    self.sdk.stream(self.wish(), self.prompt(name))
                self.assertEqual(caught.exception.code, events[-2]["code"])
                self.wire.warm(self.provider)

    def test_what_fails_before_the_first_word_is_a_status(self):
        for name in ("empty-stream", "cut-early", "error-early"):
            with self.subTest(name):
                text, error = self.broken_stream(name)
                self.assertEqual(text, "")
                self.assertGreaterEqual(status_of(error), 500)
                self.assert_form(error)
                self.assertEqual(self.outcome(name), "failed")
            self.tearDown()


class AloneTests(unittest.TestCase):
    """What one maker's protocol alone has."""

    def setUp(self):
        self.wire, self.seed = CellCase.wire, next(SEEDS)

    def sdk(self, client):
        if CLIENTS[client].sdk is None:
            raise unittest.SkipTest(f"the SDK of {client} is not installed (pip could not reach an index)")
        sdk = CLIENTS[client](self.wire.origin, CLIENT_KEY)
        self.addCleanup(sdk.close)
        return sdk.client

    def assert_recorded(self, request_id, **told):
        record = self.wire.record(request_id)
        self.assertEqual({name: record["tokens"][name] for name in told}, told)
        self.assertEqual(record["outcome"], "completed")

    def test_completions(self):
        client, usage = self.sdk("chat"), plays.Usage()
        asked = {"model": "gpt-4.1-mini", "prompt": plays.mark("plain", self.seed)}
        raw = client.completions.with_raw_response.create(**asked)
        self.assertEqual(raw.parse().choices[0].text, plays.TEXT)
        self.assert_recorded(raw.headers["x-request-id"], input=usage.input, output=usage.output)
        # Its type has no null for the reason to stop, which OpenAI's own chunks have.
        client._strict_response_validation = False
        raw = client.completions.with_raw_response.create(**asked, stream=True)
        chunks = list(raw.parse())
        self.assertEqual("".join(chunk.choices[0].text for chunk in chunks), plays.TEXT)
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")
        self.assert_recorded(raw.headers["x-request-id"], input=usage.input, output=usage.output)

    def test_embeddings(self):
        raw = self.sdk("chat").embeddings.with_raw_response.create(
            model="text-embedding-3-small", input=["one", plays.mark("plain", self.seed)])
        self.assertEqual([row.embedding for row in raw.parse().data], [[0.25, -0.5, 0], [0.25, -0.5, 1]])
        self.assert_recorded(raw.headers["x-request-id"], input=plays.Usage().input, output=None)

    def test_a_count_of_tokens_costs_nothing(self):
        raw = self.sdk("messages").messages.with_raw_response.count_tokens(
            model="claude-opus-5", messages=[{"role": "user", "content": plays.mark("plain", self.seed)}])
        self.assertEqual(raw.parse().input_tokens, plays.Usage().input)
        self.assert_recorded(raw.headers["request-id"], input=None, output=None)


for base in (Answers, Tools, Thoughts, Requests, Failures, BrokenStreams):
    globals().update(cells(base, __name__, has_direct=base is not BrokenStreams))
del base
