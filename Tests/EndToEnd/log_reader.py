#!/usr/bin/env python3
"""Reads a log from docs/file-format.md alone, with nothing but Python's standard library.

usage: log_reader.py DIR     the events, one JSON object a line; then the chain value at the last one

It is a second opinion: what it and `replay` disagree on is a fault of one of them or of the page. It stops at the first
byte that breaks the format; reading around damage is left to `replay`.
"""

import hashlib
import json
import struct
import sys
from pathlib import Path


class Broken(Exception):
    """A check of docs/file-format.md that bytes do not pass, by its name there."""


def table(polynomial):
    rows = []
    for row in range(256):
        for _ in range(8):
            row = row >> 1 ^ (polynomial if row & 1 else 0)
        rows.append(row)
    return rows


CRC32C = table(0x82F63B78)


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def require(condition, rule):
    if not condition:
        raise Broken(rule)


def unpack_lz4(packed, size, dictionary):
    """One LZ4 block: tokens of literals and of matches, which may reach back into the dictionary."""
    out = bytearray(dictionary)
    at = 0

    def length(nibble):
        nonlocal at
        total = nibble
        while nibble == 15:
            total += packed[at]
            at += 1
            if packed[at - 1] != 255:
                break
        return total

    while at < len(packed):
        token = packed[at]
        at += 1
        literals = length(token >> 4)
        require(at + literals <= len(packed), "block.decompress")
        out += packed[at:at + literals]
        at += literals
        if at == len(packed):
            break
        back = packed[at] | packed[at + 1] << 8
        at += 2
        match = length(token & 15) + 4
        require(0 < back <= len(out), "block.decompress")
        for _ in range(match):
            out.append(out[-back])
        require(len(out) - len(dictionary) <= size, "block.decompress")
    body = bytes(out[len(dictionary):])
    require(len(body) == size, "block.decompress")
    return body


class Cursor:
    """Takes a record apart."""

    def __init__(self, data, at, end):
        self.data, self.at, self.end = data, at, end

    def take(self, count):
        require(0 <= count <= self.end - self.at, "block.record")
        self.at += count
        return self.data[self.at - count:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            require(shift < 63 or (shift == 63 and byte <= 1), "block.record")
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                require(byte != 0 or shift == 0, "block.record")
                return value
            shift += 7


def record(cursor):
    size = cursor.varint()
    require(size <= cursor.end - cursor.at, "block.record")
    it = Cursor(cursor.data, cursor.at, cursor.at + size)
    cursor.at += size
    flags = it.take(1)[0]
    require(flags & ~3 == 0, "block.record")
    event = {"id": it.take(16).hex()}
    event["stream"] = it.take(it.varint()).decode()
    event["revision"] = it.varint()
    event["kind"] = it.take(it.varint()).decode()
    event["time"] = struct.unpack("<q", it.take(8))[0]
    keys = it.take(1)[0] if flags & 1 else 0
    event["keys"] = [it.take(it.take(1)[0]).hex() for _ in range(keys)]
    event["payload"] = it.take(it.varint()).hex()
    public = it.data[it.end - size:it.at]
    sealed = it.take(it.varint()) if flags & 2 else b""
    require(it.at == it.end, "block.record")
    event["sealed"] = sealed.hex()
    leaf = hashlib.sha256(public + hashlib.sha256(sealed).digest()).digest()
    return event, leaf


class Log:
    """The events of a directory, in order; `chain` and `last` follow what was read."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.chain, self.last, self.epoch, self.store = bytes(32), 0, 0, None
        self.revisions = {}

    def segments(self):
        """The file that counts for each first position: the sealed one, if both are there."""
        found = {}
        for path in self.directory.joinpath("seg").iterdir():
            if len(path.stem) == 20 and path.stem.isdigit() and path.suffix in (".esl", ".sealed"):
                if path.suffix == ".sealed" or path.stem not in found:
                    found[path.stem] = path
        return [found[stem] for stem in sorted(found)]

    def events(self):
        for path in self.segments():
            yield from self.segment(path, path.read_bytes())

    def segment(self, path, data):
        require(data[:8] == b"SBXSEG\r\n", "segment.magic")
        major, minor, length = struct.unpack_from("<HHI", data, 8)
        require((major, minor) == (1, 0), "segment.format")
        require(crc32c(data[:length - 4]) == struct.unpack_from("<I", data, length - 4)[0],
                "segment.header-crc")
        store = data[16:32]
        require(self.store in (None, store), "segment.store-id")
        self.store = store
        first, = struct.unpack_from("<Q", data, 40)
        require(first == int(path.stem) == self.last + 1, "segment.name")
        size, = struct.unpack_from("<I", data, 60)
        require(data[64:96] == self.chain, "segment.chain")
        dictionary = data[104:104 + size]
        at, end = length, self.blocks_end(path, data)
        while at < end:
            at = yield from self.block(data, at, dictionary)

    @staticmethod
    def blocks_end(path, data):
        return len(data)

    def block(self, data, at, dictionary):
        header = data[at:at + 104]
        require(len(header) == 104, "block.incomplete-header")
        require(header[:4] == b"SBLK", "block.magic")
        require(crc32c(header[:100], crc32c(self.store)) == struct.unpack_from("<I", header, 100)[0],
                "block.header-crc")
        flags = header[7]
        require(flags & ~1 == 0, "block.flags")
        epoch, first, count, raw, stored, checksum = struct.unpack_from("<QQIIII", header, 8)
        require(epoch >= self.epoch, "block.epoch")
        require(first == self.last + 1, "block.position")
        require(header[56:88] == self.chain, "block.chain")
        self.epoch = epoch
        body = data[at + 104:at + 104 + stored]
        require(len(body) == stored and crc32c(body) == checksum, "block.body-crc")
        after = at + 104 + (stored + 7) // 8 * 8
        padding = data[at + 104 + stored:after]
        require(len(padding) == -stored % 8, "block.incomplete-padding")
        require(not any(padding), "block.padding")
        if flags & 1:
            body = unpack_lz4(body, raw, dictionary)
        cursor = Cursor(body, 0, len(body))
        for _ in range(count):
            event, leaf = record(cursor)
            self.last += 1
            revision = self.revisions.get(event["stream"], 0) + 1
            require(event["revision"] == revision, "stream.revision")
            self.revisions[event["stream"]] = revision
            self.chain = hashlib.sha256(self.chain + leaf).digest()
            yield {"position": f"{epoch}:{self.last}", **event}
        require(cursor.at == len(body), "block.record")
        return after


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    log = Log(sys.argv[1])
    try:
        for event in log.events():
            print(json.dumps(event))
    except Broken as broken:
        sys.exit(f"after position {log.last}: {broken}")
    print(json.dumps({"last": log.last, "chain": log.chain.hex()}))


if __name__ == "__main__":
    main()
