// Part of the snapshot's encoding: may change with any build.

extension SyncState: Payload {
  func write(to writer: inout RecordWriter) {
    node.write(to: &writer)
    author.write(to: &writer)
    writer.time(clock.time)
    UInt32(clock.counter).write(to: &writer)
    writer.count(streams.count)
    for (stream, versions) in streams.sorted(by: { $0.key < $1.key }) {
      writer.text(stream)
      versions.write(to: &writer)
    }
    writer.count(withheld.count)
    for (stream, withheld) in withheld.sorted(by: { $0.key < $1.key }) {
      writer.text(stream)
      withheld.write(to: &writer)
    }
    writer.count(withheldSince.count)
    for (stream, since) in withheldSince.sorted(by: { $0.key < $1.key }) {
      writer.text(stream)
      writer.time(since)
    }
    writer.count(peers.count)
    for (name, peer) in peers.sorted(by: { $0.key < $1.key }) {
      writer.text(name)
      peer.write(to: &writer)
    }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    self = .initial
    node = try NodeID(from: &reader)
    author = try EditAuthor(from: &reader)
    let time = try reader.time()
    guard let counter = UInt16(exactly: try reader.uint32()) else {
      throw reader.failure(.invalidValue)
    }
    clock = HybridClock(time: time, counter: counter)
    streams = try reader.table { (reader) throws(DecodingFailure) in
      (try reader.text(), try StreamVersions(from: &reader))
    }
    withheld = try reader.table { (reader) throws(DecodingFailure) in
      (try reader.text(), try SyncEvent.Withheld(from: &reader))
    }
    withheldSince = try reader.table { (reader) throws(DecodingFailure) in
      (try reader.text(), try reader.time())
    }
    peers = try reader.table { (reader) throws(DecodingFailure) in
      (try reader.text(), try SyncPeer(from: &reader))
    }
  }
}

extension StreamVersions: Payload {
  func write(to writer: inout RecordWriter) {
    writer.flag(isPresent)
    version.write(to: &writer)
    writer.count(fields.count)
    for (field, version) in fields.sorted(by: { $0.key < $1.key }) {
      writer.text(field)
      version.write(to: &writer)
    }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    isPresent = try reader.flag()
    version = try FieldVersion(from: &reader)
    fields = try reader.table { (reader) throws(DecodingFailure) in
      (try reader.text(), try FieldVersion(from: &reader))
    }
  }
}

extension SyncPeer: Payload {
  private enum Flag {
    static let isEnabled: UInt64 = 1 << 0
    static let owesRemoval: UInt64 = 1 << 1
    static let pushedAt: UInt64 = 1 << 2
    static let receivedAt: UInt64 = 1 << 3
    static let reconciledAt: UInt64 = 1 << 4
    static let failure: UInt64 = 1 << 5
    static let life: UInt64 = 1 << 6
    static let candidates: UInt64 = 1 << 7
    static let all: UInt64 = 0b1111_1111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.isEnabled.when(isEnabled) | Flag.owesRemoval.when(owesRemoval)
        | Flag.pushedAt.when(pushedAt != nil) | Flag.receivedAt.when(receivedAt != nil)
        | Flag.reconciledAt.when(reconciledAt != nil) | Flag.failure.when(failure != nil)
        | Flag.life.when(life != nil) | Flag.candidates.when(!candidates.isEmpty))
    writer.text(url)
    pushedAt?.write(to: &writer)
    receivedAt?.write(to: &writer)
    reconciledAt?.write(to: &writer)
    writer.varint(reconciled)
    writer.varint(streams)
    life?.write(to: &writer)
    formerLives.write(to: &writer)
    waiting.write(to: &writer)
    writer.count(conflicts.count)
    for (place, conflict) in conflicts.sorted(by: { $0.key < $1.key }) {
      place.write(to: &writer)
      conflict.stamp.write(to: &writer)
      writer.varint(conflict.position)
    }
    writer.count(credentialConflicts.count)
    for (account, conflict) in credentialConflicts.sorted(by: { $0.key < $1.key }) {
      account.write(to: &writer)
      writer.flag(conflict.wireKind == .syncConflictV2)
      conflict.write(to: &writer)
    }
    writer.count(told.count)
    for (stream, fields) in told.sorted(by: { $0.key < $1.key }) {
      writer.text(stream)
      writer.count(fields.count)
      for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
        writer.text(name)
        value.write(to: &writer)
      }
    }
    if !candidates.isEmpty { writer.count(candidates.count) }
    for (account, candidate) in candidates.sorted(by: { $0.key < $1.key }) {
      account.write(to: &writer)
      candidate.write(to: &writer)
    }
    if let failure {
      writer.text(failure.action)
      writer.text(failure.code)
      writer.flag(failure.about != nil)
      failure.about?.write(to: &writer)
      writer.time(failure.at)
    }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    self.init()
    let flags = try reader.flags(known: Flag.all)
    isEnabled = flags & Flag.isEnabled != 0
    owesRemoval = flags & Flag.owesRemoval != 0
    url = try reader.text()
    pushedAt = try reader.optional(flags, Flag.pushedAt)
    receivedAt = try reader.optional(flags, Flag.receivedAt)
    reconciledAt = try reader.optional(flags, Flag.reconciledAt)
    reconciled = try reader.varint()
    streams = try reader.varint()
    life = try reader.optional(flags, Flag.life)
    formerLives = try [UInt64](from: &reader)
    waiting = try [SyncEvent.Waiting](from: &reader)
    conflicts = try reader.table { (reader) throws(DecodingFailure) in
      (
        try SyncEvent.Place(from: &reader),
        Conflict(stamp: try HybridStamp(from: &reader), position: try reader.varint())
      )
    }
    credentialConflicts = try reader.table { (reader) throws(DecodingFailure) in
      (
        try AccountID(from: &reader),
        try SyncEvent.Conflict(
          from: &reader, as: try reader.flag() ? .syncConflictV2 : .syncConflict)
      )
    }
    told = try reader.table { (reader) throws(DecodingFailure) in
      let stream = try reader.text()
      let fields = try reader.table { (reader) throws(DecodingFailure) in
        (try reader.text(), try Image.Value(from: &reader))
      }
      return (stream, fields)
    }
    if flags & Flag.candidates != 0 {
      candidates = try reader.table { (reader) throws(DecodingFailure) in
        (try AccountID(from: &reader), try TokenCandidate(from: &reader))
      }
      guard !candidates.isEmpty else { throw reader.failure(.notCanonical) }
    }
    if flags & Flag.failure != 0 {
      failure = Failure(
        action: try reader.text(), code: try reader.text(),
        about: try reader.flag() ? try SyncEvent.Failed.About(from: &reader) : nil,
        at: try reader.time())
    }
  }
}
