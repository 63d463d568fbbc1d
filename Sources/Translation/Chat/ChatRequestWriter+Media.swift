import Surface

extension ChatRequestWriter {
  func image(_ media: Media, _ field: String) throws(TranslationFault) -> JSONValue {
    var image: [JSONValue.Member] = [.init("url", .string(try address(media, field)))]
    if let detail = media.detail { image.append(.init("detail", .string(detail))) }
    return ["type": "image_url", "image_url": .object(image)]
  }

  func audio(_ media: Media, _ field: String) throws(TranslationFault) -> JSONValue {
    switch media.origin {
    case .data(let data):
      guard let format = Self.formats[media.mediaType ?? ""] else {
        throw TranslationFault.notCarried(field)
      }
      return [
        "type": "input_audio", "input_audio": ["data": .string(data), "format": .string(format)],
      ]
    case .file: throw TranslationFault.stateBound(field)
    case .url, .text: throw TranslationFault.notCarried(field)
    }
  }

  private static let formats = [
    "audio/wav": "wav", "audio/wave": "wav", "audio/x-wav": "wav", "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
  ]

  func document(_ media: Media, _ field: String) throws(TranslationFault) -> JSONValue {
    switch media.origin {
    case .data:
      // OpenAI wants a name beside the bytes.
      let name = media.name ?? (media.mediaType == "application/pdf" ? "document.pdf" : "document")
      return [
        "type": "file",
        "file": ["filename": .string(name), "file_data": .string(try address(media, field))],
      ]
    // What it says is carried; its title, a help in citing, has no place.
    case .text(let text): return ["type": "text", "text": .string(text)]
    case .file: throw TranslationFault.stateBound(field)
    case .url: throw TranslationFault.notCarried(field)
    }
  }

  private func address(_ media: Media, _ field: String) throws(TranslationFault) -> String {
    switch media.origin {
    case .data(let data):
      guard let type = media.mediaType else { throw TranslationFault.notCarried(field) }
      return DataURL(mediaType: type, base64: data).text
    case .url(let url): return url
    case .file: throw TranslationFault.stateBound(field)
    case .text: throw TranslationFault.notCarried(field)
    }
  }
}
