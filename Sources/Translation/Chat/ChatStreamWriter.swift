import Domain
import Surface

/// Turns events into the chunks of a chat stream.
///
/// One id, time and model in all chunks; the role in the first; the reason to stop in a chunk of its own; usage in
/// one more if it was asked for; `[DONE]` only where the provider said that this was all. Calls go out one after the
/// other: the SDK's stream helper takes a change of index for the end of the call before.
struct ChatStreamWriter: StreamWriter {
  private let facts: AnswerFacts
  /// A chunk up to its delta, and from behind it.
  private var head: [UInt8] = []
  private var tail: [UInt8] = []
  /// `{"id":…,"model":…` of every chunk.
  private var common: [UInt8] = []
  private var usage = TokenUsage.notReported
  private var parts: [Int: OpenPart] = [:]
  private var callCount = 0
  private var thoughtCount = 0
  private var hasRefusal = false
  private var hasSignature = false
  private var queue = CallQueue()

  private enum OpenPart {
    case text
    case refusal
    case thought(Int)
    case call(Int, hasArguments: Bool)
  }

  init(for facts: AnswerFacts) { self.facts = facts }

  mutating func write(_ event: StreamEvent, into bytes: inout [UInt8]) {
    for event in queue.take(event) { writeInTurn(event, into: &bytes) }
  }

  private mutating func writeInTurn(_ event: StreamEvent, into bytes: inout [UInt8]) {
    switch event {
    case .began(let id, _, let created): begin(id, created, into: &bytes)
    case .opened(let number, let part): open(number, part, into: &bytes)
    case .piece(let number, let piece): write(piece, of: number, into: &bytes)
    case .closed(let number):
      // A call without arguments has an empty object of them in this protocol.
      if case .call(let index, false) = parts[number] { arguments("{}", index, into: &bytes) }
      parts[number] = nil
    case .usage(let usage): self.usage = usage
    case .stopped(let stop):
      let reason = ChatStop.write(stop, hasCalls: callCount > 0, hasRefusal: hasRefusal)
      bytes += head
      bytes += "{},\"logprobs\":null,\"finish_reason\":\"\(reason)\"}]".utf8
      endChunk(into: &bytes)
    case .ended: end(into: &bytes)
    case .failed(let failure):
      bytes += "data: ".utf8
      bytes += chatStreamError(failure)
      bytes += "\n\n".utf8
    }
  }

  // MARK: Frames

  private mutating func begin(_ id: String, _ created: Int64?, into bytes: inout [UInt8]) {
    common = Array("data: {\"id\":".utf8)
    appendJSONString(ChatAnswerWriter.id(id, facts), to: &common)
    common += ",\"object\":\"chat.completion.chunk\",\"created\":\(created ?? facts.now)".utf8
    common += ",\"model\":".utf8
    appendJSONString(facts.model, to: &common)
    head = common + Array(",\"choices\":[{\"index\":0,\"delta\":".utf8)
    tail = Array(",\"logprobs\":null,\"finish_reason\":null}]".utf8)
    chunk("{\"role\":\"assistant\",\"content\":null}", into: &bytes)
  }

  private func chunk(_ delta: String, into bytes: inout [UInt8]) {
    bytes += head
    bytes += delta.utf8
    bytes += tail
    endChunk(into: &bytes)
  }

  private func chunk(_ delta: JSONValue, into bytes: inout [UInt8]) {
    bytes += head
    bytes += delta.bytes
    bytes += tail
    endChunk(into: &bytes)
  }

  /// A chunk whose delta is one text.
  private func chunk(_ name: StaticString, _ text: String, into bytes: inout [UInt8]) {
    bytes += head
    bytes += "{\"\(name)\":".utf8
    appendJSONString(text, to: &bytes)
    bytes += "}".utf8
    bytes += tail
    endChunk(into: &bytes)
  }

  private func endChunk(into bytes: inout [UInt8]) {
    bytes += (facts.includesUsage ? ",\"usage\":null}\n\n" : "}\n\n").utf8
  }

  private func end(into bytes: inout [UInt8]) {
    if facts.includesUsage, let usage = ChatUsage.write(usage) {
      bytes += common
      bytes += ",\"choices\":[],\"usage\":".utf8
      bytes += usage.bytes
      bytes += "}\n\n".utf8
    }
    bytes += "data: [DONE]\n\n".utf8
  }

  // MARK: Parts

  private mutating func open(_ number: Int, _ part: StreamPart, into bytes: inout [UInt8]) {
    switch part {
    case .text: parts[number] = .text
    case .refusal:
      parts[number] = .refusal
      hasRefusal = true
    case .thinking:
      parts[number] = .thought(thoughtCount)
      thoughtCount += 1
    case .redactedThinking(let data):
      detail("reasoning.encrypted", "data", data, thoughtCount, into: &bytes)
      thoughtCount += 1
    case .toolCall(let id, let name, let signature):
      var call: [JSONValue.Member] = [
        .init("index", JSONValue(callCount)), .init("id", .string(id)), .init("type", "function"),
        .init("function", ["name": .string(name), "arguments": ""]),
      ]
      if let signature { call.append(ChatSignature.member(signature)) }
      chunk(["tool_calls": [.object(call)]], into: &bytes)
      parts[number] = .call(callCount, hasArguments: false)
      callCount += 1
    }
  }

  private mutating func write(_ piece: StreamPiece, of number: Int, into bytes: inout [UInt8]) {
    switch (piece, parts[number]) {
    case (.text(let text), .text): chunk("content", text, into: &bytes)
    case (.text(let text), .refusal): chunk("refusal", text, into: &bytes)
    case (.text(let text), .thought(let index)):
      // Whether it will be signed, and so needed as a part, only its end tells.
      chunk(
        [
          "reasoning_content": .string(text),
          "reasoning_details": [
            ["index": JSONValue(index), "type": "reasoning.text", "text": .string(text)]
          ],
        ], into: &bytes)
    case (.signature(let signature), .thought(let index)):
      detail("reasoning.text", "signature", signature, index, into: &bytes)
    case (.signature(let signature), .text):
      // The SDK would put a second one behind the first, and make both worthless.
      if !hasSignature { chunk(.object([ChatSignature.member(signature)]), into: &bytes) }
      hasSignature = true
    case (.arguments(let text), .call(let index, _)):
      if text.isEmpty { return }
      parts[number] = .call(index, hasArguments: true)
      arguments(text, index, into: &bytes)
    // What no part of this kind has.
    case (.text, .call), (.text, nil), (.signature, .refusal), (.signature, .call),
      (.signature, nil), (.arguments, .text), (.arguments, .refusal), (.arguments, .thought),
      (.arguments, nil):
      return
    }
  }

  private func arguments(_ text: String, _ index: Int, into bytes: inout [UInt8]) {
    bytes += head
    bytes += "{\"tool_calls\":[{\"index\":\(index),\"function\":{\"arguments\":".utf8
    appendJSONString(text, to: &bytes)
    bytes += "}}]}".utf8
    bytes += tail
    endChunk(into: &bytes)
  }

  private func detail(
    _ type: JSONValue, _ name: String, _ value: String, _ index: Int, into bytes: inout [UInt8]
  ) {
    let members: [JSONValue.Member] = [
      .init("index", JSONValue(index)), .init("type", type), .init(name, .string(value)),
    ]
    chunk(["reasoning_details": [.object(members)]], into: &bytes)
  }
}
