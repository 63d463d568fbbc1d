public import Domain

/// Reads an upstream's error, whatever its dialect: a whole body, or the data of one SSE frame.
///
/// Understands `{"error":{…}}`, `{"error":"…"}`, an array around either (Gemini), the members at the top (vLLM, Mistral,
/// relays) and FastAPI's `detail`. Of anything else the first bytes are searched for phrases. Never fails; keeps none
/// of the text.
public enum ErrorScan {
  /// A longer body is not read as JSON.
  public static let bytesMax = 64 << 10
  /// Of a web page, this much is looked at.
  private static let pageBytesMax = 4 << 10

  /// What `bytes` say; `now`: when they came, for times that they name.
  public static func scan(_ bytes: UnsafeRawBufferPointer, now: UnixNanoseconds) -> ErrorFacts {
    guard !bytes.isEmpty else { return .none }
    if bytes.count <= bytesMax, let document = try? JSONValue.parse(Array(bytes)) {
      return facts(of: document, now)
    }
    if bytes.first(where: { !isBlank($0) }) == UInt8(ascii: "<") { return page(bytes) }
    let words = FailureWords(message: bytes.drop { isBlank($0) })
    return ErrorFacts(words: words.subtracting(.challenge))
  }

  private static func isBlank(_ byte: UInt8) -> Bool { [0x20, 0x0A, 0x0D, 0x09].contains(byte) }

  private static func page(_ bytes: UnsafeRawBufferPointer) -> ErrorFacts {
    var words: FailureWords = .page
    var rest = bytes.prefix(pageBytesMax)
    // Windows that overlap, so that no phrase is cut in two.
    while !rest.isEmpty {
      words.formUnion(FailureWords(message: rest).intersection(.challenge))
      rest = rest.dropFirst(FailureWords.messageBytesMax - 32)
    }
    return ErrorFacts(words: words)
  }

  private static func facts(of document: JSONValue, _ now: UnixNanoseconds) -> ErrorFacts {
    // Gemini's OpenAI face answers with a list of one.
    let document = document[0] ?? document
    guard document.members != nil else {
      return ErrorFacts(words: document.string.map(words) ?? [])
    }
    // An event of Responses wraps the answer that failed.
    let holder =
      document["response"]?["error"].map { !$0.isNull } == true
      ? document["response"] ?? document : document
    let isListed = holder["error"].map { !$0.isNull } ?? false
    let error = isListed ? holder["error"] ?? .null : document
    if let text = error.string {
      var facts = ErrorFacts(isErrorObject: true, words: words(text))
      facts.add(name: text)
      return facts
    }
    var facts = ErrorFacts()
    facts.isErrorObject =
      isListed || error["message"]?.string != nil || error["detail"]?.array != nil
      || error["type"]?.string == "error"
    for name in ["type", "code", "status", "reason", "error_type", "__type"] {
      if let text = error[name]?.string { facts.add(name: text) }
    }
    for name in ["code", "status", "status_code", "http_code"] where facts.status == nil {
      facts.status = status(error[name])
    }
    facts.param = param(error["param"])
    if let message = error["message"]?.string ?? error["msg"]?.string {
      facts.words.formUnion(words(message))
    }
    read(detail: error["detail"], into: &facts)
    read(details: error["details"], now, into: &facts)
    if let inner = error["innererror"]?["code"]?.string { facts.add(name: inner) }
    facts.resetAfter =
      ["resets_in_seconds", "retry_after", "retry_after_seconds", "resets_at", "reset_at"]
      .lazy.compactMap { wait(error[$0], now) }.first ?? facts.resetAfter
    return facts
  }

  private static func words(_ message: String) -> FailureWords {
    FailureWords(message: message.utf8).subtracting(.challenge)
  }

  private static func status(_ value: JSONValue?) -> Int? {
    let number = value?.int ?? value?.string.flatMap { $0.utf8.count == 3 ? Int64($0) : nil }
    return number.flatMap { 400...599 ~= $0 ? Int($0) : nil }
  }

  private static func param(_ value: JSONValue?) -> String? {
    guard let text = value?.string, 1...64 ~= text.utf8.count else { return nil }
    // Of a path, the field of the request that it begins with.
    let field = text.prefix { $0 != "." && $0 != "[" }
    return field.isEmpty ? nil : String(field)
  }

  private static func wait(_ value: JSONValue?, _ now: UnixNanoseconds) -> Int64? {
    switch value {
    case .string(let text), .number(let text): ResetHints.wait(text, now: now)
    case .object, .array, .bool, .null, nil: nil
    }
  }

  /// FastAPI's: a sentence, or a list of `{"loc":["body","field"],"msg":"…","type":"…"}`.
  private static func read(detail: JSONValue?, into facts: inout ErrorFacts) {
    if let text = detail?.string { facts.words.formUnion(words(text)) }
    for fault in detail?.array?.prefix(8) ?? [] {
      if let type = fault["type"]?.string { facts.add(name: type) }
      if let text = fault["msg"]?.string { facts.words.formUnion(words(text)) }
      if facts.param == nil, fault["loc"]?[0]?.string == "body" {
        facts.param = param(fault["loc"]?[1])
      }
    }
  }

  /// Google's: `ErrorInfo` with a reason, `QuotaFailure` with the quotas' names, `RetryInfo` with a wait.
  private static func read(
    details: JSONValue?, _ now: UnixNanoseconds, into facts: inout ErrorFacts
  ) {
    for detail in details?.array?.prefix(16) ?? [] {
      if let reason = detail["reason"]?.string { facts.add(name: reason) }
      if let delay = wait(detail["retryDelay"], now) {
        facts.resetAfter = max(facts.resetAfter ?? 0, delay)
      }
      if let time = wait(detail["metadata"]?["quotaResetTimeStamp"], now) {
        facts.resetAfter = max(facts.resetAfter ?? 0, time)
      }
      for violation in detail["violations"]?.array?.prefix(8) ?? [] {
        guard let quota = violation["quotaId"]?.string else { continue }
        facts.words.formUnion(
          FailureWords(message: quota.utf8).intersection(FailureWords.quotas))
      }
    }
  }
}
