import Domain
import EventStore
import HTTPTypes
import Inquiry
import NIOCore
import Surface

/// `/api/events`: the log itself, a page at a time or as it grows.
extension AdminService {
  func events(_ call: AdminCall) async throws -> AdminAnswer {
    let query = call.query
    let filter = EventFilter(
      kind: try query.text("type"), stream: try query.text("stream"),
      actor: try query.text("actor"), request: try query.text("requestId"),
      from: try time("from", call), to: try time("to", call))
    if try query.bool("follow") ?? Self.acceptsStream(call.headers) {
      return try await follow(filter, call)
    }
    let limit = try query.int("limit", in: 1...1000) ?? 100
    let (after, before) = (query["after"], query["before"])
    if after != nil, before != nil {
      throw APIFault(
        .invalidField, "The parameters after and before exclude each other.", field: "before",
        remedy: "Send `after` to go on in the log's order, or `before` to go back.")
    }
    let log = control.store.reader
    return try await reads.run {
      let direction: EventPage.Direction =
        if let after {
          .forwards(behind: try Replay.position(after, in: log))
        } else {
          .backwards(before: try before.map { try Replay.position($0, in: log) })
        }
      let page = try Replay.events(in: log, filter, direction, EventPage.Bounds(events: limit))
      func place(_ position: Position?) throws -> String? {
        try position.map { try Replay.place($0, in: log) }
      }
      func shown(_ items: [EventPage.Item]) -> JSONValue {
        .array(items.map { JSONValue($0.json) })
      }
      return .json(
        .object(
          [
            .init("events", shown(page.items.filter { $0.kind != nil })),
            .init("gaps", shown(page.items.filter { $0.kind == nil })),
            .init("complete", JSONValue(page.isComplete)),
            .init("scannedTo", JSONValue(try place(page.reached))),
          ] + Page.members(next: try place(page.next))))
    }
  }

  /// Whether the head asks for nothing but a stream.
  private static func acceptsStream(_ headers: HTTPFields) -> Bool {
    headers[values: .accept].flatMap { $0.split(separator: ",") }.contains { range in
      let type = String(range.prefix { $0 != ";" }).trimmedOfSpaces.lowercased()
      return type == "text/event-stream"
    }
  }

  private func follow(_ filter: EventFilter, _ call: AdminCall) async throws -> AdminAnswer {
    if let name = ["before", "limit", "to"].first(where: { call.query[$0] != nil }) {
      throw APIFault(
        .invalidField, "The parameter \(name) means nothing to who follows.", field: name,
        remedy: "Leave it out: events come until the connection ends.")
    }
    guard call.takesStream else {
      throw APIFault(
        .invalidField, "Events cannot be followed over the control socket.", field: "follow",
        remedy: "Ask the gateway's listener, or page with `after`.")
    }
    let log = control.store.reader
    let last = call.headers[.lastEventID]?.trimmedOfSpaces
    let start = last.flatMap { $0.isEmpty ? nil : $0 } ?? call.query["after"]
    let isResumed = start != nil && start == last
    let (position, place) = try await followers.reads.run {
      do throws(InquiryFault) {
        let position = try start.map { text throws(InquiryFault) in
          try Replay.position(text, in: log)
        }
        let behind = position ?? log.last
        return (behind, try Replay.place(behind, in: log))
      } catch {
        throw APIFault(inquiry: error, field: isResumed ? "last-event-id" : "after")
      }
    }
    guard let seat = followers.join() else {
      throw APIFault(.overloaded, "The log has \(Followers.limit) followers, and takes no more.")
    }
    let follow = EventFollow(
      service: self, call: call, filter: filter, position: position, place: place, seat: seat)
    var answer = AdminAnswer(status: .ok)
    answer.headers[.contentType] = "text/event-stream"
    if let name = HTTPField.Name("x-accel-buffering") { answer.headers[name] = "no" }
    answer.stream = AdminStream { await follow.next() }
    return answer
  }
}

extension HTTPField.Name {
  /// Where a follower was when it lost its connection.
  fileprivate static let lastEventID = HTTPField.Name(parsed: "last-event-id") ?? .accept
}
