"""Checks a proof as docs/integrity.md says, with nothing of Signalbox: SHA-256 and Ed25519 (RFC 8032) by hand.

usage: proof_checker.py PUBLIC-KEY < proof.json
"""

import base64
import hashlib
import json
import sys
import uuid

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE = -121665 * pow(121666, -1, PRIME) % PRIME


def add(one, two):
    (x1, y1), (x2, y2) = one, two
    cross = CURVE * x1 * x2 * y1 * y2 % PRIME
    return ((x1 * y2 + x2 * y1) * pow(1 + cross, -1, PRIME) % PRIME,
            (y1 * y2 + x1 * x2) * pow(1 - cross, -1, PRIME) % PRIME)


def times(number, point):
    total = (0, 1)
    while number:
        if number & 1:
            total = add(total, point)
        point, number = add(point, point), number >> 1
    return total


def point(data):
    """The point that 32 bytes stand for; None if there is none."""
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    square = (y * y - 1) * pow(CURVE * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    if (x * x - square) % PRIME or y >= PRIME:
        return None
    return (x if x & 1 == sign else PRIME - x, y)


def is_signed(key, text, signature):
    base = point((4 * pow(5, -1, PRIME) % PRIME).to_bytes(32, "little"))
    commitment, public = point(signature[:32]), point(key)
    scalar = int.from_bytes(signature[32:], "little")
    if commitment is None or public is None or scalar >= ORDER:
        return False
    challenge = hashlib.sha512(signature[:32] + key + text).digest()
    return times(scalar, base) == add(
        commitment, times(int.from_bytes(challenge, "little") % ORDER, public))


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root(leaf, index, count, path):
    """The root that follows, as RFC 9162 §2.1.3.2 has it; None if the path is not of that length."""
    node, last, rest = sha256(b"\0", leaf), count - 1, list(path)
    while last:
        if index & 1 or index < last:
            if not rest:
                return None
            other = rest.pop(0)
            node = sha256(b"\1", other, node) if index & 1 else sha256(b"\1", node, other)
        index, last = index >> 1, last >> 1
    return None if rest else node


def faults(document, key):
    """What does not hold, in words."""
    found, store = [], str(uuid.UUID(document["store"]))
    for it in document["checkpoints"]:
        text = "".join(line + "\n" for line in [
            f"signalbox/checkpoint/v1/{store}", str(it["position"]),
            base64.b64encode(bytes.fromhex(it["chain"])).decode(), f"epoch {it['epoch']}",
            f"previous {it['previous']}",
            "root " + base64.b64encode(bytes.fromhex(it["root"])).decode()])
        if it["publicKey"] != key.hex():
            found.append("another key")
        elif not is_signed(key, text.encode(), bytes.fromhex(it["signature"])):
            found.append("a checkpoint that the key did not sign")
    spans = {it["position"]: it for it in document["checkpoints"]}
    for it in document["events"]:
        leaf = sha256(base64.b64decode(it["publicPart"]), bytes.fromhex(it["sealedDigest"]))
        span = spans[it["checkpoint"]]
        index, count = it["position"] - span["previous"] - 1, span["position"] - span["previous"]
        if leaf.hex() != it["leaf"]:
            found.append("a leaf that is not the event's")
        if not 0 <= index < count or root(
                leaf, index, count, map(bytes.fromhex, it["path"])) != bytes.fromhex(span["root"]):
            found.append("a path that does not lead to what was signed")
    return found


if __name__ == "__main__":
    wrong = faults(json.load(sys.stdin), bytes.fromhex(sys.argv[1]))
    print("\n".join(wrong) or "holds")
    sys.exit(1 if wrong else 0)
