import DataPlane
import NIOCore

/// Everything a decoder reported, as bytes, so that two runs can be compared.
struct Record: Equatable {
  private(set) var bytes: [UInt8] = []
  private(set) var fault: HTTP1Fault.Code?
  private var isInBody = false

  mutating func note(start: String, _ fields: HTTP1Fields) {
    isInBody = false
    bytes += start.utf8
    fields.forEach { field in
      bytes += field.name
      bytes.append(0)
      bytes += field.value
      bytes.append(0)
    }
  }

  /// Where a body is cut into slices depends on the reads and is not part of the record.
  mutating func note(body: ByteBuffer) {
    precondition(body.readableBytes > 0, "an empty slice was reported")
    if !isInBody { bytes.append(1) }
    isInBody = true
    bytes += body.readableBytesView
  }

  mutating func noteEnd() {
    isInBody = false
    bytes.append(2)
  }

  mutating func note(_ fault: HTTP1Fault) { self.fault = fault.code }
}

/// Small enough that inputs of a few hundred bytes reach every bound.
let tightLimits = HTTP1Limits(
  headBytes: 96, targetBytes: 16, fields: 4, chunkExtensionBytes: 8, trailerBytes: 24)
