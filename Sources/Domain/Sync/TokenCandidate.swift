// Tokens of a system of the older protocol that nobody here knows: kept until a test says whether they work.

extension SyncEvent {
  /// The other system uses a token for an account that none of its last generations here was.
  ///
  /// It is the event's sealed part, and in force only if a test passes.
  public struct CandidateKept: Sendable, Hashable {
    /// The other system's name.
    public var peer: String
    /// Whose token it is there.
    public var account: AccountID
    /// Of the credential in force here when it came.
    public var version: Credential.Version
    /// Of what is sent upstream.
    public var fingerprint: Fingerprint
    /// What it is.
    public var kind: Credential.Kind
    /// When it stops working, as told there; nil: not known.
    public var expiresAt: UnixNanoseconds?

    /// Made of its parts.
    public init(
      peer: String, account: AccountID, version: Credential.Version, fingerprint: Fingerprint,
      kind: Credential.Kind, expiresAt: UnixNanoseconds?
    ) {
      self.peer = peer
      self.account = account
      self.version = version
      self.fingerprint = fingerprint
      self.kind = kind
      self.expiresAt = expiresAt
    }
  }

  /// Such a token is not in force.
  public struct CandidateRefused: Sendable, Hashable {
    /// The other system's name.
    public var peer: String
    /// Whose token it is there.
    public var account: AccountID
    /// Of the credential in force here when it came.
    public var version: Credential.Version
    /// Of what is sent upstream.
    public var fingerprint: Fingerprint
    /// As a stable word; never the provider's text.
    public var code: String
    /// False: nobody knows yet whether it works, and it is tested again.
    public var isFinal: Bool

    /// Made of its parts.
    public init(
      peer: String, account: AccountID, version: Credential.Version, fingerprint: Fingerprint,
      code: String, isFinal: Bool
    ) {
      self.peer = peer
      self.account = account
      self.version = version
      self.fingerprint = fingerprint
      self.code = code
      self.isFinal = isFinal
    }
  }
}

/// The token that a system of the older protocol told last of those that nobody here knows.
public struct TokenCandidate: Sendable, Hashable {
  /// Of the credential in force here when it came; with another one in force, it is an older one.
  public internal(set) var version: Credential.Version
  /// Of what is sent upstream.
  public internal(set) var fingerprint: Fingerprint
  /// What it is.
  public internal(set) var kind: Credential.Kind
  /// When it stops working; nil: not known.
  public internal(set) var expiresAt: UnixNanoseconds?
  /// Of the event whose sealed part it is; nil: it was refused as it came, and not kept.
  public internal(set) var position: UInt64?
  /// Why it is not in force; nil: it was not tested yet.
  public internal(set) var code: String?
  /// Nothing more is done about it.
  public internal(set) var isRefused: Bool

  init(_ it: SyncEvent.CandidateKept, position: UInt64) {
    version = it.version
    fingerprint = it.fingerprint
    kind = it.kind
    expiresAt = it.expiresAt
    self.position = position
    isRefused = false
  }

  init(_ it: SyncEvent.CandidateRefused) {
    version = it.version
    fingerprint = it.fingerprint
    kind = .token
    code = it.code
    isRefused = it.isFinal
  }
}

extension ControlState {
  /// Tokens that a peer told and that are to be tested: those that never were come first, then by account.
  public func candidates(of peer: String) -> [(account: AccountID, candidate: TokenCandidate)] {
    (sync.peers[peer]?.candidates ?? [:])
      .filter { id, candidate in
        guard let credential = accounts[id]?.credential else { return false }
        return !candidate.isRefused && candidate.position != nil && credential.attempt == nil
          && candidate.version == credential.version
      }
      .sorted { ($0.value.code == nil ? 0 : 1, $0.key) < ($1.value.code == nil ? 0 : 1, $1.key) }
      .map { ($0.key, $0.value) }
  }
}

extension SyncPeer {
  mutating func take(_ it: SyncEvent.CandidateKept, position: UInt64) {
    candidates[it.account] = TokenCandidate(it, position: position)
  }

  mutating func take(_ it: SyncEvent.CandidateRefused) {
    guard let known = candidates[it.account], known.fingerprint == it.fingerprint,
      known.version == it.version
    else {
      candidates[it.account] = TokenCandidate(it)
      return
    }
    candidates[it.account]?.code = it.code
    candidates[it.account]?.isRefused = known.isRefused || it.isFinal
  }
}

// MARK: Encodings

extension SyncEvent.CandidateKept: Payload {
  private static let hasEnd: UInt64 = 1

  func write(to writer: inout RecordWriter) {
    writer.varint(Self.hasEnd.when(expiresAt != nil))
    writer.text(peer)
    account.write(to: &writer)
    writer.varint(version.homeEpoch)
    writer.varint(version.generation)
    writer.fingerprint(fingerprint)
    writer.byte(kind.rawValue)
    expiresAt?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Self.hasEnd)
    peer = try reader.text()
    account = try AccountID(from: &reader)
    version = .init(homeEpoch: try reader.varint(), generation: try reader.varint())
    fingerprint = try reader.fingerprint()
    kind = try reader.one(of: Credential.Kind.self)
    expiresAt = try reader.optional(flags, Self.hasEnd)
  }
}

extension SyncEvent.CandidateRefused: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(peer)
    account.write(to: &writer)
    writer.varint(version.homeEpoch)
    writer.varint(version.generation)
    writer.fingerprint(fingerprint)
    writer.text(code)
    writer.flag(isFinal)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    peer = try reader.text()
    account = try AccountID(from: &reader)
    version = .init(homeEpoch: try reader.varint(), generation: try reader.varint())
    fingerprint = try reader.fingerprint()
    code = try reader.text()
    isFinal = try reader.flag()
  }
}

// Part of the snapshot's encoding: may change with any build.
extension TokenCandidate: Payload {
  private enum Flag {
    static let expiresAt: UInt64 = 1 << 0
    static let position: UInt64 = 1 << 1
    static let code: UInt64 = 1 << 2
    static let isRefused: UInt64 = 1 << 3
    static let all: UInt64 = 0b1111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.expiresAt.when(expiresAt != nil) | Flag.position.when(position != nil)
        | Flag.code.when(code != nil) | Flag.isRefused.when(isRefused))
    writer.varint(version.homeEpoch)
    writer.varint(version.generation)
    writer.fingerprint(fingerprint)
    writer.byte(kind.rawValue)
    expiresAt?.write(to: &writer)
    if let position { writer.varint(position) }
    if let code { writer.text(code) }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    version = .init(homeEpoch: try reader.varint(), generation: try reader.varint())
    fingerprint = try reader.fingerprint()
    kind = try reader.one(of: Credential.Kind.self)
    expiresAt = try reader.optional(flags, Flag.expiresAt)
    position = flags & Flag.position != 0 ? try reader.varint() : nil
    code = flags & Flag.code != 0 ? try reader.text() : nil
    isRefused = flags & Flag.isRefused != 0
  }
}
