import Domain
import Surface
import Testing

@testable import Translation

/// A request with every field that is read.
private let fullRequest = #"""
  {"model":"m","contents":[
    {"role":"user","parts":[{"text":"a","partMetadata":{"k":1}},
      {"inlineData":{"mimeType":"image/png","data":"AA==","displayName":"n"},
       "mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}},
      {"fileData":{"fileUri":"https://e.com/a.pdf","mimeType":"application/pdf","displayName":"n"}}]},
    {"role":"model","parts":[{"text":"t","thought":true,"thoughtSignature":"c2ln"},
      {"functionCall":{"id":"c","name":"f","args":{"x":1},"willContinue":false},"thoughtSignature":"c2ln"}]},
    {"role":"user","parts":[{"functionResponse":{"id":"c","name":"f","response":{"output":"o"},
      "willContinue":false,"parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}}]}],
   "systemInstruction":{"role":"user","parts":[{"text":"s"}]},
   "tools":[{"functionDeclarations":[{"name":"f","description":"d","behavior":"BLOCKING",
     "parameters":{"type":"OBJECT","nullable":true,"propertyOrdering":["p"],"properties":{"p":
       {"anyOf":[{"type":"STRING","enum":["e"],"format":"enum"}],"minItems":"1","ref":"#/defs/d"}}},
     "responseJsonSchema":{"type":"object"}},{"name":"g","parametersJsonSchema":{"type":"object"}}]}],
   "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"],
     "streamFunctionCallArguments":false},"includeServerSideToolInvocations":false},
   "safetySettings":[{"category":"c","threshold":"OFF"}],
   "generationConfig":{"temperature":1,"topP":1,"topK":1,"maxOutputTokens":9,"candidateCount":1,
     "stopSequences":["z"],"presencePenalty":1,"frequencyPenalty":1,"seed":1,"responseLogprobs":false,
     "logprobs":0,"responseMimeType":"application/json","responseSchema":{"type":"OBJECT"},
     "responseModalities":["TEXT"],"mediaResolution":"MEDIA_RESOLUTION_HIGH",
     "enableEnhancedCivicAnswers":false,"thinkingConfig":{"includeThoughts":true,"thinkingBudget":5}},
   "store":false,"labels":{"l":"m"},"serviceTier":"standard"}
  """#

/// An answer with every field that is read.
private let fullAnswer = #"""
  {"candidates":[{"content":{"parts":[{"text":"t","thought":true,"thoughtSignature":"c2ln"},
    {"functionCall":{"id":"c","name":"f","args":{"x":1},"willContinue":false}}],"role":"model"},
    "finishReason":"STOP","index":0}],"promptFeedback":{"blockReason":"OTHER"},
   "usageMetadata":{"promptTokenCount":1,"cachedContentTokenCount":1,"candidatesTokenCount":1,
    "thoughtsTokenCount":1,"toolUsePromptTokenCount":1,"totalTokenCount":5},
   "modelVersion":"v","responseId":"r"}
  """#

@Suite("Gemini: whatever comes")
struct GeminiRobustnessTests {
  private let secret = "s3cr3t"

  /// `value` with every node replaced by every wrong thing, one at a time.
  private func spoiled(_ value: JSONValue) -> [JSONValue] {
    let wrong: [JSONValue] = [
      nil, true, 5, -1, .number("1e999"), .string(secret), "", [], [5], [:], ["s3cr3t": "s3cr3t"],
    ]
    var results = wrong
    switch value {
    case .object(let members):
      for index in members.indices {
        for replacement in spoiled(members[index].value) {
          var changed = members
          changed[index].value = replacement
          results.append(.object(changed))
        }
      }
    case .array(let elements):
      for index in elements.indices {
        for replacement in spoiled(elements[index]) {
          var changed = elements
          changed[index] = replacement
          results.append(.array(changed))
        }
      }
    case .string, .number, .bool, .null: break
    }
    return results
  }

  @Test("a request with anything in any place is read or refused, and no fault tells a value")
  func requests() throws {
    let full = try GeminiTest.json(fullRequest)
    _ = try GeminiClient.read(full, model: "m", isStream: false)
    var refused = 0
    let bodies = spoiled(full)
    for body in bodies {
      do throws(TranslationFault) {
        let read = try GeminiClient.read(body, model: "gemini-3", isStream: true)
        _ = try GeminiProvider.write(read)
      } catch {
        refused += 1
        #expect(!error.message.contains(secret) || error.field.contains(secret))
        #expect(error.message.utf8.count < 400)
      }
    }
    #expect(refused > bodies.count / 4)
  }

  @Test("an answer with anything in any place is read or refused, and can be written")
  func answers() throws {
    let full = try GeminiTest.json(fullAnswer)
    _ = try GeminiProvider.read(full)
    for body in spoiled(full) {
      do throws(TranslationFault) {
        let answer = try GeminiProvider.read(body)
        _ = GeminiClient.write(answer, for: GeminiTest.facts).bytes
      } catch {
        #expect(!error.message.contains(secret))
      }
      var reader = GeminiStreamReader()
      guard var events = try? reader.take(event: nil, data: body) else { continue }
      events += reader.finish()
      let stream = GeminiTest.stream(events)
      #expect((try? GeminiTest.frames(Array(stream.utf8))) != nil)
    }
  }

  @Test("what is written to a provider is read as the same conversation")
  func roundTrip() throws {
    var asked = Conversation(model: "gemini-3-flash")
    asked.system = [Part(.text("S"))]
    asked.turns = [
      Turn(
        .user,
        [
          Part(.text("Hi")),
          Part(.image(Media(.data("AA=="), mediaType: "image/png", detail: "low"))),
          Part(.document(Media(.url("https://e.com/a.pdf"), mediaType: "application/pdf"))),
        ], field: ""),
      Turn(
        .assistant,
        [
          Part(.thinking("Hm")), Part(.text("So"), signature: "c2ln"),
          Part(.toolCall(ToolCall(id: "1", name: "f", arguments: #"{"n":1.50}"#))),
          Part(
            .toolCall(ToolCall(id: "2", name: "g", arguments: "{}")), signature: "c2ln"),
        ], field: ""),
      Turn(
        .user,
        [
          Part(
            .toolResult(
              ToolResult(callID: "1", name: "f", parts: [Part(.text("bad"))], isError: true))),
          Part(.toolResult(ToolResult(callID: "2", name: "g", parts: [Part(.text("5"))]))),
          Part(.text("and?")),
        ], field: ""),
    ]
    asked.tools = [
      Tool(name: "f", description: "d", schema: ["type": "object"], isStrict: true, field: "")
    ]
    asked.settings = [
      Setting(.toolChoice(.auto), field: ""), Setting(.maxTokens(9), field: ""),
      Setting(.temperature("0.70"), field: ""), Setting(.topP("0.9"), field: ""),
      Setting(.topK("4"), field: ""), Setting(.seed("12345678901234567890"), field: ""),
      Setting(.stop(["a"]), field: ""),
      Setting(
        .format(
          .schema(name: nil, description: nil, schema: ["type": "object"], isStrict: nil)),
        field: ""),
      Setting(.reasoning(Reasoning(amount: .effort("high"), isShown: true)), field: ""),
      Setting(.serviceTier("flex"), field: ""),
    ]
    let read = try GeminiClient.read(
      try GeminiProvider.write(asked), model: asked.model, isStream: false)
    #expect(withoutFields(read) == asked)
  }

  private func withoutFields(_ read: Conversation) -> Conversation {
    var read = read
    func bare(_ parts: [Part]) -> [Part] {
      parts.map { part in
        var part = part
        part.field = ""
        if case .toolResult(var result) = part.content {
          result.parts = bare(result.parts)
          part.content = .toolResult(result)
        }
        return part
      }
    }
    read.system = bare(read.system)
    for index in read.turns.indices {
      read.turns[index].field = ""
      read.turns[index].parts = bare(read.turns[index].parts)
    }
    for index in read.tools.indices { read.tools[index].field = "" }
    for index in read.settings.indices { read.settings[index].field = "" }
    return read
  }
}

/// Work must grow with the body, not with its square: a client may send 32 MiB.
@Suite("Gemini: long histories")
struct GeminiLengthTests {
  @Test("a streamed history of many pieces, and as many calls without ids, are put together")
  func pieces() throws {
    let count = 20_000
    let pieces = JSONValue.array((0..<count).map { _ in ["text": "word "] })
    let calls = JSONValue.array((0..<count).map { _ in ["functionCall": ["name": "f"]] })
    let results = JSONValue.array((0..<count).map { _ in ["functionResponse": ["name": "f"]] })
    let read = try GeminiClient.read(
      [
        "contents": [
          ["role": "model", "parts": pieces], ["role": "model", "parts": calls],
          ["role": "user", "parts": results],
        ]
      ], model: "gemini-3", isStream: false)
    #expect(read.turns[0].parts.count == 1 + count)
    #expect(read.turns[0].parts[0].content == .text(String(repeating: "word ", count: count)))
    let ids = read.turns[1].parts.compactMap { part -> String? in
      if case .toolResult(let result) = part.content { result.callID } else { nil }
    }
    #expect(ids == (1...count).map { "call_\($0)" })
    let contents = try GeminiProvider.write(read)["contents"]?.array
    #expect(contents?.map { $0["parts"]?.array?.count } == [1 + count, count])
  }
}
