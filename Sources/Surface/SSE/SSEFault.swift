/// Why a byte stream cannot be split any further.
public enum SSEFault: Error, Sendable, Hashable {
  /// A frame exceeds the bound, in bytes.
  case frameTooLong(limit: Int)
}
