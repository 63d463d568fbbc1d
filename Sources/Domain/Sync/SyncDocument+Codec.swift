// What nodes send each other: any build of a version must read it.

/// What is read of a document; more is no node's.
private enum Most {
  static let streams = 200_000
  static let fields = 16_384
  /// Of each list, each life of a node being one; more than are remembered, so that what is told can grow.
  static let authors = 1_024
  static let nameBytes = 512
  static let textBytes = 64 << 10
  static let streamBytes = 4 << 20
  /// Room for what is edited here in what a peer made as large as is read.
  static let ownFields = 64
  static let ownBytes = 1 << 20
  static let credentials = 200_000
  /// Values of the whole document, those in lists and records included: bounds what it takes in memory.
  static let values = 4_000_000
}

private let kind = "sync.document"

extension SyncDocument {
  /// How a document is written.
  public enum Format: UInt8, Sendable, Hashable, Comparable {
    case first = 1
    /// With what credentials stand on.
    case second = 2

    /// What this build writes for whoever can read it.
    public static let latest = Format.second

    /// By number.
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  }

  /// This value as one format has it; the latest one has all of it.
  public func encoded(as format: Format = .latest) -> [UInt8] {
    var writer = RecordWriter()
    writer.byte(format.rawValue)
    node.write(to: &writer)
    writer.time(clock)
    Self.write(streams, to: &writer)
    Self.write(credentials, as: format, to: &writer)
    return writer.bytes
  }

  /// All that nodes agree on, without who tells it and when: the same of nodes that hold the same.
  public func encodedIntent() -> [UInt8] {
    var writer = RecordWriter()
    Self.write(streams, to: &writer)
    return writer.bytes
  }

  /// The credentials in force alone.
  ///
  /// How far generations came of accounts that were removed is told with all else: who never had such an account has
  /// nothing to compare. What they stand on makes no difference where they are the same.
  public func encodedCredentials() -> [UInt8] {
    var writer = RecordWriter()
    Self.write(credentials.filter { $0.terms != nil }, as: .first, to: &writer)
    return writer.bytes
  }

  /// Reads what another node sent, which may be anything.
  ///
  /// - Throws: `DecodingFailure` for what no node writes: also another order, names that stand twice, and
  ///   more or longer values than a configuration has.
  public init(decoding bytes: [UInt8]) throws(DecodingFailure) {
    var reader = RecordReader(bytes[...], kind: kind)
    let format = try reader.one(of: Format.self)
    node = try NodeID(from: &reader)
    guard node.isNamed else { throw reader.failure(.invalidValue) }
    clock = try reader.time()
    streams = try Self.streams(&reader)
    credentials = try Self.credentials(&reader, format)
    try reader.end()
  }

  private static func write(_ streams: [Stream], to writer: inout RecordWriter) {
    writer.count(streams.count)
    for stream in streams { writer.data(stream.encoded) }
  }

  private static func write(
    _ credentials: [Holding], as format: Format, to writer: inout RecordWriter
  ) {
    writer.count(credentials.count)
    for it in credentials {
      it.account.write(to: &writer)
      writer.varint(it.version.homeEpoch)
      writer.varint(it.version.generation)
      it.home.write(to: &writer)
      if format >= .second { it.ancestry.write(to: &writer) }
      writer.flag(it.terms != nil)
      guard let terms = it.terms else { continue }
      writer.fingerprint(terms.fingerprint)
      writer.byte(terms.kind.rawValue)
      writer.flag(terms.canRefresh)
      writer.flag(terms.expiresAt != nil)
      if let end = terms.expiresAt { writer.time(end) }
    }
  }

  private static func streams(
    _ reader: inout RecordReader
  ) throws(DecodingFailure) -> [Stream] {
    let count = try reader.count()
    guard count <= Most.streams else { throw reader.failure(.invalidValue) }
    var streams: [Stream] = []
    var last: (rank: Int, stream: String)?
    var left = Most.values
    for _ in 0..<count {
      let bytes = try reader.data()
      guard bytes.count <= Most.streamBytes else { throw reader.failure(.invalidValue) }
      var inner = RecordReader(bytes[...], kind: kind)
      let stream = try Stream(from: &inner, &left)
      try inner.end()
      guard let subject = Subject(stream: stream.stream), subject.isShared,
        subject.stream == stream.stream, stream.fields.count <= subject.mostFields,
        !stream.fields.contains(where: subject.isOwn)
      else { throw reader.failure(.invalidValue) }
      let place = (subject.rank, stream.stream)
      if let last, last >= place { throw reader.failure(.notCanonical) }
      last = place
      streams.append(stream)
    }
    return streams
  }

  private static func credentials(
    _ reader: inout RecordReader, _ format: Format
  ) throws(DecodingFailure) -> [Holding] {
    let count = try reader.count()
    guard count <= Most.credentials else { throw reader.failure(.invalidValue) }
    var credentials: [Holding] = []
    for _ in 0..<count {
      let holding = try Holding(from: &reader, format)
      if let last = credentials.last, last.account >= holding.account {
        throw reader.failure(.notCanonical)
      }
      credentials.append(holding)
    }
    return credentials
  }
}

