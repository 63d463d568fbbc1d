import Domain
import HTTPTypes
import Inquiry
import NIOCore
import Surface

extension AdminAnswer {
  /// A JSON answer; `revision` becomes the `ETag`.
  static func json(
    _ value: JSONValue, status: HTTPResponse.Status = .ok, revision: UInt64? = nil
  ) -> AdminAnswer {
    var answer = AdminAnswer(status: status, body: ByteBuffer(bytes: value.bytes))
    answer.headers[.contentType] = "application/json"
    if let revision { answer.headers[.eTag] = "\"\(revision)\"" }
    return answer
  }

  /// A text of another type.
  static func text(_ text: String, _ type: String) -> AdminAnswer {
    var answer = AdminAnswer(status: .ok, body: ByteBuffer(string: text))
    answer.headers[.contentType] = type
    return answer
  }

  /// A page that loads nothing, runs nothing and stands in no other page.
  static func page(_ html: String) -> AdminAnswer {
    var answer = text(html, "text/html; charset=utf-8")
    answer.headers[.contentSecurityPolicy] =
      IncidentReport.pagePolicy + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return answer
  }

  /// The answer to a fault, in the shape that belongs to the path.
  static func fault(_ fault: APIFault, path: String, requestID: RequestID) -> AdminAnswer {
    let bytes = ErrorShape(path: path).body(
      fault.code, message: fault.message, requestID: uuidText(requestID.rawValue),
      field: fault.field, remedy: fault.remedy, details: fault.details)
    var answer = AdminAnswer(
      status: HTTPResponse.Status(code: fault.code.status), headers: fault.headers,
      body: ByteBuffer(bytes: bytes))
    answer.headers[.contentType] = "application/json"
    return answer
  }
}

extension JSONValue {
  /// An integer, or null for nil.
  init(_ value: (some BinaryInteger)?) { self = value.map { JSONValue($0) } ?? .null }
  /// A time, as RFC 3339 in UTC.
  init(_ time: UnixNanoseconds) { self = .string(rfc3339(time)) }
  /// A time, or null for nil.
  init(_ time: UnixNanoseconds?) { self = time.map { JSONValue($0) } ?? .null }
  /// A truth value.
  init(_ truth: Bool) { self = .bool(truth) }
}

extension ObjectReader {
  /// A field of a change: nil leaves it alone; null is refused, for none of ours can be cleared.
  mutating func changedString(_ name: String) throws -> String? {
    try changed(name, givenString(name))
  }

  mutating func changedBool(_ name: String) throws -> Bool? { try changed(name, givenBool(name)) }

  mutating func changedInt(_ name: String, in range: ClosedRange<Int64>) throws -> Int64? {
    try changed(name, givenInt(name, in: range))
  }

  /// An array of strings of a change; an empty one is a value like others.
  mutating func changedStrings(_ name: String) throws -> [String]? {
    let strings = try optionalStrings(name)
    if strings == nil, contains(name) {
      throw fault(name, "\(name) is null", remedy: "Leave it out, or send [].")
    }
    return strings
  }

  /// A credential as it is sent upstream: 1…`most` visible ASCII characters.
  mutating func changedCredential(_ name: String, most: Int = 4096) throws -> Secret? {
    guard let text = try changedString(name) else { return nil }
    let isSendable =
      (1...most).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    guard isSendable else {
      throw fault(
        name, "\(name) is not 1 to \(most) visible ASCII characters",
        remedy: "Send the key without spaces or line ends.")
    }
    if let flaw = SampleKey(text, for: .upstream) {
      throw APIFault(
        .sampleKey, "\(name) \(flaw.sentence).", field: name, remedy: flaw.remedy)
    }
    return Secret(text)
  }

  private func changed<Value>(_ name: String, _ given: Given<Value>) throws -> Value? {
    switch given {
    case .absent: return nil
    case .null: throw fault(name, "\(name) is null", remedy: "Leave it out, or give it a value.")
    case .value(let value): return value
    }
  }
}
