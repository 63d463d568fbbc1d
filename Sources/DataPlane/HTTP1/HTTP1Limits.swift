/// Bounds of one message; what is beyond them is a fault, never truncated.
public struct HTTP1Limits: Sendable, Hashable {
  /// Start line, header fields and their line ends together, in bytes; default 32 KiB.
  public let headBytes: Int
  /// The request target, in bytes; default 8 KiB.
  public let targetBytes: Int
  /// Header fields in a head, and separately in a trailer section; default 100.
  public let fields: Int
  /// All chunk extensions of one body together, in bytes; default 4 KiB.
  public let chunkExtensionBytes: Int
  /// The trailer section of one body, in bytes; default 8 KiB.
  public let trailerBytes: Int

  /// The limits; heads are bounded so that 16-bit offsets reach every byte of them.
  ///
  /// - Precondition: `headBytes` is in 64…65,535, `targetBytes` in 1…`headBytes`, the others not
  ///   negative.
  public init(
    headBytes: Int = 32 << 10, targetBytes: Int = 8 << 10, fields: Int = 100,
    chunkExtensionBytes: Int = 4 << 10, trailerBytes: Int = 8 << 10
  ) {
    precondition((64...65_535).contains(headBytes), "headBytes must be in 64…65,535")
    precondition((1...headBytes).contains(targetBytes), "targetBytes must be in 1…headBytes")
    precondition(
      fields >= 0 && chunkExtensionBytes >= 0 && trailerBytes >= 0, "a limit is not negative")
    self.headBytes = headBytes
    self.targetBytes = targetBytes
    self.fields = fields
    self.chunkExtensionBytes = chunkExtensionBytes
    self.trailerBytes = trailerBytes
  }
}
