/// What a plan's requests got, beside what those got that it was written of.
struct DriveReport: Sendable {
  struct Group: Hashable, Sendable {
    var model: String
    var status: Int
  }

  struct Count: Sendable {
    var planned = 0
    var answered = 0
  }

  private(set) var groups: [Group: Count] = [:]
  /// By what stood in the way of an answer.
  private(set) var failures: [String: Int] = [:]
  /// Requests that cannot be sent, by operation.
  private(set) var skipped: [String: Int] = [:]
  private(set) var answered = 0
  private(set) var failed = 0
  private var times: [Int64] = []
  private var lateness: [Int64] = []
  /// From the first request's time to the last answer.
  var microseconds: Int64 = 0

  mutating func skip(_ request: DrivePlan.Request) {
    skipped[request.operation, default: 0] += 1
  }

  mutating func plan(_ request: DrivePlan.Request) {
    groups[Group(model: request.model, status: Int(request.status)), default: Count()].planned += 1
  }

  mutating func take(_ outcome: Driver.Outcome) {
    lateness.append(outcome.late)
    if let status = outcome.status {
      answered += 1
      times.append(outcome.microseconds)
      let group = Group(model: outcome.request.model, status: status)
      groups[group, default: Count()].answered += 1
    } else {
      failed += 1
      failures[outcome.failure ?? "failed", default: 0] += 1
    }
  }

  private var rows: [(key: Group, value: Count)] {
    groups.sorted { ($0.key.model, $0.key.status) < ($1.key.model, $1.key.status) }
  }

  private static func percentiles(of times: [Int64]) -> [(name: String, value: Int64?)] {
    let sorted = times.sorted()
    return [("p50", 50), ("p90", 90), ("p99", 99), ("max", 100)].map { name, percent in
      // The smallest time that so many in a hundred did not exceed.
      (name, sorted.isEmpty ? nil : sorted[max(0, (sorted.count * percent + 99) / 100 - 1)])
    }
  }

  var text: String {
    var out =
      "answered \(answered), without an answer \(failed), within \(Self.time(microseconds))\n"
    for (operation, count) in skipped.sorted(by: { $0.key < $1.key }) {
      out += "not sent  \(count) of \(Self.shown(operation)), which cannot be made up\n"
    }
    for (why, count) in failures.sorted(by: { $0.key < $1.key }) {
      out += "no answer \(count): \(why)\n"
    }
    for (what, times) in [("from due to the end", times), ("sent late by", lateness)]
    where !times.isEmpty {
      let shown = Self.percentiles(of: times).map { "\($0) \(Self.time($1 ?? 0))" }
      out += "\(what): \(shown.joined(separator: ", "))\n"
    }
    for (group, count) in rows {
      out +=
        "\(count.planned == count.answered ? "same" : "DIFF") \(group.status) \(Self.shown(group.model)): "
        + "\(count.answered), recorded \(count.planned)\n"
    }
    return out
  }

  var json: String {
    JSONValue.object([
      "drive": .string("signalbox"), "version": .integer(1), "answered": .integer(Int64(answered)),
      "withoutAnswer": .integer(Int64(failed)), "microseconds": .integer(microseconds),
      "failures": .object(failures.mapValues { .integer(Int64($0)) }),
      "notSent": .object(skipped.mapValues { .integer(Int64($0)) }),
      "latency": Self.object(Self.percentiles(of: times)),
      "late": Self.object(Self.percentiles(of: lateness)),
      "statuses": .array(
        rows.map { group, count in
          .object([
            "model": .string(group.model), "status": .integer(Int64(group.status)),
            "recorded": .integer(Int64(count.planned)), "answered": .integer(Int64(count.answered)),
          ])
        }),
    ]).text
  }

  private static func object(_ percentiles: [(name: String, value: Int64?)]) -> JSONValue {
    .object(
      Dictionary(
        uniqueKeysWithValues: percentiles.map { ($0.name, $0.value.map { .integer($0) } ?? .null) })
    )
  }

  /// Microseconds.
  private static func time(_ microseconds: Int64) -> String {
    switch microseconds {
    case ..<10_000: "\(microseconds) µs"
    case ..<10_000_000: "\(microseconds / 1_000) ms"
    default: "\(microseconds / 1_000_000) s"
    }
  }

  /// On one line, with nothing that a terminal would obey: names are what clients wrote.
  private static func shown(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned,
        .privateUse:
        out += "\\u{" + String(scalar.value, radix: 16) + "}"
      case _: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}
