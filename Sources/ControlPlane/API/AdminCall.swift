import Domain
import HTTPTypes
import NIOCore
import Surface

/// One request on its way to its handler, with what its route and its credential say.
struct AdminCall: Sendable {
  var row: RouteRow
  /// From the path, percent-decoded.
  var parameters: [String: String]
  var query: Query
  var headers: HTTPFields
  var body: [UInt8]
  /// The client's, as far as our proxies tell; without port.
  var remoteAddress: String
  var requestID: RequestID
  /// It came to an address that is for administration alone.
  var isOnAdministrationListener = false
  /// Whoever sends the answer can send one that goes on without end.
  var takesStream = false
  /// Whether the client spoke TLS to a proxy of ours; nil: there was none, or it did not say.
  var isForwardedSecurely: Bool?
  /// Who asks; set by the admission, but for local callers, whom the door knows.
  var caller: Caller = .anyone

  /// Who asks.
  enum Caller: Sendable {
    case anyone
    case admin(Sessions.Session)
    case key(Key)
    /// A user of this machine, known by the system and not by a credential.
    case local(uid: UInt32)
  }

  /// A parameter of the path.
  func parameter(_ name: String) throws -> String {
    guard let value = parameters[name], !value.isEmpty else { throw APIFault(.notFound) }
    return value
  }

  /// The fields of the body, which must be one JSON object.
  func fields() throws -> ObjectReader { try ObjectReader(try json()) }

  /// The body as JSON.
  func json() throws -> JSONValue {
    guard !body.isEmpty else {
      throw APIFault(
        .missingField, "The body is empty.", remedy: "Send a JSON object as the body.")
    }
    if let type = headers[.contentType], !Self.isJSON(type) {
      throw APIFault(.unsupportedMediaType)
    }
    if let coding = headers[.contentEncoding], coding.trimmedOfSpaces.lowercased() != "identity" {
      throw APIFault(
        .unsupportedMediaType, "A content encoding is not supported; send the body as is.")
    }
    return try JSONValue.parse(body)
  }

  /// The fields of a body that may be left out.
  func fieldsIfAny() throws -> ObjectReader {
    body.isEmpty ? try ObjectReader(.object([])) : try fields()
  }

  /// `application/json` with any parameters.
  private static func isJSON(_ contentType: String) -> Bool {
    contentType.prefix { $0 != ";" }.lowercased().trimmedOfSpaces == "application/json"
  }

  /// Whether the caller wants to change only what is there: `If-Match: *`.
  ///
  /// Matters where a write may also create; the others answer 404.
  var mustExist: Bool { headers[.ifMatch]?.trimmedOfSpaces == "*" }

  /// The revision of `If-Match`: nil if there is none or `*`.
  ///
  /// A tag that is not one of ours becomes a revision that no stream has.
  var ifMatch: UInt64? {
    guard let field = headers[.ifMatch] else { return nil }
    let tag = field.trimmedOfSpaces
    if tag == "*" { return nil }
    guard tag.utf8.count >= 3, tag.hasPrefix("\""), tag.hasSuffix("\"") else {
      return UInt64(tag) ?? .max
    }
    return UInt64(tag.dropFirst().dropLast()) ?? .max
  }

  /// Refuses what was based on another revision of an account, where the events are of another stream.
  func requireRevision(of account: Account) throws {
    guard let ifMatch, ifMatch != account.revision else { return }
    throw Refusal.revisionMismatch(current: account.revision)
  }

  /// What the events of this request carry.
  var provenance: Provenance {
    let actor: String =
      switch caller {
      case .anyone: "anyone"
      case .admin: "admin"
      case .key(let key): "key:\(key.id.rawValue)"
      case .local(let uid): "local:\(uid)"
      }
    let source: Source = if case .local = caller { .cli } else { .api }
    return Provenance(
      actor: actor, source: source, address: remoteAddress.isEmpty ? nil : remoteAddress,
      correlation: requestID.rawValue, base: ifMatch)
  }

  /// What stands behind `Bearer`, in `x-api-key`, or nil.
  var bearer: String? {
    if let field = headers[.authorization] {
      let parts = field.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
      if parts.count == 2, parts[0].lowercased() == "bearer" {
        return String(parts[1]).trimmedOfSpaces
      }
      return nil
    }
    return headers[.xAPIKey]
  }

  /// The session's cookie.
  var cookie: String? {
    for field in headers[values: .cookie] {
      for pair in field.split(separator: ";") {
        let pair = String(pair).trimmedOfSpaces
        if pair.hasPrefix("auth_token=") { return String(pair.dropFirst("auth_token=".count)) }
      }
    }
    return nil
  }
}

extension HTTPField.Name {
  /// A client key as Anthropic's SDKs send it.
  static let xAPIKey = HTTPField.Name(parsed: "x-api-key") ?? .authorization
  /// The package keeps `Host` for the request's authority; our listener hands it over as a field.
  static let hostField = HTTPField.Name(parsed: "host") ?? .authorization
}

extension String {
  /// Without spaces and tabs at both ends.
  var trimmedOfSpaces: String {
    var text = self[...]
    while let first = text.utf8.first, first == 0x20 || first == 0x09 { text.removeFirst() }
    while let last = text.utf8.last, last == 0x20 || last == 0x09 { text.removeLast() }
    return String(text)
  }

  /// Percent-escapes resolved; nil if they are broken or not UTF-8.
  func percentDecoded(plusIsSpace: Bool = false) -> String? {
    var bytes: [UInt8] = []
    var iterator = utf8.makeIterator()
    while let byte = iterator.next() {
      switch byte {
      case UInt8(ascii: "%"):
        guard let high = iterator.next().flatMap(Self.nibble),
          let low = iterator.next().flatMap(Self.nibble)
        else { return nil }
        bytes.append(high << 4 | low)
      case UInt8(ascii: "+") where plusIsSpace: bytes.append(0x20)
      default: bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func nibble(_ character: UInt8) -> UInt8? {
    switch character {
    case 0x30...0x39: character - 0x30
    case 0x41...0x46: character - 0x37
    case 0x61...0x66: character - 0x57
    default: nil
    }
  }
}
