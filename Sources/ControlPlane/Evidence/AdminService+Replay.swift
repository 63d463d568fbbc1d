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
    let limit = try query.int("limit", in: 1...Self.timelineMax) ?? Self.timelineMax
    let filter = WindowFilter(
      kind: try query.text("kind"), account: try query.text("account"),
      key: try query.text("key"), model: try query.text("model"),
      provider: try query.text("provider"),
      status: try Self.told("status") { () throws(InquiryFault) in
        try query["status"].map { text throws(InquiryFault) in
          try WindowFilter.StatusRange(text)
        }
      })
    return try await ranged(call) { log, from, to, now throws(InquiryFault) in
      try Replay.window(
        log, WindowQuery(from: from, to: to, filter: filter, limit: limit), now: now)
    }
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
      try Replay.difference(log, from: from, to: to ?? .position(.max, epoch: nil), now: now)
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
  private typealias Verb =
    @Sendable (LogReader, UnixNanoseconds) throws(InquiryFault) -> any InquiryReport
  private typealias RangedVerb =
    @Sendable (LogReader, Selector?, Selector?, UnixNanoseconds) throws(InquiryFault) ->
    any InquiryReport

  /// Answers with the report's document.
  private func inquiry(_ verb: @escaping Verb) async throws -> AdminAnswer {
    let log = control.store.reader
    let now = control.edge.now()
    return try await inquiries.run {
      .json(JSONValue(try verb(log, now).document))
    }
  }

  /// The same for a verb that reads all events of a range.
  private func ranged(
    _ call: AdminCall, isBounded: Bool = true, _ verb: @escaping RangedVerb
  ) async throws -> AdminAnswer {
    let from = try Self.selector("from", call)
    let to = try Self.selector("to", call)
    let most = options.inquiryEvents
    return try await inquiry { log, now throws(InquiryFault) in
      guard isBounded else { return try verb(log, from, to, now) }
      let range = try Replay.range(log, from: from, to: to, now: now)
      if let range, range.upperBound.rawValue - range.lowerBound.rawValue >= most {
        throw InquiryFault(
          .usage,
          "Positions \(range.lowerBound) through \(range.upperBound) are more than \(most) events, "
            + "which is what one call reads. Narrow `from` and `to`, or ask `replay`, which has no such bound."
        )
      }
      // The log grows meanwhile: what was measured is what is read.
      guard let range else { return try verb(log, from, to, now) }
      return try verb(
        log, .position(range.lowerBound.rawValue, epoch: nil),
        .position(range.upperBound.rawValue, epoch: nil), now)
    }
  }

  private static func selector(_ name: String, _ call: AdminCall) throws -> Selector? {
    let text = try call.query.text(name)
    return try told(name) { () throws(InquiryFault) in
      try text.map { text throws(InquiryFault) in try Selector(text) }
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
