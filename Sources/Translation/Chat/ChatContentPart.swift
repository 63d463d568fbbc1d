import Surface

/// The parts of a message's content, as a client writes them.
enum ChatContentPart {
  static func read(_ value: JSONValue, _ path: String) throws(TranslationFault) -> Part {
    var fields = try Fields(value, path)
    let cache = try cacheMark(&fields)
    let content: Part.Content =
      switch try fields.requiredText("type") {
      case "text": .text(try fields.requiredText("text"))
      case "refusal": .refusal(try fields.requiredText("refusal"))
      case "image_url": .image(try image(&fields))
      case "input_audio": .audio(try audio(&fields))
      case "file": .document(try file(&fields))
      default: throw fields.malformed("type", "a type of content")
      }
    try fields.finish()
    return Part(content, cache: cache, field: path)
  }

  /// OpenAI's mark, or Anthropic's as chat clients of other gateways write it.
  static func cacheMark(_ fields: inout Fields) throws(TranslationFault) -> CacheMark? {
    if var mark = try fields.object("cache_control") {
      _ = mark.take("type")
      let lifetime = try mark.text("ttl")
      try mark.finish()
      return CacheMark(lifetime: lifetime)
    }
    guard var mark = try fields.object("prompt_cache_breakpoint") else { return nil }
    _ = mark.take("mode")
    let lifetime = try mark.text("ttl")
    try mark.finish()
    // OpenAI's are at least 30 minutes, which only the longest of Anthropic's lasts.
    return CacheMark(lifetime: lifetime == nil ? nil : "1h")
  }

  private static func image(_ fields: inout Fields) throws(TranslationFault) -> Media {
    guard var image = try fields.object("image_url") else { throw fields.missing("image_url") }
    let address = try image.requiredText("url")
    let detail = try image.text("detail")
    try image.finish()
    var media = try media(address, image, "url")
    media.detail = detail
    return media
  }

  private static func audio(_ fields: inout Fields) throws(TranslationFault) -> Media {
    guard var audio = try fields.object("input_audio") else { throw fields.missing("input_audio") }
    let data = try audio.requiredText("data")
    let format = try audio.requiredText("format")
    try audio.finish()
    guard let type = audioTypes.first(where: { $0.format == format }) else {
      throw audio.malformed("format", "a format of sound")
    }
    return Media(.data(data), mediaType: type.mediaType)
  }

  /// As Google names the types too, the only other provider that takes sounds.
  static let audioTypes: [(format: String, mediaType: String)] = [
    ("wav", "audio/wav"), ("mp3", "audio/mp3"),
  ]

  private static func file(_ fields: inout Fields) throws(TranslationFault) -> Media {
    guard var file = try fields.object("file") else { throw fields.missing("file") }
    let id = try file.text("file_id")
    let data = try file.text("file_data")
    let name = try file.text("filename")
    try file.finish()
    if let id { return Media(.file(id), name: name) }
    guard let data else { throw file.missing("file_data") }
    // The document says Base64, its examples and the service say a data address: both are taken.
    var media =
      data.utf8.prefix(5).elementsEqual("data:".utf8)
      ? try media(data, file, "file_data") : Media(.data(data))
    if media.mediaType == nil, name?.lowercased().hasSuffix(".pdf") ?? true {
      media.mediaType = "application/pdf"
    }
    media.name = name
    return media
  }

  private static func media(
    _ address: String, _ fields: Fields, _ name: String
  ) throws(TranslationFault) -> Media {
    if let data = DataURL(address) { return Media(.data(data.base64), mediaType: data.mediaType) }
    guard !address.isEmpty, !address.utf8.prefix(5).elementsEqual("data:".utf8) else {
      throw fields.malformed(name, "an address, or data in Base64")
    }
    return Media(.url(address))
  }
}
