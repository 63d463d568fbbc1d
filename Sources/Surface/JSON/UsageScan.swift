public import Domain

/// What the gateway reads of an answer: the top level's `usage`, `error` and `choices`.
///
/// For a whole answer, or for the data of one SSE frame. Never fails: of a document that is not a
/// JSON object nothing is reported. Allocates nothing.
public struct UsageScan: Sendable, Hashable {
  /// The document is one valid JSON object.
  public var isObject: Bool
  /// The top-level `usage` object's figures; nil if there is no such object (absent or null).
  public var usage: TokenUsage?
  /// `"usage": null`, as streams send before their last chunk.
  public var usageIsNull: Bool
  /// A top-level `error` that is not null.
  public var hasError: Bool
  /// `"choices": []`: the chunk that carries nothing but usage.
  public var choicesAreEmpty: Bool

  /// Reads the whole of `bytes`.
  public static func scan(_ bytes: UnsafeRawBufferPointer) -> UsageScan {
    preconditionFailure("not written yet")
  }

  /// The figures alone; nil if there is no `usage` object.
  public static func usage(in bytes: UnsafeRawBufferPointer) -> TokenUsage? { scan(bytes).usage }

  /// The cheap look before a scan: whether `"usage"` followed by an object stands anywhere.
  ///
  /// No false negatives for names written without escapes; a word inside a string may be a false
  /// positive, which `scan` then tells apart.
  public static func mayHoldUsage(_ bytes: UnsafeRawBufferPointer) -> Bool {
    preconditionFailure("not written yet")
  }

  /// The cheap look for an in-stream error: whether `"error"` as a name stands anywhere.
  public static func mayHoldError(_ bytes: UnsafeRawBufferPointer) -> Bool {
    preconditionFailure("not written yet")
  }
}
