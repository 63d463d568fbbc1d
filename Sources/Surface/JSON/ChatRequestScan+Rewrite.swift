extension ChatRequestScan {
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
    preconditionFailure("not written yet")
  }

  /// The same into one array.
  public func rewritten(
    _ body: UnsafeRawBufferPointer, model: String, includeUsage: Bool
  ) -> [UInt8] {
    preconditionFailure("not written yet")
  }
}
