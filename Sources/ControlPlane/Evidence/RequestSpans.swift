import Domain
import EventStore
import Surface

/// Who tells: the part of an OTLP document that all spans share.
struct SpanScope: Sendable {
  var service: String
  var version: String

  /// `ExportTraceServiceRequest` in OTLP's JSON form.
  func document(_ spans: [JSONValue]) -> JSONValue {
    [
      "resourceSpans": [
        [
          "resource": [
            "attributes": [
              .attribute("service.name", service), .attribute("service.version", version),
            ]
          ],
          "scopeSpans": [
            ["scope": ["name": "signalbox", "version": .string(version)], "spans": .array(spans)]
          ],
        ]
      ]
    ]
  }
}

/// The spans of one request: one of the gateway as a server, and one of it as a client for each attempt.
///
/// They are part of the client's trace, if it named one.
/// Names are those of OpenTelemetry's conventions for HTTP and generative AI where it has some. Nothing of what was asked
/// or answered is in them, and no secret: the log has neither.
struct RequestSpans {
  private let fact: RequestEvent.Finished
  private let position: Position
  private let state: ControlState

  init(_ fact: RequestEvent.Finished, position: Position, _ state: ControlState) {
    self.fact = fact
    self.position = position
    self.state = state
  }

  var json: [JSONValue] {
    [server] + fact.attempts.enumerated().map { client($1, number: $0 + 1) }
  }

  // MARK: Ids

  /// The client's; else the gateway's id of the request: whoever has the one has the other.
  private var trace: String { hexText(fact.trace?.trace ?? fact.id.rawValue) }

  private func span(_ number: UInt64) -> String { hexText(fact.id.span(number)) }

  // MARK: Spans

  private var server: JSONValue {
    var attributes: [JSONValue] = [
      .attribute("http.response.status_code", UInt64(fact.status)),
      .attribute("gen_ai.request.model", fact.modelAsked),
      .attribute("signalbox.operation", fact.operation.name),
      .attribute("signalbox.outcome", fact.ending.name),
      .attribute("signalbox.request_id", uuidText(fact.id.rawValue)),
      .attribute("signalbox.position", position.rawValue),
      .attribute("signalbox.stream", fact.isStream),
    ]
    if let operation = generation {
      attributes.append(.attribute("gen_ai.operation.name", operation))
    }
    if let id = fact.clientRequestID {
      attributes.append(.attribute("signalbox.client_request_id", id))
    }
    if let id = fact.organisation {
      attributes.append(.attribute("signalbox.organization_id", id.rawValue))
    }
    if let key = fact.key { attributes.append(.attribute("signalbox.key_id", key.rawValue)) }
    if let code = fact.errorCode { attributes.append(.attribute("error.type", code)) }
    if let time = fact.firstByteMicroseconds {
      attributes.append(.attribute("signalbox.first_byte_us", time))
    }
    if let cost = fact.costMicroUSD {
      attributes.append(
        .attribute("signalbox.cost_usd", value: ["doubleValue": JSONValue(millionths: cost)]))
    }
    // What a client did wrong is no error of a server's.
    return record(
      span(0), parent: fact.trace.map { hexText($0.parent) }, name: fact.operation.name, kind: 2,
      from: fact.receivedAt, microseconds: fact.totalMicroseconds, attributes,
      isError: fact.status >= 500 || fact.ending == .upstreamCut)
  }

