/// The tables, and views of them that people can read with any SQLite shell.
enum Schema {
  private static let sums = [
    "requests", "completed", "denied", "hung_up", "interrupted", "undelivered", "summarised",
    "reported", "priced", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens",
    "cache_creation_tokens", "cost_micro_usd",
  ]

  /// The columns of `UsageTotals`, in the order of `columns`.
  static let totals = (sums + ["last_at"]).joined(separator: ", ")
  static let totalsCount = sums.count + 1
  /// Whether a column counts requests; the others are sums of what was claimed.
  static func isCount(_ column: Int) -> Bool { column < sums.count && !claimed.contains(column) }
  private static let claimed = (sums.firstIndex(of: "input_tokens") ?? 0)..<sums.count
  /// The same of several rows.
  static let totalsSummed = (sums.map { "SUM(\($0))" } + ["MAX(last_at)"]).joined(separator: ", ")
  /// The same of a row and the one that is to be added.
  static let totalsAdded =
    (sums.map { "\($0) = \($0) + excluded.\($0)" } + ["last_at = MAX(last_at, excluded.last_at)"])
    .joined(separator: ", ")

  static func places(_ count: Int) -> String {
    Array(repeating: "?", count: count).joined(separator: ", ")
  }

  private static let totalsDeclared =
    (sums + ["last_at"]).map { "\($0) INTEGER NOT NULL" }.joined(separator: ", ")

  /// The columns of `CallTotals`.
  static let callSums = "count, input_tokens, output_tokens, cost_micro_usd, latency"
  private static let callDeclared = """
    account INTEGER NOT NULL, status INTEGER NOT NULL, error_class INTEGER NOT NULL,
    count INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cost_micro_usd INTEGER NOT NULL, latency BLOB NOT NULL
    """

  /// Minutes that are kept, and calls by hour and minute since the first of them: the newest that had a request.
  ///
  /// Counted and not measured by a clock: the log alone says which they are, however its events are cut into
  /// runs, and a clock that was set far ahead for a moment takes none of them away.
  static let minutesKept = 2880

  /// A number stands for a text in `name`, 0 for none; a month has 32 days.
  static let text = """
    CREATE TABLE checkpoint (
      id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, store TEXT NOT NULL,
      position INTEGER NOT NULL, chain BLOB NOT NULL) STRICT;
    CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE series (
      id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, operation INTEGER NOT NULL,
      subject INTEGER NOT NULL, model INTEGER NOT NULL,
      UNIQUE (kind, operation, subject, model)) STRICT;
    CREATE TABLE usage_month (
      month INTEGER NOT NULL, series INTEGER NOT NULL, \(totalsDeclared),
      PRIMARY KEY (month, series)) STRICT, WITHOUT ROWID;
    CREATE TABLE usage_day (
      day INTEGER NOT NULL, series INTEGER NOT NULL, \(totalsDeclared),
      PRIMARY KEY (day, series)) STRICT, WITHOUT ROWID;
    CREATE TABLE usage_hour (
      hour INTEGER NOT NULL, series INTEGER NOT NULL, \(totalsDeclared),
      PRIMARY KEY (hour, series)) STRICT, WITHOUT ROWID;
    CREATE TABLE usage_minute (
      minute INTEGER PRIMARY KEY, \(totalsDeclared)) STRICT;
    CREATE TABLE call_hour (
      hour INTEGER NOT NULL, \(callDeclared),
      PRIMARY KEY (hour, account, status, error_class)) STRICT, WITHOUT ROWID;
    CREATE TABLE call_minute (
      minute INTEGER NOT NULL, \(callDeclared),
      PRIMARY KEY (minute, account, status, error_class)) STRICT, WITHOUT ROWID;
    CREATE TABLE mark (
      kind INTEGER NOT NULL, value INTEGER NOT NULL, chapter INTEGER NOT NULL,
      pages INTEGER NOT NULL, PRIMARY KEY (kind, value, chapter)) STRICT, WITHOUT ROWID;
    CREATE TABLE in_flight (
      request BLOB PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE VIEW series_named AS
      SELECT s.id, s.kind, s.operation, n.text AS subject, m.text AS model
      FROM series s LEFT JOIN name n ON n.id = s.subject LEFT JOIN name m ON m.id = s.model;
    CREATE VIEW usage_by_month AS
      SELECT u.month, s.kind, s.operation, s.subject, s.model, \(totals)
      FROM usage_month u JOIN series_named s ON s.id = u.series;
    CREATE VIEW usage_by_day AS
      SELECT u.day, s.kind, s.operation, s.subject, s.model, \(totals)
      FROM usage_day u JOIN series_named s ON s.id = u.series;
    CREATE VIEW usage_by_hour AS
      SELECT u.hour, s.kind, s.operation, s.subject, s.model, \(totals)
      FROM usage_hour u JOIN series_named s ON s.id = u.series;
    CREATE VIEW calls_by_hour AS
      SELECT c.hour, a.text AS account, c.status, c.error_class, \(callSums)
      FROM call_hour c LEFT JOIN name a ON a.id = c.account;
    CREATE VIEW calls_by_minute AS
      SELECT c.minute, a.text AS account, c.status, c.error_class, \(callSums)
      FROM call_minute c LEFT JOIN name a ON a.id = c.account;
    CREATE VIEW marks_named AS
      SELECT m.kind, n.text AS name, NULL AS number, m.chapter, m.pages FROM mark m
        LEFT JOIN name n ON n.id = m.value WHERE m.kind < 100
      UNION ALL
      SELECT m.kind, NULL, m.value, m.chapter, m.pages FROM mark m WHERE m.kind >= 100;
    """

  /// What has to be equal where two files are of the same log, and how many columns at the front of each say what a
  /// row is of: their numbers for names may differ.
  static let compared = [
    ("usage_by_month", 5), ("usage_by_day", 5), ("usage_by_hour", 5), ("usage_minute", 1),
    ("calls_by_hour", 4), ("calls_by_minute", 4), ("marks_named", 4), ("in_flight", 1),
  ]
}
