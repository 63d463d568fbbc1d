/// A streamed response of OpenAI's Responses that has begun: what must be known of it to say that it failed.
public struct BegunResponse: Sendable, Hashable {
  /// SDKs refuse an event that names another one than the events before it.
  public private(set) var id = ""
  /// Empty: it names none.
  public private(set) var model = ""
  /// Seconds since 1970.
  public private(set) var createdAt: Int64 = 0

  /// Of the data of its `response.created`; nil: no id stands there.
  public init?(_ data: UnsafeRawBufferPointer) {
    guard var cursor = JSONCursor(data) else { return nil }
    do throws(JSONFlaw) {
      try cursor.beginDocument()
      guard try cursor.expectByte() == UInt8(ascii: "{") else { return nil }
      try read(&cursor, data, depth: 1)
    } catch {
      return nil
    }
    if id.isEmpty { return nil }
  }

  private mutating func read(
    _ cursor: inout JSONCursor, _ data: UnsafeRawBufferPointer, depth: Int
  ) throws(JSONFlaw) {
    var hasMember = try cursor.firstMember()
    while hasMember {
      let name = try cursor.skipName()
      let start = cursor.at
      if depth == 1, cursor.equals(name, "response"), try cursor.expectByte() == UInt8(ascii: "{") {
        try read(&cursor, data, depth: 2)
      } else {
        try cursor.skipValue(within: depth)
        if depth == 2 { take(name, data, start..<cursor.at, cursor) }
      }
      hasMember = try cursor.nextMember()
    }
  }

  private mutating func take(
    _ name: JSONToken, _ data: UnsafeRawBufferPointer, _ value: Range<Int>, _ cursor: JSONCursor
  ) {
    if cursor.equals(name, "id") {
      id = StoredIDs.text(data, value) ?? ""
    } else if cursor.equals(name, "model") {
      model = StoredIDs.text(data, value) ?? ""
    } else if cursor.equals(name, "created_at") {
      createdAt = Int64(String(decoding: data[value], as: UTF8.self)) ?? 0
    }
  }

  /// The data of its `response.failed`: all that the SDKs demand, and nothing of the answer, which the client has.
  func failed(code: String, message: String, sequence: UInt64) -> [UInt8] {
    JSONValue.object([
      .init("type", "response.failed"), .init("sequence_number", JSONValue(sequence)),
      .init(
        "response",
        [
          "id": .string(id), "object": "response", "created_at": JSONValue(createdAt),
          "status": "failed", "background": false,
          "error": ["code": .string(code), "message": .string(message)],
          "incomplete_details": .null, "instructions": .null, "metadata": [:],
          "model": .string(model), "output": [], "parallel_tool_calls": true,
          "temperature": .null, "tool_choice": "auto", "tools": [], "top_p": .null, "usage": .null,
        ]),
    ]).bytes
  }
}
