// The data plane's: the providers' own APIs, of which the gateway itself reads little.
extension Contract {
  static let chatCompletions = inference(
    [
      .optional("messages", Schema.array(of: .any).described("Read by the provider.")),
      .optional("stream", Schema.bool.orNull), usageOption,
    ], streams: true)
  static let completions = inference(
    [
      .optional("prompt", Schema.any.described("Read by the provider.")),
      .optional("stream", Schema.bool.orNull), usageOption,
    ], streams: true, isNarrow: true)
  static let embeddings = inference(
    [.optional("input", Schema.any.described("Read by the provider."))], isNarrow: true)
  static let responses = inference(
    [
      .optional("input", Schema.any.described("Read by the provider.")),
      .optional("stream", Schema.bool.orNull),
      .optional("previous_response_id", Schema.any.described("Goes to the account that has it.")),
    ], streams: true, isStateful: true)
  static let messages = inference(
    [
      .optional("messages", Schema.array(of: .any).described("Read by the provider.")),
      .optional("max_tokens", Schema.any.described("Read by the provider.")),
      .optional("stream", Schema.bool.orNull),
    ], streams: true)
  static let countTokens = inference(
    [.optional("messages", Schema.array(of: .any).described("Read by the provider."))],
    isNarrow: true)
  static let generateContent = inference(contents, named: true)
  static let streamGenerateContent = inference(
    contents, named: true, streams: true,
    query: [
      .init(
        name: "alt", schema: .string,
        note: "`sse` for server-sent events; without it the answer is a JSON array.")
    ])
  static let inference = inference([
    .field("request_id", .string(1...128).described("A label; the same again calls again.")),
    .field("payload", .string(0...65_536).described("What the model is asked.")),
    .optional(
      "parameters",
      Schema.open([]).described("As in a chat: `temperature`, `max_tokens`, `stop`…")),
    .optional("content_type", .choice(["text/plain", "application/json"])),
    .optional("metadata", Schema.open([]).described("Goes nowhere.")),
    .optional("hmac_signature", Schema.any.described("Not looked at.")),
  ])

  static let getResponse = stored(
    query: [
      passed("include", .array(of: .string)), passed("stream", .bool),
      passed("starting_after", .integer), passed("include_obfuscation", .bool),
    ], streams: true)
  static let removeResponse = stored()
  static let cancelResponse = stored()
  static let listInputItems = stored(query: [
    passed("after", .string), passed("limit", .integer), passed("order", .string),
    passed("include", .array(of: .string)),
  ])

  /// The gateway does not look at it, nor at any other that is not here.
  private static func passed(_ name: String, _ schema: Schema) -> Parameter {
    .init(name: name, schema: schema, note: "Goes to the provider as sent, like all others.")
  }

  /// Of what one account has: its answer as it comes.
  private static func stored(query: [Parameter] = [], streams: Bool = false) -> Contract {
    Contract(
      query: query,
      answers: [.ok(.any, note: "The provider's answer")] + (streams ? [eventStream] : []) + [
        Answer(status: nil, .any, note: "The provider's own answer with another status")
      ],
      errors: [
        .stateBound, .rateLimited, .upstreamError, .upstreamUnreachable, .upstreamTimeout,
        .upstreamCut, .upstreamProtocol, .recordingUnavailable, .logUnreadable,
      ])
  }

  private static let eventStream = Answer(
    status: 200, note: "The provider's answer as server-sent events, with `stream`",
    schema: .event, mediaType: "text/event-stream")

  private static let contents: [Schema.Field] = [
    .optional("contents", Schema.any.described("Read by the provider.")),
    .optional("generationConfig", Schema.any.described("Read by the provider.")),
  ]
  private static let usageOption = Schema.Field.optional(
    "stream_options", Schema.open([.optional("include_usage", .bool)]).orNull)

  /// `named`: the path names the model; `isNarrow`: not every provider has something that corresponds; `isStateful`:
  /// it may refer to what one account has.
  private static func inference(
    _ fields: [Schema.Field], named: Bool = false, streams: Bool = false, isNarrow: Bool = false,
    isStateful: Bool = false, query: [Parameter] = []
  ) -> Contract {
    let model = Schema.Field.field(
      "model",
      .string(1...256).described("`prefix/model`, an alias, or a model that one provider offers.")
    )
    return Contract(
      query: query, body: .open((named ? [] : [model]) + fields),
      answers: [.ok(.any, note: "The provider's answer")] + (streams ? [eventStream] : []) + [
        Answer(status: 400, .any, note: "The provider's own refusal of the request"),
        Answer(status: nil, .any, note: "The provider's own answer with another status"),
      ],
      errors: [
        .modelNotFound, .noAccountAvailable, .rateLimited, .upstreamError, .upstreamUnreachable,
        .upstreamTimeout, .upstreamCut, .upstreamProtocol, .recordingUnavailable,
      ] + (isNarrow ? [.unsupportedOperation] : [])
        + (isStateful ? [.stateBound] : []))
  }

  /// In the form of the maker by whose key's field the client asks.
  static let listModels = Contract(
    answers: [.ok(.anyOf([openAIModels, anthropicModels, geminiModels]))],
    errors: [.recordingUnavailable])
  static let getModel = Contract(
    answers: [.ok(.anyOf([.named(.model), .anthropicModel, .geminiModel]))],
    errors: [.modelNotFound, .recordingUnavailable])
  static let listGeminiModels = Contract(
    answers: [.ok(geminiModels)], errors: [.recordingUnavailable])
  static let getGeminiModel = Contract(
    answers: [.ok(.geminiModel)], errors: [.modelNotFound, .recordingUnavailable])

  private static let openAIModels = Schema.object([
    .field("object", .constant("list")), .field("data", .array(of: .named(.model))),
  ])
  private static let anthropicModels = Schema.object([
    .field("data", .array(of: .anthropicModel)),
    .field("has_more", Schema.constant(false).described("One page holds them all.")),
    .field("first_id", .string.orNull), .field("last_id", .string.orNull),
  ])
  private static let geminiModels = Schema.object([
    .field("models", .array(of: .geminiModel))
  ])
}

extension Schema {
  static let anthropicModel = object([
    .field("type", .constant("model")), .field("id", .string), .field("display_name", .string),
    .field("created_at", .time),
    .field("lifecycle", .constant("active")),
  ])
  static let geminiModel = object([
    .field("name", .string.described("`models/` and its name.")), .field("displayName", .string),
    .field("supportedGenerationMethods", .array(of: .string)),
  ])
  static let model = object([
    .field("id", .string), .field("object", .constant("model")),
    .field("created", .integer.described("Seconds since 1970.")),
    .field("owned_by", Schema.identifier.described("The provider.")),
    .field("available", Schema.bool.described("Whether an account can serve it now.")),
    .optional(
      "available_at",
      Schema.integer.described(
        "Seconds since 1970: when the first account is back, where all that could serve it cool down."
      )),
  ])
}
