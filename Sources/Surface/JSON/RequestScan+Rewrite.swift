extension RequestScan {
  /// One piece of a rewritten body, in order.
  public enum BodyPiece: Sendable, Hashable {
    /// These bytes of the original body, exactly.
    case original(Range<Int>)
    /// These bytes instead of, or between, the original's.
    case inserted([UInt8])
  }

  /// The body as it goes upstream: `model` replaced, and with `includeUsage` the option
  /// `stream_options.include_usage` set to true; all other bytes exactly as they came.
  ///
  /// At most 5 pieces, without copying the body. `bodyCount` is the length of the body scanned.
  public func rewrite(bodyCount: Int, model: String, includeUsage: Bool) -> [BodyPiece] {
    var pieces: [BodyPiece] = []
    pieces.reserveCapacity(5)
    var done = 0
    func edit(_ range: Range<Int>, _ bytes: [UInt8]) {
      if done < range.lowerBound { pieces.append(.original(done..<range.lowerBound)) }
      pieces.append(.inserted(bytes))
      done = range.upperBound
    }
    let usage = includeUsage ? usageEdit : nil
    if let usage, usage.range.lowerBound < modelRange.lowerBound { edit(usage.range, usage.bytes) }
    if model != self.model, !modelRange.isEmpty {
      var token: [UInt8] = []
      appendJSONString(model, to: &token)
      edit(modelRange, token)
    }
    if let usage, usage.range.lowerBound > modelRange.lowerBound { edit(usage.range, usage.bytes) }
    if done < bodyCount { pieces.append(.original(done..<bodyCount)) }
    return pieces
  }

  /// The same into one array; `body` must be the bytes that were scanned.
  public func rewritten(
    _ body: UnsafeRawBufferPointer, model: String, includeUsage: Bool
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(body.count + model.utf8.count + 64)
    for piece in rewrite(bodyCount: body.count, model: model, includeUsage: includeUsage) {
      switch piece {
      case .original(let range):
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: body[range]))
      case .inserted(let inserted): bytes.append(contentsOf: inserted)
      }
    }
    return bytes
  }

  /// What makes `stream_options.include_usage` true; nil if it already is.
  private var usageEdit: (range: Range<Int>, bytes: [UInt8])? {
    switch streamOptions {
    case .absent:
      // A member always follows: `model` is required.
      return (
        insertionPoint..<insertionPoint, Array(#""stream_options":{"include_usage":true},"#.utf8)
      )
    case .null(let range):
      return (range, Array(#"{"include_usage":true}"#.utf8))
    case .object(let range, let isEmpty, nil):
      let start = range.lowerBound + 1
      return (start..<start, Array((#""include_usage":true"# + (isEmpty ? "" : ",")).utf8))
    case .object(_, _, let option?):
      return option.value ? nil : (option.range, Array("true".utf8))
    }
  }
}
