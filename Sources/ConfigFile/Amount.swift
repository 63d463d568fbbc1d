/// US dollars as people write them, read as millionths; no binary fraction comes between.
enum Amount {
  /// `12`, `0.25`: digits without superfluous zeros before them, and perhaps a point and one to six more.
  ///
  /// nil for anything else (signs, exponents, `_`, `.5`, `5.`) and beyond 64 bits.
  static func parse(_ text: String) -> UInt64? {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard 1...2 ~= parts.count, isDigits(parts[0]), parts[0].count == 1 || parts[0].first != 0x30
    else { return nil }
    var digits = Array(parts[0])
    var places = 0
    if parts.count == 2 {
      guard isDigits(parts[1]), parts[1].count <= 6 else { return nil }
      digits += parts[1]
      places = parts[1].count
    }
    digits += [UInt8](repeating: 0x30, count: 6 - places)
    return UInt64(String(decoding: digits, as: UTF8.self))
  }

  private static func isDigits(_ bytes: some Collection<UInt8>) -> Bool {
    !bytes.isEmpty && bytes.allSatisfy { 0x30...0x39 ~= $0 }
  }
}
