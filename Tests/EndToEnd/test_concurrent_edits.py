"""64 clients edit the same thing at once: with `If-Match` one of them wins each revision, and no edit is lost."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

from support import Spine

CLIENTS = 64


class Target:
    """Something that all clients edit; every edit writes a number of its own."""

    def __init__(self, stream, path, method, first, body, number):
        self.stream, self.path, self.method = stream, path, method
        #: How it comes to be, as (method, path, body).
        self.first = first
        #: The body that writes a number, and the number that an event of the history has written.
        self.body, self.number = body, number


ALIAS = Target(
    "alias/busy", "/api/models/alias", "PUT",
    ("PUT", "/api/models/alias",
     {"alias": "busy", "model": "mock/n0", "allowUnresolved": True}),
    lambda n: {"alias": "busy", "model": f"mock/n{n}", "allowUnresolved": True},
    lambda fields: int(fields["target"].removeprefix("mock/n")))
COMBO = Target(
    "combo/crowd", "/api/combos/crowd", "PUT",
    ("POST", "/api/combos", {"name": "crowd", "models": ["mock/n0"], "allowUnresolved": True}),
    lambda n: {"models": [f"mock/n{n}"], "allowUnresolved": True},
    lambda fields: int(fields["models"][0].removeprefix("mock/n")))
POLICY = Target(
    "policy/acme/gpt-4o", "/v1/admin/routing/policies/acme/gpt-4o", "PUT",
    ("POST", "/v1/admin/routing/policies",
     {"organization_id": "acme", "model": "gpt-4o",
      "backends": [{"backend_id": "a1", "weight": 10000}]}),
    lambda n: {"backends": [{"backend_id": "a1", "weight": n}]},
    lambda fields: fields["accounts"][0]["weight"])


class ConcurrentEditsTests(Spine):
    def steps(self, target):
        """The whole history, oldest first."""
        found, query = [], "?limit=50"
        while True:
            page = self.box.admin("GET", f"/api/history/{target.stream}{query}")
            self.assertEqual(page.status, 200, page.body)
            document = page.json()
            self.assertEqual(document["missing"], 0)
            found += document["steps"]
            if "next" not in document:
                break
            query = f"?limit=50&after={document['next']}"
        found.reverse()
        self.assertEqual([step["revision"] for step in found], list(range(1, len(found) + 1)))
        return found

    def begin(self, target):
        method, path, body = target.first
        made = self.box.admin(method, path, body)
        self.assertIn(made.status, (200, 201), made.body)
        self.assertEqual(made.header("etag"), '"1"')

    def all_at_once(self, edit):
        """What `edit` returns for each client, all of them let go together."""
        gate = threading.Barrier(CLIENTS)

        def one(client):
            gate.wait(20)
            return edit(client)

        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(one, range(CLIENTS)))

    def put(self, target, number, revision=None):
        tag = {} if revision is None else {"if-match": f'"{revision}"'}
        return self.box.admin(target.method, target.path, target.body(number), tag)

    def one_winner_a_revision(self, target, rounds=4):
        self.begin(target)
        winners = []
        for revision in range(1, rounds + 1):
            answers = self.all_at_once(
                lambda client: self.put(target, revision * CLIENTS + client, revision))
            won = [client for client, answer in enumerate(answers) if answer.status == 200]
            self.assertEqual(len(won), 1, [answer.status for answer in answers])
            self.assertEqual(answers[won[0]].header("etag"), f'"{revision + 1}"')
            for client, answer in enumerate(answers):
                if client != won[0]:
                    self.assertEqual(answer.status, 412, answer.body)
                    self.assertEqual(answer.header("etag"), f'"{revision + 1}"')
            winners.append(revision * CLIENTS + won[0])
        steps = self.steps(target)[1:]
        self.assertEqual([target.number(step["fields"]) for step in steps], winners)
        self.assertEqual([step["base"] for step in steps], list(range(1, rounds + 1)))

    def test_one_winner_for_each_revision_of_an_alias(self):
        self.one_winner_a_revision(ALIAS)

    def test_one_winner_for_each_revision_of_a_combo(self):
        self.one_winner_a_revision(COMBO)

    def test_one_winner_for_each_revision_of_a_policy(self):
        self.one_winner_a_revision(POLICY)

    def test_clients_that_try_until_they_win_lose_no_edit(self):
        self.begin(ALIAS)

        def edit(client):
            revision = 1
            # Each refusal means that another client won, so there are no more than all others together.
            for _ in range(CLIENTS):
                answer = self.put(ALIAS, client + 1, revision)
                if answer.status == 200:
                    return revision
                self.assertEqual(answer.status, 412, answer.body)
                revision = json.loads(answer.body)["error"]["revision"]
            self.fail("another client won more often than once")

        bases = self.all_at_once(edit)
        self.assertEqual(sorted(bases), list(range(1, CLIENTS + 1)))
        steps = self.steps(ALIAS)[1:]
        self.assertEqual(
            [ALIAS.number(step["fields"]) for step in steps],
            [client + 1 for client in sorted(range(CLIENTS), key=lambda client: bases[client])])
        self.assertEqual([step["base"] for step in steps], sorted(bases))

    def test_without_if_match_all_succeed_and_say_that_they_had_seen_nothing(self):
        for target in (ALIAS, COMBO, POLICY):
            with self.subTest(target.stream):
                self.begin(target)
                answers = self.all_at_once(lambda client: self.put(target, client + 1))
                self.assertEqual([answer.status for answer in answers], [200] * CLIENTS)
                steps = self.steps(target)[1:]
                self.assertEqual({step["base"] for step in steps}, {None})
                self.assertEqual(
                    sorted(target.number(step["fields"]) for step in steps),
                    list(range(1, CLIENTS + 1)))
