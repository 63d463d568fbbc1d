/// Facts in `access`: who signed in to administer, and who was not let in.
public enum AccessEvent: Sendable, Hashable {
  case loginSucceeded(LoginSucceeded)
  case loginRefused(LoginRefused)
  case sessionRevoked(SessionRevoked)
  /// Every session opened before this event is over.
  case allSessionsRevoked

  /// A session began.
  public struct LoginSucceeded: Sendable, Hashable {
    /// The session's public id; not what opens it.
    public var session: UInt128
    /// When it ends by itself.
    public var expiresAt: UnixNanoseconds

    /// Made of its parts.
    public init(session: UInt128, expiresAt: UnixNanoseconds) {
      self.session = session
      self.expiresAt = expiresAt
    }
  }

  /// Attempts from one address that were refused.
  public struct LoginRefused: Sendable, Hashable {
    /// As a stable word: `wrong_password`, `locked`; 1…64 bytes.
    public var reason: String
    /// How many, since the last such event of the address.
    public var count: UInt64

    /// Made of its parts.
    public init(reason: String, count: UInt64) {
      self.reason = reason
      self.count = count
    }
  }

  /// A session is over before its time.
  public struct SessionRevoked: Sendable, Hashable {
    /// Its public id.
    public var session: UInt128
    /// When it would have ended by itself.
    public var expiresAt: UnixNanoseconds

    /// Made of its parts.
    public init(session: UInt128, expiresAt: UnixNanoseconds) {
      self.session = session
      self.expiresAt = expiresAt
    }
  }
}

/// What must be known to tell whether a session still holds.
public struct AccessState: Sendable, Hashable {
  /// Sessions that are over before their time, with the time after which nobody need remember them.
  public var revoked: [UInt128: UnixNanoseconds]
  /// Sessions opened at or before this are over; nil: none was ended that way.
  public var revokedThrough: UnixNanoseconds?

  /// Nobody was ever signed out.
  public static let initial = AccessState(revoked: [:], revokedThrough: nil)

  /// Made of its parts.
  public init(revoked: [UInt128: UnixNanoseconds], revokedThrough: UnixNanoseconds?) {
    self.revoked = revoked
    self.revokedThrough = revokedThrough
  }

  /// Takes in a fact; total.
  mutating func evolve(_ event: AccessEvent, time: UnixNanoseconds) {
    switch event {
    case .loginSucceeded, .loginRefused: return
    case .sessionRevoked(let it):
      revoked = revoked.filter { time < $0.value }
      revoked[it.session] = it.expiresAt
    case .allSessionsRevoked:
      revoked = [:]
      revokedThrough = time
    }
  }
}

/// What is to be noted about signing in and out; nothing of it can be refused.
public enum AccessCommand: Sendable, Hashable {
  case note(AccessEvent)
}

extension AccessEvent.LoginSucceeded: Payload {
  func write(to writer: inout RecordWriter) {
    session.write(to: &writer)
    writer.time(expiresAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    session = try reader.id()
    expiresAt = try reader.time()
  }
}

extension AccessEvent.LoginRefused: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(reason)
    writer.varint(count)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    reason = try reader.text()
    count = try reader.varint()
  }
}

extension AccessEvent.SessionRevoked: Payload {
  func write(to writer: inout RecordWriter) {
    session.write(to: &writer)
    writer.time(expiresAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    session = try reader.id()
    expiresAt = try reader.time()
  }
}
