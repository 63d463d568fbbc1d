import Surface

extension GeminiClient {
  /// Reads one of `tools`: declarations of functions; what else it holds runs at Google.
  static func readTool(
    _ value: JSONValue, _ path: String, into conversation: inout Conversation
  ) throws(TranslationFault) {
    var tool = try ProtoFields(value, path)
    for (value, path) in try tool.list("functionDeclarations") ?? [] {
      conversation.tools.append(try declaration(value, path))
    }
    conversation.settings += tool.rest()
  }

  private static func declaration(
    _ value: JSONValue, _ path: String
  ) throws(TranslationFault) -> Tool {
    var fields = try ProtoFields(value, path)
    var tool = Tool(name: try fields.requiredText("name"), field: path)
    tool.description = try fields.text("description")
    tool.schema = fields.take("parametersJsonSchema")
    if let schema = fields.take("parameters") {
      guard tool.schema == nil else {
        throw fields.malformed("parameters", "allowed beside parametersJsonSchema")
      }
      tool.schema = jsonSchema(ofGoogle: schema)
    }
    switch try fields.text("behavior") {
    case nil, "UNSPECIFIED", "BLOCKING": break
    case _: throw fields.notCarried("behavior")
    }
    // SDKs send with each function what it returns; elsewhere only its description can say so.
    let returned =
      fields.take("responseJsonSchema") ?? fields.take("response").map(jsonSchema(ofGoogle:))
    if let returned {
      let schema = "Returns JSON by this schema: \(String(decoding: returned.bytes, as: UTF8.self))"
      tool.description = [tool.description, schema].compactMap { $0 }.joined(separator: "\n\n")
    }
    try fields.finish()
    return tool
  }

  /// Reads `toolConfig`.
  static func readToolConfig(
    _ config: ProtoFields, into conversation: inout Conversation
  ) throws(TranslationFault) {
    var config = config
    if var calling = try config.object("functionCallingConfig") {
      let place = calling.place("mode")
      let mode = try calling.text("mode")
      let allowed = try calling.texts("allowedFunctionNames") ?? []
      var choice: ToolChoice?
      switch (mode?.uppercased(), allowed.count) {
      case (nil, 0), ("MODE_UNSPECIFIED", 0): break
      case ("AUTO", 0): choice = .auto
      case ("NONE", _): choice = ToolChoice.none
      case ("ANY", 0): choice = .required
      case ("ANY", 1): choice = .tool(allowed[0])
      case ("ANY", _): choice = .among(allowed, isRequired: true)
      case ("VALIDATED", let count):
        choice = count == 0 ? .auto : .among(allowed, isRequired: false)
        // What the mode adds to `AUTO`: arguments that match their schemas.
        for index in conversation.tools.indices { conversation.tools[index].isStrict = true }
      case (nil, _), ("MODE_UNSPECIFIED", _), ("AUTO", _):
        throw calling.malformed("allowedFunctionNames", "allowed in this mode")
      case _: throw calling.malformed("mode", "AUTO, ANY, NONE or VALIDATED")
      }
      if let choice { conversation.settings.append(Setting(.toolChoice(choice), field: place)) }
      if try calling.bool("streamFunctionCallArguments") == true {
        throw calling.notCarried("streamFunctionCallArguments")
      }
      conversation.settings += calling.rest()
    }
    if try config.bool("includeServerSideToolInvocations") == true {
      throw config.notCarried("includeServerSideToolInvocations")
    }
    conversation.settings += config.rest()
  }
}
