import ConfigFile
import Crypto

/// All that is kept of a credential: what is sent upstream, and what brings the next one.
///
/// Sealed as one. Providers answer a refresh with some of it; what they leave out stays.
public struct CredentialMaterial: Sendable, Hashable {
  /// Sent upstream: an API key or an access token.
  public var access: Secret
  /// Presented for the next access token; nil: there is none.
  public var refresh: Secret?
  /// What the provider said of whom it is about; nil: nothing.
  public var identity: Secret?
  /// A provider's own fields by their names.
  public var extra: [String: Secret]

  /// Made of its parts.
  public init(
    access: Secret, refresh: Secret? = nil, identity: Secret? = nil, extra: [String: Secret] = [:]
  ) {
    self.access = access
    self.refresh = refresh
    self.identity = identity
    self.extra = extra
  }

  /// Nothing but what is sent upstream: sealed as just that, as API keys always were.
  public var isBare: Bool { refresh == nil && identity == nil && extra.isEmpty }

  /// The same with what a provider gave anew; what it did not give stays.
  public func merging(_ newer: CredentialMaterial) -> CredentialMaterial {
    CredentialMaterial(
      access: newer.access, refresh: newer.refresh ?? refresh,
      identity: newer.identity ?? identity, extra: extra.merging(newer.extra) { $1 })
  }

  /// The same with what a provider gave for its refresh token, which it may have given up for the next one.
  func renewed(by newer: CredentialMaterial) -> CredentialMaterial {
    var renewed = merging(newer)
    guard let refresh, renewed.refresh != refresh else { return renewed }
    let before = extra[Extra.givenUp]?.bytes ?? []
    renewed.extra[Extra.givenUp] = Secret(
      bytes: (before + Self.digest(refresh)).suffix(Self.mostGivenUp * Self.digestBytes))
    return renewed
  }

  /// Whether a provider gave a newer refresh token for this one: to present it once more would look like theft.
  ///
  /// The last 64 are remembered.
  func gaveUp(_ refresh: Secret) -> Bool {
    guard refresh != self.refresh, let all = extra[Extra.givenUp]?.bytes else { return false }
    let wanted = Self.digest(refresh)
    return stride(from: 0, to: all.count, by: Self.digestBytes).contains {
      all[$0...].prefix(Self.digestBytes).elementsEqual(wanted)
    }
  }

  private static let mostGivenUp = 64
  private static let digestBytes = 16

  private static func digest(_ refresh: Secret) -> [UInt8] {
    Array(SHA256.hash(data: refresh.bytes).prefix(digestBytes))
  }

  /// A byte that no key and no token begins with, then the version.
  private static let magic: [UInt8] = [0, UInt8(ascii: "C"), 1]
  private static let mostFields = 64

  /// The one form of this value: sealed, and what the fingerprint is of.
  public var encoded: Secret {
    guard !isBare else { return access }
    var bytes = Self.magic
    func put(_ field: [UInt8]) {
      withUnsafeBytes(of: UInt32(field.count).littleEndian) { bytes.append(contentsOf: $0) }
      bytes += field
    }
    func put(_ secret: Secret?) {
      bytes.append(secret == nil ? 0 : 1)
      if let secret { put(secret.bytes) }
    }
    put(access.bytes)
    put(refresh)
    put(identity)
    bytes.append(UInt8(extra.count))
    for (name, value) in extra.sorted(by: { $0.key < $1.key }) {
      put(Array(name.utf8))
      put(value.bytes)
    }
    return Secret(bytes: bytes)
  }

  /// Reads what was sealed; nil: it is of a form that this build does not know.
  public init?(decoding sealed: Secret) {
    var rest = sealed.bytes[...]
    guard rest.first == 0 else {
      self.init(access: sealed)
      return
    }
    guard rest.starts(with: Self.magic) else { return nil }
    rest = rest.dropFirst(Self.magic.count)
    func byte() -> UInt8? { rest.popFirst() }
    func field() -> [UInt8]? {
      guard rest.count >= 4 else { return nil }
      let count = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
      guard count <= rest.count - 4 else { return nil }
      let field = Array(rest.dropFirst(4).prefix(count))
      rest = rest.dropFirst(4 + count)
      return field
    }
    func optional() -> Secret?? {
      switch byte() {
      case 0: .some(nil)
      case 1: field().map { .some(Secret(bytes: $0)) }
      case _: nil
      }
    }
    guard let access = field(), let refresh = optional(), let identity = optional(),
      let count = byte(), Int(count) <= Self.mostFields
    else { return nil }
    var extra: [String: Secret] = [:]
    for _ in 0..<count {
      guard let name = field(), let value = field() else { return nil }
      extra[String(decoding: name, as: UTF8.self)] = Secret(bytes: value)
    }
    guard rest.isEmpty else { return nil }
    self.init(
      access: Secret(bytes: access), refresh: refresh, identity: identity, extra: extra)
  }
}

extension Secret {
  /// What a file gives, as it is sealed: a key, or an access token with its refresh token.
  init(_ text: SecretText) {
    self =
      CredentialMaterial(access: Secret(text.revealed), refresh: text.refresh.map { Secret($0) })
      .encoded
  }
}
