import Domain
import Testing

private let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
private let parent = "00f067aa0ba902b7"

private func read(_ text: String) -> TraceContext? {
  var text = text
  return text.withUTF8 { TraceContext(traceparent: UnsafeRawBufferPointer($0)) }
}

@Test(
  "a traceparent is read by its version's rules",
  arguments: [
    ("00-\(trace)-\(parent)-01", 0b01), ("00-\(trace)-\(parent)-00", 0b00),
    ("00-\(trace)-\(parent)-02", 0b10), ("00-\(trace)-\(parent)-03", 0b11),
    // Bits that the version does not know are not passed on.
    ("00-\(trace)-\(parent)-ff", 0b11), ("00-\(trace)-\(parent)-09", 0b01),
    // Of a later version only what is known, whatever follows.
    ("cc-\(trace)-\(parent)-01", 0b01), ("fe-\(trace)-\(parent)-ff", 0b01),
    ("01-\(trace)-\(parent)-00", 0b00), ("cc-\(trace)-\(parent)-01-what-the-future-brings", 0b01),
    ("cc-\(trace)-\(parent)-01-", 0b01),
  ] as [(String, UInt8)])
func readsTraceparent(_ text: String, _ flags: UInt8) throws {
  let context = try #require(read(text), "\(text)")
  #expect(hexText(context.trace) == trace)
  #expect(hexText(context.parent) == parent)
  #expect(context.flags == flags)
  #expect(context.isSampled == (flags & 1 == 1))
}

@Test(
  "what is no traceparent begins no trace",
  arguments: [
    "", "00", "00-\(trace)-\(parent)", "00-\(trace)-\(parent)-", "00-\(trace)-\(parent)-1",
    "00-\(trace)-\(parent)-001", "00-\(trace)-\(parent)-01-", "00-\(trace)-\(parent)-01-more",
    "cc-\(trace)-\(parent)-01.more", "cc-\(trace)-\(parent)-011", "ff-\(trace)-\(parent)-01",
    "0-\(trace)-\(parent)-01", "000-\(trace)-\(parent)-01", ".0-\(trace)-\(parent)-01",
    "0.-\(trace)-\(parent)-01", "0G-\(trace)-\(parent)-01", "CC-\(trace)-\(parent)-01",
    "00-\(trace.uppercased())-\(parent)-01", "00-\(trace)-\(parent.uppercased())-01",
    "00-\(trace)-\(parent)-0A", "00-\(trace)-\(parent)-.0", "00-\(trace)-\(parent)-0.",
    "00-\(String(repeating: "0", count: 32))-\(parent)-01",
    "00-\(trace)-\(String(repeating: "0", count: 16))-01", "00-\(trace.dropLast())-\(parent)-01",
    "00-\(trace)0-\(parent)-01", "00-\(trace)-\(parent.dropLast())-01",
    "00-\(trace)-\(parent)0-01", "00-\(trace.dropLast()).-\(parent)-01",
    "00-.\(trace.dropFirst())-\(parent)-01", "00-\(trace)-\(parent.dropLast()).-01",
    "00_\(trace)_\(parent)_01", "00-\(trace)_\(parent)-01", " 00-\(trace)-\(parent)-01",
    "00-\(trace)-\(parent)-01 ", "00-\(trace)-\(parent)-01,00-\(trace)-\(parent)-01",
  ])
func refusesTraceparent(_ text: String) { #expect(read(text) == nil, "\(text)") }

@Test("each span of a request has an id of its own that follows from the request's")
func namesSpans() {
  var ids: Set<UInt64> = []
  for request in UInt128(1)...100 {
    for number in UInt64(0)...9 {
      let id = RequestID(request << 76 | 7).span(number)
      #expect(id != 0 && id == RequestID(request << 76 | 7).span(number))
      ids.insert(RequestID(request).span(number))
    }
  }
  #expect(ids.count == 1000)
  #expect(hexText(UInt64(0x0F)) == "000000000000000f")
}
