import Surface

/// Puts characters together whose halves came in two pieces, as some providers cut texts by UTF-16's units.
///
/// `JSONValue.parse(_:marksHalves:)` leaves a mark for each half; here two of them become the character, and one alone
/// U+FFFD.
struct HalfCharacters {
  /// A frame had halves: until then nothing is looked at.
  var areThere = false
  /// First halves that end a part's text so far, with what kind of text it is.
  private var waiting: [Int: (half: UInt32, isArguments: Bool)] = [:]

  /// The events with their texts mended.
  mutating func joined(_ events: [StreamEvent]) -> [StreamEvent] {
    guard areThere else { return events }
    var mended: [StreamEvent] = []
    for event in events {
      switch event {
      case .piece(let part, .text(let text)):
        mended.append(.piece(part, .text(mend(text, of: part, isArguments: false))))
      case .piece(let part, .arguments(let text)):
        mended.append(.piece(part, .arguments(mend(text, of: part, isArguments: true))))
      case .closed(let part):
        if let left = waiting.removeValue(forKey: part) {
          mended.append(
            .piece(part, left.isArguments ? .arguments("\u{FFFD}") : .text("\u{FFFD}")))
        }
        mended.append(event)
      case _: mended.append(event)
      }
    }
    return mended
  }

  private mutating func mend(_ text: String, of part: Int, isArguments: Bool) -> String {
    var first = waiting.removeValue(forKey: part)?.half
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      let half = JSONValue.half(of: scalar)
      if let high = first {
        first = nil
        if let low = half, low >= 0xDC00,
          let whole = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
        {
          scalars.append(whole)
          continue
        }
        scalars.append("\u{FFFD}")
      }
      switch half {
      case nil: scalars.append(scalar)
      case let half? where half < 0xDC00: first = half
      case _: scalars.append("\u{FFFD}")
      }
    }
    if let first { waiting[part] = (first, isArguments) }
    return String(scalars)
  }
}
