extension EditAuthor: Payload {
  func write(to writer: inout RecordWriter) { writer.text(rawValue) }

  init(from reader: inout RecordReader) throws(DecodingFailure) { self.init(try reader.text()) }
}

extension HybridStamp: Payload {
  // The turn is the upper half of what was the counter alone: nobody had made 65,536 edits at one time.
  func write(to writer: inout RecordWriter) {
    writer.time(time)
    (UInt32(turn) << 16 | UInt32(counter)).write(to: &writer)
    author.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    time = try reader.time()
    let both = try reader.uint32()
    turn = UInt16(both >> 16)
    counter = UInt16(truncatingIfNeeded: both)
    author = try EditAuthor(from: &reader)
  }
}

extension FieldVersion: Payload {
  func write(to writer: inout RecordWriter) {
    stamp.write(to: &writer)
    seen.write(to: &writer)
    beaten.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    self.init(
      stamp: try HybridStamp(from: &reader), seen: try [HybridStamp](from: &reader),
      beaten: try [HybridStamp](from: &reader))
  }
}

extension Image.Member: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(name)
    value.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    self.init(try reader.text(), try Image.Value(from: &reader))
  }
}

extension SyncEvent.Enabled: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(peer)
    writer.text(url)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    peer = try reader.text()
    url = try reader.text()
  }
}

extension SyncEvent.Disabled {
  /// The first version that can hold it.
  public var wireKind: WireKind { farewell == .told ? .syncDisabledV2 : .syncDisabled }

  func write(to writer: inout RecordWriter) {
    writer.text(peer)
    if wireKind == .syncDisabledV2 {
      writer.byte(farewell.rawValue)
    } else {
      writer.flag(farewell == .removed)
    }
  }

  init(from reader: inout RecordReader, as wireKind: WireKind) throws(DecodingFailure) {
    peer = try reader.text()
    farewell =
      wireKind == .syncDisabledV2
      ? try reader.one(of: SyncEvent.Farewell.self) : try reader.flag() ? .removed : .owed
    guard self.wireKind == wireKind else { throw reader.failure(.invalidValue) }
  }
}

extension SyncEvent.Exchanged {
  /// Of something that came: the first version that can hold it.
  public var receivedKind: WireKind { token == nil ? .syncReceived : .syncReceivedV2 }

  /// What went there came under no token of ours.
  func writePushed(to writer: inout RecordWriter) {
    writer.text(peer)
    writer.id(exchange)
    writer.varint(streams)
    writer.varint(credentials)
    writer.time(clock)
  }

  func writeReceived(to writer: inout RecordWriter) {
    writePushed(to: &writer)
    token?.write(to: &writer)
  }

  init(from reader: inout RecordReader, as wireKind: WireKind) throws(DecodingFailure) {
    peer = try reader.text()
    exchange = try reader.id()
    streams = try reader.varint()
    credentials = try reader.varint()
    clock = try reader.time()
    token = wireKind == .syncReceivedV2 ? try SyncTokenID(from: &reader) : nil
  }
}

extension SyncEvent.Reconciled {
  /// The kinds differ: the second one tells what changed, and why something waits.
  func write(to writer: inout RecordWriter) {
    writer.text(peer)
    writer.id(exchange)
    decisions.write(to: &writer)
    withheld.write(to: &writer)
    if isWhole {
      writer.count(waiting.count)
      for one in waiting { one.writePlace(to: &writer) }
    } else {
      writer.count(settled.count)
      for stream in settled { writer.text(stream) }
      waiting.write(to: &writer)
      arrived.write(to: &writer)
    }
    floors.write(to: &writer)
    writer.varint(streams)
  }

