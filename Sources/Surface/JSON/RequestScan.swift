public import Domain

/// What the hot path needs of a request's top level, noted while the whole document is checked.
///
/// One pass, strict RFC 8259. Bounds: depth 128, 1,024 top-level members, 256 bytes for a top-level
/// name and for `model`. Allocates nothing but `model` and what is named in `references`.
public struct RequestScan: Sendable, Hashable {
  /// The model's name as text, unescaped: 1…256 bytes.
  public var model: String
  /// The bytes of the JSON string token, quotes included; empty: the path names the model.
  public var modelRange: Range<Int>
  /// True only for `"stream": true`, or where the path says so; absent, null and false are false.
  public var stream: Bool
  /// What stands under `stream_options`, in the dialects that have a usage option in it.
  public var streamOptions: StreamOptions
  /// The largest of the fields that bound an answer, rounded up; numbers in quotes count, as some providers take
  /// them.
  ///
  /// nil: none is given that bounds anything, as 0, less, or something else than a number. 0: answers of this
  /// dialect have no tokens.
  public var maxTokens: UInt64?
  /// `n` (also `best_of`, `candidateCount`), read alike: how many answers are asked for.
  public var answers: UInt64?
  /// Offset just after the opening brace, for adding members; one always follows where the model stands in the body.
  public var insertionPoint: Int
  /// The bytes of `prompt_cache_key` (`metadata.user_id` in Messages), quotes included; nil if there is no such string.
  public var session: Range<Int>?
  /// What it refers to that one account has, what tells most first.
  ///
  /// A response, a conversation, items and files from the last one on, at most `referencesMax` of either.
  public var references: [Reference] = []

  /// How many items and how many files are looked for.
  public static let referencesMax = 16

  /// A reference to what an account stores.
  public struct Reference: Sendable, Hashable {
    /// What is referred to.
    public var kind: Kind
    /// The field's name, for errors.
    public var field: String
    /// The bytes of the id, quotes included.
    public var id: Range<Int>

    /// What can be referred to by an id.
    public enum Kind: Sendable, Hashable {
      /// A response as a whole.
      case response
      /// What one response is made of, as a thought.
      case item
      case conversation
      case file
    }
  }

  /// The forms that `stream_options` may take.
  public enum StreamOptions: Sendable, Hashable {
    case absent
    /// The range of the token `null`.
    case null(Range<Int>)
    /// The range from brace to brace; whether there are no members; `include_usage`, if there.
    case object(Range<Int>, isEmpty: Bool, includeUsage: IncludeUsage?)
  }

  /// The value of `stream_options.include_usage`.
  public struct IncludeUsage: Sendable, Hashable {
    /// What the client wrote.
    public var value: Bool
    /// The range of the token `true` or `false`.
    public var range: Range<Int>

    /// A value and where it stands.
    public init(value: Bool, range: Range<Int>) {
      self.value = value
      self.range = range
    }
  }

  /// The bytes of the value of `stream_options`, `null` included; nil if absent.
  public var streamOptionsRange: Range<Int>? {
    switch streamOptions {
    case .absent: nil
    case .null(let range): range
    case .object(let range, _, _): range
    }
  }

  /// What the client asked for in `stream_options.include_usage`; nil if it did not say.
  public var includeUsage: Bool? {
    if case .object(_, _, let option) = streamOptions { option?.value } else { nil }
  }

  /// The client wants a stream and left open whether it is to report what it used.
  public var leavesUsageOpen: Bool { stream && includeUsage == nil }

  /// Checks the whole of `bytes` and notes the top level; the fault names the first thing wrong.
  ///
  /// `call`: what the path says of the model and the stream, where it does so instead of the body.
  public static func scan(
    _ bytes: UnsafeRawBufferPointer, as dialect: Dialect, call: GeminiCall? = nil
  ) -> Result<RequestScan, JSONFault> {
    do throws(JSONFlaw) {
      guard var cursor = JSONCursor(bytes) else { throw JSONFlaw(.empty, at: 0) }
      if let call { return .success(try cursor.request(to: call)) }
      var scan = try cursor.request(dialect)
      if FileIDs.mayHold(bytes, dialect) {
        scan.references += FileIDs.references(in: bytes, dialect)
      }
      return .success(scan)
    } catch {
      return .failure(JSONFault(error, in: bytes))
    }
  }
}

