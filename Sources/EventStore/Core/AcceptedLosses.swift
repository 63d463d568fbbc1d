/// Losses that a person accepted: the lines of the file ACCEPTED.
///
/// docs/file-format.md gives the layout. A line that is damaged accepts nothing.
struct AcceptedLosses: Sendable {
  static let name = "ACCEPTED"
  /// Bytes of the file; a line takes a few hundred.
  static let bytesMax = 1 << 20

  private(set) var losses: [AcceptedLoss] = []

  init() {}

  /// The lines of `text` that are whole and of this store.
  init(_ text: [UInt8], storeID: UInt128) {
    losses = text.split(separator: 10).compactMap {
      AcceptedLoss(line: String(decoding: $0, as: UTF8.self), storeID: storeID)
    }
  }

  /// The acceptance that covers `gap`, the newest one first; nil if there is none.
  ///
  /// Lost positions are accepted as positions, wherever they stood: a file that is repaired or damaged
  /// further within them is no new loss. Damage that costs no position is accepted as it was found.
  func covering(_ gap: LogGap) -> AcceptedLoss? {
    guard let last = gap.last else { return nil }
    if last >= gap.first {
      return losses.last { $0.first <= gap.first && last <= $0.last }
    }
    // A segment keeps its position when it is sealed, not its file.
    func place(_ path: String) -> String {
      SegmentName.parse(fileName(path)).map { String($0.first) } ?? fileName(path)
    }
    let here = place(gap.path)
    return losses.last {
      $0.last < $0.first && $0.first == gap.first && $0.rule == gap.rule && place($0.file) == here
    }
  }

  /// `gap`, saying so if it was accepted.
  func marked(_ gap: LogGap) -> LogGap {
    var gap = gap
    gap.isAccepted = covering(gap) != nil
    return gap
  }

  /// Whether something was accepted that begins at or holds `position`.
  func concerns(_ position: UInt64) -> Bool {
    losses.contains { $0.first.rawValue == position } || range(holding: position) != nil
  }

  /// The acceptance of a range of lost positions that holds `position`, reaching furthest.
  func range(holding position: UInt64) -> AcceptedLoss? {
    losses.filter { $0.first.rawValue <= position && position <= $0.last.rawValue }
      .max { $0.last < $1.last }
  }
}

/// The last part of a path.
func fileName(_ path: String) -> String {
  path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
}

extension AcceptedLoss {
  /// The chain value behind a lost end of which no witness kept one.
  ///
  /// SHA-256("signalbox accepted loss" ‖ chain value at the last readable event ‖ first ‖ last), both
  /// positions as 8 bytes, little-endian.
  static func derivedChain(after chain: Digest, first: UInt64, last: UInt64) -> Digest {
    var bytes = Array("signalbox accepted loss".utf8) + chain.bytes
    for number in [first, last] {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    return bytes.withUnsafeBytes { Digest.sha256($0) }
  }

  /// One line, without its end.
  func line(storeID: UInt128) -> String {
    let rest = [
      String(time), "\(first)..\(last)", file, String(offset), rule,
      chain.map(\.description) ?? "-", Self.field(actor, 128), Self.field(reason, 1_024),
    ].joined(separator: "\t")
    return Self.checksum(rest, storeID) + "\t" + rest
  }

  /// Nil unless `line` is whole and of this store.
  init?(line: String, storeID: UInt128) {
    guard let tab = line.firstIndex(of: "\t") else { return nil }
    let rest = line[line.index(after: tab)...]
    guard line[..<tab] == Self.checksum(String(rest), storeID) else { return nil }
    let fields = rest.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    guard fields.count == 8, let time = Int64(fields[0]), let offset = UInt64(fields[3]),
      let positions = Self.positions(fields[1])
    else { return nil }
    let chain = Digest(hexadecimal: fields[5])
    // The log goes on behind lost positions with a certain chain value, and nowhere else.
    guard (chain != nil) == (positions.last >= positions.first), chain != nil || fields[5] == "-"
    else { return nil }
    self.init(
      first: Position(positions.first), last: Position(positions.last), file: fields[2],
      offset: offset, rule: fields[4], chain: chain, time: time, actor: fields[6],
      reason: fields[7])
  }

  private static func positions(_ text: String) -> (first: UInt64, last: UInt64)? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[1].isEmpty, let first = UInt64(parts[0]),
      let last = UInt64(parts[2]), first > 0, first < Limits.numbers, last < Limits.numbers,
      last >= first - 1
    else { return nil }
    return (first, last)
  }

  private static func checksum(_ text: String, _ storeID: UInt128) -> String {
    let value = Array(text.utf8).withUnsafeBytes { crc32c($0, from: checksumSeed(storeID)) }
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.utf8.count) + digits
  }

  /// Without what would break the line; bounded.
  static func field(_ text: String, _ limit: Int) -> String {
    var kept = ""
    for scalar in text.unicodeScalars {
      let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
      kept.unicodeScalars.append(isControl || scalar.value == 0x2028 ? " " : scalar)
      if kept.utf8.count >= limit { break }
    }
    return kept
  }
}

extension Digest {
  /// Reads 64 hexadecimal digits.
  init?(hexadecimal text: String) {
    guard text.utf8.count == 64 else { return nil }
    var words: [UInt64] = []
    var rest = Substring(text)
    while !rest.isEmpty {
      let word = rest.prefix(16)
      guard word.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }),
        let value = UInt64(word, radix: 16)
      else { return nil }
      words.append(value)
      rest = rest.dropFirst(16)
    }
    self.init(words: (words[0], words[1], words[2], words[3]))
  }
}
