import Domain
import Surface

/// One page of a list, as `limit` and `after` ask for it.
///
/// A cursor is the sort key of the last element of the page before: what is added or removed meanwhile makes
/// no element come twice or not at all.
struct Page {
  /// What a list is sorted by; no two elements have the same.
  struct Key: Comparable {
    var parts: [Part]

    init(_ parts: Part...) { self.parts = parts }

    static func < (left: Key, right: Key) -> Bool {
      left.parts.lexicographicallyPrecedes(right.parts)
    }

    /// A number sorts before any text, so that a cursor of another list is no trap.
    enum Part: Comparable {
      case number(Int64)
      case text(String)
    }
  }

  let limit: Int
  let after: Key?

  /// What the query asks for.
  init(_ query: Query) throws {
    limit =
      try query.int("limit", in: 1...Contract.Parameter.pageSize)
      ?? Contract.Parameter.pageSize
    after = try query["after"].map { text in
      guard let key = Key(cursor: text) else {
        throw APIFault(
          .invalidField, "The parameter after is no cursor of this list.", field: "after",
          remedy: "Send `next` of the page before, or leave it out for the first page.",
          details: [.init("value", JSONValue(Refusal.bounded(text)))])
      }
      return key
    }
  }

  /// The elements of the page, sorted, and the cursor of the next one if there is more.
  func cut<Element>(
    _ elements: some Sequence<Element>, by key: (Element) -> Key
  ) -> (elements: [Element], next: String?) {
    let behind = elements.map { (key: key($0), element: $0) }
      .filter { entry in after.map { entry.key > $0 } ?? true }
      .sorted { $0.key < $1.key }
    let page = behind.prefix(limit)
    let next = behind.count > limit ? page.last?.key.cursor : nil
    return (page.map(\.element), next)
  }

  /// The page as the answer shows it: under the list's name, with `next` if there is more.
  func answer<Element>(
    _ name: String, _ elements: some Sequence<Element>, by key: (Element) -> Key,
    _ json: (Element) -> JSONValue
  ) -> AdminAnswer {
    let (page, next) = cut(elements, by: key)
    return .json(
      .object([.init(name, .array(page.map(json)))] + Self.members(next: next)))
  }

  /// `next`, if there is more.
  static func members(next: String?) -> [JSONValue.Member] {
    next.map { [.init("next", JSONValue($0))] } ?? []
  }
}

extension Page.Key {
  /// Opaque, safe in a query.
  var cursor: String {
    let parts = parts.map { part -> JSONValue in
      switch part {
      case .number(let number): JSONValue(number)
      case .text(let text): JSONValue(text)
      }
    }
    return hexadecimalText(JSONValue.array(parts).bytes)
  }

  fileprivate init?(cursor: String) {
    guard cursor.utf8.count <= 4096, cursor.utf8.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    var rest = Substring(cursor)
    while !rest.isEmpty {
      guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    guard let values = (try? JSONValue.parse(bytes))?.array,
      (1...8).contains(values.count)
    else { return nil }
    var parts: [Part] = []
    for value in values {
      switch value {
      case .string(let text): parts.append(.text(text))
      case .number(let text):
        guard let number = Int64(text) else { return nil }
        parts.append(.number(number))
      case .object, .array, .bool, .null: return nil
      }
    }
    self.parts = parts
  }
}

/// `true` if `needle` stands in one of the texts, letters' case ignored.
func matches(_ needle: String?, _ texts: String...) -> Bool {
  guard let needle = needle?.lowercased() else { return true }
  return texts.contains { $0.lowercased().contains(needle) }
}
