#!/usr/bin/env python3
"""Reads a log from docs/file-format.md alone, with nothing but Python's standard library.

usage: log_reader.py DIR              the events, one JSON object a line; then the chain value at the last one
       log_reader.py DIR --segments   of each segment: file, positions, chain value, Merkle root; every index is compared
                                      with the events that it is of
       log_reader.py DIR --find HEX   positions of the event with this id, or of those that carry this lookup key, through
                                      the indexes where there are some

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


def merkle_root(leaves):
    """The tree of RFC 6962 over leaves that are hashes already."""
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\1" + b"".join(level[at:at + 2])).digest()
                 for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2:]
    return level[0] if level else hashlib.sha256().digest()


WORD = (1 << 64) - 1


def siphash(key, data):
    """SipHash-2-4 under a key of 16 bytes."""
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261,
         k1 ^ 0x7465646279746573]

    def turn(word, bits):
        return (word << bits | word >> 64 - bits) & WORD

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & WORD
            v[2] = (v[2] + v[3]) & WORD
            v[1], v[3] = turn(v[1], 13) ^ v[0], turn(v[3], 16) ^ v[2]
            v[0] = turn(v[0], 32)
            v[2] = (v[2] + v[1]) & WORD
            v[0] = (v[0] + v[3]) & WORD
            v[1], v[3] = turn(v[1], 17) ^ v[2], turn(v[3], 21) ^ v[0]
            v[2] = turn(v[2], 32)

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for word, in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


class Block:
    """A block of a segment, taken apart."""

    def __init__(self, offset, extent, epoch, first, raw, events, leaves):
        self.offset, self.extent, self.epoch, self.first = offset, extent, epoch, first
        self.raw, self.events, self.leaves = raw, events, leaves


class Index:
    """The index of a segment: a sealed file's footer, or a file of its own beside an unsealed one."""

    MAGIC = b"SBXIDX\r\n"
    TRAILER = 296
    SECTIONS = ("blocks", "streams", "runs", "filter", "directory", "buckets", "lists")

    def __init__(self, data, is_footer):
        self.family = "footer" if is_footer else "index"
        trailer = data[-self.TRAILER:]
        self.require(len(data) >= self.TRAILER + 8, "incomplete-trailer")
        self.require(trailer[:8] == self.MAGIC, "magic")
        self.require(struct.unpack_from("<II", trailer, 8) == (1, self.TRAILER), "version")
        self.require(crc32c(trailer[:-4]) == struct.unpack_from("<I", trailer, 292)[0], "trailer-crc")
        self.store = trailer[16:32]
        (self.ordinal, self.first, self.last, self.block_count, self.epoch,
         self.min_time, self.max_time) = struct.unpack_from("<QQQQQqq", trailer, 32)
        self.min_id, self.max_id = trailer[88:104].hex(), trailer[104:120].hex()
        self.chain_before, self.chain_after, self.root = (
            trailer[120:152], trailer[152:184], trailer[184:216])
        self.end_of_blocks, self.raw_bytes = struct.unpack_from("<QQ", trailer, 216)
        self.entry_bytes, self.value_bits = trailer[288], trailer[289]
        self.remainder_bits = 8 * self.entry_bytes - 1 - self.value_bits
        extents = list(struct.iter_unpack("<II", trailer[232:288]))
        base = len(data) - self.TRAILER - sum(size for size, _ in extents) - 8
        self.require(base == (self.end_of_blocks if is_footer else 0), "length")
        self.require(data[base:base + 8] == self.MAGIC, "magic")
        at = base + 8
        for name, (size, checksum) in zip(self.SECTIONS, extents):
            section = data[at:at + size]
            self.require(crc32c(section) == checksum, name)
            setattr(self, name, section)
            at += size
        self.key = hashlib.sha256(b"signalbox index" + self.store).digest()[:16]

    def require(self, condition, rule):
        require(condition, f"{self.family}.{rule}")

    def block_table(self, header_length):
        """Offset, length, first position, number of events and latest time so far of each block."""
        cursor, rows = Cursor(self.blocks, 0, len(self.blocks)), []
        end, first, latest = header_length, self.first, 0
        for _ in range(self.block_count):
            offset = end + cursor.varint() * 8
            extent = cursor.varint() * 8
            count = cursor.varint()
            latest = (latest + cursor.varint()) & WORD
            rows.append((offset, extent, first, count, latest - (latest >> 63 << 64)))
            end, first = offset + extent, first + count
        self.require(cursor.at == cursor.end and first == self.last + 1, "blocks")
        return rows

    def stream_table(self):
        """Each stream's name, first and last revision, and its blocks with the first revision in each."""
        count, = struct.unpack_from("<I", self.streams)
        rows = []
        for at, in struct.iter_unpack("<I", self.streams[4:4 + 4 * count]):
            entry = Cursor(self.streams, at, len(self.streams))
            name = entry.take(entry.varint())
            low = revision = entry.varint()
            high = low + entry.varint()
            runs, block, found = Cursor(self.runs, entry.varint(), len(self.runs)), 0, []
            for _ in range(runs.varint()):
                block += runs.varint()
                revision += runs.varint()
                found.append((block, revision))
            rows.append((name, low, high, found))
        return rows

    def hash(self, data):
        return siphash(self.key, data)

    def probes(self, value):
        """The bits of the filter that an entry with this hash sets."""
        line = (value >> 32) * (len(self.filter) // 64) >> 32
        spread = value * 0x9E3779B97F4A7C15 & WORD
        return [line * 512 + (spread >> 55 - 9 * probe & 511) for probe in range(6)]

    def bucket(self, value):
        """Where the bucket of a hash begins and ends, and what an entry keeps of the hash."""
        number = (value >> 32) * (len(self.directory) // 4 - 1) >> 32
        start, end = struct.unpack_from("<II", self.directory, 4 * number)
        return start, end, (value & 0xFFFFFFFF) >> 32 - self.remainder_bits

    def find(self, data):
        """Numbers of the blocks that may hold an id (16 bytes) or a lookup key; all that hold it are among them."""
        value = self.hash(data)
        if not all(self.filter[bit >> 3] >> (bit & 7) & 1 for bit in self.probes(value)):
            return []
        start, end, remainder = self.bucket(value)
        entries, checksum = self.buckets[start:end - 4], self.buckets[end - 4:end]
        self.require(crc32c(entries) == struct.unpack("<I", checksum)[0], "buckets")
        numbers = set()
        for at in range(0, len(entries), self.entry_bytes):
            entry = int.from_bytes(entries[at:at + self.entry_bytes], "little")
            if entry >> self.value_bits + 1 == remainder:
                number = entry & (1 << self.value_bits) - 1
                is_list = entry >> self.value_bits & 1
                numbers |= set(self.list(number)) if is_list else {number}
        return sorted(numbers)

    def list(self, number):
        count, = struct.unpack_from("<I", self.lists)
        self.require(number < count, "lists")
        cursor = Cursor(
            self.lists, struct.unpack_from("<I", self.lists, 4 + 4 * number)[0], len(self.lists))
        block, found = 0, []
        for _ in range(cursor.varint()):
            block += cursor.varint()
            found.append(block)
        return found

    def compare(self, segment):
        """Holds every answer that this index gives against the segment's events."""
        blocks = segment.blocks
        events = [event for block in blocks for event in block.events]
        times, ids = [event["time"] for event in events], [event["id"] for event in events]
        self.require(
            (self.store, self.ordinal, self.first, self.chain_before)
            == (segment.store, segment.ordinal, segment.first, segment.chain_before), "segment")
        self.require(
            (self.last, self.block_count, self.epoch, self.raw_bytes, self.end_of_blocks)
            == (self.first + len(events) - 1, len(blocks), blocks[-1].epoch,
                sum(block.raw for block in blocks), segment.end), "trailer")
        self.require(
            (self.min_time, self.max_time, self.min_id, self.max_id)
            == (min(times), max(times), min(ids), max(ids)), "trailer")
        self.require((self.chain_after, self.root) == (segment.chain, segment.root), "trailer")

        latest, rows = None, []
        for block in blocks:
            inside = max(event["time"] for event in block.events)
            latest = inside if latest is None else max(latest, inside)
            rows.append((block.offset, block.extent, block.first, len(block.events), latest))
        self.require(self.block_table(segment.length) == rows, "blocks")

        streams, holders = {}, {}
        for number, block in enumerate(blocks):
            for event in block.events:
                name = event["stream"].encode()
                row = streams.setdefault(name, [event["revision"], 0, []])
                row[1] = event["revision"]
                if not row[2] or row[2][-1][0] != number:
                    row[2].append((number, event["revision"]))
                for data in [event["id"], *event["keys"]]:
                    holders.setdefault(bytes.fromhex(data), set()).add(number)
        self.require(
            self.stream_table() == [(name, *streams[name]) for name in sorted(streams)], "streams")

        # Two hashes may share what an entry keeps of them; then both have the blocks of both.
        shared, bits = {}, set()
        for data, numbers in holders.items():
            value = self.hash(data)
            shared.setdefault(self.bucket(value), set()).update(numbers)
            bits.update(self.probes(value))
        for data in holders:
            self.require(self.find(data) == sorted(shared[self.bucket(self.hash(data))]), "buckets")
        self.require(
            bits == {bit for bit in range(8 * len(self.filter))
                     if self.filter[bit >> 3] >> (bit & 7) & 1}, "filter")


class Segment:
    """What the events of one segment come to."""

    def __init__(self, path, header, length):
        self.path, self.length = path, length
        self.store = header[16:32]
        self.ordinal, self.first = struct.unpack_from("<QQ", header, 32)
        self.chain_before = self.chain = header[64:96]
        self.end = length
        self.blocks = []

    @property
    def root(self):
        return merkle_root(leaf for block in self.blocks for leaf in block.leaves)


class Log:
    """The events of a directory, in order; `chain` and `last` follow what was read."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.chain, self.last, self.epoch, self.store = bytes(32), 0, 0, None
        self.revisions = {}

    def files(self):
        """Of each segment the file that counts, what it holds, and its index if it has one."""
        found = {}
        for path in self.directory.joinpath("seg").iterdir():
            if len(path.stem) == 20 and path.stem.isdigit():
                found.setdefault(path.stem, {})[path.suffix] = path
        for stem in sorted(found):
            sealed, raw, beside = map(found[stem].get, (".sealed", ".esl", ".idx"))
            if sealed is not None:
                data = sealed.read_bytes()
                try:
                    yield sealed, data, Index(data, is_footer=True)
                    continue
                except Broken:
                    # The events are before the footer; it can be made again from them.
                    if raw is None:
                        raise
            if raw is not None:
                index = beside and Index(beside.read_bytes(), is_footer=False)
                yield raw, raw.read_bytes(), index

    def events(self):
        for segment, _ in self.segments():
            for block in segment.blocks:
                for number, event in enumerate(block.events):
                    yield {"position": f"{block.epoch}:{block.first + number}", **event}

    def segments(self):
        """Reads segment after segment; with each its index, if it has one."""
        for path, data, index in self.files():
            yield self.segment(path, data, index.end_of_blocks if index else len(data)), index

    def segment(self, path, data, end):
        require(data[:8] == b"SBXSEG\r\n", "segment.magic")
        major, minor, length = struct.unpack_from("<HHI", data, 8)
        require((major, minor) == (1, 0), "segment.format")
        require(112 <= length <= min(8304, len(data)) and length % 8 == 0, "segment.header-length")
        require(crc32c(data[:length - 4]) == struct.unpack_from("<I", data, length - 4)[0],
                "segment.header-crc")
        segment = Segment(path, data[:length], length)
        require(self.store in (None, segment.store), "segment.store-id")
        self.store = segment.store
        require(segment.first == int(path.stem) == self.last + 1, "segment.name")
        require(segment.chain_before == self.chain, "segment.chain")
        size, = struct.unpack_from("<I", data, 60)
        dictionary = data[104:104 + size]
        while segment.end < end:
            if path.suffix == ".esl" and not any(data[segment.end:end]):
                break  # Written ahead: the next block comes here.
            block = self.block(data[:end], segment.end, dictionary)
            segment.end += block.extent
            if block.events:
                segment.blocks.append(block)
        segment.chain = self.chain
        return segment

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
        extent = 104 + (stored + 7) // 8 * 8
        padding = data[at + 104 + stored:at + extent]
        require(len(padding) == -stored % 8, "block.incomplete-padding")
        require(not any(padding), "block.padding")
        if flags & 1:
            body = unpack_lz4(body, raw, dictionary)
        cursor, events, leaves = Cursor(body, 0, len(body)), [], []
        for _ in range(count):
            event, leaf = record(cursor)
            self.last += 1
            revision = self.revisions.get(event["stream"], 0) + 1
            require(event["revision"] == revision, "stream.revision")
            self.revisions[event["stream"]] = revision
            self.chain = hashlib.sha256(self.chain + leaf).digest()
            events.append(event)
            leaves.append(leaf)
        require(cursor.at == len(body), "block.record")
        return Block(at, extent, epoch, first, raw, events, leaves)

    @staticmethod
    def find_in(segments, data):
        """Positions of the event with this id, or of those that carry this lookup key."""
        positions = []
        for segment, index in segments:
            numbers = index.find(data) if index else range(len(segment.blocks))
            for block in (segment.blocks[number] for number in numbers):
                for number, event in enumerate(block.events):
                    if data.hex() in [event["id"], *event["keys"]]:
                        positions.append(block.first + number)
        return positions


def main():
    log = Log(sys.argv[1] if len(sys.argv) > 1 else sys.exit(__doc__))
    try:
        match sys.argv[2:]:
            case []:
                for event in log.events():
                    print(json.dumps(event))
                print(json.dumps({"last": log.last, "chain": log.chain.hex()}))
            case ["--segments"]:
                for segment, index in log.segments():
                    if index:
                        index.compare(segment)
                    print(json.dumps({
                        "file": segment.path.name, "first": segment.first, "last": log.last,
                        "chain": segment.chain.hex(), "root": segment.root.hex(),
                        "index": index is not None}))
            case ["--find", text]:
                for position in Log.find_in(log.segments(), bytes.fromhex(text)):
                    print(position)
            case _:
                sys.exit(__doc__)
    except Broken as broken:
        sys.exit(f"after position {log.last}: {broken}")


if __name__ == "__main__":
    main()
