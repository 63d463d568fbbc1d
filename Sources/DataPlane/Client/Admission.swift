import Domain
import Surface

/// Who may ask for what: reads heads, changes nothing.
enum Admission {
  /// The inference operation that a head asks for; nil: not ours, the fallback answers.
  static func operation(of head: HTTP1RequestHead) -> Operation? {
    switch head.method {
    case .post:
      if head.pathEquals("/v1/chat/completions") || head.pathEquals("/api/v1/chat/completions") {
        return .chatCompletions
      }
      return operation(posted: head.path)
    case .get:
      if head.pathEquals("/v1/models") || head.pathEquals("/api/v1/models") { return .listModels }
      if head.pathEquals("/v1beta/models") || head.pathEquals("/api/v1beta/models") {
        return .listModels
      }
      if head.pathHasPrefix("/v1/models/") || head.pathHasPrefix("/api/v1/models/")
        || head.pathHasPrefix("/v1beta/models/") || head.pathHasPrefix("/api/v1beta/models/")
      {
        return GeminiCall(path: head.path) == nil ? .getModel : nil
      }
      return stored(head)
    case .delete: return stored(head)
    case .head, .put, .patch, .options: return nil
    }
  }

  private static func operation(posted path: String) -> Operation? {
    let known = path.hasPrefix("/api/v1/") ? path.dropFirst(4) : path[...]
    switch known {
    case "/v1/messages": return .messages
    case "/v1/responses": return .responses
    case "/v1/embeddings": return .embeddings
    case "/v1/completions": return .completions
    case "/v1/messages/count_tokens": return .countTokens
    case "/v1/inference": return .inference
    case _:
      if StoredCall(path: path)?.part == .cancel { return .cancelResponse }
      return GeminiCall(path: path) == nil ? nil : .generateContent
    }
  }

  private static func stored(_ head: HTTP1RequestHead) -> Operation? {
    guard head.pathHasPrefix("/v1/responses/") || head.pathHasPrefix("/api/v1/responses/"),
      let call = StoredCall(path: head.path)
    else { return nil }
    switch (call.part, head.method) {
    case (.whole, .get): return .getResponse
    case (.whole, .delete): return .removeResponse
    case (.inputItems, .get): return .listInputItems
    case _: return nil
    }
  }

  /// The client's own `x-request-id`, if it is 1…128 visible ASCII.
  static func clientRequestID(of head: HTTP1RequestHead) -> String? {
    head.fields.withValue(.xRequestID) { bytes -> String? in
      guard (1...128).contains(bytes.count), bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
        return nil
      }
      return String(decoding: bytes, as: UTF8.self)
    } ?? nil
  }

  /// The trace that the client names; nil: none, or more than one, or by what is no `traceparent`.
  static func trace(of head: HTTP1RequestHead) -> TraceContext? {
    guard head.fields.contains(.traceparent), !head.fields.isRepeated(.traceparent) else {
      return nil
    }
    return head.fields.withValue(.traceparent) { TraceContext(traceparent: $0) } ?? nil
  }

  /// Finds the key of a head in the snapshot in force, and whether it is let in.
  static func identity(
    of head: HTTP1RequestHead, operation: Operation, wall: Int64, context: LoopContext
  ) -> ClientAdmission {
    let snapshot = context.routing.snapshot
    let found: PresentedKey? = withRawKey(of: head, operation) { raw in
      context.keys.key(raw, in: snapshot, fingerprinter: context.plane.fingerprinter)
        .map { .key($0) } ?? .unknown
    }
    return snapshot.settings.admission(
      of: found ?? PresentedKey.none, to: operation, at: UnixNanoseconds(wall))
  }

  /// Calls `body` with the bytes of the key in `authorization: Bearer`, `x-api-key` or `x-goog-api-key`, on Gemini's
  /// paths also of the query's `key`; nil without one.
  private static func withRawKey<Result>(
    of head: HTTP1RequestHead, _ operation: Operation, _ body: (UnsafeRawBufferPointer) -> Result
  ) -> Result? {
    let bearer = head.fields.withValue(.authorization) { value -> Result? in
      guard value.count > 7,
        UnsafeRawBufferPointer(rebasing: value[0..<7]).equalsIgnoringCase("bearer ")
      else { return nil }
      let token = value[7...].drop { $0 == 0x20 }
      return token.isEmpty ? nil : body(UnsafeRawBufferPointer(rebasing: token))
    }
    if let found = bearer ?? nil { return found }
    for name in [HTTP1Name.xAPIKey, .xGoogAPIKey] where head.fields.contains(name) {
      let header = head.fields.withValue(name) { value -> Result? in
        value.isEmpty ? nil : body(value)
      }
      if let found = header ?? nil { return found }
    }
    let isGoogles =
      operation == .generateContent || head.pathHasPrefix("/v1beta/")
      || head.pathHasPrefix("/api/v1beta/")
    guard isGoogles, let key = queryValue("key", of: head), !key.isEmpty else {
      return nil
    }
    return Array(key.utf8).withUnsafeBytes { body($0) }
  }

  /// The first value of this name in the query, decoded; nil: there is none.
  static func queryValue(_ name: String, of head: HTTP1RequestHead) -> String? {
    guard let query = head.query else { return nil }
    for pair in query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts[0] == name { return parts.count == 2 ? percentDecoded(parts[1].utf8) : "" }
    }
    return nil
  }
}

extension ErrorCode {
  /// As the client is told.
  init(_ refusal: AdmissionRefusal) {
    self =
      switch refusal {
      case .missingKey: .missingAPIKey
      case .unknownKey: .invalidAPIKey
      case .keyPaused: .keyPaused
      case .keyRevoked: .keyRevoked
      case .keyExpired: .keyExpired
      }
  }
}
