import DataPlane
import NIOCore

/// Decodes at once and byte by byte and traps unless both report the same.
///
/// The first byte chooses the limits.
public func checkRequests(_ input: UnsafeRawBufferPointer) {
  guard let choice = input.first else { return }
  let bytes = UnsafeRawBufferPointer(rebasing: input.dropFirst())
  let limits = choice & 1 == 0 ? HTTP1Limits() : tightLimits
  let bodyLimit = choice & 2 == 0 ? Int.max : 32
  let atOnce = record(bytes, step: max(bytes.count, 1), limits, bodyLimit)
  let slowly = record(bytes, step: 1, limits, bodyLimit)
  precondition(atOnce == slowly, "the cuts between reads change the meaning")
}

private func record(
  _ bytes: UnsafeRawBufferPointer, step: Int, _ limits: HTTP1Limits, _ bodyLimit: Int
) -> Record {
  var record = Record()
  var decoder = RequestDecoder(limits: limits)
  decoder.bodyLimit = bodyLimit
  var buffer = ByteBuffer()
  do throws(HTTP1Fault) {
    for start in stride(from: 0, to: bytes.count, by: step) {
      buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<start + step]))
      try drain(&decoder, &buffer, &record)
    }
    try decoder.endOfInput(buffer)
  } catch {
    record.note(error)
  }
  return record
}

private func drain(
  _ decoder: inout RequestDecoder, _ buffer: inout ByteBuffer, _ record: inout Record
) throws(HTTP1Fault) {
  while true {
    switch try decoder.next(&buffer) {
    case .needMore: return
    case .head(let head):
      record.note(
        start: "\(head.method) \(head.target) \(head.path) \(head.framing) \(head.keepsAlive)",
        head.fields)
      checkForwarding(head)
    case .body(let slice): record.note(body: slice)
    case .end: record.noteEnd()
    }
  }
}

/// What is forwarded of a head that was taken must be one head again, with no field more.
private func checkForwarding(_ head: HTTP1RequestHead) {
  guard head.form == .origin, head.fields.contains(.host) else { return }
  var forwarded = ByteBuffer()
  do throws(HTTP1Fault) {
    try HTTP1Encoder.requestLine(head.method, target: head.target.utf8, to: &forwarded)
    head.fields.appendForwardable(to: &forwarded)
    HTTP1Encoder.endOfHead(to: &forwarded)
    // A client may name Host in Connection; then there is none to forward.
    let hasHost = forwarded.readableBytesView.contains(UInt8(ascii: ":"))
    var decoder = RequestDecoder(limits: HTTP1Limits(headBytes: 65_535, targetBytes: 32_768))
    guard case .head(let again) = try decoder.next(&forwarded) else {
      preconditionFailure("a forwarded head is not whole")
    }
    precondition(hasHost && forwarded.readableBytes == 0, "a forwarded head splits")
    precondition(again.fields.count <= head.fields.count, "forwarding adds a field")
    precondition(again.framing == .none, "forwarding keeps a framing field")
  } catch {
    precondition(error.code == .missingHost, "a forwarded head is refused: \(error.code)")
  }
}
