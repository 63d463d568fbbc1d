/// The ids in an answer of Responses by which later requests may refer to what its account stores.
public enum StoredIDs {
  /// Of a whole answer, or of the data of a frame: the response's own id, that of its last thought, and those of its
  /// other items from the last one on.
  ///
  /// At most `countMax`; empty for what is no response. A client that refers to items one by one names the last one or
  /// the thoughts among them.
  public static func ids(in bytes: UnsafeRawBufferPointer) -> [String] {
    guard var cursor = JSONCursor(bytes) else { return [] }
    do throws(JSONFlaw) {
      try cursor.beginDocument()
      guard try cursor.expectByte() == UInt8(ascii: "{") else { return [] }
      var found = ResponseIDs()
      try cursor.responseIDs(depth: 1, &found)
      return Array(found.ranges.lazy.compactMap { text(bytes, $0) }.prefix(countMax))
    } catch {
      return []
    }
  }

  /// The response's own id, of the beginning of an answer that is too large to be kept; nil: it does not stand there.
  ///
  /// OpenAI writes it before what makes an answer large.
  public static func ownID(inBeginning bytes: UnsafeRawBufferPointer) -> String? {
    guard var cursor = JSONCursor(bytes) else { return nil }
    var found = ResponseIDs()
    do throws(JSONFlaw) {
      try cursor.beginDocument()
      guard try cursor.expectByte() == UInt8(ascii: "{") else { return nil }
      try cursor.responseIDs(depth: 1, &found)
    } catch {
      // Where it breaks off; what was found before stands.
    }
    return found.own.first.flatMap { text(bytes, $0) }
  }

  /// How many ids are told of one answer.
  public static let countMax = 5

  /// The text of a string's bytes, quotes included; nil: it is not 1 to 512 bytes of text.
  public static func text(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> String? {
    guard
      case .success(.string(let text)) = Result(catching: { () throws(JSONFault) in
        try JSONValue.parse(Array(bytes[range]))
      }), 1...512 ~= text.utf8.count
    else { return nil }
    return text
  }
}

/// Where the ids of a response stand.
private struct ResponseIDs {
  var own: [Range<Int>] = []
  private var thought: Range<Int>?
  /// The last ones, the last thought too where it is among them.
  private var items: [Range<Int>] = []

  /// Some of the ids may be none that can be told.
  private static let itemsMax = 2 * StoredIDs.countMax

  mutating func clearItems() { (thought, items) = (nil, []) }

  mutating func take(_ item: ResponseItem) {
    guard let id = item.id else { return }
    if item.isThought { thought = id }
    if items.count == 2 * Self.itemsMax { items.removeFirst(Self.itemsMax) }
    items.append(id)
  }

  /// What is most likely to be referred to first.
  var ranges: [Range<Int>] {
    own + [thought].compactMap(\.self) + items.reversed().filter { $0 != thought }
  }
}

/// What is looked at of an item of Responses, in a request's input or an answer's output.
struct ResponseItem {
  var id: Range<Int>?
  /// What the model thought, or what became of it: `reasoning`, `compaction`.
  var isThought = false
  fileprivate var type: ItemType?
  fileprivate var content = ThoughtContent.atTheAccount
  fileprivate var hasWords = false

  fileprivate enum ItemType {
    case thought
    case reference
    case other
  }

  fileprivate enum ThoughtContent {
    /// Nothing of it is sent.
    case atTheAccount
    /// Only the account can read it.
    case encrypted
    /// Anybody may be told.
    case open
  }

  /// Its id, where it stands for something that only one account has.
  var reference: Range<Int>? {
    switch type {
    case .reference: id
    case .thought: content == .open ? nil : id
    case .other: nil
    // The short form of a reference; a message may leave out its type too.
    case nil: hasWords ? nil : id
    }
  }
}

extension JSONCursor {
  /// The members of a response, or of the frame that wraps it.
  fileprivate mutating func responseIDs(
    depth: Int, _ found: inout ResponseIDs
  ) throws(JSONFlaw) {
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      if equals(name, "id"), try expectByte() == UInt8(ascii: "\"") {
        found.own.append(try skipString().range)
      } else if depth == 1, equals(name, "response"), try expectByte() == UInt8(ascii: "{") {
        try responseIDs(depth: 2, &found)
      } else if equals(name, "output") {
        found.clearItems()
        try forEachItem(within: depth) { found.take($0) }
      } else {
        try skipValue(within: depth)
      }
      hasMember = try nextMember()
    }
  }

  /// Calls `each` with the objects in the array at the cursor, in order; steps over a value of another kind.
  mutating func forEachItem(
    within depth: Int, _ each: (ResponseItem) -> Void
  ) throws(JSONFlaw) {
    try elements(within: depth) { (cursor) throws(JSONFlaw) in
      if try cursor.expectByte() == UInt8(ascii: "{") {
        each(try cursor.item(within: depth + 2))
      } else {
        try cursor.skipValue(within: depth + 1)
      }
    }
  }

  /// Has `each` step over one element after the other of the array at the cursor; steps over a value of another kind.
  mutating func elements(
    within depth: Int, _ each: (inout JSONCursor) throws(JSONFlaw) -> Void
  ) throws(JSONFlaw) {
    guard try expectByte() == UInt8(ascii: "[") else { return try skipValue(within: depth) }
    advance()
    skipWhitespace()
    if try expectByte() == UInt8(ascii: "]") { return advance() }
    while true {
      try each(&self)
      skipWhitespace()
      switch try expectByte() {
      case UInt8(ascii: ","):
        advance()
        skipWhitespace()
      case UInt8(ascii: "]"): return advance()
      default: throw JSONFlaw(.expectedCommaOrBracket, at: at)
      }
    }
  }

  private mutating func item(within depth: Int) throws(JSONFlaw) -> ResponseItem {
    var item = ResponseItem()
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      let first = try expectByte()
      if first == UInt8(ascii: "\"") {
        let value = try skipString()
        if equals(name, "id") { item.id = value.range }
        if equals(name, "type") { item.type = type(value) }
        if equals(name, "encrypted_content") {
          item.content = isCarried(value) ? .open : .encrypted
        }
        if equals(name, "content") { item.hasWords = true }
      } else {
        let isContent = equals(name, "content")
        let start = at
        try skipValue(within: depth)
        if isContent, first == UInt8(ascii: "["), at - start > 2 {
          item.hasWords = true
          if item.content == .atTheAccount { item.content = .open }
        }
      }
      hasMember = try nextMember()
    }
    item.isThought = item.type == .thought
    return item
  }

  private func type(_ value: JSONToken) -> ResponseItem.ItemType {
    if equals(value, "reasoning") || equals(value, "compaction") { return .thought }
    return equals(value, "item_reference") ? .reference : .other
  }

  /// What a translation put there for another maker's model: no account stores it, and any may be told.
  private func isCarried(_ content: JSONToken) -> Bool {
    let mark: StaticString = "signalbox."
    var bytes = unescaped(content)
    for index in 0..<mark.utf8CodeUnitCount where bytes.next() != mark.utf8Start[index] {
      return false
    }
    return true
  }
}
