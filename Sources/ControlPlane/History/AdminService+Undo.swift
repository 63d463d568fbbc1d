import Domain
import EventStore
import HTTPTypes
import Inquiry
import Surface
import Synchronization

/// `/api/config/revert` and `/api/config/restore`: new events that make it as it was.
extension AdminService {
  func revertStream(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let stream = try fields.string("stream")
    let revision = UInt64(try fields.int("to", in: 1...Int64.max))
    let allowUnresolved = try fields.optionalBool("allowUnresolved") ?? false
    let plan = try PlanOptions(&fields)
    try fields.finish()
    guard let subject = Subject(stream: stream), subject.isIntent else {
      throw fields.fault(
        "stream", "\(Refusal.bounded(stream)) is no stream that can be set back",
        remedy: "Name one that operators set, for example alias/fast, account/<id> or settings.")
    }
    let log = control.store.reader
    let (fold, end) = try await reads.run {
      try Replay.fold(of: subject, through: revision, in: log)
    }
    let image = fold.image
    let way = WayBack(
      place: end.place, event: end.id, time: end.time,
      members: [.init("stream", JSONValue(stream)), .init("to", JSONValue(revision))],
      tag: { $0.revision(ofStream: stream) },
      reversal: { $0.reversal(toward: [(subject, image)], allowUnresolved: allowUnresolved) })
    return try await go(way, plan, call)
  }

  func restoreConfiguration(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let text = try fields.string("at")
    let plan = try PlanOptions(&fields)
    try fields.finish()
    let (log, now) = (control.store.reader, edge.now())
    let moment: ConfigurationMoment
    do {
      let selector = try Selector(text)
      moment = try await reads.run { try Replay.configuration(at: selector, in: log, now: now) }
    } catch let fault as InquiryFault {
      throw APIFault(inquiry: fault, field: "at")
    }
    let way = WayBack(
      place: moment.place, event: moment.event, time: moment.time, members: [],
      tag: { $0.configurationRevision }, reversal: { $0.reversal(toward: moment.state) })
    return try await go(way, plan, call)
  }

  /// Where to go back to, and how.
  private struct WayBack: Sendable {
    var place: String
    var event: UInt128
    var time: UnixNanoseconds
    var members: [JSONValue.Member]
    /// What `If-Match` is compared with.
    var tag: @Sendable (ControlState) -> UInt64
    var reversal: @Sendable (ControlState) -> Reversal
  }

  private func go(
    _ way: WayBack, _ plan: PlanOptions, _ call: AdminCall
  ) async throws -> AdminAnswer {
    func members(
      _ before: ControlState, _ after: ControlState, _ reversal: Reversal
    ) -> [JSONValue.Member] {
      let diff = ConfigurationDiff(
        from: before, to: after, streams: Set(reversal.commands.map(\.stream)))
      return way.members + [
        .init("plan", JSONValue(plan.isPlan)), .init("at", JSONValue(way.place)),
        .init("event", JSONValue(uuidText(way.event))), .init("time", JSONValue(way.time)),
        .init("changes", diff.json),
        .init("caveats", .array(reversal.caveats.map { JSONValue($0) })),
      ]
    }
    if plan.isPlan {
      let state = control.state
      if let seen = call.ifMatch, seen != way.tag(state) {
        throw Refusal.revisionMismatch(current: way.tag(state))
      }
      let reversal = way.reversal(state)
      let after = try state.after(reversal.commands)
      let effect = try await effect(of: after, on: state, seconds: plan.effectSeconds)
      return .json(
        .object(
          members(state, after, reversal) + [
            .init("events", 0), .init("position", .null),
            .init("revision", JSONValue(way.tag(state))), .init("effect", effect),
          ]), revision: way.tag(state))
    }
    var provenance = call.provenance
    provenance.cause = way.event
    let decided = Mutex<(before: ControlState, reversal: Reversal)?>(nil)
    let outcome = try await control.execute(provenance: provenance) { state in
      if let seen = call.ifMatch, seen != way.tag(state) {
        throw Refusal.revisionMismatch(current: way.tag(state))
      }
      let reversal = way.reversal(state)
      decided.withLock { $0 = (state, reversal) }
      return reversal.commands.map { Change($0) }
    }
    let (before, reversal) = decided.withLock { $0 } ?? (outcome.state, Reversal())
    let last = outcome.receipt.map { placeText($0.last) }
    return .json(
      .object(
        members(before, outcome.state, reversal) + [
          .init("events", JSONValue(outcome.events.count)), .init("position", JSONValue(last)),
          .init("revision", JSONValue(way.tag(outcome.state))), .init("effect", .null),
        ]), revision: way.tag(outcome.state))
  }

  /// What a proposed configuration would do to the requests of the last 24 h; null if nobody asked.
  func effect(
    of proposed: ControlState, on current: ControlState, seconds: Int64
  ) async throws -> JSONValue {
    guard seconds > 0 else { return .null }
    let (log, now) = (control.store.reader, edge.now())
    return try await effects.run {
      try ControlPlane.effect(of: proposed, on: current, log, now: now, seconds: seconds)
    }
  }
}

/// Whether only to show, and how long to look at requests for that.
struct PlanOptions: Sendable {
  var isPlan: Bool
  var effectSeconds: Int64

  init(_ fields: inout ObjectReader) throws {
    isPlan = try fields.optionalBool("plan") ?? false
    effectSeconds = try fields.optionalInt("effectSeconds", in: 0...60) ?? 5
  }
}