  private func client(_ attempt: Attempt, number: Int) -> JSONValue {
    let isLast = number == fact.attempts.count
    let account = state.accounts[attempt.account] ?? state.removedAccounts[attempt.account]
    let provider = account.flatMap { state.providers[$0.provider] }
    let model = attempt.upstreamModel ?? (isLast ? ownModel : nil)
    let operation = generation ?? fact.operation.name
    var attributes: [JSONValue] = [
      .attribute("gen_ai.operation.name", operation),
      .attribute("signalbox.account", attempt.account.rawValue),
      .attribute("signalbox.rule", attempt.rule.name),
      .attribute("signalbox.snapshot", attempt.snapshot),
    ]
    if let model { attributes.append(.attribute("gen_ai.request.model", model)) }
    if let account {
      attributes.append(.attribute("signalbox.provider", account.provider.rawValue))
    }
    if let provider {
      attributes.append(.attribute("gen_ai.provider.name", provider.dialect.conventionalName))
    }
    if let status = attempt.status {
      attributes.append(.attribute("http.response.status_code", UInt64(status)))
    }
    if let errorClass = attempt.errorClass {
      attributes.append(.attribute("error.type", attempt.errorCode ?? errorClass.name))
    }
    if let time = attempt.firstByteMicroseconds {
      attributes.append(.attribute("signalbox.first_byte_us", time))
    }
    if isLast {
      for (name, count) in [
        ("input_tokens", fact.usage.input), ("output_tokens", fact.usage.output),
        ("cache_read.input_tokens", fact.usage.cached),
        ("cache_creation.input_tokens", fact.usage.cacheCreation),
        ("reasoning.output_tokens", fact.usage.reasoning),
      ] {
        if let count { attributes.append(.attribute("gen_ai.usage.\(name)", count)) }
      }
    }
    return record(
      span(UInt64(number)), parent: span(0), name: model.map { "\(operation) \($0)" } ?? operation,
      kind: 3, from: attempt.now, microseconds: attempt.totalMicroseconds, attributes,
      isError: attempt.errorClass != nil)
  }

  /// What stands behind the provider's name.
  private var ownModel: String? {
    fact.modelResolved.map { name in
      name.firstIndex(of: "/").map { String(name[name.index(after: $0)...]) } ?? name
    }
  }

  /// As the conventions call it; nil: no model was asked.
  private var generation: String? {
    switch fact.operation.dialect {
    case .chat, .responses, .messages, .inference: "chat"
    case .completions: "text_completion"
    case .embeddings: "embeddings"
    case .gemini: "generate_content"
    case .countTokens: "count_tokens"
    case nil: nil
    }
  }

  private func record(
    _ id: String, parent: String?, name: String, kind: Int64, from: UnixNanoseconds,
    microseconds: UInt64, _ attributes: [JSONValue], isError: Bool
  ) -> JSONValue {
    let length = Int64(clamping: microseconds).multipliedReportingOverflow(by: 1000)
    let end = from.rawValue.addingReportingOverflow(length.overflow ? 0 : length.partialValue)
    var members: [JSONValue.Member] = [
      .init("traceId", .string(trace)), .init("spanId", .string(id)),
    ]
    if let parent { members.append(.init("parentSpanId", .string(parent))) }
    members += [
      .init("name", .string(name)), .init("kind", JSONValue(kind)),
      // 64-bit numbers are texts in OTLP's JSON.
      .init("startTimeUnixNano", .string(String(max(0, from.rawValue)))),
      .init(
        "endTimeUnixNano", .string(String(max(0, end.overflow ? from.rawValue : end.partialValue)))),
      .init("attributes", .array(attributes)),
      .init("status", isError ? ["code": 2] : .object([])),
    ]
    return .object(members)
  }
}

extension UpstreamProtocol {
  /// As OpenTelemetry's conventions name who speaks it first.
  fileprivate var conventionalName: String {
    switch self {
    case .openai: "openai"
    case .anthropic: "anthropic"
    case .gemini: "gcp.gemini"
    }
  }
}

extension JSONValue {
  fileprivate static func attribute(_ key: String, value: JSONValue) -> JSONValue {
    ["key": .string(key), "value": value]
  }

  fileprivate static func attribute(_ key: String, _ text: String) -> JSONValue {
    attribute(key, value: ["stringValue": .string(text)])
  }

  fileprivate static func attribute(_ key: String, _ number: UInt64) -> JSONValue {
    // Signed on the wire, and a text.
    attribute(key, value: ["intValue": .string(String(Int64(clamping: number)))])
  }

  fileprivate static func attribute(_ key: String, _ truth: Bool) -> JSONValue {
    attribute(key, value: ["boolValue": .bool(truth)])
  }
}
