/// An address of version 4 or 6; IPv4 inside IPv6 (`::ffff:a.b.c.d`) is the IPv4 address.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
  /// Four bytes or sixteen, in network order.
  public let bytes: [UInt8]

  private init(bytes: [UInt8]) {
    let isMapped =
      bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF
      && bytes[11] == 0xFF
    self.bytes = isMapped ? Array(bytes[12...]) : bytes
  }

  /// Four decimal parts, or IPv6 as RFC 4291 writes it, without brackets and zone.
  public init?(_ text: some StringProtocol) {
    let bytes = text.utf8.contains(UInt8(ascii: ":")) ? Self.version6(text) : Self.version4(text)
    guard let bytes else { return nil }
    self.init(bytes: bytes)
  }

  /// Any form in which system libraries take IPv4 as well: `0x7f000001`, `017700000001`, `127.1`.
  public init?(anyFormOf text: some StringProtocol) {
    if let address = IPAddress(text) {
      self = address
      return
    }
    guard let bytes = Self.legacy(text) else { return nil }
    self.init(bytes: bytes)
  }

  /// Whether this is IPv4.
  public var isVersion4: Bool { bytes.count == 4 }

  /// 127.0.0.0/8 or ::1.
  public var isLoopback: Bool {
    isVersion4 ? bytes[0] == 127 : bytes == [UInt8](repeating: 0, count: 15) + [1]
  }

  /// Whether nothing may be asked there: the unspecified address, link-local ones, and where clouds keep
  /// their machines' secrets; also inside IPv6's translated forms (NAT64, 6to4).
  public var isForbiddenUpstream: Bool {
    if Self.forbidden.contains(where: { $0.contains(self) }) { return true }
    guard let inner = embedded else { return false }
    return Self.forbidden.contains { $0.contains(inner) }
  }

  /// The IPv4 address that a gateway would make of this IPv6 address.
  private var embedded: IPAddress? {
    guard !isVersion4 else { return nil }
    // 2002::/16.
    if bytes.starts(with: [0x20, 0x02]) { return IPAddress(bytes: Array(bytes[2..<6])) }
    // 64:ff9b::/96, and ::a.b.c.d of old; ::1 and :: are addresses of their own.
    let isTranslated =
      bytes[4..<12].allSatisfy { $0 == 0 }
      && (bytes.starts(with: [0x00, 0x64, 0xFF, 0x9B])
        || bytes[..<4].allSatisfy { $0 == 0 } && bytes[12] != 0)
    return isTranslated ? IPAddress(bytes: Array(bytes[12...])) : nil
  }

  private static let forbidden: [AddressBlock] = [
    "0.0.0.0/8", "::/128", "169.254.0.0/16", "fe80::/10",
    // Metadata outside link-local: Amazon, Google, Alibaba, Oracle, Azure.
    "fd00:ec2::/32", "fd20:ce::/32", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32",
  ].compactMap { AddressBlock($0) }

  /// As `inet_ntop` writes it for IPv4; eight groups without abbreviation for IPv6.
  public var description: String {
    if isVersion4 { return bytes.map { String($0) }.joined(separator: ".") }
    return stride(from: 0, to: 16, by: 2)
      .map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
      .joined(separator: ":")
  }

  // MARK: Reading

  private static func version4(_ text: some StringProtocol) -> [UInt8]? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bytes: [UInt8] = []
    for part in parts {
      // A leading zero would be octal to some and decimal to others.
      let isDecimal =
        1...3 ~= part.utf8.count && part.utf8.allSatisfy { 0x30...0x39 ~= $0 }
        && (part.utf8.count == 1 || part.utf8.first != 0x30)
      guard isDecimal, let byte = UInt8(part) else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  private static func version6(_ text: some StringProtocol) -> [UInt8]? {
    guard text.utf8.count <= 45 else { return nil }
    var halves: [[UInt8]] = [[]]
    var groups = text.split(separator: ":", omittingEmptySubsequences: false)[...]
    // A colon at an end must be one of two.
    if groups.first?.isEmpty == true {
      guard groups.count > 2, groups[groups.startIndex + 1].isEmpty else { return nil }
      groups.removeFirst()
    }
    if groups.count > 1, groups.last?.isEmpty == true {
      guard groups[groups.endIndex - 2].isEmpty else { return nil }
      groups.removeLast()
    }
    for (index, group) in zip(groups.indices, groups) {
      if group.isEmpty {
        guard halves.count == 1 else { return nil }
        halves.append([])
      } else if index == groups.endIndex - 1, let inner = version4(group) {
        halves[halves.count - 1] += inner
      } else {
        let isHexadecimal =
          1...4 ~= group.utf8.count
          && group.utf8.allSatisfy { byte in
            0x30...0x39 ~= byte || 0x41...0x46 ~= byte || 0x61...0x66 ~= byte
          }
        guard isHexadecimal, let number = UInt16(group, radix: 16) else { return nil }
        halves[halves.count - 1] += [UInt8(number >> 8), UInt8(number & 0xFF)]
      }
    }
    let count = halves.reduce(0) { $0 + $1.count }
    if halves.count == 1 { return count == 16 ? halves[0] : nil }
    guard count <= 14 else { return nil }
    return halves[0] + [UInt8](repeating: 0, count: 16 - count) + halves[1]
  }

  /// One to four numbers, decimal, octal or hexadecimal; the last takes what is left of the 32 bits.
  private static func legacy(_ text: some StringProtocol) -> [UInt8]? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard 1...4 ~= parts.count else { return nil }
    var numbers: [UInt32] = []
    for part in parts {
      let number: UInt32?
      if part.hasPrefix("0x") || part.hasPrefix("0X") {
        number = part.utf8.count == 2 ? 0 : digits(part.dropFirst(2), radix: 16)
      } else if part.utf8.first == 0x30, part.utf8.count > 1 {
        number = digits(part.dropFirst(), radix: 8)
      } else {
        number = digits(part, radix: 10)
      }
      guard let number else { return nil }
      numbers.append(number)
    }
    let last = numbers.removeLast()
    guard numbers.allSatisfy({ $0 <= 255 }) else { return nil }
    let bits = UInt32(32 - 8 * numbers.count)
    guard bits == 32 || last < 1 << bits else { return nil }
    var value = last
    for (index, number) in numbers.enumerated() { value |= number << UInt32(24 - 8 * index) }
    return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  private static func digits(_ text: some StringProtocol, radix: Int) -> UInt32? {
    guard let first = text.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-")
    else { return nil }
    return UInt32(text, radix: radix)
  }
}

