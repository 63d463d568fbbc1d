import DataPlane
import NIOCore

/// Decodes at once and byte by byte and traps unless both report the same.
///
/// The first byte chooses the limits and the requests that are answered.
public func checkResponses(_ input: UnsafeRawBufferPointer) {
  guard let choice = input.first else { return }
  let bytes = UnsafeRawBufferPointer(rebasing: input.dropFirst())
  let limits = choice & 1 == 0 ? HTTP1Limits() : tightLimits
  let methods: [HTTP1Method] = choice & 2 == 0 ? [.post, .get] : [.head, .post]
  let atOnce = record(bytes, step: max(bytes.count, 1), limits, methods)
  let slowly = record(bytes, step: 1, limits, methods)
  precondition(atOnce == slowly, "the cuts between reads change the meaning")
}

private func record(
  _ bytes: UnsafeRawBufferPointer, step: Int, _ limits: HTTP1Limits, _ methods: [HTTP1Method]
) -> Record {
  var record = Record()
  var decoder = ResponseDecoder(limits: limits)
  var waiting = methods[...]
  if let first = waiting.popFirst() { decoder.expectResponse(to: first) }
  var buffer = ByteBuffer()
  do throws(HTTP1Fault) {
    for start in stride(from: 0, to: bytes.count, by: step) {
      buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<start + step]))
      try drain(&decoder, &buffer, &waiting, &record)
    }
    if case .end = try decoder.endOfInput(buffer) { record.noteEnd() }
  } catch {
    record.note(error)
  }
  return record
}

private func drain(
  _ decoder: inout ResponseDecoder, _ buffer: inout ByteBuffer,
  _ waiting: inout ArraySlice<HTTP1Method>, _ record: inout Record
) throws(HTTP1Fault) {
  while true {
    switch try decoder.next(&buffer) {
    case .needMore: return
    case .informational(let head): record.note(start: "\(head.status)", head.fields)
    case .head(let head):
      record.note(start: "\(head.status) \(head.framing) \(head.keepsAlive)", head.fields)
    case .body(let slice): record.note(body: slice)
    case .end:
      record.noteEnd()
      if let next = waiting.popFirst() { decoder.expectResponse(to: next) }
    }
  }
}
