"""Accounts of several protocols behind one name: whoever answers, the client reads its own protocol."""

import itertools
import unittest

import wire_plays as plays
from support import CLIENT_KEY
from wire import SEEDS, SIDES, UPSTREAM, Wire
from wire_clients import CLIENTS, Wish


#: Models that think, by the provider's protocol.
THINKERS = {"openai": "deepseek-reasoner", "anthropic": "claude-opus-5", "gemini": "gemini-3-flash-preview"}


class FailoverTests(unittest.TestCase):
    def test_a_conversation_goes_on_at_another_makers_model(self):
        wire = Wire()
        self.addCleanup(wire.close)
        for client, (first, second) in itertools.product(CLIENTS, itertools.permutations(SIDES, 2)):
            if CLIENTS[client].sdk is None:
                continue
            with self.subTest(client=client, first=first, second=second):
                sdk = CLIENTS[client](wire.origin, CLIENT_KEY)
                self.addCleanup(sdk.close)
                seed = next(SEEDS)
                # Only OpenAI's own models have thoughts in Responses.
                begun = "gpt-5.2" if (client, first) == ("responses", "openai") else THINKERS[first]
                wish = Wish(begun, tools=("get_weather",), thinking=True)
                history = sdk.user(plays.mark("think-call", seed))
                got = sdk.stream(wish, history)
                history += sdk.follow(got, [
                    (identity, name, plays.mark("plain", seed)) for identity, name, _ in got.calls])
                wish.model = "gpt-5.2" if second == "openai" else THINKERS[second]
                # What another maker thought is left out in a translation. Where bytes pass as they are, the provider
                # refuses it; and what OpenAI encrypted belongs to an account that does not serve this model.
                refusal = 400 if begun == "gpt-5.2" or UPSTREAM[second, client] == client else None
                if refusal is None:
                    self.assertEqual(sdk.ask(wish, history).text, plays.TEXT)
                    continue
                with self.assertRaises(sdk.failed(refusal)):
                    sdk.ask(wish, history)

    def test_another_protocols_account_answers_instead(self):
        wire = Wire()
        self.addCleanup(wire.close)
        for client, provider in itertools.product(CLIENTS, SIDES):
            if CLIENTS[client].sdk is None:
                continue
            dialect = UPSTREAM[provider, client]
            if dialect == "responses":
                continue
            sdk = CLIENTS[client](wire.origin, CLIENT_KEY)
            self.addCleanup(sdk.close)
            for how in ("ask", "stream"):
                with self.subTest(client=client, provider=provider, how=how):
                    seed = next(SEEDS)
                    got = getattr(sdk, how)(Wish("relay"), sdk.user(plays.mark(f"only-{dialect}", seed)))
                    self.assertEqual(got.text, plays.TEXT)
                    record = wire.record(got.request_id)
                    tried = list(SIDES)[:list(SIDES).index(provider) + 1]
                    self.assertEqual([a["accountName"] for a in record["attempts"]], [SIDES[name][0] for name in tried])
                    self.assertEqual(record["outcome"], "completed")
                    for name in tried:
                        wire.warm(name)
