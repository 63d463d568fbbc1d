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
  /// Whose it is: what another one says under it is refused; nil: its who first proves it.
  public var node: NodeID?
  /// When it last brought something, or was first proven; nil: neither is in the log.
  public var usedAt: UnixNanoseconds?
  /// What was last refused under it.
  public var refusal: Refused?
  /// When it stopped being accepted, for ever; nil: it is accepted.
  public var revokedAt: UnixNanoseconds?
  /// Of `sync-token/<id>`.
  public var revision: UInt64
  /// When it was issued.
  public var createdAt: UnixNanoseconds
  /// When it was last changed.
  public var updatedAt: UnixNanoseconds

  /// Somebody proved to hold the token and was not let in with it.
  public struct Refused: Sendable, Hashable {
    /// What it called itself.
    public var node: NodeID
    /// Why, as a stable word.
    public var code: String
    /// When that was noted.
    public var at: UnixNanoseconds
  }
}

/// Facts in `sync-token/<id>`.
public enum SyncTokenEvent: Sendable, Hashable {
  /// The key derived from the token is the event's sealed part.
  case issued(Issued)
  /// It is accepted no more; there is no way back.
  case revoked(SyncTokenID)
  /// It is one node's from now on.
  case bound(Bound)
  /// Somebody proved to hold it and was not let in with it.
  case refused(Refused)

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

  /// A token belongs to a node, for as long as it is accepted.
  public struct Bound: Sendable, Hashable {
    /// The public part of the token.
    public var id: SyncTokenID
    /// Whose it is.
    public var node: NodeID
    /// It was the first one to prove it; false: an operator made it for that node.
    public var isProven: Bool

    /// Made of its parts.
    public init(id: SyncTokenID, node: NodeID, isProven: Bool) {
      self.id = id
      self.node = node
      self.isProven = isProven
    }
  }

  /// A message that opened under the token, of somebody it does not belong to.
  public struct Refused: Sendable, Hashable {
    /// The public part of the token.
    public var id: SyncTokenID
    /// What the sender called itself: 1…64 visible ASCII characters.
    public var node: NodeID
    /// Why, as a stable word.
    public var code: String

    /// Made of its parts.
    public init(id: SyncTokenID, node: NodeID, code: String) {
      self.id = id
      self.node = node
      self.code = code
    }
  }

  /// Which token the fact is about.
  public var id: SyncTokenID {
    switch self {
    case .issued(let it): it.id
    case .revoked(let id): id
    case .bound(let it): it.id
    case .refused(let it): it.id
    }
  }
}

/// What can be asked of a sync token.
public enum SyncTokenCommand: Sendable, Hashable {
  /// The derived key travels in the event's sealed part.
  case issue(SyncTokenEvent.Issued)
  /// Repeating it changes nothing.
  case revoke(SyncTokenID)
  /// Repeating it changes nothing; a token of another node stays that one's.
  case bind(SyncTokenEvent.Bound)
  /// That somebody was not let in with it.
  case refuse(SyncTokenEvent.Refused)

  /// Which token is meant.
  public var id: SyncTokenID {
    switch self {
    case .issue(let it): it.id
    case .revoke(let id): id
    case .bind(let it): it.id
    case .refuse(let it): it.id
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
  /// From one refusal on record to the next of the same token, in nanoseconds: 1 h.
  static let betweenRefusals: Int64 = 3_600_000_000_000

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
    case .bind(let it):
      guard let token = tokens[it.id] else { throw unknown(it.id) }
      guard 1...64 ~= it.node.rawValue.utf8.count,
        it.node.rawValue.utf8.allSatisfy({ 0x21...0x7E ~= $0 })
      else {
        throw .invalid(
          "node", it.node.rawValue, "node must be 1 to 64 visible ASCII characters",
          remedy: "Take the node's name from its `signalbox sync status`.")
      }
      guard token.revokedAt == nil else {
        throw Refusal(
          code: .notActive, field: "id", value: it.id.rawValue, message: "the token is revoked",
          remedy: "Issue another one.")
      }
      guard let node = token.node else { return [.bound(it)] }
      guard node == it.node else {
        throw .invalid(
          "node", it.node.rawValue, "the token is another node's",
          remedy: "Issue one for this node.")
      }
      return []
    case .refuse(let it):
      guard tokens[it.id] != nil else { throw unknown(it.id) }
      return [.refused(it)]
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
        id: it.id, name: it.name, fingerprint: it.fingerprint, position: position, node: nil,
        usedAt: nil, refusal: nil, revokedAt: nil, revision: revision, createdAt: time,
        updatedAt: time)
    case .revoked:
      if token?.revokedAt == nil { token?.revokedAt = time }
      token?.revision = revision
      token?.updatedAt = time
    case .bound(let it):
      token?.node = it.node
      if it.isProven { token?.usedAt = time }
      token?.revision = revision
      token?.updatedAt = time
    case .refused(let it):
      token?.refusal = .init(node: it.node, code: it.code, at: time)
      token?.revision = revision
    }
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case _: false
    }
  }
}

extension ControlState {
  /// What is to be noted of a node that proved to hold a token; nil: nothing is new.
  ///
  /// A token is one node's, and a node has one token, unless an operator made it another: whose a message is follows
  /// from the token, never from the name alone.
  ///
  /// - Throws: `SyncRefusal` where it may not be let in with that token.
  public func claim(
    _ id: SyncTokenID, by node: NodeID
  ) throws(SyncRefusal) -> SyncTokenEvent.Bound? {
    guard node != sync.node else { throw .sameNode }
    guard let token = syncTokens[id] else { throw .tokenOfAnother }
    guard token.node ?? node == node else { throw .tokenOfAnother }
    guard sync.hasRoom(for: node.rawValue) else { throw .tooManyPeers }
    guard token.node == nil else { return nil }
    let isTaken = syncTokens.values.contains { $0.node == node && $0.revokedAt == nil }
    guard !isTaken else { throw .nameTaken }
    return .init(id: id, node: node, isProven: true)
  }

  /// What is to be noted of one that was not let in; nil: it was noted before, or something else within the hour.
  public func refusing(
    _ refused: SyncTokenEvent.Refused, now: UnixNanoseconds
  ) -> SyncTokenEvent.Refused? {
    guard let token = syncTokens[refused.id] else { return nil }
    guard let last = token.refusal else { return refused }
    guard last.node != refused.node || last.code != refused.code else { return nil }
    // Whoever has a token has as many names as it likes.
    let age = now.rawValue.subtractingReportingOverflow(last.at.rawValue)
    return age.overflow || age.partialValue >= SyncToken.betweenRefusals || age.partialValue < 0
      ? refused : nil
  }
}