extension JSONCursor {
  /// The whole document as a request whose model stands in it.
  fileprivate mutating func request(_ dialect: Dialect) throws(JSONFlaw) -> RequestScan {
    try beginDocument()
    guard byte(at) == UInt8(ascii: "{") else { throw JSONFlaw(.notAnObject, at: at) }
    let insertionPoint = at + 1
    var names = TopLevelNames()
    var model: (text: String, range: Range<Int>)?
    var stream = false
    var streamOptions = RequestScan.StreamOptions.absent
    var session: Range<Int>?
    var maxTokens: UInt64?
    var answers: UInt64?
    var references: [RequestScan.Reference] = []
    var items: [Range<Int>] = []
    let isOpenAIs = dialect == .chat || dialect == .completions

    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      try names.insert(name, self)
      if equals(name, "model") {
        model = try modelName()
      } else if equals(name, "stream"), dialect != .inference {
        stream = try streamFlag()
      } else if isOpenAIs, equals(name, "stream_options") {
        streamOptions = try self.streamOptions()
      } else if equals(name, "prompt_cache_key"), try expectByte() == UInt8(ascii: "\"") {
        session = try skipString().range
      } else if equals(name, "max_tokens") || equals(name, "max_completion_tokens")
        || equals(name, "max_output_tokens")
      {
        try raise(&maxTokens)
      } else if isOpenAIs, equals(name, "n") || equals(name, "best_of") {
        try raise(&answers)
      } else if dialect == .messages, equals(name, "metadata") {
        session = try string("user_id")
      } else if dialect == .responses, equals(name, "previous_response_id") {
        if let id = try stringOrSkip() {
          references.insert(.init(kind: .response, field: "previous_response_id", id: id), at: 0)
        }
      } else if dialect == .responses, equals(name, "conversation") {
        let id =
          try expectByte() == UInt8(ascii: "{") ? try string("id") : try stringOrSkip()
        if let id { references.append(.init(kind: .conversation, field: "conversation", id: id)) }
      } else if dialect == .responses, equals(name, "input") {
        items = []
        try forEachItem(within: 1) { item in
          guard let id = item.reference else { return }
          // The last ones are wanted: room for twice as many spares moving them with each.
          if items.count == 2 * RequestScan.referencesMax {
            items.removeFirst(RequestScan.referencesMax)
          }
          items.append(id)
        }
      } else if dialect == .inference, equals(name, "parameters") {
        try parameters(&maxTokens)
      } else {
        try skipValue(within: 1)
      }
      hasMember = try nextMember()
    }
    let end = at - 1
    try endDocument()
    guard let model else { throw JSONFlaw(.modelMissing, at: end, field: .model) }
    references += items.suffix(RequestScan.referencesMax).reversed().map {
      .init(kind: .item, field: "input", id: $0)
    }
    return RequestScan(
      model: model.text, modelRange: model.range, stream: stream, streamOptions: streamOptions,
      maxTokens: dialect == .embeddings || dialect == .countTokens ? 0 : maxTokens,
      answers: answers, insertionPoint: insertionPoint, session: session, references: references)
  }

  /// The string at the cursor; nil for a value of another kind.
  private mutating func stringOrSkip() throws(JSONFlaw) -> Range<Int>? {
    if try expectByte() == UInt8(ascii: "\"") { return try skipString().range }
    try skipValue(within: 1)
    return nil
  }

  /// The whole document as a request whose model stands in the path.
  fileprivate mutating func request(to call: GeminiCall) throws(JSONFlaw) -> RequestScan {
    try beginDocument()
    guard byte(at) == UInt8(ascii: "{") else { throw JSONFlaw(.notAnObject, at: at) }
    let insertionPoint = at + 1
    var names = TopLevelNames()
    var maxTokens: UInt64?
    var answers: UInt64?
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      try names.insert(name, self)
      if equals(name, "generationConfig") || equals(name, "generation_config") {
        try generationConfig(&maxTokens, &answers)
      } else {
        try skipValue(within: 1)
      }
      hasMember = try nextMember()
    }
    try endDocument()
    return RequestScan(
      model: call.model, modelRange: 0..<0, stream: call.isStream, streamOptions: .absent,
      maxTokens: maxTokens, answers: answers, insertionPoint: insertionPoint, session: nil)
  }

  private mutating func parameters(_ maxTokens: inout UInt64?) throws(JSONFlaw) {
    guard try expectByte() == UInt8(ascii: "{") else { return try skipValue(within: 1) }
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      if equals(name, "max_tokens") || equals(name, "max_completion_tokens") {
        try raise(&maxTokens)
      } else {
        try skipValue(within: 2)
      }
      hasMember = try nextMember()
    }
  }

  private mutating func generationConfig(
    _ maxTokens: inout UInt64?, _ answers: inout UInt64?
  ) throws(JSONFlaw) {
    guard try expectByte() == UInt8(ascii: "{") else { return try skipValue(within: 1) }
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      if equals(name, "maxOutputTokens") || equals(name, "max_output_tokens") {
        try raise(&maxTokens)
      } else if equals(name, "candidateCount") || equals(name, "candidate_count") {
        try raise(&answers)
      } else {
        try skipValue(within: 2)
      }
      hasMember = try nextMember()
    }
  }

  /// The value of `name` in the value at the cursor, if that is an object; nil unless it is a string.
  private mutating func string(_ wanted: StaticString) throws(JSONFlaw) -> Range<Int>? {
    guard try expectByte() == UInt8(ascii: "{") else {
      try skipValue(within: 1)
      return nil
    }
    var found: Range<Int>?
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      if equals(name, wanted), try expectByte() == UInt8(ascii: "\"") {
        found = try skipString().range
      } else {
        try skipValue(within: 2)
      }
      hasMember = try nextMember()
    }
    return found
  }

  /// The value at the cursor as a bound, where it is a greater one.
  private mutating func raise(_ bound: inout UInt64?) throws(JSONFlaw) {
    if let value = try upperBound() { bound = max(bound ?? 0, value) }
  }

  private mutating func modelName() throws(JSONFlaw) -> (text: String, range: Range<Int>) {
    let start = at
    guard try expectByte() == UInt8(ascii: "\"") else {
      throw JSONFlaw(.modelNotAString, at: start, field: .model)
    }
    let token = try skipString()
    var bytes = unescaped(token)
    var count = 0
    while bytes.next() != nil {
      count += 1
      if count > Self.maximumModelBytes { break }
    }
    guard (1...Self.maximumModelBytes).contains(count) else {
      throw JSONFlaw(.modelLength, at: start, field: .model)
    }
    if bytes.metHalfSurrogate { throw JSONFlaw(.modelNotText, at: start, field: .model) }
    let text = String(unsafeUninitializedCapacity: count) { buffer in
      var bytes = unescaped(token)
      var length = 0
      while length < count, let byte = bytes.next() {
        buffer.initializeElement(at: length, to: byte)
        length += 1
      }
      return length
    }
    return (text, token.range)
  }

  /// A value of any kind, as the least whole number that is not below it; nil unless that is 1 or more.
  ///
  /// Whether it is a good value is for the provider to judge.
  private mutating func upperBound() throws(JSONFlaw) -> UInt64? {
    var text: [UInt8] = []
    switch try expectByte() {
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      let start = at
      if let whole = try unsignedInteger() { return whole == 0 ? nil : whole }
      text = (start..<min(at, start + Self.maximumBoundBytes)).map(byte)
    case UInt8(ascii: "\""):
      var bytes = unescaped(try skipString())
      while text.count < Self.maximumBoundBytes, let byte = bytes.next() {
        if byte > 0x20, byte != UInt8(ascii: "_") { text.append(byte) }
      }
    default: try skipValue(within: 1)
    }
    guard let value = Double(String(decoding: text, as: UTF8.self)), value > 0 else { return nil }
    return value < 0x1p64 ? UInt64(value.rounded(.up)) : .max
  }

  /// What is read of a number that is not plainly whole.
  private static var maximumBoundBytes: Int { 512 }

  private mutating func streamFlag() throws(JSONFlaw) -> Bool {
    let start = at
    switch try expectByte() {
    case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
      try skipLiteral()
      return byte(start) == UInt8(ascii: "t")
    default:
      throw JSONFlaw(.streamNotABoolean, at: start, field: .stream)
    }
  }

  private mutating func streamOptions() throws(JSONFlaw) -> RequestScan.StreamOptions {
    let start = at
    let first = try expectByte()
    if first == UInt8(ascii: "n") {
      try skipLiteral()
      return .null(start..<at)
    }
    guard first == UInt8(ascii: "{") else {
      throw JSONFlaw(.streamOptionsNotAnObject, at: start, field: .streamOptions)
    }
    var includeUsage: RequestScan.IncludeUsage?
    var hasMember = try firstMember()
    let isEmpty = !hasMember
    while hasMember {
      let name = try skipName()
      if equals(name, "include_usage") {
        if includeUsage != nil {
          throw JSONFlaw(.duplicateName, at: name.range.lowerBound, field: .includeUsage)
        }
        let valueStart = at
        switch try expectByte() {
        case UInt8(ascii: "t"), UInt8(ascii: "f"):
          try skipLiteral()
        default:
          throw JSONFlaw(.includeUsageNotABoolean, at: valueStart, field: .includeUsage)
        }
        includeUsage = .init(
          value: byte(valueStart) == UInt8(ascii: "t"), range: valueStart..<at)
      } else {
        try skipValue(within: 2)
      }
      hasMember = try nextMember()
    }
    return .object(start..<at, isEmpty: isEmpty, includeUsage: includeUsage)
  }
}

