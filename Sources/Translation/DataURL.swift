/// Bytes within an address: `data:image/png;base64,iVBOR…`, as OpenAI's protocols carry images and files.
struct DataURL: Sendable, Hashable {
  /// As `image/png`, without parameters; nil: the address names none.
  var mediaType: String?
  /// In Base64, as written.
  var base64: String

  init(mediaType: String?, base64: String) {
    self.mediaType = mediaType
    self.base64 = base64
  }

  /// nil: `text` is another kind of address, or one whose bytes are not in Base64.
  init?(_ text: String) {
    let utf8 = text.utf8
    guard utf8.prefix(5).elementsEqual("data:".utf8, by: { $0 | 0x20 == $1 }),
      // The head is short; an image without a comma must not be searched to its end.
      let comma = utf8.prefix(256).firstIndex(of: UInt8(ascii: ","))
    else { return nil }
    let head = text[utf8.index(utf8.startIndex, offsetBy: 5)..<comma]
    let fields = head.split(separator: ";", omittingEmptySubsequences: false)
    guard fields.count > 1, fields.last?.lowercased() == "base64" else { return nil }
    mediaType = fields[0].isEmpty ? nil : String(fields[0])
    base64 = String(text[utf8.index(after: comma)...])
  }

  /// The address.
  var text: String { "data:\(mediaType ?? "");base64,\(base64)" }
}
