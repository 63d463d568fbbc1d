public import Domain

/// What the gateway itself writes into a stream, by the client's dialect.
public enum StreamFrame {
  /// An error of ours; nothing follows that would make the answer look whole.
  ///
  /// - Parameters:
  ///   - status: whose class the error belongs to; nil: the code's.
  ///   - sequence: Responses: the number of the event.
  ///   - isArray: Gemini: the stream is one array, of which at least one element went out.
  public static func bytes(
    _ code: ErrorCode, _ dialect: Dialect, status: Int? = nil, requestID: String,
    sequence: UInt64? = nil, isArray: Bool = false
  ) -> [UInt8] {
    let data =
      switch dialect {
      case .chat, .completions, .embeddings, .inference: openAIErrorBody(code: code, status: status)
      case .messages, .countTokens:
        messagesErrorBody(code: code, status: status, requestID: requestID)
      case .responses: responsesError(code, status: status, sequence: sequence ?? 0)
      case .gemini: googleErrorBody(code: code, status: status, requestID: requestID)
      }
    return bytes(quoting: data, dialect, isArray: isArray)
  }

  /// The end of a response that has failed: an event `error` is none, and many clients wait for this one.
  ///
  /// `sequence`: the event's number.
  public static func failed(
    _ response: BegunResponse, _ code: ErrorCode, sequence: UInt64
  ) -> [UInt8] {
    bytes(
      quoting: response.failed(
        code: code.responsesCode, message: code.summary, sequence: sequence),
      .responses)
  }

  /// The frame of an error whose data is known, such as the provider's own.
  public static func bytes(
    quoting data: [UInt8], _ dialect: Dialect, isArray: Bool = false
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    switch dialect {
    case .messages, .countTokens: bytes += "event: error\n".utf8
    case .responses:
      // The name of an event is its type: `error`, or `response.failed`.
      let name = data.withUnsafeBytes { UsageScan.type(in: $0).map(Array.init) }
      bytes += "event: ".utf8 + (name ?? Array("error".utf8)) + "\n".utf8
    case .gemini where isArray: return ",\n".utf8 + data + "]\n".utf8
    case .chat, .completions, .embeddings, .gemini, .inference: break
    }
    SSEWriter.append(data: data, to: &bytes)
    return bytes
  }

  /// What may stand between any two frames and means nothing to the clients of a dialect.
  ///
  /// Google's SDK takes every line that does not begin with `data: ` for JSON, also a comment.
  public static func keepAlive(_ dialect: Dialect) -> StaticString {
    switch dialect {
    case .chat, .completions, .embeddings, .responses, .inference: ": keep-alive\n\n"
    case .messages, .countTokens: "event: ping\ndata: {\"type\": \"ping\"}\n\n"
    case .gemini: "\n"
    }
  }

  /// Documented are the members at the top; SDKs raise for what stands in `error`.
  private static func responsesError(_ code: ErrorCode, status: Int?, sequence: UInt64) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("type", "error")
      writer.member("sequence_number", JSONValue(sequence))
      writer.member("code", code.rawValue)
      writer.member("message", code.summary)
      writer.member("param", .null)
      writer.name("error")
      writer.object { writer in
        writer.member("type", openAIErrorType(ofHTTP: status ?? code.status))
        writer.member("code", code.rawValue)
        writer.member("message", code.summary)
        writer.member("param", .null)
      }
    }
    return writer.bytes
  }
}

extension ErrorCode {
  /// Of the codes that the error of a response of OpenAI's Responses may have, the one that fits.
  public var responsesCode: String {
    switch status {
    case 429: "rate_limit_exceeded"
    case 400..<500: self == .contextLengthExceeded ? rawValue : "invalid_prompt"
    case _: "server_error"
    }
  }
}
