import Surface

/// An item of a streamed response that is not told to its end.
struct ResponsesStreamItem {
  let kind: StreamPart
  /// Its place in the output.
  var index = 0
  /// Empty: it was not told of yet.
  var id = ""
  /// Its content or summary part was told of.
  var hasPart = false
  var text = ""
  var signature: String?

  init(_ kind: StreamPart) { self.kind = kind }

  /// The one part of a message.
  var content: JSONValue {
    kind == .refusal
      ? ResponsesOutput.refusal(text) : ResponsesOutput.text(text, signature: signature)
  }
}

/// An error in a stream, in the words of Responses.
struct ResponsesFailure {
  /// The provider's class, as far as it is a word.
  let code: String
  let message: String
  private let type: String
  /// It is a reason of the gateway's own.
  private let own: ErrorCode?

  init(_ failure: StreamFailure) {
    code = Self.word(failure.type)
    // The gateway's own reasons have words and a class of their own.
    own = ErrorCode(rawValue: code)
    type = own?.openAIType ?? openAIType(of: code)
    message = own?.summary ?? "The provider ended the answer with an error (\(code))."
  }

  /// A class and nothing after it: letters, digits, `_`, `-` and `.`, at most 64; `server_error` where there is none.
  static func word(_ text: String) -> String {
    let bytes = text.utf8.prefix(64).prefix { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
        UInt8(ascii: "."):
        true
      default: false
      }
    }
    return bytes.isEmpty ? "server_error" : String(decoding: bytes, as: UTF8.self)
  }

  /// The one that fits among those that a response's error may have, or that clients know beside them.
  var responseCode: String {
    if let own { return own.responsesCode }
    let name = code.lowercased()
    if name == ErrorCode.contextLengthExceeded.rawValue { return name }
    let isRate = ["rate_limit", "resource_exhausted", "too_many_requests", "quota"].contains {
      name.contains($0)
    }
    return isRate ? "rate_limit_exceeded" : "server_error"
  }

  var json: JSONValue {
    ["type": .string(type), "code": .string(code), "message": .string(message), "param": .null]
  }
}
