public import Domain

/// What the gateway reads of an answer: what it used, whether it is an error, and whether it is an answer.
///
/// For a whole answer, or for the data of one SSE frame; in chat's words where no dialect is named. Never fails: of
/// a document that is not a JSON object nothing is reported. Allocates nothing.
public struct UsageScan: Sendable, Hashable {
  /// The document is one valid JSON object.
  public var isObject: Bool
  /// The top-level `usage` object's figures; nil if there is no such object (absent or null).
  public var usage: TokenUsage?
  /// `"usage": null`, as streams send before their last chunk.
  public var usageIsNull: Bool
  /// A top-level `error` that is not null.
  public var hasError: Bool
  /// `"choices": []`: the chunk that carries nothing but usage.
  public var choicesAreEmpty: Bool
  /// What every answer has is there: in chat a top-level `choices`, whatever it holds.
  public var isAnswer: Bool

  /// What a scan found.
  public init(
    isObject: Bool, usage: TokenUsage?, usageIsNull: Bool, hasError: Bool, choicesAreEmpty: Bool,
    isAnswer: Bool
  ) {
    self.isObject = isObject
    self.usage = usage
    self.usageIsNull = usageIsNull
    self.hasError = hasError
    self.choicesAreEmpty = choicesAreEmpty
    self.isAnswer = isAnswer
  }

  /// Of a document that is no object, nothing.
  static let nothing = UsageScan(
    isObject: false, usage: nil, usageIsNull: false, hasError: false, choicesAreEmpty: false,
    isAnswer: false)

  /// Reads the whole of `bytes`.
  public static func scan(_ bytes: UnsafeRawBufferPointer) -> UsageScan {
    guard var cursor = JSONCursor(bytes) else { return nothing }
    do throws(JSONFlaw) {
      return try cursor.answer()
    } catch {
      return nothing
    }
  }

  /// The figures alone; nil if there is no `usage` object.
  public static func usage(in bytes: UnsafeRawBufferPointer) -> TokenUsage? { scan(bytes).usage }

  /// The cheap look before a scan: whether `"usage"` followed by an object stands anywhere.
  ///
  /// No false negatives for names written without escapes; a word inside a string may be a false
  /// positive, which `scan` then tells apart.
  public static func mayHoldUsage(_ bytes: UnsafeRawBufferPointer) -> Bool {
    holds(bytes, name: "\"usage\"", before: UInt8(ascii: "{"))
  }

  /// The cheap look for an in-stream error: whether `"error"` followed by a colon stands anywhere.
  public static func mayHoldError(_ bytes: UnsafeRawBufferPointer) -> Bool {
    holds(bytes, name: "\"error\"", before: nil)
  }

  /// Whether a `"finish_reason"` that is a string stands anywhere: a stream that said this much of itself is
  /// complete, although its `[DONE]` may never come.
  public static func mayHoldFinishReason(_ bytes: UnsafeRawBufferPointer) -> Bool {
    holds(bytes, name: "\"finish_reason\"", before: UInt8(ascii: "\""))
  }

  /// Whether a `"choices"` that is an array with something in it stands anywhere: the stream says something.
  public static func mayHoldChoice(_ bytes: UnsafeRawBufferPointer) -> Bool {
    holds(bytes, name: "\"choices\"", before: UInt8(ascii: "["), nonEmpty: true)
  }

  /// Looks for the name's first two bytes eight places at a time, and at the rest where they match.
  static func holds(
    _ bytes: UnsafeRawBufferPointer, name: StaticString, before value: UInt8?,
    nonEmpty: Bool = false
  ) -> Bool {
    let length = name.utf8CodeUnitCount
    guard let base = bytes.baseAddress else { return false }
    let last = bytes.count - length
    let ones: UInt64 = 0x0101_0101_0101_0101
    let firsts = UInt64(name.utf8Start[0]) &* ones
    let seconds = UInt64(name.utf8Start[1]) &* ones
    var index = 0
    while index <= last {
      // The second load reaches 9 bytes far.
      if index + 9 <= bytes.count {
        let a =
          UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ firsts
        let b =
          UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index + 1, as: UInt64.self))
          ^ seconds
        let marks = ((a &- ones) & ~a) & ((b &- ones) & ~b) & 0x8080_8080_8080_8080
        if marks == 0 {
          index += 8
          continue
        }
        index += marks.trailingZeroBitCount >> 3
        if index > last { return false }
      }
      if matches(bytes, name, at: index),
        follows(bytes, value, from: index + length, nonEmpty: nonEmpty)
      {
        return true
      }
      index += 1
    }
    return false
  }

  private static func matches(
    _ bytes: UnsafeRawBufferPointer, _ name: StaticString, at start: Int
  ) -> Bool {
    for index in 0..<name.utf8CodeUnitCount where bytes[start + index] != name.utf8Start[index] {
      return false
    }
    return true
  }

  /// Whether a colon, and then `value` if one is wanted, follow; `nonEmpty`: and no closing bracket then.
  private static func follows(
    _ bytes: UnsafeRawBufferPointer, _ value: UInt8?, from start: Int, nonEmpty: Bool
  ) -> Bool {
    var index = start
    func skipWhitespace() {
      while index < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[index]) { index += 1 }
    }
    skipWhitespace()
    guard index < bytes.count, bytes[index] == UInt8(ascii: ":") else { return false }
    guard let value else { return true }
    index += 1
    skipWhitespace()
    guard index < bytes.count, bytes[index] == value else { return false }
    guard nonEmpty else { return true }
    index += 1
    skipWhitespace()
    return index < bytes.count && bytes[index] != UInt8(ascii: "]")
  }
}

