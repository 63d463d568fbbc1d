import Domain
import Surface

/// Who may ask for what: reads heads, changes nothing.
enum Admission {
  /// The inference operation that a head asks for; nil: not ours, the fallback answers.
  static func operation(of head: HTTP1RequestHead) -> Operation? {
    switch head.method {
    case .post:
      return head.pathEquals("/v1/chat/completions") || head.pathEquals("/api/v1/chat/completions")
        ? .chatCompletions : nil
    case .get:
      if head.pathEquals("/v1/models") || head.pathEquals("/api/v1/models") { return .listModels }
      if head.pathHasPrefix("/v1/models/") || head.pathHasPrefix("/api/v1/models/") {
        return .getModel
      }
      return nil
    case .head, .put, .patch, .delete, .options: return nil
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

  /// What the head says about who is asking.
  enum Identity {
    case anonymous
    case key(Key)
    case refused(ErrorCode)
  }

  /// Finds the key of a head in the snapshot in force.
  ///
  /// Without `requireAPIKey` a key that is not known counts as none, because SDKs insist on sending one.
  static func identity(
    of head: HTTP1RequestHead, operation: Operation, wall: Int64, context: LoopContext
  ) -> Identity {
    let snapshot = context.routing.snapshot
    let isRequired = snapshot.settings.requireAPIKey
    let found: Key?? = withRawKey(of: head) { raw in
      context.keys.key(raw, in: snapshot, fingerprinter: context.plane.fingerprinter)
    }
    guard let found else {
      return isRequired && operation == .chatCompletions ? .refused(.missingAPIKey) : .anonymous
    }
    guard let key = found else { return isRequired ? .refused(.invalidAPIKey) : .anonymous }
    switch key.status {
    case .active: break
    case .paused: return .refused(.keyPaused)
    case .revoked: return .refused(.keyRevoked)
    }
    return key.isExpired(at: UnixNanoseconds(wall)) ? .refused(.keyExpired) : .key(key)
  }

  /// Calls `body` with the bytes of the key in `authorization: Bearer` or `x-api-key`; nil without one.
  private static func withRawKey<Result>(
    of head: HTTP1RequestHead, _ body: (UnsafeRawBufferPointer) -> Result
  ) -> Result? {
    let bearer = head.fields.withValue(.authorization) { value -> Result? in
      guard value.count > 7,
        UnsafeRawBufferPointer(rebasing: value[0..<7]).equalsIgnoringCase("bearer ")
      else { return nil }
      let token = value[7...].drop { $0 == 0x20 }
      return token.isEmpty ? nil : body(UnsafeRawBufferPointer(rebasing: token))
    }
    if let found = bearer ?? nil { return found }
    let header = head.fields.withValue(.xAPIKey) { value -> Result? in
      value.isEmpty ? nil : body(value)
    }
    return header ?? nil
  }
}
