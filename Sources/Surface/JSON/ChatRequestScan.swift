/// What the hot path needs of a chat request's top level, noted while the whole document is checked.
///
/// One pass, strict RFC 8259. Bounds: depth 128, 1,024 top-level members, 256 bytes for a top-level
/// name and for `model`. Allocates nothing but `model`.
public struct ChatRequestScan: Sendable, Hashable {
  /// The model's name as text, unescaped: 1…256 bytes.
  public var model: String
  /// The bytes of the JSON string token, quotes included.
  public var modelRange: Range<Int>
  /// True only for `"stream": true`; absent, null and false are false.
  public var stream: Bool
  /// What stands under `stream_options`.
  public var streamOptions: StreamOptions
  /// Offset just after the opening brace, for adding members; a member always follows (`model`).
  public var insertionPoint: Int

  /// The forms that `stream_options` may take.
  public enum StreamOptions: Sendable, Hashable {
    case absent
    /// The range of the token `null`.
    case null(Range<Int>)
    /// The range from brace to brace; whether there are no members; `include_usage`, if there.
    case object(Range<Int>, isEmpty: Bool, includeUsage: IncludeUsage?)
  }

  /// The value of `stream_options.include_usage`.
  public struct IncludeUsage: Sendable, Hashable {
    public var value: Bool
    /// The range of the token `true` or `false`.
    public var range: Range<Int>

    public init(value: Bool, range: Range<Int>) {
      self.value = value
      self.range = range
    }
  }

  /// The bytes of the value of `stream_options`, `null` included; nil if absent.
  public var streamOptionsRange: Range<Int>? {
    switch streamOptions {
    case .absent: nil
    case .null(let range): range
    case .object(let range, _, _): range
    }
  }

  /// What the client asked for in `stream_options.include_usage`; nil if it did not say.
  public var includeUsage: Bool? {
    if case .object(_, _, let option) = streamOptions { option?.value } else { nil }
  }

  /// Checks the whole of `bytes` and notes the top level; the fault names the first thing wrong.
  public static func scan(_ bytes: UnsafeRawBufferPointer) -> Result<ChatRequestScan, JSONFault> {
    preconditionFailure("not written yet")
  }
}
