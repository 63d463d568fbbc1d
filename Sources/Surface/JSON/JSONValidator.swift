/// Strict RFC 8259 validation of a whole document of any type, in one pass and without a tree.
public enum JSONValidator {
  /// The first thing wrong with the document; nil if it is valid.
  ///
  /// Depth at most 128; white space around the document is allowed, a byte order mark is not; names
  /// may repeat and escaped halves of surrogate pairs may stand, as the RFC has it.
  public static func fault(in bytes: UnsafeRawBufferPointer) -> JSONFault? {
    do throws(JSONFlaw) {
      guard var cursor = JSONCursor(bytes) else { throw JSONFlaw(.empty, at: 0) }
      try cursor.beginDocument()
      try cursor.skipValue(within: 0)
      try cursor.endDocument()
      return nil
    } catch {
      return JSONFault(error, in: bytes)
    }
  }

  /// How many values a document holds, containers and what is in them, before anything is made of it.
  ///
  /// An empty container counts for two; of what is no JSON it is some number.
  public static func valueCount(in bytes: UnsafeRawBufferPointer) -> Int {
    guard var cursor = JSONCursor(bytes) else { return 0 }
    var count = 1
    while let byte = cursor.current {
      switch byte {
      case UInt8(ascii: "\""):
        guard (try? cursor.skipString()) != nil else { return count }
      case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"):
        count += 1
        cursor.advance()
      case _: cursor.advance()
      }
    }
    return count
  }
}
