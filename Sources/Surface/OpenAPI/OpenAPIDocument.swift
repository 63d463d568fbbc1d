/// The OpenAPI 3.1 description of every row, with its contract.
///
/// `version` is the gateway's.
public func openAPIDocument(version: String) -> JSONValue {
  var paths: [JSONValue.Member] = []
  var names: [Endpoint: Int] = [:]
  for row in Routes.all {
    names[row.endpoint, default: 0] += 1
    let operation = JSONValue.Member(
      row.method.rawValue.lowercased(),
      OperationText(row: row, ordinal: names[row.endpoint] ?? 1).json)
    if let index = paths.firstIndex(where: { $0.name == row.path }) {
      paths[index].value = .object((paths[index].value.members ?? []) + [operation])
    } else {
      paths.append(.init(row.path, JSONValue(operation)))
    }
  }
  return [
    "openapi": "3.1.0",
    "info": [
      "title": "Signalbox", "version": JSONValue(version),
      "description":
        "An LLM gateway: the APIs of OpenAI, Anthropic and Gemini for clients, and its administration. `x-request-id` in a request is kept and answered.",
    ],
    "servers": [["url": "/"]],
    "tags": .array(RouteGroup.allCases.map { ["name": JSONValue($0.rawValue)] }),
    "paths": .object(paths),
    "components": [
      "securitySchemes": .object(Credential.allCases.map { .init($0.rawValue, $0.scheme) }),
      "headers": .object(
        [.init("RequestID", requestIDHeader)]
          + Contract.Header.allCases.map { .init($0.componentName, $0.json) }),
      "schemas": .object(
        Component.allCases.map { .init($0.rawValue, $0.schema.json) }
          + ErrorShape.allCases.map { .init($0.rawValue, $0.schema.json) }),
    ],
  ]
}

private let requestIDHeader: JSONValue = [
  "description": "The request's own id if it brought one, else the gateway's.", "required": true,
  "schema": Schema.string(1...128).json,
]

/// How a caller shows who it is.
private enum Credential: String, CaseIterable {
  case session = "adminSession"
  case token = "adminToken"
  case key = "clientKey"
  case keyHeader = "clientKeyHeader"
  case googleKeyHeader = "clientKeyGoogleHeader"
  case googleKeyQuery = "clientKeyGoogleQuery"

  var scheme: JSONValue {
    switch self {
    case .session: ["type": "apiKey", "in": "cookie", "name": "auth_token"]
    case .token: ["type": "http", "scheme": "bearer"]
    case .key: ["type": "http", "scheme": "bearer"]
    case .keyHeader: ["type": "apiKey", "in": "header", "name": "x-api-key"]
    case .googleKeyHeader: ["type": "apiKey", "in": "header", "name": "x-goog-api-key"]
    case .googleKeyQuery: ["type": "apiKey", "in": "query", "name": "key"]
    }
  }
}

extension RouteRow {
  /// The credentials of which one is needed; empty: none, and an empty one among them: it may be left out.
  fileprivate var security: [JSONValue] {
    let admin: [Credential] = [.session, .token]
    let isGemini = endpoint == .generateContent || endpoint == .streamGenerateContent
    let keys: [Credential] =
      [.key, .keyHeader] + (plane == .dataPlane ? [.googleKeyHeader] : [])
      + (isGemini ? [.googleKeyQuery] : [])
    func list(_ credentials: [Credential]) -> [JSONValue] {
      credentials.map { JSONValue(JSONValue.Member($0.rawValue, [])) }
    }
    switch tier {
    case .client: return list(keys)
    case .admin: return list(admitsKeys ? admin + keys : admin)
    case .public:
      if endpoint == .metrics { return [[:]] + list(admin + keys) }
      return group == .models ? [[:]] + list(keys) : []
    case .peer, .local: return []
    }
  }