/// What is different between two configurations, resource by resource.
struct ConfigurationDiff: Sendable {
  struct Row: Sendable {
    var stream: String
    var title: String
    var change: String
    var fields: [(difference: Image.Difference, writer: StreamFold.Writer?)]
    /// Who took it away, if it is not there now.
    var writer: StreamFold.Writer?
  }

  var rows: [Row] = []

  /// - Parameters:
  ///   - streams: only these.
  ///   - fold: what a stream says of who set what, where that is known.
  init(
    from before: ControlState, to after: ControlState, streams: Set<String>,
    fold: (String) -> StreamFold? = { _ in nil }
  ) {
    let known = Set(before.subjects)
    let all = before.subjects + after.subjects.filter { !known.contains($0) }
    for subject in all where streams.contains(subject.stream) {
      let (old, new) = (before.image(of: subject), after.image(of: subject))
      let fields = Image.difference(old, new)
      guard !fields.isEmpty else { continue }
      let fold = fold(subject.stream)
      rows.append(
        Row(
          stream: subject.stream, title: (new == nil ? before : after).title(of: subject),
          change: old == nil ? "added" : new == nil ? "removed" : "changed",
          fields: fields.map { ($0, fold?.writers[$0.field]) },
          writer: old == nil ? fold?.presence : nil))
    }
  }

  var json: JSONValue {
    .array(
      rows.map { row in
        [
          "stream": JSONValue(row.stream), "title": JSONValue(row.title),
          "change": JSONValue(row.change), "removedBy": JSONValue(row.writer),
          "fields": .array(
            row.fields.map { field in
              [
                "field": JSONValue(field.difference.field),
                "before": JSONValue(field.difference.before),
                "after": JSONValue(field.difference.after), "setBy": JSONValue(field.writer),
              ]
            }),
        ]
      })
  }
}

extension ControlState {
  /// A resource as people call it: `account mock/a1`, `alias fast`.
  func title(of subject: Subject) -> String {
    switch subject {
    case .provider(let id): "provider \(id.rawValue)"
    case .account(let id), .credential(let id), .health(let id):
      (accounts[id] ?? removedAccounts[id]).map { "account \($0.provider.rawValue)/\($0.name)" }
        ?? "account \(id.rawValue)"
    case .alias(let name): "alias \(name)"
    case .key(let id): keys[id].map { "key \($0.name)" } ?? "key \(id.rawValue)"
    case .combo(let name): "combo \(name)"
    case .policy(let id): "policy \(id.organisation.rawValue)/\(id.model)"
    case .organisation(let id): "organisation \(id.rawValue)"
    case .model(let id): "model \(id.provider.rawValue)/\(id.name)"
    case .settings: "settings"
    case .pricing: "pricing"
    }
  }
}

extension Image.Value {
  /// On one line, for people; control characters are the printer's to escape.
  var shown: String {
    switch self {
    case .none: "nothing"
    case .flag(let flag): String(flag)
    case .number(let number): String(number)
    case .text(let text): text
    case .time(let time): rfc3339(time)
    case .list(let values):
      values.isEmpty ? "none" : values.map(\.shown).joined(separator: ", ")
    case .record(let members):
      members.filter { $0.value != .none }.map { "\($0.name)=\($0.value.shown)" }
        .joined(separator: " ")
    }
  }
}

extension JSONValue {
  /// `{actor, source, time, at}`, or null.
  init(_ writer: StreamFold.Writer?) {
    guard let writer else {
      self = .null
      return
    }
    self = [
      "actor": JSONValue(writer.provenance.actor),
      "source": JSONValue(writer.provenance.source.name),
      "address": JSONValue(writer.provenance.address), "time": JSONValue(writer.time),
      "at": JSONValue("\(writer.epoch):\(writer.position)"),
    ]
  }

  /// What a file left as somebody else made it.
  init(_ kept: KeptElsewhere) {
    self = [
      "stream": JSONValue(kept.stream), "title": JSONValue(kept.title),
      "field": JSONValue(kept.field), "log": JSONValue(kept.log), "file": JSONValue(kept.file),
      "setBy": JSONValue(kept.writer),
    ]
  }

  /// `{stream, message, remedy}`.
  init(_ caveat: Reversal.Caveat) {
    self = [
      "stream": JSONValue(caveat.stream), "message": JSONValue(caveat.message),
      "remedy": JSONValue(caveat.remedy),
    ]
  }

  init(_ effect: RoutingEffect) {
    self = [
      "since": JSONValue(effect.since), "looked": JSONValue(effect.looked),
      "changed": JSONValue(effect.changed), "notRouted": JSONValue(effect.notRouted),
      "complete": JSONValue(effect.isComplete), "scannedTo": JSONValue(effect.scannedTo),
      "gaps": JSONValue(effect.gaps),
      "groups": .array(
        effect.groups.map { group in
          [
            "model": JSONValue(group.model), "from": JSONValue(group.before),
            "to": JSONValue(group.after), "requests": JSONValue(group.requests),
            "examples": .array(group.examples.map { JSONValue(uuidText($0.rawValue)) }),
          ]
        }), "others": JSONValue(effect.others),
      "limits": .array(RoutingEffect.limits.map { JSONValue($0) }),
    ]
  }

  private init(_ outcome: RoutingEffect.Outcome) {
    switch outcome {
    case .account(let id, let name, let model):
      self = [
        "account": JSONValue(id.rawValue), "name": JSONValue(name), "model": JSONValue(model),
        "refused": .null,
      ]
    case .refused(let why):
      self = ["account": .null, "name": .null, "model": .null, "refused": JSONValue(why)]
    }
  }
}
