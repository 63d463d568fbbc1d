import Domain

/// The files that a request names by the ids that its provider gave them.
enum FileIDs {
  /// The cheap look before a walk: a `"file_id"` that is a string stands anywhere, in a protocol that has such files.
  static func mayHold(_ bytes: UnsafeRawBufferPointer, _ dialect: Dialect) -> Bool {
    switch dialect {
    case .chat, .responses, .messages, .countTokens:
      UsageScan.holds(bytes, name: "\"file_id\"", before: UInt8(ascii: "\""))
    case .completions, .embeddings, .gemini, .inference: false
    }
  }

  /// Each file once, the last one first, at most `RequestScan.referencesMax`; the document is known to be JSON.
  ///
  /// A `file_id` counts where the protocol has one in content, and not in the arguments of a tool or in metadata.
  static func references(
    in bytes: UnsafeRawBufferPointer, _ dialect: Dialect
  ) -> [RequestScan.Reference] {
    guard var cursor = JSONCursor(bytes) else { return [] }
    let field: StaticString = dialect == .responses ? "input" : "messages"
    var found: [Range<Int>] = []
    do throws(JSONFlaw) {
      try cursor.beginDocument()
      var hasMember = try cursor.firstMember()
      while hasMember {
        let name = try cursor.skipName()
        if cursor.equals(name, field) {
          try cursor.files(dialect, isFile: false, &found)
        } else {
          try cursor.skipValue(within: 1)
        }
        hasMember = try cursor.nextMember()
      }
    } catch {
      return []
    }
    var references: [RequestScan.Reference] = []
    for id in found.reversed() where references.count < RequestScan.referencesMax {
      let isNew = references.allSatisfy { !bytes[$0.id].elementsEqual(bytes[id]) }
      if isNew { references.append(.init(kind: .file, field: "\(field)", id: id)) }
    }
    return references
  }
}

extension JSONCursor {
  /// Notes the files in the value at the cursor; `isFile`: the member's name says that the value is one.
  fileprivate mutating func files(
    _ dialect: Dialect, isFile: Bool, _ found: inout [Range<Int>]
  ) throws(JSONFlaw) {
    switch try expectByte() {
    case UInt8(ascii: "["):
      try elements(within: 1) { (cursor) throws(JSONFlaw) in
        try cursor.files(dialect, isFile: false, &found)
      }
    case UInt8(ascii: "{"):
      var isFile = isFile
      var id: Range<Int>?
      var hasMember = try firstMember()
      while hasMember {
        let name = try skipName()
        if try expectByte() == UInt8(ascii: "\"") {
          let value = try skipString()
          if equals(name, "file_id") { id = value.range }
          if equals(name, "type"), isFileType(value, dialect) { isFile = true }
        } else if dialect == .messages || dialect == .countTokens, equals(name, "input") {
          // What a tool was called with is the tool's own.
          try skipValue(within: 1)
        } else {
          try files(dialect, isFile: dialect == .chat && equals(name, "file"), &found)
        }
        hasMember = try nextMember()
      }
      if isFile, let id { found.append(id) }
    default: try skipValue(within: 1)
    }
  }

  private func isFileType(_ value: JSONToken, _ dialect: Dialect) -> Bool {
    switch dialect {
    case .responses:
      equals(value, "input_file") || equals(value, "input_image")
        || equals(value, "computer_screenshot")
    case .messages, .countTokens: equals(value, "file") || equals(value, "container_upload")
    case .chat, .completions, .embeddings, .gemini, .inference: false
    }
  }
}
