import Domain
import Surface

/// Reads a provider's whole answer.
enum ChatAnswerReader {
  static func read(_ answer: JSONValue) throws(TranslationFault) -> Answer {
    guard let choices = answer["choices"]?.array else { throw malformed("choices") }
    // Never more than one was asked for.
    guard let choice = choices.first, let message = choice["message"], message.members != nil else {
      throw malformed("choices[0].message")
    }
    // Mistral's and OpenRouter's word for what other providers answer with a status.
    if choice["finish_reason"] == "error" {
      throw TranslationFault(
        .malformed, "choices[0].finish_reason", "The provider's answer is an error.")
    }
    if let name = chatMedia(message) { throw chatMediaFault("choices[0].message.\(name)") }
    let id = answer["id"]?.string ?? ""
    var parts = thoughts(message)
    var content = said(message["content"])
    if let refusal = text(message["refusal"]) { content.append(Part(.refusal(refusal))) }
    if let signature = ChatSignature.read(message), let last = content.indices.last {
      content[last].signature = signature
    }
    parts += content
    for (index, call) in (message["tool_calls"]?.array ?? []).enumerated() {
      parts.append(try self.call(call, index, of: id))
    }
    return Answer(
      id: id, model: answer["model"]?.string ?? "", created: answer["created"]?.int, parts: parts,
      stop: ChatStop.read(
        choice["finish_reason"]?.string, stopped: choice["stop_reason"],
        hasCalls: parts.contains { if case .toolCall = $0.content { true } else { false } },
        hasRefusal: parts.contains { if case .refusal = $0.content { true } else { false } }),
      usage: ChatUsage.read(answer["usage"]) ?? .notReported)
  }

  private static func malformed(_ field: String) -> TranslationFault {
    TranslationFault(.malformed, field, "\(field) of the provider's answer is missing.")
  }

  private static func text(_ value: JSONValue?) -> String? {
    value?.string.flatMap { $0.isEmpty ? nil : $0 }
  }

  private static func thoughts(_ message: JSONValue) -> [Part] {
    var parts: [Part] = []
    for detail in message["reasoning_details"]?.array ?? [] {
      guard let thought = ChatThought(detail) else { continue }
      switch thought.content {
      case .text(let text): parts.append(Part(.thinking(text), signature: thought.signature))
      case .redacted(let data): parts.append(Part(.redactedThinking(data)))
      }
    }
    if parts.isEmpty,
      let text = text(message["reasoning_content"]) ?? text(message["reasoning"])
    {
      parts.append(Part(.thinking(text)))
    }
    return parts
  }

  /// A text, or Mistral's array of texts and thoughts.
  private static func said(_ content: JSONValue?) -> [Part] {
    if let text = text(content) { return [Part(.text(text))] }
    var parts: [Part] = []
    for element in content?.array ?? [] {
      switch ChatPiece(element) {
      case .text(let text): parts.append(Part(.text(text)))
      case .thinking(let text): parts.append(Part(.thinking(text)))
      case nil: continue
      }
    }
    return parts
  }

  private static func call(
    _ call: JSONValue, _ index: Int, of answer: String
  ) throws(TranslationFault) -> Part {
    let place = "choices[0].message.tool_calls[\(index)].function"
    guard let function = call["function"], let name = text(function["name"]) else {
      throw malformed(place)
    }
    return Part(
      .toolCall(
        ToolCall(
          id: text(call["id"]) ?? chatCallID(index, of: answer), name: name,
          arguments: chatArguments(function["arguments"]))),
      signature: ChatSignature.read(call))
  }
}

/// One entry of an answer's `reasoning_details`.
struct ChatThought {
  enum Content {
    case text(String)
    case redacted(String)
  }

  let content: Content
  let signature: String?
  /// Which thought a stream's piece belongs to.
  let index: Int64?

  /// nil: of a kind that only its own provider reads.
  init?(_ value: JSONValue) {
    switch value["type"]?.string {
    case "reasoning.text": content = .text(value["text"]?.string ?? "")
    case "reasoning.summary": content = .text(value["summary"]?.string ?? "")
    case "reasoning.encrypted":
      guard ChatThoughts.isAnthropic(value["format"]?.string), let data = value["data"]?.string
      else { return nil }
      content = .redacted(data)
    default: return nil
    }
    signature = value["signature"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    index = value["index"]?.int
  }
}

/// Where an answer, or a piece of one, has a picture or sound, which other protocols have no place for; nil: nowhere.
func chatMedia(_ message: JSONValue) -> String? {
  for name in ["images", "audio"] {
    switch message[name] {
    case nil, .null, .array([]), .object([]): continue
    case .some: return name
    }
  }
  let kinds = ["image_url", "image", "input_audio", "audio", "video_url", "file"]
  let index = (message["content"]?.array ?? []).firstIndex {
    kinds.contains($0["type"]?.string ?? "")
  }
  return index.map { "content[\($0)]" }
}

/// The fault of an answer that has one.
func chatMediaFault(_ field: String) -> TranslationFault {
  TranslationFault(.notCarried, field, "\(field) has no place in other protocols.")
}

/// One element of a content that is an array, as Mistral's thinking models answer.
enum ChatPiece {
  case text(String)
  case thinking(String)

  /// nil: nothing in it, or of another kind.
  init?(_ value: JSONValue) {
    switch value["type"]?.string {
    case "text":
      guard let text = value["text"]?.string, !text.isEmpty else { return nil }
      self = .text(text)
    case "thinking":
      let inner = value["thinking"]
      let text = inner?.string ?? (inner?.array ?? []).compactMap { $0["text"]?.string }.joined()
      if text.isEmpty { return nil }
      self = .thinking(text)
    default: return nil
    }
  }
}

/// An id for a call that came without: the same each time, and of other answers' calls none has it.
///
/// At most 40 characters, what OpenAI takes.
func chatCallID(_ index: Int, of answer: String) -> String {
  let own = answer.utf8.filter { byte in
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }
  return "call_\(String(decoding: own.suffix(24), as: UTF8.self))_\(index)"
}

/// Arguments as text; some servers send the object itself.
func chatArguments(_ value: JSONValue?) -> String {
  switch value {
  case .string(let text): text
  case nil, .null: ""
  case .some(let value): String(decoding: value.bytes, as: UTF8.self)
  }
}
