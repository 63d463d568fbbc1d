import Surface

/// Takes `inlineData` or `fileData` of a part; nil: it has neither.
func readMedia(_ part: inout ProtoFields) throws(TranslationFault) -> Part.Content? {
  if var blob = try part.object("inlineData") {
    let type = try blob.requiredText("mimeType")
    let data = try blob.requiredText("data")
    let name = try blob.text("displayName")
    try blob.finish()
    let media = Media(.data(standardBase64(data)), mediaType: type, name: name)
    guard let content = Part.Content(media) else { throw blob.notCarried("mimeType") }
    return content
  }
  guard var file = try part.object("fileData") else { return nil }
  let address = try file.requiredText("fileUri")
  let given = try file.text("mimeType")
  let name = try file.text("displayName")
  try file.finish()
  guard let type = given ?? mediaType(ofAddress: address) else { throw file.missing("mimeType") }
  let origin: Media.Origin = isPublic(address) ? .url(address) : .file(address)
  guard let content = Part.Content(Media(origin, mediaType: type, name: name)) else {
    throw file.notCarried("mimeType")
  }
  return content
}

/// Takes `mediaResolution` of a part, in OpenAI's word.
func mediaDetail(_ part: inout ProtoFields) throws(TranslationFault) -> String? {
  guard var resolution = try part.object("mediaResolution") else { return nil }
  let level = try resolution.text("level")
  try resolution.finish()
  guard let detail = detail(ofResolution: level ?? "") else { throw resolution.notCarried("level") }
  return detail
}

/// `low`, `high` or `auto`; nil: OpenAI has no word for the resolution.
func detail(ofResolution name: String) -> String? {
  switch name {
  case "MEDIA_RESOLUTION_LOW": "low"
  case "MEDIA_RESOLUTION_HIGH": "high"
  case "", "MEDIA_RESOLUTION_UNSPECIFIED": "auto"
  case _: nil
  }
}

/// The resolution for OpenAI's word; nil: Google has none.
func resolution(ofDetail detail: String) -> String? {
  switch detail {
  case "low": "MEDIA_RESOLUTION_LOW"
  case "high": "MEDIA_RESOLUTION_HIGH"
  case _: nil
  }
}

extension Part.Content {
  /// What a medium is by its type; nil: a video, or nothing that the middle knows.
  init?(_ media: Media) {
    let type = media.mediaType?.lowercased() ?? ""
    if type.hasPrefix("image/") {
      self = .image(media)
    } else if type.hasPrefix("audio/") {
      self = .audio(media)
    } else if type.hasPrefix("text/") || type == "application/pdf" || type == "application/json" {
      self = .document(media)
    } else {
      return nil
    }
  }

  /// The medium, if it is one.
  var media: Media? {
    switch self {
    case .image(let media), .audio(let media), .document(let media): media
    case .text, .thinking, .redactedThinking, .toolCall, .toolResult, .refusal: nil
    }
  }

  /// The same, looked at as closely as `detail` says.
  func looking(_ detail: String?) -> Part.Content {
    guard let detail else { return self }
    func marked(_ media: Media) -> Media {
      var media = media
      media.detail = media.detail ?? detail
      return media
    }
    return switch self {
    case .image(let media): .image(marked(media))
    case .audio(let media): .audio(marked(media))
    case .document(let media): .document(marked(media))
    case .toolResult(var result):
      {
        for index in result.parts.indices {
          result.parts[index].content = result.parts[index].content.looking(detail)
        }
        return .toolResult(result)
      }()
    case .text, .thinking, .redactedThinking, .toolCall, .refusal: self
    }
  }
}

/// Whether any provider could fetch it: not what Google stores for one project.
private func isPublic(_ address: String) -> Bool {
  guard address.hasPrefix("https://") || address.hasPrefix("http://") else { return false }
  return !address.hasPrefix("https://generativelanguage.googleapis.com/")
}
