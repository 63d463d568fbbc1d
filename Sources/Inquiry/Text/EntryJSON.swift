import Domain
import EventStore

extension Entry {
  /// The whole event: place, stream, times, provenance, fields and sizes; sealed bytes never.
  var members: [JSONTree.Member] {
    var out: [JSONTree.Member] = [
      .init("at", .text(place)), .init("time", .text(rfc3339(time))),
      .init("timeNanoseconds", .text(String(stored.time))),
      .init("event", .text(uuidText(stored.id.rawValue))), .init("kind", .text(stored.kind)),
      .init("stream", .text(stored.stream)), .init("revision", .count(stored.revision.rawValue)),
      .init("payloadBytes", .count(stored.payload.count)),
      .init("sealedBytes", .count(stored.sealedBytes)),
    ]
    switch content {
    case .unreadable(let failure):
      out.append(
        .init(
          "unreadable",
          .object([
            .init("reason", .text(failure.reason.rawValue)),
            .init("offset", .count(failure.offset)),
          ])))
    case .recorded(let recorded):
      guard let event = recorded.event else {
        out.append(.init("unknownKind", .bool(true)))
        return out
      }
      out.append(.init("provenance", EventFields.provenance(recorded.provenance)))
      out.append(.init("fields", .object(EventFields.members(event))))
    }
    return out
  }
}
