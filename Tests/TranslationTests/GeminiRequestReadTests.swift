import Domain
import Surface
import Testing

@testable import Translation

@Suite("Gemini: what clients ask for")
struct GeminiRequestReadTests {
  @Test("a conversation with all that it may say")
  func conversation() throws {
    let read = try GeminiTest.read(
      #"""
      {"model":"models/other","systemInstruction":{"role":"user","parts":[{"text":"Be brief."}]},
       "contents":[
        {"role":"user","parts":[{"text":"What is this?"},
          {"inlineData":{"mimeType":"image/png","data":"-_8"}},
          {"fileData":{"mimeType":"application/pdf","fileUri":"https://example.com/a?b"}},
          {"inlineData":{"mimeType":"audio/wav","data":"UklGRg=="}}]},
        {"role":"model","parts":[{"text":"Hm","thought":true},{"text":"A dot."},
          {"functionCall":{"id":"c1","name":"look","args":{"n":12345678901234567890,"x":1.50}},
           "thoughtSignature":"-_8"}]},
        {"role":"user","parts":[{"functionResponse":{"id":"c1","name":"look",
          "response":{"output":"red"}}}]}]}
      """#)
    #expect(read.model == "m")
    #expect(read.system == [Part(.text("Be brief."), field: "systemInstruction.parts[0]")])
    #expect(read.turns.map(\.role) == [.user, .assistant, .user])
    #expect(read.turns.map(\.field) == ["contents[0]", "contents[1]", "contents[2]"])
    #expect(
      read.turns[0].parts.map(\.content) == [
        .text("What is this?"), .image(Media(.data("+/8="), mediaType: "image/png")),
        .document(Media(.url("https://example.com/a?b"), mediaType: "application/pdf")),
        .audio(Media(.data("UklGRg=="), mediaType: "audio/wav")),
      ])
    #expect(read.turns[0].parts[1].field == "contents[0].parts[1]")
    #expect(
      read.turns[1].parts == [
        Part(.thinking("Hm"), field: "contents[1].parts[0]"),
        Part(.text("A dot."), field: "contents[1].parts[1]"),
        Part(
          .toolCall(
            ToolCall(
              id: "c1", name: "look", arguments: #"{"n":12345678901234567890,"x":1.50}"#)),
          signature: "+/8=", field: "contents[1].parts[2]"),
      ])
    #expect(
      read.turns[2].parts.map(\.content) == [
        .toolResult(
          ToolResult(
            callID: "c1", name: "look",
            parts: [
              Part(.text("red"), field: "contents[2].parts[0].functionResponse.response")
            ]))
      ])
    #expect(read.settings.isEmpty)
  }

  @Test("Google's other spellings: names with underscores, lists of one, numbers as texts")
  func spellings() throws {
    let read = try GeminiTest.read(
      #"""
      {"system_instruction":{"parts":{"text":"S"}},"contents":{"parts":{"text":"hi"}},
       "generation_config":{"max_output_tokens":"100","top_k":40,"thinking_config":{"thinking_budget":5}},
       "tools":{"function_declarations":{"name":"f","parameters":{"type":"OBJECT"}}},
       "tool_config":{"function_calling_config":{"mode":"any","allowed_function_names":["f"]}}}
      """#)
    #expect(read.system.map(\.content) == [.text("S")])
    #expect(read.turns.map(\.parts) == [[Part(.text("hi"), field: "contents.parts")]])
    #expect(
      read.settings == [
        Setting(.toolChoice(.tool("f")), field: "tool_config.function_calling_config.mode"),
        Setting(.maxTokens(100), field: "generation_config.max_output_tokens"),
        Setting(.topK("40"), field: "generation_config.top_k"),
        Setting(
          .reasoning(Reasoning(amount: .budget(5))), field: "generation_config.thinking_config"),
      ])
    #expect(
      read.tools == [
        Tool(
          name: "f", schema: ["type": "object"], field: "tools.function_declarations")
      ])
  }

  @Test(
    "settings",
    arguments: [
      (#""generationConfig":{"temperature":0.70}"#, [.temperature("0.70")]),
      (#""generationConfig":{"topP":1e-1}"#, [.topP("1e-1")]),
      (
        #""generationConfig":{"presencePenalty":1,"frequencyPenalty":-2}"#,
        [.presencePenalty("1"), .frequencyPenalty("-2")]
      ),
      (
        #""generationConfig":{"seed":7,"stopSequences":["a","b"]}"#,
        [.seed("7"), .stop(["a", "b"])]
      ),
      (#""generationConfig":{"topK":40.0}"#, [.topK("40")]),
      (#""generationConfig":{"candidateCount":2}"#, [.answers(2)]),
      (
        #""generationConfig":{"responseLogprobs":true,"logprobs":3}"#,
        [.logProbabilities(true), .topLogProbabilities(3)]
      ),
      (#""generationConfig":{"responseMimeType":"text/plain"}"#, [.format(.text)]),
      (#""generationConfig":{"responseMimeType":"application/json"}"#, [.format(.json)]),
      (
        #""generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"a":1}}"#,
        [.format(.schema(name: nil, description: nil, schema: ["a": 1], isStrict: nil))]
      ),
      (
        #""generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"STRING"}}"#,
        [
          .format(.schema(name: nil, description: nil, schema: ["type": "string"], isStrict: nil))
        ]
      ),
      (
        #""generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"HIGH"}}"#,
        [.reasoning(Reasoning(amount: .effort("high"), isShown: true))]
      ),
      (
        #""generationConfig":{"thinkingConfig":{"thinkingBudget":0}}"#,
        [.reasoning(Reasoning(amount: .off))]
      ),
      (
        #""generationConfig":{"thinkingConfig":{"thinkingBudget":-1}}"#,
        [.reasoning(Reasoning(amount: .adaptive))]
      ),
      (#""generationConfig":{"thinkingConfig":{}}"#, []),
      (#""generationConfig":{"responseModalities":["TEXT"]}"#, []),
      (#""generationConfig":{"responseModalities":["TEXT","IMAGE"]}"#, [.own(["TEXT", "IMAGE"])]),
      (#""generationConfig":{"speechConfig":{"a":1}}"#, [.own(["a": 1])]),
      (#""toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}"#, [.toolChoice(.auto)]),
      (#""toolConfig":{"functionCallingConfig":{"mode":"NONE"}}"#, [.toolChoice(.none)]),
      (#""toolConfig":{"functionCallingConfig":{"mode":"ANY"}}"#, [.toolChoice(.required)]),
      (
        #""toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["a","b"]}}"#,
        [.toolChoice(.among(["a", "b"], isRequired: true))]
      ),
      (
        #""toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["a"]}}"#,
        [.toolChoice(.among(["a"], isRequired: false))]
      ),
      (#""toolConfig":{"retrievalConfig":{"languageCode":"de"}}"#, [.own(["languageCode": "de"])]),
      (#""tools":[{"googleSearch":{}},{"codeExecution":{}}]"#, [.own([:]), .own([:])]),
      (
        #""safetySettings":[{"category":"C","threshold":"BLOCK_NONE"},{"category":"D","threshold":"OFF"}]"#,
        []
      ),
      (
        #""safetySettings":[{"category":"C","threshold":"BLOCK_LOW_AND_ABOVE"}]"#,
        [.own(["category": "C", "threshold": "BLOCK_LOW_AND_ABOVE"])]
      ),
      (#""cachedContent":"cachedContents/x""#, [.state]),
      (#""continuationToken":"eA==""#, [.state]),
      (
        #""store":false,"labels":{"a":"b"},"serviceTier":"standard""#,
        [.store(false), .metadata(["a": "b"]), .serviceTier("default")]
      ),
      (#""serviceTier":"unspecified""#, [.serviceTier("auto")]),
      (#""serviceTier":"flex""#, [.serviceTier("flex")]),
      (#""newThing":1,"safetySettings":null"#, [.own(1)]),
    ] as [(String, [Setting.Value])])
  func settings(body: String, expected: [Setting.Value]) throws {
    let read = try GeminiTest.readSettings(body)
    #expect(read.settings.map(\.value) == expected)
    for setting in read.settings {
      // The place names a member that stands in the body.
      let name = setting.field.split(separator: ".").last.map(String.init) ?? ""
      #expect(body.contains("\"\(name)\""), "\(setting.field)")
    }
  }

  @Test("what is refused, and where")
  func refusals() throws {
    let parts: [(String, TranslationFault.Kind, String)] = [
      (#"{"executableCode":{"code":"x"}}"#, .notCarried, "executableCode"),
      (#"{"text":"a","videoMetadata":{}}"#, .notCarried, "videoMetadata"),
      (
        #"{"inlineData":{"mimeType":"video/mp4","data":"AA=="}}"#, .notCarried,
        "inlineData.mimeType"
      ),
      (#"{"inlineData":{"data":"AA=="}}"#, .malformed, "inlineData.mimeType"),
      (#"{"inlineData":{"mimeType":"image/png"}}"#, .malformed, "inlineData.data"),
      (#"{"fileData":{"fileUri":"https://youtu.be/x"}}"#, .malformed, "fileData.mimeType"),
      (#"{"text":5}"#, .malformed, "text"),
      (#"{"functionCall":{"args":{}}}"#, .malformed, "functionCall.name"),
      (#"{"functionCall":{"name":"f","args":[]}}"#, .malformed, "functionCall.args"),
      (
        #"{"functionCall":{"name":"f","willContinue":true}}"#, .notCarried,
        "functionCall.willContinue"
      ),
      (#"{"functionCall":{"name":"f","partialArgs":[]}}"#, .notCarried, "functionCall.partialArgs"),
      (#"{"functionResponse":{"name":"f","response":{}}}"#, .malformed, "functionResponse"),
      (
        #"{"functionResponse":{"id":"a","name":"f","response":5}}"#, .malformed,
        "functionResponse.response"
      ),
      (
        #"{"functionResponse":{"id":"a","name":"f","scheduling":"SILENT"}}"#, .notCarried,
        "functionResponse.scheduling"
      ),
      (
        #"{"functionResponse":{"id":"a","name":"f","willContinue":true}}"#, .notCarried,
        "functionResponse.willContinue"
      ),
      (
        #"{"mediaResolution":{"level":"MEDIA_RESOLUTION_ULTRA_HIGH"},"text":"a"}"#, .notCarried,
        "mediaResolution.level"
      ),
      (#"{}"#, .malformed, ""),
    ]
    for (part, kind, field) in parts {
      let fault = try GeminiTest.refusal(#"{"contents":[{"parts":[\#(part)]}]}"#)
      #expect(fault?.kind == kind, "\(part)")
      let place = "contents[0].parts[0]"
      #expect(fault?.field == (field.isEmpty ? place : "\(place).\(field)"), "\(part)")
    }
    let bodies: [(String, TranslationFault.Kind, String)] = [
      (#"{}"#, .malformed, "contents"),
      (#"{"contents":"hi"}"#, .malformed, "contents"),
      (#"{"contents":[{"role":"assistant","parts":[]}]}"#, .malformed, "contents[0].role"),
      (
        #"{"contents":[],"systemInstruction":{"parts":[{"inlineData":{}}]}}"#, .notCarried,
        "systemInstruction.parts[0].inlineData"
      ),
      (
        #"{"contents":[],"tools":[{"functionDeclarations":[{"name":"f","behavior":"NON_BLOCKING"}]}]}"#,
        .notCarried, "tools[0].functionDeclarations[0].behavior"
      ),
      (
        #"{"contents":[],"tools":[{"functionDeclarations":[{"name":"f","parameters":{},"parametersJsonSchema":{}}]}]}"#,
        .malformed, "tools[0].functionDeclarations[0].parameters"
      ),
      (
        #"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"AUTO","allowedFunctionNames":["a"]}}}"#,
        .malformed, "toolConfig.functionCallingConfig.allowedFunctionNames"
      ),
      (
        #"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}}"#, .malformed,
        "toolConfig.functionCallingConfig.mode"
      ),
      (
        #"{"contents":[],"toolConfig":{"functionCallingConfig":{"streamFunctionCallArguments":true}}}"#,
        .notCarried, "toolConfig.functionCallingConfig.streamFunctionCallArguments"
      ),
      (
        #"{"contents":[],"toolConfig":{"includeServerSideToolInvocations":true}}"#, .notCarried,
        "toolConfig.includeServerSideToolInvocations"
      ),
      (
        #"{"contents":[],"generationConfig":{"temperature":"hot"}}"#, .malformed,
        "generationConfig.temperature"
      ),
      (
        #"{"contents":[],"generationConfig":{"responseMimeType":"text/x.enum"}}"#, .notCarried,
        "generationConfig.responseMimeType"
      ),
      (
        #"{"contents":[],"generationConfig":{"responseSchema":{}}}"#, .malformed,
        "generationConfig.responseMimeType"
      ),
      (
        #"{"contents":[],"generationConfig":{"responseMimeType":"application/json","responseSchema":{},"responseJsonSchema":{}}}"#,
        .malformed, "generationConfig.responseSchema"
      ),
      (
        #"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":5,"thinkingLevel":"LOW"}}}"#,
        .malformed, "generationConfig.thinkingConfig.thinkingLevel"
      ),
      (
        #"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":-2}}}"#, .malformed,
        "generationConfig.thinkingConfig.thinkingBudget"
      ),
      (
        #"{"contents":[],"generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_MEDIUM"}}"#,
        .notCarried, "generationConfig.mediaResolution"
      ),
    ]
    for (body, kind, field) in bodies {
      let fault = try GeminiTest.refusal(body)
      #expect(fault?.kind == kind, "\(body)")
      #expect(fault?.field == field, "\(body)")
      #expect(fault?.message.contains(field) == true, "\(body)")
    }
  }

  @Test("calls and results without ids find each other by name and order")
  func madeIDs() throws {
    let read = try GeminiTest.read(
      #"""
      {"contents":[{"parts":[{"text":"go"}]},
       {"role":"model","parts":[{"functionCall":{"name":"a","args":{}}},
         {"functionCall":{"name":"b"}},{"functionCall":{"name":"a","args":{"x":1}}}]},
       {"role":"function","parts":[{"functionResponse":{"name":"a","response":{"v":1}}},
         {"functionResponse":{"name":"a","response":{"error":"gone"}}},
         {"functionResponse":{"name":"b","response":{"result":[1,2]}}}]}]}
      """#)
    let calls = read.turns[1].parts.compactMap { part -> String? in
      if case .toolCall(let call) = part.content { call.id } else { nil }
    }
    #expect(calls == ["call_1", "call_2", "call_3"])
    let results = read.turns[2].parts.compactMap { part -> ToolResult? in
      if case .toolResult(let result) = part.content { result } else { nil }
    }
    #expect(results.map(\.callID) == ["call_1", "call_3", "call_2"])
    #expect(results.map(\.isError) == [false, true, false])
    #expect(
      results.map { $0.parts.map(\.content) } == [
        [.text(#"{"v":1}"#)], [.text("gone")], [.text("[1,2]")],
      ])
  }

  @Test("a result's images, and a resolution for all media")
  func media() throws {
    let read = try GeminiTest.read(
      #"""
      {"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"shot"}}]},
       {"parts":[{"functionResponse":{"id":"1","name":"shot","response":{},"parts":[
         {"inlineData":{"mimeType":"image/png","data":"AA=="}}]}},
        {"fileData":{"fileUri":"gs://bucket/x.png"}},
        {"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/x","mimeType":"image/png"},
         "mediaResolution":{"level":"MEDIA_RESOLUTION_HIGH"}}]}],
       "generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_LOW"}}
      """#)
    let parts = read.turns[1].parts
    guard case .toolResult(let result) = parts[0].content else {
      Issue.record("no result")
      return
    }
    #expect(
      result.parts.map(\.content) == [
        .image(Media(.data("AA=="), mediaType: "image/png", detail: "low"))
      ])
    #expect(
      parts[1].content
        == .image(Media(.file("gs://bucket/x.png"), mediaType: "image/png", detail: "low")))
    #expect(
      parts[2].content.media?.origin
        == .file("https://generativelanguage.googleapis.com/v1beta/files/x"))
    #expect(parts[2].content.media?.detail == "high")
  }

  @Test("VALIDATED holds every tool to its schema")
  func validated() throws {
    let read = try GeminiTest.readSettings(
      #""tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object"}}]}],"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}}"#
    )
    #expect(
      read.tools == [
        Tool(
          name: "f", description: "d", schema: ["type": "object"], isStrict: true,
          field: "tools[0].functionDeclarations[0]")
      ])
    #expect(read.settings.map(\.value) == [.toolChoice(.auto)])
  }

  @Test("what a function returns is told in its description")
  func returned() throws {
    for (declaration, description) in [
      (
        #"{"name":"f","description":"d","response_json_schema":{"type":"object"}}"#,
        #"d"# + "\n\n" + #"Returns JSON by this schema: {"type":"object"}"#
      ),
      (
        #"{"name":"f","response":{"type":"STRING"}}"#,
        #"Returns JSON by this schema: {"type":"string"}"#
      ),
    ] {
      let read = try GeminiTest.readSettings(
        #""tools":[{"functionDeclarations":[\#(declaration)]}]"#)
      #expect(read.tools.map(\.description) == [description])
    }
  }

  @Test("Google's schemas become JSON schemas")
  func schemas() throws {
    let google = try GeminiTest.json(
      #"""
      {"type":"OBJECT","propertyOrdering":["b","a"],"required":["a"],"properties":{
        "a":{"type":"STRING","nullable":true,"format":"enum","enum":["x"]},
        "b":{"type":"ARRAY","minItems":"2","items":{"anyOf":[{"type":"INTEGER","format":"int32"},
          {"type":"NUMBER","example":1.5}]}},
        "type":{"any_of":[{"type":"BOOLEAN"}],"nullable":true,"max_length":3}}}
      """#)
    let expected = try GeminiTest.json(
      #"""
      {"type":"object","required":["a"],"properties":{
        "b":{"type":"array","minItems":2,"items":{"anyOf":[{"type":"integer","format":"int32"},
          {"type":"number","examples":[1.5]}]}},
        "a":{"type":["string","null"],"enum":["x",null]},
        "type":{"anyOf":[{"type":"boolean"},{"type":"null"}],"maxLength":3}}}
      """#)
    #expect(jsonSchema(ofGoogle: google) == expected)
    // What was a JSON schema already.
    let plain = try GeminiTest.json(
      #"{"$schema":"s","type":"object","properties":{"nullable":{"type":"string","const":"OBJECT"}},"additionalProperties":false}"#
    )
    #expect(jsonSchema(ofGoogle: plain) == plain)
  }
}
