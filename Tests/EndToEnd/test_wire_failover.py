"""Accounts of several protocols behind one name: whoever answers, the client reads its own protocol."""

import itertools
import unittest

import wire_plays as plays
from support import CLIENT_KEY
from wire import SEEDS, SIDES, UPSTREAM, Wire
from wire_clients import CLIENTS, Wish


class FailoverTests(unittest.TestCase):
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