extension SyncDocument.Stream {
  fileprivate var encoded: [UInt8] {
    var writer = RecordWriter()
    writer.text(stream)
    writer.flag(isPresent)
    version.write(to: &writer)
    writer.count(fields.count)
    for field in fields {
      writer.text(field.name)
      field.value.write(to: &writer)
      field.version.write(to: &writer)
    }
    return writer.bytes
  }

  /// Whether it is near to what a node reads of one resource: nothing of a peer's is joined to it then, for what is
  /// joined has to be read by all others, with what operators here edit beside it.
  var isLarge: Bool {
    let most = Subject(stream: stream)?.mostFields ?? 0
    return fields.count > most - Most.ownFields || encoded.count > Most.streamBytes - Most.ownBytes
  }

  fileprivate init(from reader: inout RecordReader, _ left: inout Int) throws(DecodingFailure) {
    stream = try reader.name()
    isPresent = try reader.flag()
    version = try FieldVersion(told: &reader)
    fields = []
    let count = try reader.count()
    guard count <= Most.fields, isPresent || count == 0 else {
      throw reader.failure(.invalidValue)
    }
    for _ in 0..<count {
      let name = try reader.name()
      if let last = fields.last, last.name >= name { throw reader.failure(.notCanonical) }
      let value = try Image.Value(from: &reader)
      guard value.isBounded(&left) else { throw reader.failure(.invalidValue) }
      fields.append(.init(name: name, value: value, version: try FieldVersion(told: &reader)))
    }
  }
}

extension SyncDocument.Holding {
  fileprivate init(
    from reader: inout RecordReader, _ format: SyncDocument.Format
  ) throws(DecodingFailure) {
    account = AccountID(try reader.name())
    version = .init(homeEpoch: try reader.varint(), generation: try reader.varint())
    home = try NodeID(from: &reader)
    ancestry =
      format >= .second ? try Ancestry(from: &reader) : Ancestry(unnamed: version.generation)
    guard home.isNamed, version.generation > 0, ancestry.isWithin(version.generation) else {
      throw reader.failure(.invalidValue)
    }
    guard try reader.flag() else {
      terms = nil
      return
    }
    terms = CredentialTerms(
      fingerprint: try reader.fingerprint(), kind: try reader.one(of: Credential.Kind.self),
      canRefresh: try reader.flag(), expiresAt: try reader.flag() ? try reader.time() : nil)
  }
}

extension Ancestry {
  /// Nobody made what comes after it.
  fileprivate func isWithin(_ generation: UInt64) -> Bool {
    unnamed <= generation
      && made.allSatisfy { $0.key.isNamed && $0.value <= generation }
      && beaten.allSatisfy { $0.key.isNamed && $0.value <= generation }
  }
}

extension FieldVersion {
  fileprivate init(told reader: inout RecordReader) throws(DecodingFailure) {
    try self.init(from: &reader)
    let isOfNobody = stamp == .genesis && seen.isEmpty && beaten.isEmpty
    guard isOfNobody || stamp.author.isNamed else { throw reader.failure(.invalidValue) }
    for stamps in [seen, beaten] {
      let isInOrder = zip(stamps, stamps.dropFirst()).allSatisfy { $0.author < $1.author }
      guard stamps.count <= Most.authors, isInOrder, stamps.allSatisfy(\.author.isNamed) else {
        throw reader.failure(.invalidValue)
      }
    }
  }
}

extension Subject {
  /// Told of by no node: where it runs is each node's own.
  func isOwn(_ field: SyncDocument.Field) -> Bool { ownFields.contains(field.name) }

  /// Fewer than this are known of any resource; prices have one for each model.
  fileprivate var mostFields: Int { self == .pricing ? Most.fields : 256 }
}

extension NodeID {
  fileprivate var isNamed: Bool {
    (1...64).contains(rawValue.utf8.count)
      && rawValue.utf8.allSatisfy { (0x21...0x7E).contains($0) }
  }
}

extension EditAuthor {
  fileprivate var isNamed: Bool { node.isNamed }
}

extension RecordReader {
  fileprivate mutating func name() throws(DecodingFailure) -> String {
    let name = try text()
    guard (1...Most.nameBytes).contains(name.utf8.count) else { throw failure(.invalidValue) }
    return name
  }
}

extension Image.Value {
  fileprivate func isBounded(_ left: inout Int) -> Bool {
    left -= 1
    guard left >= 0 else { return false }
    switch self {
    case .none, .flag, .number, .time: return true
    case .text(let text): return text.utf8.count <= Most.textBytes
    case .list(let values):
      for value in values where !value.isBounded(&left) { return false }
      return true
    case .record(let members):
      for member in members {
        guard member.name.utf8.count <= Most.nameBytes, member.value.isBounded(&left) else {
          return false
        }
      }
      return true
    }
  }
}
