import Domain
import EventStore
import Inquiry
import Surface

/// `/api/replay/…`: the verbs of `replay` that a gateway answers itself, with the documents of their `--json`.
///
/// A call reads at most `AdminOptions.inquiryEvents` events; `replay` reads the same log without a bound, beside the gateway.
extension AdminService {
  private static let timelineMax = 1_000

  func replayWindow(_ call: AdminCall) async throws -> AdminAnswer {
    let query = call.query
    let kinds = [try query.text("kind"), try query.text("type")].compactMap(\.self)
    guard kinds.count < 2 else {
      throw APIFault(
        .invalidField, "`kind` and `type` are the same.", field: "type", remedy: "Send one of them."
      )
    }
    let filter = WindowFilter(
      kind: kinds.first, account: try query.text("account"), key: try query.text("key"),
      organisation: try query.text("org"), model: try query.text("model"),
      provider: try query.text("provider"),
      status: try Self.told("status") { () throws(InquiryFault) in
        try query["status"].map { text throws(InquiryFault) in
          try WindowFilter.StatusRange(text)
        }
      })
    var asked = WindowQuery(
      filter: filter, limit: try query.int("limit", in: 1...Self.timelineMax) ?? Self.timelineMax)
    asked.interval = try Self.length("interval", call)
    asked.baseline = try Self.length("baseline", call)
    asked.top = try query.int("top", in: 0...1_000) ?? 0
    let window = asked
    return try await ranged(call, back: window.baseline ?? 0) {
      log, from, to, now throws(InquiryFault) in
      var window = window
      (window.from, window.to) = (from, to)
      return try Replay.window(log, window, now: now)
    }
  }

  func replayReport(_ call: AdminCall) async throws -> AdminAnswer {
    let format = try call.query.choice("format", of: ["json", "html", "md"]) ?? "json"
    var objectives = Objectives.standard
    if let text = try call.query.text("availability") {
      objectives.servedPerMillion = try Objectives.perMillion(text, "availability")
    }
    if let text = try call.query.text("inTime") {
      objectives.inTimePerMillion = try Objectives.perMillion(text, "inTime")
    }
    if let length = try Self.length("firstByte", call) {
      objectives.firstByteMicroseconds = UInt64(length) / 1_000
    }
    let promised = objectives
    return try await ranged(
      call, back: IncidentReport.lookBack,
      { log, from, to, now throws(InquiryFault) in
        try Replay.report(
          log, ReportQuery(from: from, to: to, objectives: promised), now: now)
      },
      as: { report in
        switch format {
        case "html": .page(report.html)
        case "md": .text(report.text, "text/markdown; charset=utf-8")
        default: .json(JSONValue(report.document))
        }
      })
  }

  func replayShow(_ call: AdminCall) async throws -> AdminAnswer {
    let target = try Self.target(call)
    return try await inquiry { log, _ throws(InquiryFault) in try Replay.show(log, target) }
  }

  func replayExplain(_ call: AdminCall) async throws -> AdminAnswer {
    let target = try Self.target(call)
    return try await inquiry { log, _ throws(InquiryFault) in try Replay.explain(log, target) }
  }

  func replayState(_ call: AdminCall) async throws -> AdminAnswer {
    let moment = try Self.selector("at", call)
    let part = try call.query.choice("part", of: StateReport.Part.allCases.map(\.rawValue))
      .flatMap { StateReport.Part(rawValue: $0) }
    return try await inquiry { log, now throws(InquiryFault) in
      try Replay.state(log, at: moment, part: part, now: now)
    }
  }

  func replayDiff(_ call: AdminCall) async throws -> AdminAnswer {
    let from = try Self.selector("from", call)
    let to = try Self.selector("to", call)
    return try await inquiry { log, now throws(InquiryFault) in
      try Replay.difference(log, from: from, to: to, now: now)
    }
  }

  func replayDrift(_ call: AdminCall) async throws -> AdminAnswer {
    let stream = try call.query.text("stream")
    return try await ranged(call) { log, from, to, now throws(InquiryFault) in
      try Replay.drift(log, from: from, to: to, stream: stream, now: now)
    }
  }

  func replayBlame(_ call: AdminCall) async throws -> AdminAnswer {
    let target = try call.query.text("stream") ?? ""
    let moment = try Self.selector("at", call)
    return try await inquiry { log, now throws(InquiryFault) in
      try Replay.blame(log, target, at: moment, now: now)
    }
  }

  func replayBisect(_ call: AdminCall) async throws -> AdminAnswer {
    let predicate = try call.query.text("predicate") ?? ""
    let readsRequests = try Self.told("predicate") { () throws(InquiryFault) in
      try Predicate(predicate).readsRequests
    }
    return try await ranged(call, isBounded: readsRequests) {
      log, from, to, now throws(InquiryFault) in
      try Replay.bisect(log, predicate, from: from, to: to, now: now)
    }
  }

