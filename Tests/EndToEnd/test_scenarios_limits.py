"""Reports from the field about clients that take what others live on."""

from story import Story


class KeyTests(Story):
    def test_r39_one_key_does_not_drain_what_others_live_on(self):
        pool = self.pool(2)
        greedy, modest = self.key(limits={"rpm": 5}), self.key(limits={"rpm": 100})
        statuses = self.ask(pool.model, 12, key=greedy)
        self.assertEqual(statuses, [200] * 5 + [429] * 7)
        refused = self.chat(pool.model, key=greedy)
        self.assertEqual(refused.status, 429)
        self.assertTrue(1 <= int(refused.header("retry-after")) <= 60)
        self.good(pool.model, 8, key=modest)
        self.assertEqual(self.calls(pool), {pool.accounts[0]: 13}, "refusals call nobody")
        # The gateway's own refusals are nobody's failure.
        self.assert_cool(pool)
        record = self.finished(refused.header("x-request-id"))
        self.assertEqual((record["outcome"], record["attempts"]), ("denied", []))
