/// Numbers for texts, in the order in which they were met first; makes a text only once.
public struct Interner: Sendable {
  /// By number.
  public private(set) var texts: [String] = []
  private let limit: Int
  private let key: UInt64
  /// Number + 1 by the low bits of the hash; 0: free.
  ///
  /// Always less than half full.
  private var slots = [Int32](repeating: 0, count: 256)
  private var hashes: [UInt64] = []
  /// The bytes of all texts as they were met, one behind the other, and where each ends: comparing a text with its
  /// own bytes costs counting references to it.
  private var met: [UInt8] = []
  private var ends: [Int] = []

  /// No text.
  ///
  /// - Parameter limit: Texts that get a number of their own; all others share the number `limit`.
  public init(limit: Int = .max) { self.init(limit: limit, key: Self.processKey) }

  /// - Parameter key: of the hash; numbers do not depend on it.
  init(limit: Int, key: UInt64) {
    self.limit = limit
    self.key = key
  }

  /// Another one in each process, as dictionaries have it: nobody can choose texts that all get one slot.
  private static let processKey: UInt64 = {
    var hasher = Hasher()
    hasher.combine("names")
    return UInt64(truncatingIfNeeded: hasher.finalize())
  }()

  /// The number of the text whose UTF-8 this is.
  public mutating func number(of bytes: UnsafeRawBufferPointer) -> Int {
    let hash = Self.hash(bytes, key: key)
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] != 0 {
      let number = Int(slots[slot]) - 1
      if hashes[number] == hash, isSame(number, bytes) { return number }
      slot = (slot + 1) & (slots.count - 1)
    }
    let number = texts.count
    guard number < limit else { return limit }
    slots[slot] = Int32(truncatingIfNeeded: number + 1)
    texts.append(String(decoding: bytes, as: UTF8.self))
    met.append(contentsOf: bytes)
    ends.append(met.count)
    hashes.append(hash)
    if texts.count * 2 >= slots.count { grow() }
    return number
  }

  /// The number of a text.
  public mutating func number(of text: String) -> Int {
    var text = text
    return text.withUTF8 { number(of: UnsafeRawBufferPointer($0)) }
  }

  private mutating func grow() {
    slots = [Int32](repeating: 0, count: slots.count * 2)
    for (number, hash) in hashes.enumerated() {
      var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
      while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(truncatingIfNeeded: number + 1)
    }
  }

  private func isSame(_ number: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
    let place = number == 0 ? 0 : ends[number - 1]
    guard ends[number] - place == bytes.count else { return false }
    return met.withUnsafeBytes { met in
      var at = 0
      while at + 8 <= bytes.count {
        let ours = met.loadUnaligned(fromByteOffset: place + at, as: UInt64.self)
        guard ours == bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self) else { return false }
        at += 8
      }
      while at < bytes.count {
        guard met[place + at] == bytes[at] else { return false }
        at += 1
      }
      return true
    }
  }

  /// Eight bytes a step, each mixed with what the key made of those before; clients choose some of the texts.
  static func hash(_ bytes: UnsafeRawBufferPointer, key: UInt64) -> UInt64 {
    var hash = mix(key ^ UInt64(truncatingIfNeeded: bytes.count) &* 0x9E37_79B9_7F4A_7C15)
    var at = 0
    while at + 8 <= bytes.count {
      hash = mix(hash ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      at += 8
    }
    var rest: UInt64 = 0
    while at < bytes.count {
      rest = rest << 8 | UInt64(bytes[at])
      at += 1
    }
    return mix(mix(hash ^ rest) ^ key)
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return product.high ^ product.low &+ 0x9E37_79B9_7F4A_7C15
  }
}
