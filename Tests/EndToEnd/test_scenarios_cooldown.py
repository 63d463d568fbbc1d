"""Reports from the field about cooldowns that were wrong, stuck or lost."""

import threading

from story import BACKENDS, Story
from support import eventually

HOUR = "60m"


class CooldownStory(Story):
    def limit(self, pool, place=0, after=HOUR, form="retry-after", model=None):
        """A 429 at an account, which then cools."""
        name = pool.accounts[place]
        self.upstream.next({"status": 429, "reset": {"form": form, "in": after}}, account=name)
        self.ask(model or pool.model)
        self.cooled(name)
        self.forget_calls()

    def over(self, account):
        """Waits until a short cooldown's time is over."""
        eventually(lambda: self.cooling(account) is None, f"the end of {account}'s cooldown")


class RequestFaultTests(CooldownStory):
    """Whose fault it was."""

    BAD = (
        {"status": 400}, {"status": 413}, {"status": 422}, {"error": "openai-context"},
        {"error": "openai-content"}, {"error": "openai-parameter"}, {"error": "anthropic-invalid"},
        {"error": "google-invalid"})

    def test_c1_bad_requests_cool_nobody_and_are_tried_once(self):
        pool = self.pool(10)
        for bad in self.BAD:
            for _ in range(3):
                self.upstream.next(bad)
                answer = self.chat(pool.model)
                self.assertIn(answer.status, (400, 413, 422), bad)
                self.assertEqual(
                    [row["errorClass"] for row in self.record(answer)["attempts"]], ["request"], bad)
        self.assertEqual(self.upstream.total(), 3 * len(self.BAD), "none was tried elsewhere")
        self.good(pool.model, 5)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 3 * len(self.BAD) + 5})
        self.assert_cool(pool)

    def test_c1_ten_accounts_and_a_client_that_sends_only_bad_requests(self):
        pool = self.pool(10)
        self.play(models=[
            "gpt-4o-mini", {"name": "gpt-4o", "behaviour": {"error": "openai-context"}}])
        stop, bad = threading.Event(), []

        def send_bad_ones():
            while not stop.is_set():
                bad.extend(self.ask(pool.other))

        spoiler = threading.Thread(target=send_bad_ones)
        spoiler.start()
        served = []
        others = [
            threading.Thread(target=lambda: served.extend(self.ask(pool.model, 15)))
            for _ in range(9)]
        for thread in others:
            thread.start()
        for thread in others:
            thread.join()
        stop.set()
        spoiler.join()
        self.assertEqual(served, [200] * 135)
        self.assertEqual(set(bad), {400})
        self.assert_cool(pool)

    def test_c4_an_outage_leaves_no_mark_that_stays(self):
        pool = self.pool(3)
        self.play({"status": 503})
        for identity in pool.ids:
            test = self.must("POST", f"/api/providers/{identity}/test")
            self.assertFalse(test["valid"])
        self.play()
        # Tests that failed while upstream was down keep nobody out once it is up.
        self.good(pool.model, 3)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 3})

    def test_c8_a_few_failures_among_many_answers_open_no_breaker(self):
        pool = self.pool(2)
        for place in range(60):
            if place % 10 == 5:
                self.upstream.next({"status": 500}, account=pool.accounts[0])
            self.good(pool.model)
        self.assert_cool(pool)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 60, pool.accounts[1]: 6})

    def test_c8_failures_in_a_row_are_an_outage_whether_told_or_not(self):
        for fault in ({"status": 503}, {"fault": "reset-before-head"}):
            pool = self.pool(2)
            self.play(accounts={pool.accounts[0]: {"behaviour": fault}})
            self.good(pool.model, 3)
            seconds = self.cooled(pool.accounts[0])
            self.assertLessEqual(seconds, 11, fault)
            self.forget_calls()
            self.good(pool.model, 5)
            self.assertEqual(self.calls(pool), {pool.accounts[1]: 5}, fault)


