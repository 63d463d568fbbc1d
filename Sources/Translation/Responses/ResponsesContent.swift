import Surface

/// The parts of a message or of a tool's result, as Responses writes them.
enum ResponsesContent {
  /// A string, or an array of parts.
  static func parts(_ value: JSONValue, _ path: String) throws(TranslationFault) -> [Part] {
    switch value {
    case .string(let text): return [Part(.text(text), field: path)]
    case .array(let elements):
      var parts: [Part] = []
      for (index, element) in elements.enumerated() {
        parts.append(try part(element, "\(path)[\(index)]"))
      }
      return parts
    default:
      throw TranslationFault(.malformed, path, "\(path) is not a string or an array.")
    }
  }

  private static func part(_ value: JSONValue, _ path: String) throws(TranslationFault) -> Part {
    var fields = try Fields(value, path)
    var part: Part
    switch try fields.requiredText("type") {
    case "input_text", "output_text", "text":
      part = Part(.text(try fields.requiredText("text")), field: path)
      part.signature = try signature(&fields)
      // Where a text of the model came from and how likely it was: no provider reads it.
      for name in ["annotations", "logprobs"] { _ = fields.take(name) }
    case "refusal": part = Part(.refusal(try fields.requiredText("refusal")), field: path)
    case "input_image": part = Part(.image(try image(&fields)), field: path)
    case "input_file": part = Part(.document(try file(&fields)), field: path)
    case "input_audio":
      guard var audio = try fields.object("input_audio") else {
        throw fields.missing("input_audio")
      }
      let data = try audio.requiredText("data")
      let format = try audio.requiredText("format")
      try audio.finish()
      let mediaType = format == "mp3" ? "audio/mpeg" : "audio/\(format)"
      part = Part(.audio(Media(.data(data), mediaType: mediaType)), field: path)
    default: throw fields.notCarried("type")
    }
    if var mark = try fields.object("prompt_cache_breakpoint") {
      _ = try mark.text("mode")
      // Where there are two lifetimes, the longer for the longer.
      part.cache = CacheMark(lifetime: try mark.text("ttl") == "12h" ? "1h" : nil)
      try mark.finish()
    }
    try fields.finish()
    return part
  }

  /// Gemini's signature of a text, where Google's own OpenAI-like interface puts that of a call.
  private static func signature(_ fields: inout Fields) throws(TranslationFault) -> String? {
    guard var extra = try fields.object("extra_content") else { return nil }
    var google = try extra.object("google")
    let signature = try google?.text("thought_signature")
    try google?.finish()
    try extra.finish()
    return signature
  }

  private static func image(_ fields: inout Fields) throws(TranslationFault) -> Media {
    let detail = try fields.text("detail")
    if let id = try fields.text("file_id") { return Media(.file(id), detail: detail) }
    let url = try fields.requiredText("image_url")
    if let data = DataURL(url) {
      return Media(.data(data.base64), mediaType: data.mediaType, detail: detail)
    }
    try refuseDataURL(url, fields, "image_url")
    return Media(.url(url), detail: detail)
  }

  private static func file(_ fields: inout Fields) throws(TranslationFault) -> Media {
    let name = try fields.text("filename")
    let detail = try fields.text("detail")
    if let id = try fields.text("file_id") {
      return Media(.file(id), detail: detail, name: name)
    }
    if let url = try fields.text("file_url") {
      return Media(.url(url), mediaType: mediaType(of: url), detail: detail, name: name)
    }
    let text = try fields.requiredText("file_data")
    if let data = DataURL(text) {
      let mediaType = data.mediaType ?? name.flatMap(mediaType(of:))
      return Media(.data(data.base64), mediaType: mediaType, detail: detail, name: name)
    }
    try refuseDataURL(text, fields, "file_data")
    return Media(.data(text), mediaType: name.flatMap(mediaType(of:)), detail: detail, name: name)
  }

  /// A data address without Base64 would be taken for an address that a provider can fetch.
  private static func refuseDataURL(
    _ text: String, _ fields: Fields, _ name: String
  ) throws(TranslationFault) {
    if text.utf8.prefix(5).elementsEqual("data:".utf8, by: { $0 | 0x20 == $1 }) {
      throw fields.malformed(name, "a data URL in Base64")
    }
  }

  /// By the extension; nil: not one that says it surely.
  private static func mediaType(of name: String) -> String? {
    let path = name.prefix { $0 != "?" && $0 != "#" }
    guard let dot = path.lastIndex(of: ".") else { return nil }
    return switch path[path.index(after: dot)...].lowercased() {
    case "pdf": "application/pdf"
    case "txt": "text/plain"
    case "md": "text/markdown"
    case "csv": "text/csv"
    case "html": "text/html"
    case "json": "application/json"
    default: nil
    }
  }
}