  init(from reader: inout RecordReader, isWhole: Bool) throws(DecodingFailure) {
    self.init(peer: try reader.text(), exchange: try reader.id(), isWhole: isWhole)
    decisions = try [SyncEvent.Decision](from: &reader)
    withheld = try [SyncEvent.Withheld](from: &reader)
    if isWhole {
      for _ in 0..<(try reader.count()) { waiting.append(try .init(placeFrom: &reader)) }
    } else {
      for _ in 0..<(try reader.count()) { settled.append(try reader.text()) }
      waiting = try [SyncEvent.Waiting](from: &reader)
      arrived = try [SyncEvent.Place](from: &reader)
    }
    floors = try [SyncEvent.Floor](from: &reader)
    streams = try reader.varint()
  }
}

extension SyncEvent.Reconciled {
  /// The same in events of which each fits: one after the other they tell what this one does.
  ///
  /// - Parameter bytes: of the parts of one event's lists; a single longer part stands alone.
  public func split(bytes most: Int) -> [SyncEvent.Reconciled] {
    var events: [SyncEvent.Reconciled] = []
    var event = SyncEvent.Reconciled(peer: peer, exchange: exchange, isWhole: isWhole)
    var size = 0
    func put(_ part: some Payload, _ take: (inout SyncEvent.Reconciled) -> Void) {
      var writer = RecordWriter()
      part.write(to: &writer)
      if size > 0, size + writer.bytes.count > most {
        events.append(event)
        event = SyncEvent.Reconciled(peer: peer, exchange: exchange, isWhole: isWhole)
        size = 0
      }
      take(&event)
      size += writer.bytes.count
    }
    for one in decisions { put(one) { $0.decisions.append(one) } }
    for one in withheld { put(one) { $0.withheld.append(one) } }
    for one in settled { put(SyncEvent.Place(stream: one, field: "")) { $0.settled.append(one) } }
    for one in waiting { put(one) { $0.waiting.append(one) } }
    for one in arrived { put(one) { $0.arrived.append(one) } }
    for one in floors { put(one) { $0.floors.append(one) } }
    event.streams = streams
    return events + [event]
  }
}

extension SyncEvent.Place: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(stream)
    writer.text(field)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    self.init(stream: try reader.text(), field: try reader.text())
  }
}

extension SyncEvent.Decision: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(stream)
    writer.text(field)
    ours.write(to: &writer)
    theirs.write(to: &writer)
    writer.flag(base != nil)
    base?.write(to: &writer)
    version.write(to: &writer)
    writer.byte(winner.rawValue)
    writer.byte(rule.rawValue)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    stream = try reader.text()
    field = try reader.text()
    ours = try Image.Value(from: &reader)
    theirs = try Image.Value(from: &reader)
    base = try reader.flag() ? try HybridStamp(from: &reader) : nil
    version = try FieldVersion(from: &reader)
    winner = try reader.one(of: SyncEvent.Winner.self)
    rule = try reader.one(of: SyncEvent.Rule.self)
  }
}

extension SyncEvent.Withheld: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(stream)
    writer.flag(isPresent != nil)
    isPresent?.write(to: &writer)
    fields.write(to: &writer)
    writer.text(reason)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    stream = try reader.text()
    isPresent = try reader.flag() ? try reader.flag() : nil
    fields = try [Image.Member](from: &reader)
    reason = try reader.text()
  }
}

extension SyncEvent.Waiting: Payload {
  func write(to writer: inout RecordWriter) {
    writePlace(to: &writer)
    writer.text(reason)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    try self.init(placeFrom: &reader)
    reason = try reader.text()
  }

  /// As it was written before anything waited for another reason than its clock.
  fileprivate func writePlace(to writer: inout RecordWriter) {
    writer.text(stream)
    writer.text(field)
    stamp.write(to: &writer)
  }

  fileprivate init(placeFrom reader: inout RecordReader) throws(DecodingFailure) {
    self.init(
      stream: try reader.text(), field: try reader.text(), stamp: try HybridStamp(from: &reader))
  }
}

