"""`replay tail -f`: every event once and in order, over new segments and restarts, until nobody reads any more."""

import json
import signal
import subprocess

from support import Spine, configuration, eventually, message, program, window


class TailTests(Spine):
    options = ("--segment-bytes", "65536")

    def follow(self, *arguments, **more):
        tail = subprocess.Popen(
            [program("replay"), "tail", "-f", "--log", str(self.box.data), *arguments],
            stdout=more.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, **more)
        self.addCleanup(lambda: (tail.kill(), tail.wait(), tail.stderr.close()))
        return tail

    def test_every_event_comes_once_over_segments_and_restarts(self):
        # Given somebody who follows from the beginning, into a file
        path = self.directory / "followed"
        with open(path, "wb") as out:
            tail = self.follow("--from", "1", "--json", stdout=out)
        # When requests come, the gateway is killed and starts again, and more come
        for _ in range(400):
            self.box.chat(message())
        self.box.kill()
        self.restart(self.box)
        for _ in range(20):
            self.box.chat(message())
        self.box.stop()
        wanted = [event["at"] for event in window(self.box.data)]
        self.assertGreater(len(list((self.box.data / "seg").iterdir())), 1)
        # Then all of it is there, once and in order
        def lines():
            text = path.read_text()
            return text[:text.rfind("\n") + 1].splitlines()

        eventually(lambda: len(lines()) >= len(wanted), "all events are shown")
        self.assertEqual([json.loads(line)["at"] for line in lines()], wanted)
        # And Ctrl-C is a clean end
        tail.send_signal(signal.SIGINT)
        self.assertEqual(tail.wait(10), 0)
        self.assertEqual(tail.stderr.read(), b"")

    def test_a_reader_that_goes_away_is_an_end_also_while_nothing_happens(self):
        tail = self.follow("-n", "1")
        self.assertTrue(tail.stdout.readline())
        tail.stdout.close()
        self.assertEqual(tail.wait(10), 0)

    def test_filters_and_the_number_of_lines_are_those_of_window(self):
        for _ in range(5):
            self.box.chat(message())
        self.box.chat(message(model="nobody/has-this"))
        self.box.stop()
        for arguments in (["--kind", "request.finished"], ["--status", "4xx"], ["--kind", "sync"], []):
            with self.subTest(arguments):
                wanted = window_lines(self.box.data, arguments)
                for count in (0, 1, 3, 1_000):
                    done = subprocess.run(
                        [program("replay"), "tail", "--log", str(self.box.data), "-n", str(count), *arguments],
                        capture_output=True, text=True, timeout=60)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    shown = [" ".join(line.split()) for line in done.stdout.splitlines()]
                    self.assertEqual(shown, wanted[len(wanted) - min(count, len(wanted)):])


def window_lines(data, arguments):
    """The timeline of `window` as it prints it, without the spaces of its columns."""
    done = subprocess.run(
        [program("replay"), "window", "--log", str(data), "--json", *arguments], capture_output=True, text=True,
        timeout=60)
    return [" ".join(f"{line['time']} {line['at']} {line['text']}".split())
            for line in json.loads(done.stdout)["timeline"]]
