/// The `request_id` that the API Router's form carries in its body.
public enum InferenceLabel {
  /// The label of a request that `RequestScan` accepts, if it is 1…128 visible ASCII: what a header's own id may be.
  public static func find(in bytes: UnsafeRawBufferPointer) -> String? {
    guard var cursor = JSONCursor(bytes) else { return nil }
    return try? cursor.inferenceLabel()
  }
}

extension JSONCursor {
  fileprivate mutating func inferenceLabel() throws(JSONFlaw) -> String? {
    try beginDocument()
    guard try expectByte() == UInt8(ascii: "{") else { return nil }
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      guard equals(name, "request_id") else {
        try skipValue(within: 1)
        hasMember = try nextMember()
        continue
      }
      guard try expectByte() == UInt8(ascii: "\"") else { return nil }
      var text = unescaped(try skipString())
      var label: [UInt8] = []
      while let byte = text.next() {
        guard byte > 0x20, byte < 0x7F, label.count < 128 else { return nil }
        label.append(byte)
      }
      return label.isEmpty ? nil : String(decoding: label, as: UTF8.self)
    }
    return nil
  }
}
