public import Domain

/// Finds what an answer used in bytes that pass and are not kept: in the last top-level member that tells it.
///
/// Checks nothing: of what is no JSON, nothing is found. Bounded: a member of more than 16 KiB is none.
public struct PassingUsage: Sendable {
  private static let memberBytes = 16 << 10
  /// Longer names are none of those that are looked for.
  private static let nameBytes = 16

  private let dialect: Dialect
  private let names: [[UInt8]]
  private var nesting = JSONNesting()
  /// The last string of the top level, as far as it matters.
  private var name: [UInt8] = []
  /// The name of the top-level member whose value is next, where it is one of those.
  private var member: [UInt8]?
  /// The object that is being read, behind its name.
  private var value: [UInt8]?
  private var found: [UInt8] = []

  /// `dialect`: whose answer passes.
  public init(_ dialect: Dialect) {
    self.dialect = dialect
    names =
      dialect == .gemini
      ? [Array("usageMetadata".utf8), Array("usage_metadata".utf8)] : [Array("usage".utf8)]
  }

  /// The provider's figures; nil: none have passed.
  public var usage: TokenUsage? {
    guard !found.isEmpty else { return nil }
    return found.withUnsafeBytes { UsageScan.scan($0, as: dialect).usage }
  }

  /// Takes the next bytes.
  public mutating func take(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes {
      if value != nil { keep(byte) }
      switch nesting.take(byte) {
      case .opensText:
        if nesting.depth == 1 { name.removeAll(keepingCapacity: true) }
      case .text:
        if nesting.depth == 1, name.count <= Self.nameBytes { name.append(byte) }
      case .opens:
        if nesting.depth == 2, let member, byte == UInt8(ascii: "{") { begin(member) }
      case .closes:
        if nesting.depth == 1 { end() }
      case .other where nesting.depth == 1 && byte == UInt8(ascii: ":"):
        member = names.first { $0 == name }
      case .other where nesting.depth == 1 && byte == UInt8(ascii: ","): member = nil
      case .closesText, .other: break
      }
    }
  }

  private mutating func begin(_ member: [UInt8]) {
    value = Array("{\"".utf8) + member + Array("\":{".utf8)
  }

  private mutating func keep(_ byte: UInt8) {
    value?.append(byte)
    if let value, value.count > Self.memberBytes { self.value = nil }
  }

  private mutating func end() {
    guard let value else { return }
    found = value + [UInt8(ascii: "}")]
    self.value = nil
  }
}
