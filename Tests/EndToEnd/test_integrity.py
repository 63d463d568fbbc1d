"""Checkpoints, anchors and proofs on running programs: what holds, what is refused, and in which words."""

import base64
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess

from proof_checker import faults, is_signed
from support import CLIENT_KEY, Spine, exchange, message, program


def run(*argv, cwd=None, given=None):
    """Exit status, standard output, standard error; without any setting that points at a log."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_DATA")}
    done = subprocess.run(
        [program(argv[0]), *map(str, argv[1:])], capture_output=True, text=True, cwd=cwd, input=given,
        env=environment, timeout=60)
    return done.returncode, done.stdout, done.stderr


class IntegrityTests(Spine):
    def setUp(self):
        super().setUp()
        self.identities = [self.box.chat(message()).header("x-request-id") for _ in range(3)]
        self.outside = self.directory / "outside"
        self.outside.mkdir()

    def signal(self, *arguments):
        return run("signalbox", "checkpoint", "--data", self.box.data, *arguments)

    def replay(self, verb, *arguments):
        return run("replay", verb, "--log", self.box.data, *arguments)

    def public_key(self, name="signalbox.pub"):
        code, out, said = self.signal("--public-key")
        self.assertEqual(code, 0, said)
        self.assertRegex(out, r"^[0-9a-f]{64}\n$")
        (self.outside / name).write_text(out)
        return self.outside / name

    def anchor(self, name="a.note"):
        code, out, said = self.replay("checkpoint")
        self.assertEqual(code, 0, said)
        (self.outside / name).write_text(out)
        return self.outside / name

    def test_a_proof_is_checked_where_there_is_nothing_but_the_public_key(self):
        self.assertEqual(self.box.stop(), 0)
        key, note = self.public_key(), self.anchor()
        proof = self.outside / "proof.json"
        code, out, said = self.replay("prove", self.identities[1], "-o", proof)
        self.assertEqual(code, 0, said)
        self.assertRegex(out, r"proof\.json: \d+ bytes, positions \d+\n")
        told = json.loads(self.replay("prove", self.identities[1], "-o", proof, "--json")[1])
        self.assertEqual(told["bytes"], proof.stat().st_size)
        for arguments in ([], ["--public-key", key], ["--anchor", note], ["--anchor", note, "--public-key", key]):
            code, out, said = self.replay("verify", *arguments)
            self.assertEqual(code, 0, out + said)
            verdict = json.loads(self.replay("verify", "--json", *arguments)[1])["anchoring"]["verdict"]
            self.assertEqual(verdict, "anchored" if note in arguments else "signed" if arguments else "self_signed")
            self.assertIn("cannot show" if arguments else "it would look the same", out)

        # Neither the log nor the private key is anywhere now.
        shutil.move(self.box.data, self.directory / "gone")
        self.assertEqual(sorted(os.listdir(self.outside)), ["a.note", "proof.json", "signalbox.pub"])

        def check(*arguments, given=None):
            return run("replay", "check-proof", *arguments, cwd=self.outside, given=given)

        code, out, said = check("proof.json", "--public-key", "signalbox.pub")
        self.assertEqual((code, said), (0, ""))
        self.assertIn("is, unchanged to the byte, what the holder of the key vouched for", out)
        self.assertIn("It does not show that nothing else happened", out)
        document = json.loads(check("proof.json", "--public-key", "signalbox.pub", "--json")[1])
        self.assertTrue(document["isProven"])
        self.assertIn(self.identities[1], json.dumps(document))
        text = proof.read_text()
        self.assertEqual(check("-", "--public-key", key.read_text().strip(), given=text)[0], 0)
        # The status that the proof tells, made a better one.
        changed = re.sub(r'"status": 200', '"status": 500', text)
        self.assertNotEqual(changed, text)
        code, out, _ = check("-", "--public-key", "signalbox.pub", given=changed)
        self.assertEqual((code, out.split(":")[0:2]), (1, ["NOT PROVEN", " rendering"]))
        code, out, _ = check("proof.json", "--public-key", "0" * 64)
        self.assertEqual((code, out.split(":")[0:2]), (1, ["NOT PROVEN", " key"]))
        self.assertEqual(
            json.loads(check("proof.json", "--public-key", "0" * 64, "--json")[1])["failedStep"], "key")
        for arguments, word in [
                (["proof.json", "--public-key", "a.note"], "64 hexadecimal digits"),
                (["proof.json", "--public-key", "nothing.pub"], "nothing.pub cannot be read"),
                (["nothing.json", "--public-key", "signalbox.pub"], "nothing.json cannot be read")]:
            code, out, said = check(*arguments)
            self.assertEqual((code, out), (2, ""))
            self.assertIn(word, said)

    def test_what_the_page_says_of_the_formats_is_enough_to_check_a_proof_and_a_note(self):
        self.assertEqual(self.box.stop(), 0)
        key = bytes.fromhex(self.public_key().read_text())
        for identity in self.identities:
            document = json.loads(self.replay("prove", identity, "--all")[1])
            self.assertEqual(faults(document, key), [])
            (event, *_), (checkpoint, *_) = document["events"], document["checkpoints"]
            self.assertEqual(faults(document, bytes(32)), ["another key"] * len(document["checkpoints"]))
            event["position"] += 1
            self.assertEqual(faults(document, key), ["a path that does not lead to what was signed"])
            event["position"] -= 1
            checkpoint["epoch"] += 1
            self.assertEqual(faults(document, key), ["a checkpoint that the key did not sign"])
        signed, line = self.anchor().read_text().split("\n\n")
        name = signed.splitlines()[0]
        self.assertTrue(line.startswith(f"\N{EM DASH} {name} "))
        mark = base64.b64decode(line.split(" ")[2])
        self.assertEqual(mark[:4], hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4])
        self.assertTrue(is_signed(key, signed.encode() + b"\n", mark[4:]))
        self.assertFalse(is_signed(key, signed.encode(), mark[4:]))

    def test_the_audit_proves_a_request_that_was_just_answered_or_refused(self):
        key = self.public_key()
        refused = self.box.chat(message(model="nobody/offers"))
        self.assertEqual(refused.status, 404)
        unnamed = self.box.chat(message(model="nobody/offers"), key="sk-nobody-at-all")
        self.assertEqual(unnamed.status, 401)
        for answer, headers in [
                (self.box.chat(message()), self.box.login()), (refused, self.box.login()), (unnamed, self.box.login()),
                (self.box.chat(message()), {"authorization": f"Bearer {CLIENT_KEY}"})]:
            identity = answer.header("x-request-id")
            found = exchange(self.box.port, "GET", f"/v1/audit/requests/{identity}?proof=true", None, headers)
            self.assertEqual(found.status, 200, found.body)
            text = found.json()["proof"]
            document = json.loads(text)
            self.assertEqual(faults(document, bytes.fromhex(key.read_text())), [])
            told = document["events"][-1]["summary"]
            self.assertEqual((told["request"], told["status"]), (identity, answer.status))
            (self.outside / "proof.json").write_text(text)

            def check():
                return run("replay", "check-proof", "proof.json", "--public-key", key, cwd=self.outside)[0]

            self.assertEqual(check(), 0)
            # Any byte of it, changed to another one.
            data = text.encode()
            for place in range(7, len(data), max(1, len(data) // 40)):
                (self.outside / "proof.json").write_bytes(
                    data[:place] + bytes([data[place] ^ 1]) + data[place + 1:])
                self.assertEqual(check(), 1, f"byte {place}")
        # Who asks for one that is there already makes no other checkpoint.
        before = len(self.box.admin("GET", "/api/events?type=gateway.checkpoint_signed&limit=1000").json()["events"])
        self.assertEqual(
            self.box.admin("GET", f"/v1/audit/requests/{identity}?proof=true").json()["proof"], text)
        after = len(self.box.admin("GET", "/api/events?type=gateway.checkpoint_signed&limit=1000").json()["events"])
        self.assertEqual(before, after)

    def test_what_has_no_proof_says_why_and_what_to_do(self):
        # The gateway signed at its start, and signs again in ten minutes or when it stops.
        code, out, said = self.replay("prove", self.identities[0])
        self.assertEqual((code, out), (4, ""))
        self.assertIn("at the latest ten minutes after", said)
        for unknown in ["no-such-request", "0193aaaa-0000-7000-8000-000000000000", "4000000000", ""]:
            code, out, said = self.replay("prove", unknown)
            self.assertEqual((code, out), (2, ""), unknown)
        self.assertEqual(self.box.stop(), 0)
        self.assertEqual(self.replay("prove", self.identities[0])[0], 0)
        place = json.loads(self.replay("prove", self.identities[1])[1])["events"][0]["position"]
        segment = next((self.box.data / "seg").glob("*.esl"))
        self.damage(segment, place)
        for identity in self.identities:
            code, out, said = self.replay("prove", identity)
            self.assertEqual((code, out), (3, ""))
            self.assertRegex(said, r"be read|damaged")
        code, out, _ = self.replay("verify")
        self.assertEqual(code, 3)
        self.assertIn(f"damaged: position {place}", out)

    def damage(self, segment, position):
        """Turns over a byte in the body of the block that holds a position."""
        data = bytearray(segment.read_bytes())
        at = int.from_bytes(data[12:16], "little")
        while True:
            first = int.from_bytes(data[at + 16:at + 24], "little")
            count = int.from_bytes(data[at + 24:at + 28], "little")
            if first <= position < first + count:
                break
            at += (104 + int.from_bytes(data[at + 32:at + 36], "little") + 7) // 8 * 8
        data[at + 110] ^= 0x10
        segment.write_bytes(data)

    def test_the_key_is_private_and_what_becomes_of_it_is_said(self):
        path = self.box.data / "keys" / "checkpoint.key"
        self.assertEqual(self.box.stop(), 0)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        old, whole = self.public_key("old.pub"), path.read_bytes()

        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        for arguments in ([], ["--public-key"]):
            code, out, said = self.signal(*arguments)
            self.assertEqual((code, out), (1, ""))
            self.assertIn(str(path), said)
            self.assertIn("put a copy of the file back", said)
        path.write_bytes(whole)
        path.chmod(0o644)
        code, _, said = self.signal("--public-key")
        self.assertEqual(code, 1)
        self.assertIn("chmod 600", said)

        path.unlink()
        code, _, said = self.signal("--public-key")
        self.assertEqual(code, 1)
        self.assertIn("there is no checkpoint key yet", said)
        # Requests go on without one; the next start makes another, and says so.
        self.restart(self.box)
        self.assertEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.box.stop(), 0)
        self.assertIn("checkpoints are signed with another key from now on", self.box.text())
        new = self.public_key("new.pub")
        self.assertNotEqual(new.read_text(), old.read_text())
        code, out, _ = self.replay("verify", "--public-key", old)
        self.assertEqual(code, 1)
        self.assertIn("which you did not give", out)
        code, out, _ = self.replay("verify", "--public-key", old, "--public-key", new)
        self.assertEqual(code, 0, out)
        self.assertIn("another key signs, " + new.read_text().strip(), out)

    def test_a_gateway_signs_no_older_copy_of_its_log_and_serves_on(self):
        self.assertEqual(self.box.stop(), 0)
        note, key = self.anchor(), self.public_key()
        older = self.directory / "older"
        shutil.copytree(self.box.data / "seg", older)
        self.restart(self.box)
        for _ in range(5):
            self.box.chat(message())
        self.assertEqual(self.box.stop(), 0)
        late = self.anchor("late.note")
        shutil.rmtree(self.box.data / "seg")
        shutil.copytree(older, self.box.data / "seg")
        for name in ("MANIFEST-A", "MANIFEST-B"):
            (self.box.data / name).unlink(missing_ok=True)
        for each in (self.box.data / "snapshots").glob("*"):
            each.unlink()
        code, out, said = self.signal()
        self.assertEqual((code, out), (1, ""))
        self.assertIn("not what was signed", said)
        self.assertIn("remove keys/checkpoint.key", said)
        self.restart(self.box)
        self.assertEqual(self.box.chat(message()).status, 200)
        self.assertEqual(self.box.stop(), 0)
        self.assertIn("not what was signed", self.box.text())
        self.assertEqual(self.replay("verify", "--anchor", note, "--public-key", key)[0], 0)
        code, out, _ = self.replay("verify", "--anchor", late, "--public-key", key)
        self.assertEqual(code, 1)
        self.assertIn("DIFFERS", out)

    def test_no_part_of_a_key_is_in_what_the_programs_say(self):
        self.assertEqual(self.box.stop(), 0)
        secret = (self.box.data / "keys" / "checkpoint.key").read_bytes()
        said = self.box.text() + "".join(
            "".join(map(str, each)) for each in [self.signal(), self.signal("--public-key"), self.replay("verify")])
        for at in range(4, len(secret) - 8):
            self.assertNotIn(secret[at:at + 8].hex(), said)
        self.assertNotIn(CLIENT_KEY, said)
