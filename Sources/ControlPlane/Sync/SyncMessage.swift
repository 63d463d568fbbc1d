import Crypto
import Domain

/// What two nodes say to each other within the seal.
enum SyncMessage {
  /// Of the whole exchange: another one is not understood.
  static let version: UInt8 = 1
  /// Of a sealed message, in bytes.
  static let mostBytes = 23 << 20

  /// Client to server.
  enum Ask {
    /// Whether the other side holds the same.
    case probe(Standing)
    /// All that the asker knows.
    case tell(Told)
    /// That the asker syncs no more, and wants nothing of it remembered as a peer.
    case forget
    /// Nothing: that both hold the same token is the answer.
    case check
  }

  /// Server to client.
  enum Reply {
    case same
    case differs
    /// All that it knows now, and what it took over: names of resources.
    case told(Told, taken: [String])
    case done
  }

  /// What somebody holds, to be compared and not to be read.
  struct Standing {
    /// Of the asker's directory, told apart from copies of it.
    var incarnation: UInt64
    var digest: [UInt8]
  }

  /// A document with the secrets of its credentials, in their order.
  struct Told {
    var incarnation: UInt64
    var exchange: UInt128
    var document: SyncDocument
    var materials: [AccountID: CredentialMaterial]
    /// How the document is written: in a form that the other side reads.
    var format = SyncDocument.Format.latest
  }
}

// MARK: Bytes

extension SyncMessage {
  /// What a refusal is about, to be sealed.
  static func bytes(_ about: SyncEvent.Failed.About) -> [UInt8] {
    var writer = SyncWriter()
    writer.field(Array(about.stream.utf8))
    writer.field(Array(about.field.utf8))
    writer.byte(about.counts == nil ? 0 : 1)
    if let counts = about.counts {
      writer.number(counts.told)
      writer.number(counts.before)
    }
    return writer.bytes
  }

  /// nil: no build of this version says such a thing.
  static func about(_ bytes: [UInt8]) -> SyncEvent.Failed.About? {
    var reader = SyncReader(bytes)
    guard bytes.count <= 2_048,
      let stream = reader.field().flatMap({ String(validating: $0, as: UTF8.self) }),
      let field = reader.field().flatMap({ String(validating: $0, as: UTF8.self) }),
      let hasCounts = reader.byte(), hasCounts <= 1
    else { return nil }
    var about = SyncEvent.Failed.About(stream: stream, field: field)
    if hasCounts == 1 {
      guard let told = reader.number(), let before = reader.number() else { return nil }
      about.counts = .init(told: told, before: before)
    }
    return reader.isAtEnd ? about : nil
  }
}

extension SyncMessage.Ask {
  var encoded: [UInt8] {
    var writer = SyncWriter()
    switch self {
    case .probe(let it):
      writer.byte(1)
      writer.number(it.incarnation)
      writer.field(it.digest)
    case .tell(let told):
      writer.byte(2)
      writer.told(told)
    case .forget: writer.byte(3)
    case .check: writer.byte(4)
    }
    return writer.bytes
  }

  /// nil: no build of this version sends such a thing.
  init?(_ bytes: [UInt8]) {
    var reader = SyncReader(bytes)
    switch reader.byte() {
    case 1:
      guard let incarnation = reader.number(), let digest = reader.field() else { return nil }
      self = .probe(.init(incarnation: incarnation, digest: digest))
    case 2:
      guard let told = reader.told() else { return nil }
      self = .tell(told)
    case 3: self = .forget
    case 4: self = .check
    case _: return nil
    }
    guard reader.isAtEnd else { return nil }
  }

  /// The same in the latest form of documents that the other side reads.
  ///
  /// - Parameter latest: as it says; it may be one that came after this build.
  func readable(by latest: UInt8) -> Self {
    guard case .tell(var told) = self else { return self }
    told.format = SyncDocument.Format(rawValue: latest) ?? .latest
    return .tell(told)
  }
}

extension SyncMessage.Reply {
  var encoded: [UInt8] {
    var writer = SyncWriter()
    switch self {
    case .same: writer.byte(1)
    case .differs: writer.byte(2)
    case .told(let told, let taken):
      writer.byte(3)
      writer.told(told)
      writer.number(UInt64(taken.count))
      for name in taken { writer.field(Array(name.utf8)) }
    case .done: writer.byte(4)
    }
    return writer.bytes
  }

  /// nil: no build of this version sends such a thing.
  init?(_ bytes: [UInt8]) {
    var reader = SyncReader(bytes)
    switch reader.byte() {
    case 1: self = .same
    case 2: self = .differs
    case 3:
      guard let told = reader.told(), let count = reader.number() else { return nil }
      var taken: [String] = []
      for _ in 0..<count {
        guard let name = reader.field().flatMap({ String(validating: $0, as: UTF8.self) }) else {
          return nil
        }
        taken.append(name)
      }
      self = .told(told, taken: taken)
    case 4: self = .done
    case _: return nil
    }
    guard reader.isAtEnd else { return nil }
  }
}

/// Fields behind their lengths, little-endian.
private struct SyncWriter {
  var bytes: [UInt8] = []

  mutating func byte(_ value: UInt8) { bytes.append(value) }
  mutating func number(_ value: UInt64) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
  mutating func field(_ field: [UInt8]) {
    number(UInt64(field.count))
    bytes += field
  }
  mutating func told(_ told: SyncMessage.Told) {
    number(told.incarnation)
    number(UInt64(truncatingIfNeeded: told.exchange >> 64))
    number(UInt64(truncatingIfNeeded: told.exchange))
    field(told.document.encoded(as: told.format))
    let materials = told.document.credentials.compactMap { told.materials[$0.account] }
    number(UInt64(materials.count))
    for material in materials { field(material.encoded.bytes) }
  }
}

/// Reads what may be anything: nothing is allocated before what is left was looked at.
private struct SyncReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func byte() -> UInt8? { rest.popFirst() }
  mutating func number() -> UInt64? {
    guard rest.count >= 8 else { return nil }
    defer { rest = rest.dropFirst(8) }
    return rest.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
  mutating func field() -> [UInt8]? {
    guard let count = number(), count <= UInt64(rest.count) else { return nil }
    defer { rest = rest.dropFirst(Int(count)) }
    return Array(rest.prefix(Int(count)))
  }
  mutating func told() -> SyncMessage.Told? {
    guard let incarnation = number(), let high = number(), let low = number(),
      let bytes = field(),
      let format = bytes.first.flatMap({ SyncDocument.Format(rawValue: $0) }),
      let document = try? SyncDocument(decoding: bytes), let count = number(),
      count == document.credentials.count(where: { $0.terms != nil })
    else { return nil }
    var materials: [AccountID: CredentialMaterial] = [:]
    for holding in document.credentials where holding.terms != nil {
      guard let material = field().flatMap({ CredentialMaterial(decoding: Secret(bytes: $0)) }),
        material.isSendable
      else { return nil }
      materials[holding.account] = material
    }
    return SyncMessage.Told(
      incarnation: incarnation, exchange: UInt128(high) << 64 | UInt128(low),
      document: document, materials: materials, format: format)
  }
}

extension CredentialMaterial {
  /// Whether it may stand in a request's head: what another node says is looked at like what anybody says.
  fileprivate var isSendable: Bool {
    [access, refresh, identity].compactMap(\.self).allSatisfy { secret in
      (1...16_384).contains(secret.bytes.count)
        && secret.bytes.allSatisfy { (0x21...0x7E).contains($0) }
    } && extra.values.allSatisfy { $0.bytes.count <= 16_384 }
  }
}