/// The names met at the top level, compared as they are after unescaping.
///
/// The first 64 live in the frame; only stranger requests allocate. A name is at most 256 bytes, so
/// that names made to collide cannot cost much.
private struct TopLevelNames {
  private struct Entry {
    var hash: UInt64 = 0
    var token = JSONToken(range: 0..<0, hasEscapes: false)
  }

  private var few = InlineArray<64, Entry>(repeating: Entry())
  private var more: [Entry] = []
  private var count = 0

  /// Notes a name; one that is already there is a flaw.
  mutating func insert(_ token: JSONToken, _ cursor: JSONCursor) throws(JSONFlaw) {
    let start = token.range.lowerBound
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    var length = 0
    var bytes = cursor.unescaped(token)
    while let byte = bytes.next() {
      length += 1
      if length > JSONCursor.maximumTopLevelNameBytes { throw JSONFlaw(.nameTooLong, at: start) }
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
    }
    for index in 0..<min(count, 64)
    where few[index].hash == hash && isSame(few[index].token, token, cursor) {
      throw JSONFlaw(.duplicateName, at: start, field: field(token, cursor))
    }
    for entry in more where entry.hash == hash && isSame(entry.token, token, cursor) {
      throw JSONFlaw(.duplicateName, at: start, field: field(token, cursor))
    }
    if count == JSONCursor.maximumTopLevelMembers { throw JSONFlaw(.tooManyMembers, at: start) }
    let entry = Entry(hash: hash, token: token)
    if count < 64 { few[count] = entry } else { more.append(entry) }
    count += 1
  }

  private func isSame(_ a: JSONToken, _ b: JSONToken, _ cursor: JSONCursor) -> Bool {
    var left = cursor.unescaped(a)
    var right = cursor.unescaped(b)
    while true {
      let byte = left.next()
      if byte != right.next() { return false }
      if byte == nil { return true }
    }
  }

  private func field(_ token: JSONToken, _ cursor: JSONCursor) -> RequestField? {
    var bytes = cursor.unescaped(token)
    var name: [UInt8] = []
    while let byte = bytes.next() { name.append(byte) }
    return RequestField(rawValue: String(decoding: name, as: UTF8.self))
  }
}