class KeptTests(CooldownStory):
    """How long, and over what."""

    def test_c5_the_providers_own_time_is_kept_to_in_each_of_its_forms(self):
        for form, error in (
                ("retry-after", "openai"), ("retry-after-date", "openai"),
                ("retry-after-ms", "openai"), ("x-ratelimit-reset-requests", "openai"),
                ("anthropic-ratelimit-requests-reset", "anthropic-rate-limit"),
                ("retry-info", "google-exhausted"), ("resets-in-seconds", "codex-usage-limit"),
                ("resets-at", "codex-usage-limit")):
            with self.subTest(form=form):
                pool = self.pool(2)
                self.upstream.next(
                    {"error": error, "status": 429, "reset": {"form": form, "in": "300s"}},
                    account=pool.accounts[0])
                self.good(pool.model)
                seconds = self.cooled(pool.accounts[0])
                self.assertTrue(295 < seconds <= 302, seconds)
                self.forget_calls()
                self.good(pool.model, 10)
                self.assertEqual(self.calls(pool), {pool.accounts[1]: 10}, "not one call into it")

    def test_c5_r28_a_time_of_many_days_is_asked_about_again_before(self):
        pool = self.pool(2)
        self.upstream.next({"status": 429, "retry-after": 18 * 86_400}, account=pool.accounts[0])
        self.good(pool.model)
        self.assertLessEqual(self.cooled(pool.accounts[0]), 6 * 3600 + 1)
        # Paid for early: a test finds out, and so does whoever ends it by hand.
        test = self.must("POST", f"/api/providers/{pool.ids[0]}/test")
        self.assertTrue(test["valid"] and test["cooldownEnded"], test)
        self.forget_calls()
        self.good(pool.model, 2)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 2})

    def test_c6_a_request_asks_no_account_twice_and_comes_to_an_end(self):
        pool = self.pool(4)
        self.play({"status": 503, "head-latency": "20ms"})
        for _ in range(3):
            answer = self.chat(pool.model)
            self.assertEqual(answer.json()["error"]["code"], "upstream_error")
            tried = [row["account"] for row in self.record(answer)["attempts"]]
            self.assertEqual(len(set(tried)), len(tried))
            self.assertLessEqual(len(tried), 4)
        self.assertLessEqual(max(self.calls(pool).values()), 3)

    def test_c7_c11_r30_cooldowns_of_accounts_and_models_outlive_a_kill(self):
        pool, other = self.pool(2), self.pool(2)
        self.must("POST", "/api/combos", {"name": "watch", "models": [pool.model, other.model]}, 201)
        self.limit(pool, 0, model="watch")
        self.upstream.next({"error": "openai-model"}, account=other.accounts[0])
        self.good(other.model)
        eventually(lambda: self.cooling_models(other.accounts[0]), "a model's cooldown")
        self.kill()
        self.forget_calls()
        self.assertGreater(self.cooling(pool.accounts[0]), 3000)
        self.assertEqual(list(self.cooling_models(other.accounts[0])), ["gpt-4o-mini"])
        self.good("watch", 5)
        self.assertEqual(self.calls(), {pool.accounts[1]: 5})
        self.good(other.model, 2)
        self.good(other.other, 2)
        self.assertEqual(self.calls(other), {other.accounts[0]: 2, other.accounts[1]: 2})
        self.verified()

    def test_c7_a_429_is_no_verdict_for_ever_and_a_degraded_account_is_not_probed(self):
        pool = self.pool(2)
        self.limit(pool, 0, after="2s")
        self.must("POST", f"{BACKENDS}/{pool.ids[1]}/degrade", {"reason": "on leave"})
        eventually(lambda: self.ask(pool.model) == [200], "the account's return")
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 1})
        self.good(pool.model, 20)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 21})

    def test_c9_a_late_success_does_not_end_a_newer_cooldown(self):
        pool = self.pool(2)
        self.upstream.next({"head-latency": "700ms"}, account=pool.accounts[0])
        statuses = []
        slow = threading.Thread(target=lambda: statuses.extend(self.ask(pool.model)))
        slow.start()
        eventually(lambda: self.upstream.state()["inFlight"] == 1, "the slow call")
        self.limit(pool)
        slow.join()
        self.assertEqual(statuses, [200])
        self.good(pool.model, 5)
        self.assertEqual(self.calls(pool), {pool.accounts[1]: 5})
        self.assertGreater(self.cooling(pool.accounts[0]), 3000)

    def test_r11_what_an_old_credential_earned_is_not_booked_on_the_new_one(self):
        pool = self.pool(2)
        self.upstream.next({"status": 401, "head-latency": "700ms"}, account=pool.accounts[0])
        statuses = []
        slow = threading.Thread(target=lambda: statuses.extend(self.ask(pool.model)))
        slow.start()
        eventually(lambda: self.upstream.state()["inFlight"] == 1, "the call with the old key")
        type(self).used += 1
        fresh = f"a{self.used}"
        self.must("PUT", f"/api/providers/{pool.ids[0]}", {"apiKey": f"sk-upstream-{self.used}"})
        slow.join()
        self.assertEqual(statuses, [200])
        self.forget_calls()
        self.good(pool.model, 3)
        self.assertEqual(self.calls(), {fresh: 3})
        self.assertIsNone(self.cooling(pool.accounts[0]))

    def test_r19_a_transient_404_is_a_matter_of_minutes_and_of_one_model(self):
        pool = self.pool(1)
        before = self.names()
        self.upstream.next({"error": "openai-model"})
        self.assertEqual(self.ask(pool.model), [404])
        found = eventually(lambda: self.cooling_models(pool.accounts[0]), "the model's cooldown")
        self.assertLessEqual(found["gpt-4o-mini"], 15 * 60)
        self.assertEqual(self.names(), before, "the list stays as it was")
        self.good(pool.other)
        self.must("POST", f"/api/providers/{pool.ids[0]}/cooldown/end")
        self.good(pool.model)

    def test_r29_a_cooldown_whose_time_is_over_blocks_nothing_and_is_not_shown(self):
        pool = self.pool(1)
        self.limit(pool, after="2s")
        self.over(pool.accounts[0])
        shown = self.shown(pool.accounts[0])
        self.assertNotEqual(shown["testStatus"], "unavailable")
        backend = self.must("GET", f"{BACKENDS}/{pool.ids[0]}/health")
        self.assertNotEqual(backend["status"], "unhealthy", backend)
        self.good(pool.model)


