"""The cells of `test_wire_cells` once more, through the SDKs' `async` clients."""

import test_wire_cells as sync
from wire import CellCase, Wire, cells
from wire_clients import ASYNC_CLIENTS


def setUpModule():
    CellCase.wire = Wire()


def tearDownModule():
    CellCase.wire.close()


class BrokenStreams(sync.Failing):
    def test_a_stream_that_breaks_off_or_fails(self):
        for name in ("cut", "error", "empty-stream", "status-400"):
            with self.subTest(name), self.assertRaises(self.sdk.broken):
                self.sdk.stream(self.wish(), self.prompt(name))
            self.wire.warm(self.provider)


for base in (sync.Answers, sync.Tools, sync.Thoughts, BrokenStreams):
    globals().update(cells(base, __name__, has_direct=base is not BrokenStreams, clients=ASYNC_CLIENTS))
del base
