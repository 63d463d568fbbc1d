/// Nanoseconds since the Unix epoch.
///
/// Made at the edge, never read inside Domain.
public struct UnixNanoseconds: RawRepresentable, Hashable, Comparable, Sendable {
  /// The number itself; negative before 1970.
  public let rawValue: Int64

  /// Wraps the raw value as it is.
  public init(rawValue: Int64) { self.rawValue = rawValue }
  /// Wraps the raw value as it is.
  public init(_ rawValue: Int64) { self.rawValue = rawValue }

  /// In the order of the raw values.
  public static func < (a: UnixNanoseconds, b: UnixNanoseconds) -> Bool { a.rawValue < b.rawValue }
}

/// An upstream service's name: 1…64 of `a-z A-Z 0-9 . _ -`.
public struct ProviderID: RawRepresentable, Hashable, Comparable, Sendable {
  /// The text itself.
  public let rawValue: String
  /// Wraps the raw value as it is.
  public init(rawValue: String) { self.rawValue = rawValue }
  /// Wraps the raw value as it is.
  public init(_ rawValue: String) { self.rawValue = rawValue }
  /// In the order of the raw values.
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A credential holder at a provider: an opaque id, unique over all providers.
public struct AccountID: RawRepresentable, Hashable, Comparable, Sendable {
  /// The text itself.
  public let rawValue: String
  /// Wraps the raw value as it is.
  public init(rawValue: String) { self.rawValue = rawValue }
  /// Wraps the raw value as it is.
  public init(_ rawValue: String) { self.rawValue = rawValue }
  /// In the order of the raw values.
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A client's API key, by its public id; never the key itself.
public struct KeyID: RawRepresentable, Hashable, Comparable, Sendable {
  /// The text itself.
  public let rawValue: String
  /// Wraps the raw value as it is.
  public init(rawValue: String) { self.rawValue = rawValue }
  /// Wraps the raw value as it is.
  public init(_ rawValue: String) { self.rawValue = rawValue }
  /// In the order of the raw values.
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// The tenant that keys belong to.
public struct OrganisationID: RawRepresentable, Hashable, Comparable, Sendable {
  /// The text itself.
  public let rawValue: String
  /// Wraps the raw value as it is.
  public init(rawValue: String) { self.rawValue = rawValue }
  /// Wraps the raw value as it is.
  public init(_ rawValue: String) { self.rawValue = rawValue }
  /// In the order of the raw values.
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

  /// Where keys without an organisation of their own belong.
  public static let standard = OrganisationID("default")
}

/// One data directory's life among others that it may be synced with: 1…64 visible ASCII, random at its first start.
public struct NodeID: RawRepresentable, Hashable, Comparable, Sendable {
  /// The text itself.
  public let rawValue: String
  /// Wraps the raw value as it is.
  public init(rawValue: String) { self.rawValue = rawValue }
  /// Wraps the raw value as it is.
  public init(_ rawValue: String) { self.rawValue = rawValue }
  /// In the order of the raw values.
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A token that another node shows when it exchanges with this one, by its public id: 1…32 of `a-z A-Z 0-9`.
public struct SyncTokenID: RawRepresentable, Hashable, Comparable, Sendable {
  /// The text itself.
  public let rawValue: String
  /// Wraps the raw value as it is.
  public init(rawValue: String) { self.rawValue = rawValue }
  /// Wraps the raw value as it is.
  public init(_ rawValue: String) { self.rawValue = rawValue }
  /// In the order of the raw values.
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A request's id as the gateway minted it (UUIDv7).
public struct RequestID: RawRepresentable, Hashable, Comparable, Sendable {
  /// The 128 bits, big-endian in records and texts.
  public let rawValue: UInt128
  /// Wraps the raw value as it is.
  public init(rawValue: UInt128) { self.rawValue = rawValue }
  /// Wraps the raw value as it is.
  public init(_ rawValue: UInt128) { self.rawValue = rawValue }
  /// In the order of the raw values.
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// HMAC-SHA256 of a secret under the store's fingerprint key: tells two secrets apart, reveals neither.
public struct Fingerprint: RawRepresentable, Hashable, Sendable {
  /// How long every fingerprint is, in bytes.
  public static let byteCount = 32

  /// 32 bytes.
  public let rawValue: [UInt8]

  /// - Precondition: `rawValue` has 32 bytes.
  public init(rawValue: [UInt8]) { self.init(rawValue) }

  /// - Precondition: `rawValue` has 32 bytes.
  public init(_ rawValue: [UInt8]) {
    precondition(rawValue.count == Self.byteCount, "a fingerprint has 32 bytes")
    self.rawValue = rawValue
  }
}

/// The wire dialect an upstream speaks.
public enum UpstreamProtocol: UInt8, Sendable, Hashable, CaseIterable {
  case openai = 1
  case anthropic = 2
  case gemini = 3

  /// As written in configuration and answers.
  public var name: String {
    switch self {
    case .openai: "openai"
    case .anthropic: "anthropic"
    case .gemini: "gemini"
    }
  }
}

/// Through which door a change came.
public enum Source: UInt8, Sendable, Hashable, CaseIterable {
  case api = 1
  case cli = 2
  case file = 3
  case peer = 4
  case system = 5

  /// As written in answers.
  public var name: String {
    switch self {
    case .api: "api"
    case .cli: "cli"
    case .file: "file"
    case .peer: "peer"
    case .system: "system"
    }
  }
}

/// Who caused an event, through which door and because of what.
public struct Provenance: Sendable, Hashable {
  /// `admin`, `local:<uid>`, `key:<id>`, `system`; at most 128 bytes.
  public var actor: String
  /// Through which door it came.
  public var source: Source
  /// The client's address, `host:port`, where there is one.
  public var address: String?
  /// The event or request that led to this one.
  public var cause: UInt128?
  /// What everything of one operation shares (usually the request id).
  public var correlation: UInt128?
  /// The stream revision that the author based a change on; nil: `base: none`.
  public var base: UInt64?

  /// Made of its parts; what is left out is not known.
  public init(
    actor: String, source: Source, address: String? = nil, cause: UInt128? = nil,
    correlation: UInt128? = nil, base: UInt64? = nil
  ) {
    self.actor = actor
    self.source = source
    self.address = address
    self.cause = cause
    self.correlation = correlation
    self.base = base
  }

  /// The gateway itself.
  public static let system = Provenance(actor: "system", source: .system)
}