  func replayWhatIf(_ call: AdminCall) async throws -> AdminAnswer {
    // A parameter comes once; several changes stand in it with semicolons between.
    func changes(_ name: String) throws -> [String] {
      try call.query.text(name, atMost: 4096)?.split(separator: ";").map {
        String($0).trimmedOfSpaces
      } ?? []
    }
    let suppositions =
      try changes("set").map { text in
        try Self.told("set") { () throws(InquiryFault) in try Supposition.set(text) }
      }
      + changes("remove").map { text in
        try Self.told("remove") { () throws(InquiryFault) in try Supposition.remove(text) }
      }
    guard !suppositions.isEmpty else {
      throw APIFault(
        .missingField, "Nothing is supposed.", field: "set",
        remedy: "Send `set=stream.field=value` or `remove=stream`.")
    }
    return try await ranged(call) { log, from, to, now throws(InquiryFault) in
      try Replay.whatIf(log, suppositions, from: from, to: to, now: now)
    }
  }
}

extension AdminService {
  private typealias Verb<Report> =
    @Sendable (LogReader, UnixNanoseconds) throws(InquiryFault) -> Report
  private typealias RangedVerb<Report> =
    @Sendable (LogReader, Selector?, Selector?, UnixNanoseconds) throws(InquiryFault) -> Report

  /// Answers with the report's document.
  private func inquiry(_ verb: @escaping Verb<any InquiryReport>) async throws -> AdminAnswer {
    try await inquiry(verb, as: { .json(JSONValue($0.document)) })
  }

  /// Answers with what is made of the report.
  private func inquiry<Report: Sendable>(
    _ verb: @escaping Verb<Report>, as form: @escaping @Sendable (Report) -> AdminAnswer
  ) async throws -> AdminAnswer {
    let log = control.store.reader
    let now = control.edge.now()
    return try await inquiries.run { form(try verb(log, now)) }
  }

  /// The same for a verb that reads all events of a range.
  private func ranged(
    _ call: AdminCall, isBounded: Bool = true, back: Int64 = 0,
    _ verb: @escaping RangedVerb<any InquiryReport>
  ) async throws -> AdminAnswer {
    try await ranged(
      call, isBounded: isBounded, back: back, verb, as: { .json(JSONValue($0.document)) })
  }

  /// - Parameter back: how long before the range it looks too, in nanoseconds.
  private func ranged<Report: Sendable>(
    _ call: AdminCall, isBounded: Bool = true, back: Int64 = 0,
    _ verb: @escaping RangedVerb<Report>, as form: @escaping @Sendable (Report) -> AdminAnswer
  ) async throws -> AdminAnswer {
    let from = try Self.selector("from", call)
    let to = try Self.selector("to", call)
    let most = options.inquiryEvents
    return try await inquiry(
      { log, now throws(InquiryFault) in
        try Selector.check(from: from, to: to, now: now)
        guard isBounded, let range = try Replay.range(log, from: from, to: to, now: now) else {
          return try verb(log, from, to, now)
        }
        let begin = try Replay.reach(log, from: from, range.lowerBound, back: back, now: now)
        guard range.upperBound.rawValue - begin.rawValue < most else {
          let before = begin < range.lowerBound ? ", with what is looked at before the range," : ""
          throw InquiryFault(
            .usage,
            "Positions \(begin) through \(range.upperBound)\(before) are more than \(most) events, "
              + "which is what one call reads. Narrow `from` and `to`, or ask `replay`, which has no such bound."
          )
        }
        // The log grows meanwhile: what was measured is what is read. A time as the end also leaves others' times out.
        return try verb(log, from, to ?? .position(range.upperBound.rawValue, epoch: nil), now)
      }, as: form)
  }

  private static func length(_ name: String, _ call: AdminCall) throws -> Int64? {
    try call.query.text(name).map { try Replay.length($0, name) }
  }

  private static func selector(_ name: String, _ call: AdminCall) throws -> Selector? {
    let text = try call.query.text(name)
    return try told(name) { () throws(InquiryFault) in
      try text.map { text throws(InquiryFault) in
        do throws(InquiryFault) {
          return try Selector(text)
        } catch {
          guard text.contains(" ") else { throw error }
          // What a query has as + comes here as a blank, and nothing that names a moment has one.
          throw InquiryFault(error.code, error.message + " In a query a + is written as %2B.")
        }
      }
    }
  }

  private static func target(_ call: AdminCall) throws -> String {
    try call.query.text("id") ?? ""
  }

  /// Names the parameter in what is wrong with its value.
  private static func told<Value>(
    _ field: String, _ read: () throws(InquiryFault) -> Value
  ) throws -> Value {
    do throws(InquiryFault) {
      return try read()
    } catch {
      throw APIFault(inquiry: error, field: field)
    }
  }
}
