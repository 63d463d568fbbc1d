import NIOCore
import NIOHTTP1

/// What befalls one call to the OAuth server or the old sync peer; nothing of it: a good answer.
struct Mishap: Sendable, Equatable {
  /// Before the server looks at the call, in nanoseconds.
  var before: Int64 = 0
  /// Between the server's decision and the answer, in nanoseconds.
  var latency: Int64 = 0
  var hold: Hold?
  /// Answered instead; nothing is committed unless `commits`.
  var status: Int?
  /// Sent as it stands with `status`; without it, with 200 instead of the true answer.
  var body: String?
  var contentType = "application/json"
  var retryAfter: String?
  /// An OAuth error by its code, worded by the server's shape; nothing is committed.
  var error: String?
  /// The call takes effect although an error is answered.
  var commits = false
  var fault: Fault?
  /// Fields taken out of the good answer.
  var omitted: [String] = []
  /// Fields set to null in the good answer.
  var nulled: [String] = []

  enum Hold: String, Sendable, CaseIterable {
    case before
    case after
  }

  enum Fault: String, Sendable, CaseIterable {
    /// FIN; nothing took effect.
    case dropBeforeCommit = "drop-before-commit"
    /// Silence; nothing took effect.
    case hangBeforeCommit = "hang-before-commit"
    /// It took effect, then FIN instead of an answer.
    case loseAnswer = "lose-answer"
    /// It took effect, then RST instead of an answer.
    case resetAnswer = "reset-answer"
    /// It took effect, then silence.
    case hangAfterCommit = "hang-after-commit"
    /// It took effect, then half of the answer and FIN.
    case cutAnswer = "cut-answer"
    /// It took effect; 200 with something that is no JSON.
    case garbage
    /// It took effect; 200 with a page.
    case html
    /// It took effect; 200 with no body.
    case empty
  }

  /// True if the call does what it asks for.
  var letsCommit: Bool {
    switch fault {
    case .dropBeforeCommit, .hangBeforeCommit: false
    case .loseAnswer, .resetAnswer, .hangAfterCommit, .cutAnswer, .garbage, .html, .empty: true
    case nil: commits || (status == nil && error == nil)
    }
  }

  /// For the report: which of its parts is set.
  var name: String? {
    if let fault { return fault.rawValue }
    if let error { return "error \(error)" }
    if let status { return "status \(status)" + (commits ? " after commit" : "") }
    if let field = omitted.first ?? nulled.first { return "without \(field)" }
    if body != nil { return "body" }
    if let hold { return "held \(hold.rawValue)" }
    return before > 0 || latency > 0 ? "slow" : nil
  }

  static func read(_ given: Fields) throws(ScenarioFault) -> Mishap {
    var fields = given
    var read = Mishap()
    read.before = try fields.duration("before") ?? 0
    read.latency = try fields.duration("latency") ?? 0
    read.hold = try fields.choice("hold", Hold.self)
    read.status = try fields.integer("status", 200...599)
    read.body = try fields.string("body")
    if let type = try fields.string("content-type") { read.contentType = type }
    read.retryAfter = try fields.string("retry-after")
    read.error = try fields.string("error")
    read.commits = try fields.boolean("commits") ?? false
    read.fault = try fields.choice("fault", Fault.self)
    read.omitted = try fields.texts("omit") ?? []
    read.nulled = try fields.texts("null") ?? []
    try fields.refuseRest()
    guard [read.status != nil, read.error != nil, read.fault != nil].count(where: { $0 }) <= 1
    else {
      throw ScenarioFault(description: "\(given.path): status, error and fault exclude each other")
    }
    guard read.status != nil || (read.retryAfter == nil && !read.commits) else {
      throw ScenarioFault(description: "\(given.path): retry-after and commits need status")
    }
    return read
  }
}

/// A mishap for the next `times` calls that match.
struct QueuedMishap: Sendable, Equatable {
  /// Of an OAuth server, nil: any; the old peer has none.
  var server: String?
  /// Such as `token`, `sync`, `verify`; nil: any.
  var endpoint: String?
  /// Of an OAuth family; nil: any.
  var subject: String?
  var times = 1
  var mishap: Mishap
  /// It stands in the scenario rather than being queued by a test.
  var isScenarios = false

  static func read(
    _ node: Fields, server: String? = nil
  ) throws(ScenarioFault) -> QueuedMishap {
    var fields = node
    guard let inner = try fields.object("behaviour") else {
      throw ScenarioFault(description: "\(node.path): behaviour is missing")
    }
    var read = QueuedMishap(server: server, mishap: try Mishap.read(inner))
    if server == nil { read.server = try fields.string("server") }
    read.endpoint = try fields.string("endpoint")
    read.subject = try fields.string("subject")
    if let times = try fields.integer("times", 1...1_000_000) { read.times = times }
    try fields.refuseRest()
    return read
  }

  /// The first that matches, used up by one.
  static func take(
    _ queue: inout [QueuedMishap], server: String?, endpoint: String, subject: String?
  ) -> Mishap? {
    let index = queue.firstIndex { entry in
      (entry.server == nil || entry.server == server)
        && (entry.endpoint == nil || entry.endpoint == endpoint)
        && (entry.subject == nil || entry.subject == subject)
    }
    guard let index else { return nil }
    let mishap = queue[index].mishap
    queue[index].times -= 1
    if queue[index].times == 0 { queue.remove(at: index) }
    return mishap
  }
}

extension Mishap {
  /// The good answer as this mishap lets it through; `errorSteps` words `error`.
  func play(_ answer: JSONResponse, errorSteps: (String) -> [Step]) -> [Step] {
    var steps: [Step] = latency > 0 ? [.wait(.nanoseconds(latency))] : []
    switch fault {
    case .dropBeforeCommit, .loseAnswer: return steps + [.close]
    case .resetAnswer: return steps + [.reset]
    case .hangBeforeCommit, .hangAfterCommit: return steps + [.silence]
    case .cutAnswer:
      for step in answer.steps().dropLast() {
        if case .body(let bytes) = step {
          steps.append(.body(bytes.getSlice(at: 0, length: bytes.readableBytes / 2) ?? bytes))
        } else {
          steps.append(step)
        }
      }
      return steps + [.close]
    case .garbage: return steps + plain(200, "not json {", "application/json")
    case .html:
      return steps
        + plain(200, "<!DOCTYPE html><html><title>Sign in</title></html>", "text/html")
    case .empty: return steps + plain(200, "", "application/json")
    case nil: break
    }
    if let error { return steps + errorSteps(error) }
    if status != nil || body != nil {
      return steps + plain(status ?? 200, body ?? #"{"error":"server_error"}"#, contentType)
    }
    return steps + without(answer).steps()
  }

  private func plain(_ status: Int, _ body: String, _ type: String) -> [Step] {
    var headers: HTTPHeaders = ["content-type": type, "content-length": String(body.utf8.count)]
    if let retryAfter { headers.add(name: "retry-after", value: retryAfter) }
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: headers)
    return [.head(head)] + (body.isEmpty ? [] : [.body(ByteBuffer(string: body))]) + [.end]
  }

  private func without(_ answer: JSONResponse) -> JSONResponse {
    guard !omitted.isEmpty || !nulled.isEmpty, var fields = JSONValue(answer.text)?.object else {
      return answer
    }
    for name in omitted { fields[name] = nil }
    for name in nulled { fields[name] = .null }
    var changed = answer
    changed.text = JSONValue.object(fields).text
    return changed
  }
}
