/// The one line of the file FORMAT, for people and for `file`: name, version, identity.
struct FormatLine: Sendable, Hashable {
  var major: UInt16
  var minor: UInt16
  var storeID: UInt128

  static let name = "signalbox-log"

  var text: String { "\(Self.name) \(major).\(minor) \(uuidText(storeID))\n" }

  /// Nil unless `text` is such a line.
  init?(_ text: String) {
    guard text.hasSuffix("\n") else { return nil }
    let words = text.dropLast().split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[0] == Self.name, let storeID = parseUUIDText(words[2]) else {
      return nil
    }
    let numbers = words[1].split(separator: ".", omittingEmptySubsequences: false)
    guard numbers.count == 2, let major = UInt16(numbers[0]), let minor = UInt16(numbers[1]) else {
      return nil
    }
    self.init(major: major, minor: minor, storeID: storeID)
  }

  init(major: UInt16, minor: UInt16, storeID: UInt128) {
    self.major = major
    self.minor = minor
    self.storeID = storeID
  }
}