class EndTests(CooldownStory):
    """How a cooldown ends."""

    def test_c2_an_operator_ends_a_cooldown_and_the_next_request_goes_there(self):
        pool = self.pool(2)
        self.limit(pool)
        ended = self.must("POST", f"/api/providers/{pool.ids[0]}/cooldown/end")
        self.assertTrue(ended["ended"])
        self.good(pool.model)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 1})

    def test_c2_a_good_test_ends_a_cooldown_and_clears_its_error(self):
        pool = self.pool(2)
        self.limit(pool)
        test = self.must("POST", f"/api/providers/{pool.ids[0]}/test")
        self.assertTrue(test["valid"] and test["cooldownEnded"], test)
        shown = self.shown(pool.accounts[0])
        self.assertEqual(
            (shown["testStatus"], shown["errorCode"], shown["rateLimitedUntil"]),
            ("active", None, None))
        self.forget_calls()
        self.good(pool.model)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 1})

    def test_c3_a_repaired_credential_is_what_traffic_uses(self):
        pool = self.pool(2)
        self.must("PUT", f"/api/providers/{pool.ids[0]}", {"apiKey": "sk-broken"})
        self.good(pool.model)
        self.assertGreater(self.cooled(pool.accounts[0]), 60)
        type(self).used += 1
        fresh = f"a{self.used}"
        self.must("PUT", f"/api/providers/{pool.ids[0]}", {"apiKey": f"sk-upstream-{self.used}"})
        self.must("POST", f"/api/providers/{pool.ids[0]}/test")
        self.forget_calls()
        self.good(pool.model, 3)
        self.assertEqual(self.calls(), {fresh: 3})
        self.assertEqual(self.shown(pool.accounts[0])["testStatus"], "active")

    def test_c8_one_probe_at_a_time_and_its_success_ends_it(self):
        pool = self.pool(2)
        self.limit(pool, after="2s")
        self.over(pool.accounts[0])
        self.play(accounts={pool.accounts[0]: {"behaviour": {"head-latency": "2s"}}})
        statuses = []
        threads = [
            threading.Thread(target=lambda: statuses.extend(self.ask(pool.model)))
            for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [200] * 8)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 1, pool.accounts[1]: 7})
        self.play()
        eventually(
            lambda: self.ask(pool.model) == [200] and self.calls(pool).get(pool.accounts[0]),
            "the account's return")
        self.verified()

    def test_c8_a_probe_whose_client_leaves_does_not_block_the_next(self):
        pool = self.pool(2)
        self.limit(pool, after="2s")
        self.over(pool.accounts[0])
        self.play(accounts={pool.accounts[0]: {"behaviour": {"chunk-pace": "20ms", "chunks": 500}}})
        connection, _ = self.open_stream(pool.model)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 1})
        connection.close()
        eventually(lambda: self.upstream.state()["abortedByClient"] == 1, "the probe's end")
        self.play()
        eventually(
            lambda: self.ask(pool.model) == [200] and self.calls(pool).get(pool.accounts[0], 0) > 2,
            "the account's return")

    def test_c10_an_empty_stream_is_no_success(self):
        pool = self.pool(2)
        self.limit(pool, after="2s")
        first = self.cooldowns(pool.ids[0])
        self.over(pool.accounts[0])
        self.upstream.next({"fault": "empty-stream"}, account=pool.accounts[0])
        self.good(pool.model, stream=True)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 1, pool.accounts[1]: 1})
        self.cooled(pool.accounts[0])
        self.assertGreater(len(self.cooldowns(pool.ids[0])), len(first))

    def test_c13_where_all_are_limited_the_answer_comes_at_once_and_says_until_when(self):
        pool = self.pool(3)
        for place in range(3):
            self.limit(pool, place)
        answer = self.chat(pool.model)
        self.assertEqual(answer.status, 429, answer.body)
        self.assertEqual(self.calls(pool), {})
        self.assertTrue(1 <= int(answer.header("retry-after")) <= 120, answer.header("retry-after"))
        self.assertEqual(answer.json()["error"]["code"], "rate_limited")
        # Who may know is told which and why; who may not is told when.
        self.assertIn(pool.ids[0], answer.body.decode())
        stranger = self.chat(pool.model, key=self.key())
        self.assertEqual(stranger.status, 429)
        for name in pool.accounts + pool.ids:
            self.assertNotIn(name, stranger.body.decode())

    def test_an_account_that_flaps_is_probed_and_not_hammered(self):
        pool = self.pool(10)
        flapping = pool.accounts[0]
        self.play(accounts={flapping: {"behaviour": {"status": 429}}})
        self.good(pool.model)
        self.cooled(flapping)
        self.forget_calls()
        statuses = []

        def load():
            statuses.extend(self.ask(pool.model, 5))
            return self.calls(pool).get(flapping, 0) >= 2

        # Many requests in three seconds: after one of them the first probe, after two more the second.
        eventually(load, "the second probe")
        self.assertEqual(set(statuses), {200}, "the others are as well as before")
        self.assertEqual(self.calls(pool)[flapping], 2)
        eventually(lambda: len(self.cooldowns(pool.ids[0])) == 3, "a cooldown for each call")
        self.assertGreater(len(statuses), 10)
        self.assertEqual(sum(self.calls(pool).values()), len(statuses) + 2)
        for name in pool.accounts[1:]:
            self.assertIsNone(self.cooling(name))
        self.verified()