extension JSONCursor {
  /// The whole document as an answer; of a member that stands there twice the last counts.
  fileprivate mutating func answer() throws(JSONFlaw) -> UsageScan {
    try beginDocument()
    var scan = UsageScan(
      isObject: true, usage: nil, usageIsNull: false, hasError: false, choicesAreEmpty: false,
      isAnswer: false)
    guard byte(at) == UInt8(ascii: "{") else { throw JSONFlaw(.notAnObject, at: at) }
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      if equals(name, "usage") {
        scan.usageIsNull = current == UInt8(ascii: "n")
        scan.usage = nil
        if current == UInt8(ascii: "{") {
          scan.usage = try usageObject(within: 2)
        } else {
          try skipValue(within: 1)
        }
      } else {
        if equals(name, "error") {
          scan.hasError = current != UInt8(ascii: "n")
          try skipValue(within: 1)
        } else if equals(name, "choices") {
          scan.isAnswer = true
          let isArray = current == UInt8(ascii: "[")
          let start = at
          try skipValue(within: 1)
          scan.choicesAreEmpty = isArray && isBlank(start + 1..<at - 1)
        } else {
          try skipValue(within: 1)
        }
      }
      hasMember = try nextMember()
    }
    try endDocument()
    return scan
  }

  private func isBlank(_ range: Range<Int>) -> Bool {
    for index in range {
      switch byte(index) {
      case 0x20, 0x0A, 0x0D, 0x09: continue
      default: return false
      }
    }
    return true
  }

  /// Chat's names, and those of the Responses dialect where chat's are absent.
  mutating func usageObject(within depth: Int) throws(JSONFlaw) -> TokenUsage {
    var chat = TokenUsage()
    var responses = TokenUsage()
    /// DeepSeek's word for what others call cached.
    var hits: UInt64?
    /// What gateways before Anthropic call it.
    var written: UInt64?
    var total: UInt64?
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      if equals(name, "prompt_tokens") {
        chat.input = try count(within: depth)
      } else if equals(name, "completion_tokens") {
        chat.output = try count(within: depth)
      } else if equals(name, "prompt_tokens_details") {
        (chat.cached, chat.cacheCreation) = try inputDetails(within: depth)
      } else if equals(name, "completion_tokens_details") {
        chat.reasoning = try detail("reasoning_tokens", within: depth)
      } else if equals(name, "cache_creation_input_tokens") {
        written = try count(within: depth)
      } else if equals(name, "prompt_cache_hit_tokens") {
        hits = try count(within: depth)
      } else if equals(name, "total_tokens") {
        total = try count(within: depth)
      } else if equals(name, "input_tokens") {
        responses.input = try count(within: depth)
      } else if equals(name, "output_tokens") {
        responses.output = try count(within: depth)
      } else if equals(name, "input_tokens_details") {
        (responses.cached, responses.cacheCreation) = try inputDetails(within: depth)
      } else if equals(name, "output_tokens_details") {
        responses.reasoning = try detail("reasoning_tokens", within: depth)
      } else {
        try skipValue(within: depth)
      }
      hasMember = try nextMember()
    }
    // xAI counts thoughts beside the answer; only its total shows it.
    if let input = chat.input, let output = chat.output, let thoughts = chat.reasoning,
      thoughts > 0, total == input + output + thoughts
    {
      chat.output = output + thoughts
    }
    return TokenUsage(
      input: chat.input ?? responses.input, output: chat.output ?? responses.output,
      cached: chat.cached ?? responses.cached ?? hits,
      reasoning: chat.reasoning ?? responses.reasoning,
      cacheCreation: chat.cacheCreation ?? responses.cacheCreation ?? written)
  }

  /// More tokens than this no request has: such a figure is an error, and would eat up any budget.
  private static let tokensMax: UInt64 = 1 << 32

  /// A number of tokens; nil for whatever is not an unsigned integer, or beyond `tokensMax`.
  mutating func count(within depth: Int) throws(JSONFlaw) -> UInt64? {
    switch try expectByte() {
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      return try unsignedInteger().flatMap { $0 <= Self.tokensMax ? $0 : nil }
    default:
      try skipValue(within: depth)
      return nil
    }
  }

  /// Of an object of figures the one that is wanted.
  mutating func detail(
    _ wanted: StaticString, within depth: Int
  ) throws(JSONFlaw) -> UInt64? {
    guard try expectByte() == UInt8(ascii: "{") else {
      try skipValue(within: depth)
      return nil
    }
    var value: UInt64?
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      if equals(name, wanted) {
        value = try count(within: depth + 1)
      } else {
        try skipValue(within: depth + 1)
      }
      hasMember = try nextMember()
    }
    return value
  }

  /// What was read from the provider's cache, and what was written to it.
  private mutating func inputDetails(
    within depth: Int
  ) throws(JSONFlaw) -> (cached: UInt64?, cacheCreation: UInt64?) {
    guard try expectByte() == UInt8(ascii: "{") else {
      try skipValue(within: depth)
      return (nil, nil)
    }
    var (cached, written): (UInt64?, UInt64?)
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      if equals(name, "cached_tokens") {
        cached = try count(within: depth + 1)
      } else if equals(name, "cache_write_tokens") {
        written = try count(within: depth + 1)
      } else {
        try skipValue(within: depth + 1)
      }
      hasMember = try nextMember()
    }
    return (cached, written)
  }
}
