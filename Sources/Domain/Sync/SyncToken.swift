/// What lets another node exchange with this one; its secret is sealed, and the token itself kept nowhere.
public struct SyncToken: Sendable, Hashable {
  /// The public part of the token.
  public var id: SyncTokenID
  /// For people: 1…128 visible characters.
  public var name: String
  /// Of the key that was derived from the token.
  public var fingerprint: Fingerprint
  /// Position of the event whose sealed part holds that key.
  public var position: UInt64
  /// When it stopped being accepted, for ever; nil: it is accepted.
  public var revokedAt: UnixNanoseconds?
  /// Of `sync-token/<id>`.
  public var revision: UInt64
  /// When it was issued.
  public var createdAt: UnixNanoseconds
  /// When it was last changed.
  public var updatedAt: UnixNanoseconds
}

/// Facts in `sync-token/<id>`.
public enum SyncTokenEvent: Sendable, Hashable {
  /// The key derived from the token is the event's sealed part.
  case issued(Issued)
  /// It is accepted no more; there is no way back.
  case revoked(SyncTokenID)

  /// A token was made and shown once.
  public struct Issued: Sendable, Hashable {
    /// The public part of the token.
    public var id: SyncTokenID
    /// For people.
    public var name: String
    /// Of the key that was derived from it.
    public var fingerprint: Fingerprint

    /// Made of its parts.
    public init(id: SyncTokenID, name: String, fingerprint: Fingerprint) {
      self.id = id
      self.name = name
      self.fingerprint = fingerprint
    }
  }

  /// Which token the fact is about.
  public var id: SyncTokenID {
    switch self {
    case .issued(let it): it.id
    case .revoked(let id): id
    }
  }
}

/// What can be asked of a sync token.
public enum SyncTokenCommand: Sendable, Hashable {
  /// The derived key travels in the event's sealed part.
  case issue(SyncTokenEvent.Issued)
  /// Repeating it changes nothing.
  case revoke(SyncTokenID)

  /// Which token is meant.
  public var id: SyncTokenID {
    switch self {
    case .issue(let it): it.id
    case .revoke(let id): id
    }
  }
}

extension SyncTokenID {
  /// The token's stream.
  public var stream: String { "sync-token/" + rawValue }
}

extension SyncToken {
  /// Accepted at once: more would only be ones that nobody took back.
  static let most = 64

  static func unknown(_ id: SyncTokenID) -> Refusal {
    Refusal(
      code: .unknownSyncToken, field: "id", value: Refusal.bounded(id.rawValue),
      message: "there is no such sync token")
  }

  /// The rules of sync tokens.
  static func decide(
    _ command: SyncTokenCommand, _ tokens: [SyncTokenID: SyncToken]
  ) throws(Refusal) -> [SyncTokenEvent] {
    switch command {
    case .issue(let it):
      let id = it.id.rawValue.utf8
      guard 1...32 ~= id.count, id.allSatisfy(isLetterOrDigit) else {
        throw .invalid("id", it.id.rawValue, "id must be 1 to 32 of a-z A-Z 0-9")
      }
      try Bounds.label(it.name, "name", most: 128)
      guard tokens[it.id] == nil else {
        throw Refusal(
          code: .alreadyExists, field: "id", value: it.id.rawValue,
          message: "there is a sync token of this id")
      }
      guard tokens.values.count(where: { $0.revokedAt == nil }) < most else {
        throw .invalid(
          "name", it.name, "\(most) sync tokens are in use", remedy: "Revoke one that nobody uses.")
      }
      return [.issued(it)]
    case .revoke(let id):
      guard let token = tokens[id] else { throw unknown(id) }
      return token.revokedAt == nil ? [.revoked(id)] : []
    }
  }

  /// Takes in a fact; total.
  static func evolve(
    _ token: inout SyncToken?, _ event: SyncTokenEvent, revision: UInt64, position: UInt64,
    time: UnixNanoseconds
  ) {
    switch event {
    case .issued(let it):
      token = SyncToken(
        id: it.id, name: it.name, fingerprint: it.fingerprint, position: position, revokedAt: nil,
        revision: revision, createdAt: time, updatedAt: time)
    case .revoked:
      if token?.revokedAt == nil { token?.revokedAt = time }
      token?.revision = revision
      token?.updatedAt = time
    }
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case _: false
    }
  }
}

// MARK: Encodings

extension SyncTokenID: Payload {
  func write(to writer: inout RecordWriter) { writer.text(rawValue) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self.init(try reader.text()) }
}

extension SyncTokenEvent.Issued: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    writer.text(name)
    writer.fingerprint(fingerprint)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try SyncTokenID(from: &reader)
    name = try reader.text()
    fingerprint = try reader.fingerprint()
  }
}

extension SyncToken: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    writer.text(name)
    writer.fingerprint(fingerprint)
    writer.varint(position)
    writer.flag(revokedAt != nil)
    revokedAt?.write(to: &writer)
    writer.varint(revision)
    writer.time(createdAt)
    writer.time(updatedAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try SyncTokenID(from: &reader)
    name = try reader.text()
    fingerprint = try reader.fingerprint()
    position = try reader.varint()
    revokedAt = try reader.flag() ? try reader.time() : nil
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}