extension SyncEvent.Floor: Payload {
  func write(to writer: inout RecordWriter) {
    account.write(to: &writer)
    writer.varint(version.homeEpoch)
    writer.varint(version.generation)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    account = try AccountID(from: &reader)
    version = .init(homeEpoch: try reader.varint(), generation: try reader.varint())
  }
}

extension SyncEvent.Conflict {
  /// The first version that can hold it: who gave way, and what of, needs the second.
  public var wireKind: WireKind {
    theirs != nil && lost == nil && rival == nil ? .syncConflict : .syncConflictV2
  }

  private enum Flag {
    static let theirs: UInt64 = 1 << 0
    static let lost: UInt64 = 1 << 1
    static let origin: UInt64 = 1 << 2
    static let rival: UInt64 = 1 << 3
    static let all: UInt64 = 0b1111
  }

  func write(to writer: inout RecordWriter) {
    let isSecond = wireKind == .syncConflictV2
    if isSecond {
      writer.varint(
        Flag.theirs.when(theirs != nil) | Flag.lost.when(lost != nil)
          | Flag.origin.when(lost?.origin != nil) | Flag.rival.when(rival != nil))
    }
    writer.text(peer)
    account.write(to: &writer)
    writer.varint(homeEpoch)
    writer.varint(generation)
    writer.fingerprint(ours)
    if let theirs { writer.fingerprint(theirs) }
    guard isSecond else { return }
    if let lost { writer.byte(lost.whose.rawValue) }
    if let origin = lost?.origin {
      origin.author.write(to: &writer)
      writer.varint(origin.generation)
    }
    rival?.write(to: &writer)
  }

  init(from reader: inout RecordReader, as wireKind: WireKind) throws(DecodingFailure) {
    let flags = wireKind == .syncConflictV2 ? try reader.flags(known: Flag.all) : Flag.theirs
    peer = try reader.text()
    account = try AccountID(from: &reader)
    homeEpoch = try reader.varint()
    generation = try reader.varint()
    ours = try reader.fingerprint()
    theirs = flags & Flag.theirs == 0 ? nil : try reader.fingerprint()
    lost = nil
    if flags & Flag.lost != 0 {
      lost = Lost(whose: try reader.one(of: SyncEvent.Winner.self), origin: nil)
    }
    if flags & Flag.origin != 0 {
      lost?.origin = .init(
        author: try EditAuthor(from: &reader), generation: try reader.varint())
    }
    rival = try reader.optional(flags, Flag.rival)
    // What the first version can hold is written as that, and a maker is of what was lost.
    guard self.wireKind == wireKind, lost != nil || flags & Flag.origin == 0 else {
      throw reader.failure(.invalidValue)
    }
  }
}

extension SyncEvent.LifeBegan: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(peer)
    writer.varint(incarnation)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    peer = try reader.text()
    incarnation = try reader.varint()
  }
}

extension SyncEvent.Failed {
  /// The first version that can hold it.
  public var wireKind: WireKind { about == nil ? .syncFailed : .syncFailedV2 }

  func write(to writer: inout RecordWriter) {
    writer.text(peer)
    writer.text(action)
    writer.text(code)
    about?.write(to: &writer)
  }

  init(from reader: inout RecordReader, as wireKind: WireKind) throws(DecodingFailure) {
    peer = try reader.text()
    action = try reader.text()
    code = try reader.text()
    about = wireKind == .syncFailedV2 ? try About(from: &reader) : nil
  }
}

extension SyncEvent.Failed.About: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(stream)
    writer.text(field)
    writer.flag(counts != nil)
    if let counts {
      writer.varint(counts.told)
      writer.varint(counts.before)
    }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    stream = try reader.text()
    field = try reader.text()
    counts =
      try reader.flag() ? .init(told: try reader.varint(), before: try reader.varint()) : nil
  }
}

extension SyncEvent.Forgotten: Payload {
  func write(to writer: inout RecordWriter) { writer.text(peer) }

  init(from reader: inout RecordReader) throws(DecodingFailure) { peer = try reader.text() }
}
