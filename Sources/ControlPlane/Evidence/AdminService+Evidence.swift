import Domain
import EventStore
import HTTPTypes
import NIOCore
import Surface

/// `/v1/audit/requests/{id}` and `/api/usage/logs`: what the log says of requests.
extension AdminService {
  /// The newest request of this id, with the ids of the others; a foreign organisation's is not there.
  func auditRequest(_ call: AdminCall) async throws -> AdminAnswer {
    let id = try call.parameter("id")
    let log = RequestLog(reader: control.store.reader)
    var detail = RequestView.Detail.everything
    var organisation: OrganisationID?
    if case .key(let key) = call.caller {
      organisation = key.organisation
      if !key.diagnostics { detail = .withoutAccounts }
    }
    let (entries, hasMore) = try await reads.run { [organisation] in
      try log.find(id, of: organisation)
    }
    guard let newest = entries.first else { throw APIFault(.notFound) }
    let view = RequestView(state: control.state, detail: detail)
    var members = view.members(newest)
    members.append(JSONValue.Member("occurrences", JSONValue(entries.count)))
    members.append(JSONValue.Member("hasMore", JSONValue(hasMore)))
    members.append(
      JSONValue.Member(
        "others",
        .array(
          entries.dropFirst().prefix(100).map { other in
            [
              "requestId": JSONValue(uuidText(other.story.id.rawValue)),
              "receivedAt": JSONValue(other.receivedAt),
            ]
          })))
    return .json(.object(members))
  }

  /// The newest requests first; `limit` 1…1000, `format=text` for lines as 9router writes them.
  ///
  /// `complete` false: the look-back ended at `scannedTo` before `limit` requests were found. With
  /// `format=text` both are header fields.
  func usageLogs(_ call: AdminCall) async throws -> AdminAnswer {
    let limit = try call.query.int("limit", in: 1...1000) ?? 200
    let format = try call.query.choice("format", of: ["json", "text"]) ?? "json"
    let log = RequestLog(reader: control.store.reader)
    let recent = try await reads.run { try log.recent(limit) }
    let view = RequestView(state: control.state, detail: .everything)
    if format == "text" {
      // A list of lines has no room for more; the head has.
      var answer = AdminAnswer.json(.array(recent.entries.map { JSONValue(view.line($0)) }))
      let fields = [
        ("x-signalbox-complete", String(recent.isComplete)),
        ("x-signalbox-scanned-to", recent.scannedTo ?? ""),
      ]
      for (text, value) in fields {
        if let name = HTTPField.Name(text) { answer.headers[name] = value }
      }
      return answer
    }
    return .json([
      "logs": .array(recent.entries.map { view.row($0) }),
      "complete": JSONValue(recent.isComplete), "scannedTo": JSONValue(recent.scannedTo),
    ])
  }
}