  /// The errors that the row can give whatever its contract says.
  fileprivate var commonErrors: [ErrorCode] {
    let contract = endpoint.contract
    var codes: [ErrorCode] = [
      .malformedRequest, .bodyTooLarge, .headTooLarge, .requestTimeout, .overloaded, .shuttingDown,
      .internalError,
    ]
    switch tier {
    case .client: codes += [.missingAPIKey, .invalidAPIKey, .keyPaused, .keyRevoked, .keyExpired]
    case .admin: codes += [.unauthorized, .forbiddenHost]
    case .public:
      if group == .models { codes += [.invalidAPIKey, .keyPaused, .keyRevoked, .keyExpired] }
      if group == .signIn { codes += [.forbiddenHost] }
    case .peer: codes += [.tooManyAttempts, .unsupportedParameter]
    // Beside the control socket nobody is let in, nor told that there is something.
    case .local: codes.append(.notFound)
    }
    if path.contains("{") { codes.append(.notFound) }
    if contract.body != nil {
      codes += [
        .invalidJSON, .duplicateField, .missingField, .invalidField, .unsupportedMediaType,
      ]
      if plane == .controlPlane { codes.append(.unknownField) }
    }
    if tier == .admin {
      // A parameter that the contract does not name, one that is given twice, or one out of bounds.
      codes += [.unsupportedParameter, .duplicateField]
      if !contract.query.isEmpty { codes.append(.invalidField) }
      if method != .get { codes += [.writeConflict, .recordingUnavailable] }
    }
    if contract.honoursIfMatch { codes.append(.revisionMismatch) }
    return codes
  }
}

/// One operation's part of the document.
private struct OperationText {
  let row: RouteRow
  /// The how many-eth row of its endpoint this is.
  let ordinal: Int

  private var contract: Contract { row.endpoint.contract }

  var json: JSONValue {
    var members: [JSONValue.Member] = [
      .init("operationId", JSONValue(row.endpoint.rawValue + (ordinal == 1 ? "" : "_\(ordinal)"))),
      .init("summary", JSONValue(row.summary)), .init("tags", [JSONValue(row.group.rawValue)]),
      .init("security", .array(row.security)),
    ]
    let parameters = pathParameters + queryParameters + headParameters
    if !parameters.isEmpty { members.append(.init("parameters", .array(parameters))) }
    if let body = contract.body {
      members.append(
        .init(
          "requestBody",
          [
            "required": .bool(!contract.bodyIsOptional),
            "content": ["application/json": ["schema": body.closedJSON]],
          ]))
    }
    members.append(.init("responses", .object(responses)))
    return .object(members)
  }

  private var pathParameters: [JSONValue] {
    row.path.split(separator: "/").filter { $0.hasPrefix("{") }.map { segment in
      let name = segment.dropFirst().prefix { $0 != "}" }
      var schema = Schema.text(1...512)
      if row.takesRest { schema = schema.described("May hold slashes.") }
      return [
        "name": JSONValue(String(name)), "in": "path", "required": true,
        "schema": schema.json,
      ]
    }
  }

  private var queryParameters: [JSONValue] {
    contract.query.map { parameter in
      [
        "name": JSONValue(parameter.name), "in": "query",
        "required": .bool(parameter.isRequired), "description": JSONValue(parameter.note),
        "schema": parameter.schema.json,
      ]
    }
  }

  private var headParameters: [JSONValue] {
    guard contract.honoursIfMatch else { return [] }
    let tag = Schema.string(1...22, matching: #"(\*|"[0-9]{1,20}"|[0-9]{1,20})"#)
    return [
      [
        "name": "If-Match", "in": "header", "required": false,
        "description":
          "The `ETag` that the change is meant for; without it the change is made whatever there is.",
        "schema": tag.json,
      ]
    ]
  }

  // MARK: Answers

  private var responses: [JSONValue.Member] {
    let codes = ErrorCode.allCases.filter(Set(row.commonErrors + contract.errors).contains)
    let statuses = Set(contract.answers.compactMap(\.status) + codes.map(\.status)).sorted()
    let named = statuses.map { status in
      let answers = contract.answers.filter { $0.status == status }
      let errors = codes.filter { $0.status == status }
      return JSONValue.Member(String(status), response(answers, errors))
    }
    let others = contract.answers.filter { $0.status == nil }
    return others.isEmpty ? named : named + [.init("default", response(others, []))]
  }

  /// Everything that one status may mean.
  private func response(_ answers: [Contract.Answer], _ errors: [ErrorCode]) -> JSONValue {
    let notes = answers.map(\.note) + errors.map { "`\($0.rawValue)`: \($0.summary)" }
    var headers = [JSONValue.Member("x-request-id", ["$ref": "#/components/headers/RequestID"])]
    for header in Contract.Header.allCases
    where answers.contains(where: { $0.headers.contains(header) }) {
      headers.append(
        .init(
          header.rawValue, ["$ref": JSONValue("#/components/headers/\(header.componentName)")]))
    }
    var content: [(type: String, schemas: [Schema])] = answers.map { ($0.mediaType, [$0.schema]) }
    if !errors.isEmpty {
      let schema = ErrorShape(path: row.path).schema(errors)
      if let index = content.firstIndex(where: { $0.type == "application/json" }) {
        content[index].schemas.append(schema)
      } else {
        content.append(("application/json", [schema]))
      }
    }
    return [
      "description": JSONValue(notes.joined(separator: "\n\n")), "headers": .object(headers),
      "content": .object(
        content.map { type, schemas in
          let schema = schemas.count == 1 ? schemas[0] : .anyOf(schemas)
          return .init(type, ["schema": schema.json])
        }),
    ]
  }
}

extension Contract.Header {
  /// Its name among the document's components.
  fileprivate var componentName: String {
    switch self {
    case .eTag: "ETag"
    case .setCookie: "SetCookie"
    case .complete: "Complete"
    case .scannedTo: "ScannedTo"
    case .next: "Next"
    case .position: "Position"
    case .lag: "Lag"
    }
  }

