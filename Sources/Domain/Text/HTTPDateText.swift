/// A date as HTTP has it (RFC 9110 §5.6.7), in the form `Sun, 06 Nov 1994 08:49:37 GMT`; nil for anything else.
public func parseHTTPDate(_ text: String) -> UnixNanoseconds? {
  let bytes = Array(text.utf8)
  guard bytes.count == 29,
    bytes[3...4].elementsEqual(", ".utf8), bytes[25...].elementsEqual(" GMT".utf8),
    [7, 11, 16].allSatisfy({ bytes[$0] == UInt8(ascii: " ") }),
    bytes[0..<3].allSatisfy({ 0x41...0x5A ~= $0 || 0x61...0x7A ~= $0 }),
    let month = months.firstIndex(where: { bytes[8..<11].elementsEqual($0.utf8) })
  else { return nil }
  func part(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
  let number = month + 1 < 10 ? "0\(month + 1)" : "\(month + 1)"
  // The same day, in the form whose reader knows the calendar.
  return parseRFC3339("\(part(12..<16))-\(number)-\(part(5..<7))T\(part(17..<25))Z")
}

private let months = [
  "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
]
