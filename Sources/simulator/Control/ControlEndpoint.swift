import Crypto
import Foundation
import NIOCore
import NIOHTTP1

/// The paths under `/_control/`, by which a test looks at the simulator and changes its behaviour.
struct ControlEndpoint {
  let stage: Stage

  func steps(to head: HTTPRequestHead, body: ByteBuffer) -> [Step] {
    let (path, query) = split(head.uri)
    if head.method == .POST, let steps = peer(path.dropFirst("/_control/".count), body) {
      return steps
    }
    return respond(head.method, path, query, body).steps()
  }

  private func respond(
    _ method: HTTPMethod, _ path: String, _ query: String, _ body: ByteBuffer
  ) -> JSONResponse {
    switch (method, path) {
    case (.GET, "/_control/state"):
      return encode(StateAnswer(report: stage.report(), last: stage.kept(last: 16)))
    case (.GET, "/_control/requests"):
      guard let count = last(query) else { return refusal("last must be a number in 1…4096") }
      return encode(RequestsAnswer(stage.kept(last: count)))
    case (.POST, "/_control/scenario"):
      return change(body) { text throws(ScenarioFault) in
        stage.replace(try ScenarioReader.scenario(text))
      }
    case (.POST, "/_control/next"):
      return change(body) { text throws(ScenarioFault) in
        guard stage.queue(try ScenarioReader.queued(text)) else {
          throw ScenarioFault(description: "more than 10,000 entries would wait")
        }
      }
    case (.GET, "/_control/oauth"):
      return JSONResponse(status: .ok, text: OAuthControl(stage: stage).report().text)
    case (.GET, "/_control/sync"):
      return JSONResponse(status: .ok, text: PeerControl(stage: stage).report().text)
    case (.GET, "/_control/clock"):
      return JSONResponse(status: .ok, text: OAuthControl(stage: stage).clockReport.text)
    case (.POST, "/_control/reset"):
      stage.reset()
      return JSONResponse(status: .ok, text: #"{"ok":true}"#)
    case (.POST, _):
      return control(path.dropFirst("/_control/".count), body) ?? unknown
    default:
      return unknown
    }
  }

  private var unknown: JSONResponse {
    var answer = encode([
      "error": "no such control; `simulator serve --help` names those that exist"
    ])
    answer.status = .notFound
    return answer
  }

  /// The controls of the OAuth servers, the clock and held calls.
  private func control(_ name: Substring, _ body: ByteBuffer) -> JSONResponse? {
    do {
      let control = OAuthControl(stage: stage)
      guard let value = try control.respond(String(name), document(name, body)) else { return nil }
      return JSONResponse(status: .ok, text: value.text)
    } catch {
      return refusal(error.description)
    }
  }

  /// The controls of the old sync peer.
  private func peer(_ name: Substring, _ body: ByteBuffer) -> [Step]? {
    do {
      return try PeerControl(stage: stage).respond(String(name), document(name, body))
    } catch {
      return refusal(error.description).steps()
    }
  }

  private func document(
    _ name: Substring, _ body: ByteBuffer
  ) -> () throws(ScenarioFault) -> Fields {
    let text = String(decoding: body.readableBytesView, as: UTF8.self)
    return { () throws(ScenarioFault) in try ScenarioReader.document(text, String(name)) }
  }

  private func change(
    _ body: ByteBuffer, _ apply: (String) throws(ScenarioFault) -> Void
  ) -> JSONResponse {
    guard let text = String(validating: body.readableBytesView, as: UTF8.self) else {
      return refusal("the body is not UTF-8")
    }
    do {
      try apply(text)
      return JSONResponse(status: .ok, text: #"{"ok":true}"#)
    } catch {
      return refusal(error.description)
    }
  }

  private func split(_ uri: String) -> (path: String, query: String) {
    let parts = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
  }

  private func last(_ query: String) -> Int? {
    guard !query.isEmpty else { return 64 }
    guard query.hasPrefix("last="), let count = Int(query.dropFirst(5)), (1...4096).contains(count)
    else { return nil }
    return count
  }

  private func refusal(_ message: String) -> JSONResponse {
    var answer = encode(["error": message])
    answer.status = .badRequest
    return answer
  }

  private func encode(_ value: some Encodable) -> JSONResponse {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return JSONResponse(
        status: .ok, text: String(decoding: try encoder.encode(value), as: UTF8.self))
    } catch {
      return JSONResponse(
        status: .internalServerError, text: #"{"error":"the answer could not be encoded"}"#)
    }
  }
}

/// `GET /_control/state`.
private struct StateAnswer: Encodable {
  var requests: Requests
  var inFlight: Int
  var played: UInt64
  var abortedByClient: UInt64
  var queued: Int
  var connections: Connections
  var last: [Row]

  struct Requests: Encodable {
    var total: UInt64
    var byAccount: Counts
    var byModel: Counts
    var byAccountAndModel: [String: Counts]
    var byStatus: Counts
    var peakByAccount: Counts
    var unknownKeys: UInt64
  }

  /// Counters by name; the names are data and keep their spelling.
  struct Counts: Encodable {
    var counts: [String: UInt64]

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Name.self)
      for (name, count) in counts { try container.encode(count, forKey: Name(stringValue: name)) }
    }

    struct Name: CodingKey {
      var stringValue: String
      var intValue: Int? { nil }

      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }
  }

  struct Connections: Encodable {
    var open: Int
    var accepted: UInt64
  }

  struct Row: Encodable {
    var ordinal: UInt64
    var account: String?
    var model: String?
    var path: String
    var bytes: Int
    var sha256: String

    init(_ request: KeptRequest) {
      ordinal = request.ordinal
      account = request.account
      model = request.model
      path = request.path
      bytes = request.body.readableBytes
      sha256 = SHA256.hash(data: Array(request.body.readableBytesView))
        .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
  }

  init(report: Report, last: [KeptRequest]) {
    var byStatus: [String: UInt64] = [:]
    for (status, count) in report.byStatus { byStatus[String(status)] = count }
    requests = Requests(
      total: report.total, byAccount: Counts(counts: report.byAccount),
      byModel: Counts(counts: report.byModel),
      byAccountAndModel: report.byAccountAndModel.mapValues(Counts.init),
      byStatus: Counts(counts: byStatus),
      peakByAccount: Counts(counts: report.peakByAccount.mapValues { UInt64(clamping: $0) }),
      unknownKeys: report.unknownKeys)
    inFlight = report.inFlight
    played = report.played
    abortedByClient = report.aborted
    queued = report.queued
    connections = Connections(open: report.connectionsOpen, accepted: report.connectionsAccepted)
    self.last = last.map(Row.init)
  }
}

/// `GET /_control/requests`.
private struct RequestsAnswer: Encodable {
  var requests: [Row]

  struct Row: Encodable {
    var ordinal: UInt64
    var account: String?
    var model: String?
    var path: String
    var bytes: Int
    var bodyBase64: String
  }

  init(_ kept: [KeptRequest]) {
    requests = kept.map { request in
      Row(
        ordinal: request.ordinal, account: request.account, model: request.model,
        path: request.path, bytes: request.body.readableBytes,
        bodyBase64: Data(request.body.readableBytesView).base64EncodedString())
    }
  }
}
