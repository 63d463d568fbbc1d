"""What requests take of memory where they are translated."""

import json
import threading
import unittest
from pathlib import Path

import wire_plays as plays
from support import CLIENT_KEY, exchange
from wire import Wire

GIVEN = {"authorization": f"Bearer {CLIENT_KEY}"}
MODEL = "anthropic/claude-opus-5"


class SizeTests(unittest.TestCase):
    def setUp(self):
        self.wire = Wire()
        self.addCleanup(self.wire.close)

    def peak(self):
        """The most memory that the gateway ever had, in bytes."""
        status = Path(f"/proc/{self.wire.box.child.pid}/status").read_text()
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))

    def chat(self, **fields):
        body = json.dumps({"model": MODEL, **fields}).encode()
        return len(body), exchange(self.wire.box.port, "POST", "/v1/chat/completions", body, GIVEN, timeout=60)

    def test_a_long_conversation_takes_a_few_times_its_room(self):
        before = self.peak()
        words = "The quick brown fox\njumps over \"the\" lazy dog. " * 40
        turns = [{"role": ("user", "assistant")[i % 2], "content": words} for i in range(8_000)]
        size, answer = self.chat(messages=[*turns, {"role": "user", "content": plays.mark("plain", 4711)}])
        self.assertEqual(answer.status, 200, answer.body[:300])
        self.assertGreater(size, 14 << 20)
        self.assertLess(self.peak() - before, 9 * size)

    def test_a_body_of_small_values_is_refused_before_it_is_read(self):
        before = self.peak()
        schema = {"type": "object", "enum": [[0]] * (2 << 20)}
        asking = {"messages": [{"role": "user", "content": "hi"}],
                  "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]}
        answers = []
        askers = [threading.Thread(target=lambda: answers.append(self.chat(**asking))) for _ in range(4)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        for size, answer in answers:
            self.assertEqual(answer.status, 413)
            error = json.loads(answer.body)["error"]
            self.assertEqual(error["code"], "body_too_large")
            self.assertIn("4194", error["message"])
        self.assertLess(self.peak() - before, 4 * 4 * size)


if __name__ == "__main__":
    unittest.main()
