"""Two hundred streams at once over all cells: each client gets its own, to the byte."""

import collections
import concurrent.futures
import itertools
import threading
import unittest

import wire_plays as plays
from support import CLIENT_KEY
from wire import SEEDS, SIDES, Wire
from wire_clients import CLIENTS, Wish

STREAMS = 200


class ParallelTests(unittest.TestCase):
    def test_two_hundred_streams_with_words_of_their_own(self):
        cells = [(client, provider) for client in CLIENTS for provider in SIDES if CLIENTS[client].sdk]
        if not cells:
            raise unittest.SkipTest("no SDK is installed (pip could not reach an index)")
        wire = Wire()
        self.addCleanup(wire.close)
        # Nobody ends before everybody has begun.
        wire.providers.meeting = threading.Barrier(STREAMS, timeout=60)
        sdks = {client: CLIENTS[client](wire.origin, CLIENT_KEY) for client, _ in cells}
        for sdk in sdks.values():
            self.addCleanup(sdk.close)

        def stream(cell, seed):
            client, provider = cell
            sdk = sdks[client]
            return sdk.stream(Wish(SIDES[provider][1][0]), sdk.user(plays.mark("meet", seed)))

        table = [(cell, next(SEEDS)) for _, cell in zip(range(STREAMS), itertools.cycle(cells))]
        with concurrent.futures.ThreadPoolExecutor(STREAMS) as pool:
            answers = list(pool.map(stream, *zip(*table)))
        wrong = collections.Counter()
        for (cell, seed), got in zip(table, answers):
            usage = plays.play("meet", seed).usage
            told = (got.text, got.usage["input"], got.usage["output"])
            wrong[cell] += told != (plays.distinct(seed), usage.input, usage.output)
            self.assertEqual(len(wire.providers.of(seed)), 1, "asked once")
        self.assertEqual({cell: count for cell, count in wrong.items() if count}, {})
