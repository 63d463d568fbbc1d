import Domain

/// What `window` shows: a range and what within it.
public struct WindowQuery: Sendable, Hashable {
  /// nil: from the log's beginning.
  public var from: Selector?
  /// nil: to the log's end.
  public var to: Selector?
  /// Only events that all given filters match.
  public var filter: WindowFilter
  /// Events in the timeline, the first of the range; 0: every one.
  ///
  /// The summary counts all of them in any case.
  public var limit: Int
  /// Whether each line of the timeline carries all fields, as JSON shows them; text needs none.
  public var isDetailed: Bool

  /// Length of the intervals in which requests are counted, in nanoseconds, from a second on; nil: each event is told.
  public var interval: Int64?
  /// How long before the window what it is held against begins, in nanoseconds, from a second on; nil: nothing is.
  public var baseline: Int64?
  /// So many slow requests and kinds of failures are told, 0…1,000.
  public var top = 0

  /// Without arguments: everything, and the first 1,000 events of it in the timeline.
  public init(
    from: Selector? = nil, to: Selector? = nil, filter: WindowFilter = WindowFilter(),
    limit: Int = 1_000, isDetailed: Bool = true
  ) {
    self.from = from
    self.to = to
    self.filter = filter
    self.limit = limit
    self.isDetailed = isDetailed
  }
}

extension Replay {
  /// A length of time such as `30s`, `15m` or `7d`, in nanoseconds.
  ///
  /// - Parameter parameter: whose value it is, for the fault.
  public static func length(_ text: String, _ parameter: String) throws(InquiryFault) -> Int64 {
    // A length has no sign, as the contract says.
    guard let length = parseDuration(text), length > 0, !text.hasPrefix("+") else {
      throw InquiryFault(
        .usage,
        "`\(Shown.text(String(text.prefix(32))))` is no length of time: write for example 30s, 15m or 7d.",
        parameter: parameter)
    }
    return length
  }
}
