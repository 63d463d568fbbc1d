"""Reports from the field about which account is chosen, and the shares that policies promise."""

import threading

from story import BACKENDS, POLICIES, Story
from support import eventually


class StrategyTests(Story):
    def strategy(self, name, **settings):
        """The gateway's strategy until the case ends."""
        self.must("PATCH", "/api/settings", {"fallbackStrategy": name, **settings})
        self.addCleanup(
            self.must, "PATCH", "/api/settings", {"fallbackStrategy": "fill-first"})

    def order(self, pool, count, **more):
        """The places in the pool of the accounts that served so many requests, in order."""
        places = []
        for _ in range(count):
            answer = self.chat(pool.model, **more)
            self.assertEqual(answer.status, 200, answer.body)
            places.append(pool.ids.index(self.record(answer)["attempts"][-1]["account"]))
        return places

    def test_c12_round_robin_rotates_and_keeps_to_its_sticky_limit(self):
        for limit in (1, 3):
            pool = self.pool(3)
            self.strategy("round-robin", stickyRoundRobinLimit=limit)
            places = self.order(pool, 6 * limit)
            for start in range(0, 6 * limit, limit):
                self.assertEqual(len(set(places[start:start + limit])), 1, places)
            self.assertEqual([places.count(place) for place in range(3)], [2 * limit] * 3, places)
            self.assertEqual(places[:3 * limit], places[3 * limit:], "the order is the same again")
        self.verified()

    def test_c12_round_robin_passes_over_an_account_that_cools(self):
        pool = self.pool(3)
        self.strategy("round-robin", stickyRoundRobinLimit=1)
        self.upstream.next({"status": 429, "retry-after": 3600}, account=pool.accounts[1])
        self.order(pool, 3)
        self.cooled(pool.accounts[1])
        self.forget_calls()
        self.order(pool, 8)
        calls = self.calls(pool)
        self.assertNotIn(pool.accounts[1], calls)
        self.assertEqual(sum(calls.values()), 8)
        self.assertGreaterEqual(min(calls[pool.accounts[0]], calls[pool.accounts[2]]), 2)

    def test_c12_r33_a_session_leaves_an_exhausted_account_and_does_not_try_it_each_turn(self):
        pool = self.pool(3)
        self.strategy("session-sticky")
        session = {"headers": {"x-session-id": "night-shift"}}
        places = self.order(pool, 5, **session)
        self.assertEqual(len(set(places)), 1, places)
        bound = pool.accounts[places[0]]
        self.upstream.next({"status": 429, "retry-after": 3600}, account=bound)
        self.order(pool, 1, **session)
        self.cooled(bound)
        self.forget_calls()
        after = self.order(pool, 6, **session)
        self.assertEqual(len(set(after)), 1, "bound again, elsewhere")
        self.assertNotEqual(after[0], places[0])
        self.assertNotIn(bound, self.calls(pool), "not tried first on every turn")
        # Other sessions are spread over what is left.
        spread = {
            self.order(pool, 1, headers={"x-session-id": f"shift-{n}"})[0] for n in range(16)}
        self.assertEqual(len(spread), 2)
        self.verified()

    def test_r32_fill_first_keeps_to_the_first_and_comes_back_to_it(self):
        pool = self.pool(3)
        self.assertEqual(self.order(pool, 4), [0] * 4)
        # One failure is answered by the next account, and moves nobody from its place.
        self.upstream.next({"status": 500}, account=pool.accounts[0])
        self.assertEqual(self.order(pool, 4), [1, 0, 0, 0])
        self.upstream.next({"status": 429, "reset": {"form": "retry-after", "in": "1s"}},
                           account=pool.accounts[0])
        self.assertEqual(self.order(pool, 1), [1])
        eventually(lambda: self.order(pool, 1) == [0], "the first account's return")
        self.assertEqual(self.order(pool, 3), [0] * 3)


class PolicyTests(Story):
    def policy(self, pool, *weights, model="gpt-4o-mini"):
        self.must("POST", POLICIES, {
            "organization_id": "acme", "model": model, "backends": [
                {"backend_id": identity, "weight": weight}
                for identity, weight in zip(pool.ids, weights)]})
        self.addCleanup(self.must, "DELETE", f"{POLICIES}/acme/{model}")

    def ask_over(self, connections, total, model="gpt-4o-mini"):
        statuses = []
        threads = [
            threading.Thread(target=lambda: statuses.extend(self.ask(model, total // connections)))
            for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(statuses), {200})
        return len(statuses)

    def test_eighty_to_twenty_over_one_connection(self):
        pool = self.pool(2)
        self.policy(pool, 80, 20)
        self.good("gpt-4o-mini", 1000)
        self.assertLessEqual(abs(self.calls(pool)[pool.accounts[0]] - 800), 2, self.calls(pool))

    def test_eighty_to_twenty_over_thirty_two_connections(self):
        pool = self.pool(2)
        self.policy(pool, 80, 20)
        total = self.ask_over(32, 1024)
        share = self.calls(pool)[pool.accounts[0]]
        self.assertLessEqual(abs(share - total * 0.8), 10, self.calls(pool))

    def test_degraded_and_cooling_accounts_of_a_policy_get_nothing(self):
        pool = self.pool(4)
        self.policy(pool, 50, 30, 15, 5)
        self.must("POST", f"{BACKENDS}/{pool.ids[0]}/degrade", {"reason": "refunds pending"})
        self.play(accounts={pool.accounts[1]: {"sequence": [
            {"behaviour": {"status": 429, "retry-after": 3600}}]}})
        eventually(
            lambda: self.ask("gpt-4o-mini") == [200] and self.cooling(pool.accounts[1]),
            "the cooldown")
        self.forget_calls()
        self.good("gpt-4o-mini", 100)
        calls = self.calls(pool)
        self.assertEqual(set(calls), set(pool.accounts[2:]))
        self.assertLessEqual(abs(calls[pool.accounts[2]] - 75), 2, calls)
        self.verified()

    def test_a_heavy_first_account_does_not_starve_the_rest(self):
        pool = self.pool(3)
        self.policy(pool, 98, 1, 1)
        self.good("gpt-4o-mini", 200)
        calls = self.calls(pool)
        self.assertEqual([calls[name] for name in pool.accounts], [196, 2, 2])
