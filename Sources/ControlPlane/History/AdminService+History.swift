import Domain
import EventStore
import Inquiry
import Surface

/// `/api/history/{stream}`: who set what, when, from where, before and after.
extension AdminService {
  func streamHistory(_ call: AdminCall) async throws -> AdminAnswer {
    let stream = try call.parameter("stream")
    guard stream != requestStream else {
      throw APIFault(
        .notFound, "Requests are too many for a history.",
        remedy: "List them with `GET /api/usage/logs`.")
    }
    let page = try Page(call.query)
    var before: UInt64?
    if let after = page.after {
      guard case .number(let number)? = after.parts.first, number > 0 else {
        throw APIFault(
          .invalidField, "The parameter after is no cursor of this list.", field: "after")
      }
      before = UInt64(number)
    }
    let log = control.store.reader
    let (limit, end) = (page.limit, before)
    let history = try await reads.run {
      try Replay.history(of: stream, in: log, before: end, limit: limit)
    }
    let next = history.oldest > 1 ? Page.Key(.number(Int64(clamping: history.oldest))).cursor : nil
    return .json(
      .object(
        [
          .init("stream", JSONValue(history.stream)),
          .init("revision", JSONValue(history.revision)),
          .init("missing", JSONValue(history.missing)),
          .init("steps", .array(history.steps.map { Self.json($0) })),
        ] + Page.members(next: next)))
  }

  static func json(_ step: StreamHistory.Step) -> JSONValue {
    let origin = step.provenance
    return [
      "at": JSONValue(step.place), "revision": JSONValue(step.revision),
      "event": JSONValue(uuidText(step.id)), "time": JSONValue(step.time),
      "kind": JSONValue(step.kind), "actor": JSONValue(origin?.actor),
      "source": JSONValue(origin?.source.name), "address": JSONValue(origin?.address),
      "cause": JSONValue(origin?.cause.map { uuidText($0) }),
      "request": JSONValue(origin?.correlation.map { uuidText($0) }),
      "base": JSONValue(origin?.base), "changes": .array(step.changes.map { JSONValue($0) }),
      "fields": step.fields.map { JSONValue($0) } ?? .null,
    ]
  }
}

extension JSONValue {
  /// `{field, before, after}`.
  init(_ difference: Image.Difference) {
    self = [
      "field": JSONValue(difference.field), "before": JSONValue(difference.before),
      "after": JSONValue(difference.after),
    ]
  }

  /// A field's value as answers show it.
  init(_ value: Image.Value) {
    switch value {
    case .none: self = .null
    case .flag(let flag): self = .bool(flag)
    case .number(let number): self = JSONValue(number)
    case .text(let text): self = .string(text)
    case .time(let time): self = JSONValue(time)
    case .list(let values): self = .array(values.map { JSONValue($0) })
    case .record(let members):
      self = .object(members.map { Member($0.name, JSONValue($0.value)) })
    }
  }

  /// What an inquiry tells.
  init(_ tree: JSONTree) {
    switch tree {
    case .null: self = .null
    case .bool(let flag): self = .bool(flag)
    case .number(let number): self = JSONValue(number)
    case .text(let text): self = .string(text)
    case .array(let elements): self = .array(elements.map { JSONValue($0) })
    case .object(let members):
      self = .object(members.map { Member($0.name, JSONValue($0.value)) })
    }
  }
}

extension APIFault {
  /// A question to the log that cannot be answered as asked.
  init(inquiry fault: InquiryFault, field: String? = nil) {
    switch fault.code {
    case .usage: self.init(.invalidField, fault.message, field: fault.parameter ?? field)
    case .notFound: self.init(.notFound, fault.message, field: fault.parameter)
    case .log, .damaged, .differs, .notCovered: self.init(.logUnreadable, fault.message)
    }
  }
}
