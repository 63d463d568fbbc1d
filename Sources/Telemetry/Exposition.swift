import Domain

/// Writes metrics as Prometheus' text, version 0.0.4.
///
/// Takes nothing that is not a row of the table, and each row once.
public struct Exposition: Sendable {
  /// What `Content-Type` says of it.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// What was written so far.
  public private(set) var bytes: [UInt8] = []

  /// Nothing.
  public init() { bytes.reserveCapacity(1 << 16) }

  /// A value as it is written: no floating point on the way.
  public enum Value: Sendable, Hashable {
    case whole(UInt64)
    /// Of seconds or dollars.
    case millionths(UInt64)

    /// 1 or 0.
    public static func flag(_ isSet: Bool) -> Value { .whole(isSet ? 1 : 0) }
  }

  /// A metric without labels.
  public mutating func write(_ metric: Metric, _ value: Value) { write(metric, [[]: value]) }

  /// A metric by its labels' values, in the order of the row's labels; with none: that there is such a metric.
  public mutating func write(_ metric: Metric, _ samples: [[String]: Value]) {
    begin(metric)
    for (labels, value) in Self.sorted(samples) {
      text(metric.name)
      pairs(metric.labels, labels)
      end(value)
    }
  }

  /// A histogram by its labels' values.
  public mutating func write(_ metric: Metric, _ samples: [[String]: Histogram]) {
    begin(metric)
    for (labels, histogram) in Self.sorted(samples) {
      var sum: UInt64 = 0
      for (at, count) in histogram.counts.enumerated() {
        sum += count
        let bounds = histogram.buckets.microseconds
        let bound = at < bounds.count ? decimalText(millionths: bounds[at]) : "+Inf"
        text(metric.name)
        text("_bucket")
        pairs(metric.labels + ["le"], labels + [bound])
        end(.whole(sum))
      }
      for (suffix, value) in [("_sum", Value.millionths(histogram.sum)), ("_count", .whole(sum))] {
        text(metric.name)
        text(suffix)
        pairs(metric.labels, labels)
        end(value)
      }
    }
  }

  private static func sorted<Sample>(
    _ samples: [[String]: Sample]
  ) -> [(key: [String], value: Sample)] {
    samples.count < 2
      ? Array(samples) : samples.sorted { $0.key.lexicographicallyPrecedes($1.key) }
  }

  private mutating func begin(_ metric: Metric) {
    text("# HELP \(metric.name) ")
    escaped(metric.help, quotes: false)
    text("\n# TYPE \(metric.name) \(metric.kind.name)\n")
  }

  private mutating func pairs(_ names: [String], _ values: [String]) {
    precondition(names.count == values.count, "a value for each label")
    guard !names.isEmpty else { return }
    for (at, name) in names.enumerated() {
      bytes.append(at == 0 ? UInt8(ascii: "{") : UInt8(ascii: ","))
      text(name)
      text("=\"")
      escaped(values[at], quotes: true)
      bytes.append(UInt8(ascii: "\""))
    }
    bytes.append(UInt8(ascii: "}"))
  }

  private mutating func end(_ value: Value) {
    bytes.append(UInt8(ascii: " "))
    switch value {
    case .whole(let number): text(String(number))
    case .millionths(let number): text(decimalText(millionths: number))
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  private mutating func text(_ text: String) { bytes.append(contentsOf: text.utf8) }

  /// Backslashes and line ends always, quotes within quotes; control characters are no part of a name of ours.
  private mutating func escaped(_ text: String, quotes: Bool) {
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): self.text("\\\\")
      case UInt8(ascii: "\n"): self.text("\\n")
      case UInt8(ascii: "\"") where quotes: self.text("\\\"")
      case _: bytes.append(byte)
      }
    }
  }
}
