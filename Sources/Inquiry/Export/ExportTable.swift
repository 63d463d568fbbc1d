/// A table of an export: the same columns as lines of JSON, as CSV and in SQLite.
public enum ExportTable: String, Sendable, CaseIterable {
  /// A row for each request's end; one that a crash cut has `ending` = `interrupted`.
  case requests
  /// A row for each upstream call of those requests.
  case attempts
  /// A row for each event, of whatever kind.
  case events

  /// A column and what it holds.
  public struct Column: Sendable, Hashable {
    /// Its name in all formats.
    public var name: String
    /// Whether it holds whole numbers; else texts.
    public var isNumber: Bool
    /// Whether a row may have nothing there.
    public var isOptional: Bool

    init(_ name: String, isNumber: Bool, isOptional: Bool) {
      self.name = name
      self.isNumber = isNumber
      self.isOptional = isOptional
    }
  }

  private static func text(_ name: String) -> Column {
    Column(name, isNumber: false, isOptional: false)
  }
  private static func number(_ name: String) -> Column {
    Column(name, isNumber: true, isOptional: false)
  }
  private static func maybe(_ column: Column) -> Column {
    Column(column.name, isNumber: column.isNumber, isOptional: true)
  }

  /// In the order in which rows have them.
  public var columns: [Column] {
    switch self {
    case .requests: Self.requestColumns
    case .attempts: Self.attemptColumns
    case .events: Self.eventColumns
    }
  }

  private static let requestColumns: [Column] = [
    number("position"), number("epoch"), text("time"), number("time_ns"), text("request_id"),
    maybe(text("client_request_id")), maybe(text("organisation")), maybe(text("key_id")),
    maybe(text("key_name")), maybe(text("remote_address")), maybe(text("operation")),
    maybe(text("model_asked")), maybe(text("model_resolved")), maybe(text("provider")),
    maybe(text("account_id")), maybe(text("account_name")), maybe(number("attempts")),
    maybe(number("is_stream")), maybe(number("status")), text("ending"),
    maybe(text("error_code")), maybe(text("error_class")), maybe(number("input_tokens")),
    maybe(number("output_tokens")), maybe(number("cached_tokens")),
    maybe(number("reasoning_tokens")), maybe(number("cache_creation_tokens")),
    maybe(number("price_version")), maybe(number("cost_micro_usd")),
    maybe(number("request_bytes")), maybe(number("response_bytes")),
    maybe(text("received_at")), maybe(number("queue_us")), maybe(number("first_byte_us")),
    maybe(number("total_us")),
  ]

  private static let attemptColumns: [Column] = [
    number("position"), number("number"), text("request_id"), text("account_id"),
    text("account_name"), text("rule"), number("snapshot"), text("decided_at"),
    maybe(text("upstream_model")), maybe(number("status")), maybe(text("error_code")),
    maybe(text("error_class")), maybe(number("connect_us")), maybe(number("first_byte_us")),
    number("total_us"),
  ]

  private static let eventColumns: [Column] = [
    number("position"), number("epoch"), text("time"), number("time_ns"), text("event_id"),
    text("stream"), number("revision"), text("kind"), maybe(text("actor")),
    maybe(text("source")), maybe(text("address")), maybe(text("cause")),
    maybe(text("correlation")), maybe(text("request_id")), text("text"), maybe(text("fields")),
  ]
}

/// What stands in one column of a row.
public enum ExportValue: Sendable, Hashable {
  case none
  case number(Int64)
  case text(String)

  /// Beyond what 64 bits with a sign hold, the greatest that they do.
  static func number(_ value: UInt64?) -> ExportValue {
    value.map { .number(Int64(clamping: $0)) } ?? .none
  }

  static func text(_ value: String?) -> ExportValue { value.map { .text($0) } ?? .none }
}
