import Domain
import Surface

/// The same as the scanners see it: an exact buffer, so that reading past its end would be noticed.
func withBytes<R>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { buffer.deallocate() }
  buffer.copyBytes(from: bytes)
  return try body(UnsafeRawBufferPointer(buffer))
}

func scan(_ bytes: [UInt8]) -> Result<RequestScan, JSONFault> {
  withBytes(bytes) { RequestScan.scan($0, as: .chat) }
}

func scan(_ text: String) -> Result<RequestScan, JSONFault> { scan(Array(text.utf8)) }

func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

extension Result {
  var failure: Failure? { if case .failure(let failure) = self { failure } else { nil } }
}
