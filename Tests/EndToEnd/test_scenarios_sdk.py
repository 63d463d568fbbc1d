"""What the official `openai` SDK does with failures that the gateway tells: it waits and tries again only where that helps."""

import threading
import unittest

from story import Story
from support import CLIENT_KEY, eventually

try:
    import openai
except ImportError:
    openai = None


@unittest.skipIf(openai is None, "the openai SDK is not installed (pip could not reach an index)")
class RetryTests(Story):
    def client(self, retries=2):
        client = openai.OpenAI(
            base_url=self.box.base_url, api_key=CLIENT_KEY, max_retries=retries, timeout=20)
        self.addCleanup(client.close)
        return client

    def create(self, client, model, **more):
        return client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "one two three"}], **more)

    def test_a_bad_request_is_not_tried_again(self):
        pool = self.pool(10)
        self.upstream.next({"error": "openai-context"}, times=20)
        with self.assertRaises(openai.BadRequestError) as caught:
            self.create(self.client(), pool.model)
        self.assertEqual(caught.exception.code, "context_length_exceeded")
        self.assertEqual(self.upstream.total(), 1)

    def test_a_rate_limit_that_ends_soon_is_waited_for(self):
        pool = self.pool(1)
        self.upstream.next({"status": 429, "reset": {"form": "retry-after", "in": "1s"}})
        answer = self.create(self.client(), pool.model)
        self.assertEqual(answer.usage.prompt_tokens, 3)
        self.assertEqual(self.upstream.total(), 2, "not asked while it cools")

    def test_a_rate_limit_of_an_hour_is_told_at_once(self):
        pool = self.pool(2)
        self.upstream.next({"status": 429, "retry-after": 3600}, times=2)
        client = self.client(retries=0)
        for _ in range(3):
            if self.upstream.total():
                for name in pool.accounts:
                    self.cooled(name)
            with self.assertRaises(openai.RateLimitError) as caught:
                self.create(client, pool.model)
            self.assertLessEqual(int(caught.exception.response.headers["retry-after"]), 120)
        self.assertEqual(self.upstream.total(), 2)

    def test_an_answer_that_broke_off_is_no_short_answer(self):
        pool = self.pool(2)
        self.upstream.next({"fault": "close-mid-stream", "at-chunk": 4, "chunk-pace": "5ms"})
        with self.assertRaises((openai.APIError, openai.APIConnectionError)):
            for _ in self.create(self.client(), pool.model, stream=True):
                pass
        self.assertEqual(self.upstream.total(), 1)

    def test_ten_accounts_and_one_client_that_sends_only_bad_requests(self):
        pool = self.pool(10)
        self.play(models=[
            "gpt-4o-mini", {"name": "gpt-4o", "behaviour": {"error": "openai-context"}}])
        client, stop, refused = self.client(), threading.Event(), []

        def send_bad_ones():
            while not stop.is_set():
                try:
                    self.create(client, pool.other)
                except openai.BadRequestError as error:
                    refused.append(error.status_code)

        spoiler = threading.Thread(target=send_bad_ones)
        spoiler.start()
        try:
            eventually(lambda: len(refused) > 3, "bad requests")
            for _ in range(20):
                self.assertEqual(self.create(client, pool.model).usage.prompt_tokens, 3)
        finally:
            stop.set()
            spoiler.join()
        self.assertEqual(self.calls(pool), {pool.accounts[0]: len(refused) + 20})
        self.assert_cool(pool)
