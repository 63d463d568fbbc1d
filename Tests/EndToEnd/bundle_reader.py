"""Reads bundles with docs/file-format.md alone: what a stranger's reader would be."""

import hashlib
import struct

from log_reader import Cursor, crc32c, require, unpack_lz4


def sha256(data):
    return hashlib.sha256(data).digest()


def part_digest(data):
    return sha256(b"".join(sha256(data[at:at + (1 << 20)]) for at in range(0, len(data), 1 << 20)))


def public_part(data):
    """The fields of a public part, and that there is a sealed part behind it."""
    it = Cursor(data, 0, len(data))
    flags = it.take(1)[0]
    require(flags & ~3 == 0, "block.record")
    event = {"id": it.take(16).hex(), "stream": it.take(it.varint()).decode(), "revision": it.varint(),
             "kind": it.take(it.varint()).decode(), "time": struct.unpack("<q", it.take(8))[0]}
    keys = it.take(1)[0] if flags & 1 else 0
    event["keys"] = [it.take(it.take(1)[0]).hex() for _ in range(keys)]
    event["payload"] = it.take(it.varint())
    require(it.at == it.end, "block.record")
    return event, bool(flags & 2)


class Bundle:
    """A bundle's events by position, and all of its bytes as they are once unpacked."""

    def __init__(self, data):
        require(data[:8] == b"SBXBDL\r\n", "bundle.magic")
        require(struct.unpack_from("<HH", data, 8) == (1, 0), "bundle.format")
        length, = struct.unpack_from("<I", data, 12)
        note, = struct.unpack_from("<I", data, 156)
        require(length == (248 + note + 32 + 7) // 8 * 8, "bundle.header-length")
        require(sha256(data[:length - 32]) == data[length - 32:length], "bundle.header-digest")
        self.digest = data[length - 32:length].hex()
        self.store = data[16:32]
        self.base, self.first, self.last = struct.unpack_from("<QQQ", data, 32)
        self.chain_before, self.chain = data[56:88], data[88:120]
        self.counts = struct.unpack_from("<QQQQ", data, 120)
        self.flags, = struct.unpack_from("<I", data, 152)
        self.note = data[248:248 + note].decode()
        self.events, self.leaves, self.unpacked = {}, {}, [data[:length]]
        self.found = [0, 0, 0, 0]
        at = length
        for ordinal, place in enumerate((160, 200)):
            size, = struct.unpack_from("<Q", data, place)
            part = data[at:at + size]
            require(len(part) == size and part_digest(part) == data[place + 8:place + 40], "bundle.digest")
            at += size
            if size:
                self.part(part, ordinal)
        require(at == len(data), "bundle.length")
        require((self.found[0], self.found[1], self.found[2], self.found[3]) == self.counts, "bundle.counts")

    def part(self, data, ordinal):
        require(data[:8] == b"SBXSEG\r\n" and data[16:32] == self.store, "bundle.segment")
        length, = struct.unpack_from("<I", data, 12)
        require(crc32c(data[:length - 4]) == struct.unpack_from("<I", data, length - 4)[0], "segment.header-crc")
        require(struct.unpack_from("<Q", data, 32)[0] == ordinal, "bundle.segment")
        size, = struct.unpack_from("<I", data, 60)
        dictionary = data[104:104 + size]
        chain, at = self.chain_before, length
        while at < len(data):
            header = data[at:at + 104]
            require(header[:4] == b"SBLK", "block.magic")
            require(crc32c(header[:100], crc32c(self.store)) == struct.unpack_from("<I", header, 100)[0],
                    "block.header-crc")
            require(header[7] & ~1 == 2, "block.flags")
            epoch, first, count, raw, stored, checksum = struct.unpack_from("<QQIIII", header, 8)
            body = data[at + 104:at + 104 + stored]
            require(crc32c(body) == checksum, "block.body-crc")
            at += 104 + (stored + 7) // 8 * 8
            if header[7] & 1:
                body = unpack_lz4(body, raw, dictionary)
            require(header[56:88] == (chain if ordinal else bytes(32)), "block.chain")
            self.unpacked.append(body)
            cursor = Cursor(body, 0, len(body))
            for position in range(first, first + count):
                leaf = self.item(cursor, position, epoch, ordinal)
                chain = sha256(chain + leaf)
            require(cursor.at == len(body), "block.record")
        require(not ordinal or chain == self.chain, "bundle.chain")

    def item(self, cursor, position, epoch, ordinal):
        size = cursor.varint()
        it = Cursor(cursor.take(size), 0, size)
        form = it.take(1)[0]
        given = it.take(32) if form > 1 else None
        if form == 3:
            require(ordinal == 1, "block.record")
            self.found[1] += 1
            self.leaves[position] = given
            return given
        sealed = it.varint() if form in (2, 4) else 0
        shown = it.take(it.end - it.at)
        event, is_sealed = public_part(shown)
        require(is_sealed == (sealed > 0), "block.record")
        self.events[position] = {"epoch": epoch, **event}
        self.found[0 if ordinal else 3] += 1
        if form == 4:
            self.found[2] += 1
            leaf = given
        else:
            leaf = sha256(shown + (given if form == 2 else sha256(b"")))
        self.leaves[position] = leaf
        return leaf