/// A block of addresses, `10.0.0.0/8`; a single address is a block of one.
public struct AddressBlock: Sendable, Hashable, CustomStringConvertible {
  /// Its first address.
  public let base: IPAddress
  /// Leading bits that all of its addresses share.
  public let prefix: Int

  /// `ADDRESS` or `ADDRESS/BITS`; nil for anything else, and for an address with bits behind the prefix.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let base = IPAddress(parts[0]) else { return nil }
    let bits = base.bytes.count * 8
    var prefix = bits
    if parts.count == 2 {
      let isNumber = 1...3 ~= parts[1].utf8.count && parts[1].utf8.allSatisfy { 0x30...0x39 ~= $0 }
      guard isNumber, let number = Int(parts[1]), number <= bits else { return nil }
      prefix = number
    }
    guard Self.masked(base.bytes, prefix) == base.bytes else { return nil }
    self.base = base
    self.prefix = prefix
  }

  /// Whether an address is in it; one of the other version never is.
  public func contains(_ address: IPAddress) -> Bool {
    address.bytes.count == base.bytes.count && Self.masked(address.bytes, prefix) == base.bytes
  }

  /// As it is read.
  public var description: String { "\(base)/\(prefix)" }

  private static func masked(_ bytes: [UInt8], _ prefix: Int) -> [UInt8] {
    bytes.enumerated().map { index, byte in
      let kept = min(8, max(0, prefix - 8 * index))
      return kept == 8 ? byte : byte & ~(0xFF >> UInt8(kept))
    }
  }
}