  fileprivate var json: JSONValue {
    switch self {
    case .eTag:
      [
        "description": "The resource's revision; send it as `If-Match`.", "required": true,
        "schema": Schema.string(3...22, matching: #""[0-9]{1,20}""#).json,
      ]
    case .setCookie:
      [
        "description": "The session's cookie `auth_token`.", "required": true,
        "schema": Schema.string.json,
      ]
    case .complete:
      [
        "description": "With `format=text`: whether the list goes back as far as was asked.",
        "schema": Schema.choice(["true", "false"]).json,
      ]
    case .scannedTo:
      [
        "description": "With `format=text`: the oldest event looked at.",
        "schema": Schema.string.json,
      ]
    case .next:
      [
        "description":
          "With `format=text`: what `after` asks for the next page; missing: there is none.",
        "schema": Schema.string.json,
      ]
    case .position:
      ["description": "The last event of the log that counts.", "schema": Schema.count.json]
    case .lag:
      [
        "description": "Events acknowledged before the call and not counted yet.",
        "schema": Schema.count.json,
      ]
    }
  }
}

extension ErrorShape {
  /// Any error of this shape.
  fileprivate var schema: Schema {
    let code = Schema.string.described("See docs/error-codes.md.")
    let field = Schema.Field.optional("field", .string.described("Which field is wrong."))
    switch self {
    case .administration:
      return .object([
        .field(
          "error",
          .open([
            .field("code", code), .field("message", .string), .field("requestId", .uuid), field,
            .field("remedy", .string.described("What to do.")),
          ]))
      ])
    case .apiRouter:
      return .open([
        .field("error", .string), .field("code", code),
        .field("requestId", .string.described("The client's own, or else the gateway's.")), field,
        .field("remedy", .string),
      ])
    case .anthropic:
      return .object([
        .field("type", .constant("error")),
        .field(
          "error",
          .object([
            .field("type", .string), .field("message", .string),
            .optional("details", .open([.field("error_code", code)])),
          ])),
        .field("request_id", .string),
      ])
    case .google:
      return .object([
        .field(
          "error",
          .object([
            .field("code", .integer(400...599)), .field("message", .string),
            .field("status", .string), .optional("details", .array(of: .open([]))),
          ]))
      ])
    case .openAI:
      return .object([
        .field(
          "error",
          .object([
            .field("message", .string), .field("type", .string), .field("param", .string.orNull),
            .field("code", code),
          ]))
      ])
    }
  }

  /// These errors in this shape.
  fileprivate func schema(_ codes: [ErrorCode]) -> Schema {
    let choice = Schema.choice(codes.map(\.rawValue))
    let narrowed: Schema
    switch self {
    case .administration, .openAI:
      narrowed = .object([.field("error", .object([.field("code", choice)]))])
    case .apiRouter: narrowed = .object([.field("code", choice)])
    case .anthropic:
      narrowed = .object([
        .field("error", .object([.field("details", .object([.field("error_code", choice)]))]))
      ])
    // Google's reasons are the codes in capitals, in a list of details.
    case .google: return Schema.reference("#/components/schemas/\(rawValue)")
    }
    return .allOf([Schema.reference("#/components/schemas/\(rawValue)"), narrowed])
  }
}

extension JSONValue {
  /// An object of one member.
  fileprivate init(_ member: Member) { self = .object([member]) }
}
