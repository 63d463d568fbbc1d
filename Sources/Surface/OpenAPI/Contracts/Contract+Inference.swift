// The data plane's: OpenAI's API, of which the gateway itself reads little.
extension Contract {
  static let chatCompletions = Contract(
    body: .open([
      .field(
        "model",
        .string(1...256).described("`prefix/model`, an alias, or a model that one provider offers.")
      ), .optional("messages", Schema.array(of: .any).described("Read by the provider.")),
      .optional("stream", Schema.bool.orNull),
      .optional(
        "stream_options", Schema.open([.optional("include_usage", .bool)]).orNull),
    ]),
    answers: [
      .ok(.open([]), note: "The provider's answer"),
      Answer(
        status: 200, note: "The provider's answer as server-sent events, with `stream`",
        schema: .event, mediaType: "text/event-stream"),
      Answer(status: 400, .any, note: "The provider's own refusal of the request"),
      Answer(status: nil, .any, note: "The provider's own answer with another status"),
    ],
    errors: [
      .modelNotFound, .noAccountAvailable, .rateLimited, .upstreamError, .upstreamUnreachable,
      .upstreamTimeout, .upstreamCut, .upstreamProtocol, .recordingUnavailable,
    ])
  static let listModels = read([
    .field("object", .constant("list")), .field("data", .array(of: .named(.model))),
  ])
  static let getModel = Contract(
    answers: [.ok(.named(.model))], errors: [.modelNotFound, .recordingUnavailable])
}

extension Schema {
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
