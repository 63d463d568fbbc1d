import Domain
import NIOCore
import Surface

/// One published routing view as one loop uses it: what can be worked out once is kept here.
final class LoopRouting {
  let generation: UInt64
  let snapshot: RoutingSnapshot
  private let secrets: [AccountID: UpstreamSecret]
  private let version: String
  private let pool: UpstreamPool
  /// By account, in the dialect that its provider's models answer in.
  private var routes: [UpstreamRoute?]
  /// The others.
  private var rareRoutes: [RareRoute: UpstreamRoute] = [:]
  private var storedRoutes: [Int: UpstreamRoute] = [:]

  private struct RareRoute: Hashable {
    var account: Int
    var dialect: Dialect
  }

  /// What Anthropic is told if the client does not say.
  static let anthropicVersion: StaticString = "2023-06-01"
  /// By which Anthropic lets a token of a sign-in stand for a key.
  private static let anthropicTokens: StaticString = "oauth-2025-04-20"

  /// How an account is reached, for one kind of call.
  struct UpstreamRoute {
    var lane: UpstreamLane
    /// Request line, unless `models` is there, and the fields that are the same for each request; the head is
    /// still open.
    var head: ByteBuffer
    /// What stands before the model in Gemini's path, or before the id of what is stored.
    var models: String?
    /// What the head proves the account with.
    var secret: [UInt8]

    /// Begins the head of a request for `model`; `alt`: how Gemini is to write a stream.
    func begin(model: String, isStream: Bool, alt: String?, to out: inout ByteBuffer) {
      if let models {
        let call = isStream ? ":streamGenerateContent" : ":generateContent"
        let query = isStream && alt == "sse" ? "?alt=sse" : ""
        // Cannot fail: `models` comes of a checked base URL, and the model is encoded.
        _ = try? HTTP1Encoder.requestLine(
          .post, target: (models + Self.encoded(model) + call + query).utf8, to: &out)
      }
      out.writeImmutableBuffer(head)
    }

    /// Begins the head of a request for what is stored; `rest`: the id and what follows in the target, as the client
    /// sent it.
    func begin(_ method: HTTP1Method, stored rest: String, to out: inout ByteBuffer) {
      // Cannot fail: `models` comes of a checked base URL, and `rest` of a checked target.
      _ = try? HTTP1Encoder.requestLine(method, target: ((models ?? "/") + rest).utf8, to: &out)
      out.writeImmutableBuffer(head)
    }

    /// A model's name as part of a path; its slashes stay.
    private static func encoded(_ model: String) -> String {
      var bytes: [UInt8] = []
      for byte in model.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
          UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
          bytes.append(byte)
        case _:
          bytes.append(UInt8(ascii: "%"))
          for digit in [byte >> 4, byte & 15] {
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10)
          }
        }
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  init(
    generation: UInt64, routing: PublishedRouting, version: String, pool: UpstreamPool
  ) {
    self.generation = generation
    snapshot = routing.snapshot
    secrets = routing.secrets
    self.version = version
    self.pool = pool
    routes = Array(repeating: nil, count: snapshot.accounts.count)
  }

  /// How the account at `index` is asked in `dialect`, which must be one that its provider speaks; or why it cannot
  /// be reached.
  func route(account index: Int, dialect: Dialect) -> Result<UpstreamRoute, UpstreamFailure> {
    let isRare: Bool
    switch dialect {
    case .chat, .messages, .gemini: isRare = false
    case .completions, .embeddings, .responses, .countTokens, .inference: isRare = true
    }
    let rare = RareRoute(account: index, dialect: dialect)
    if let known = isRare ? rareRoutes[rare] : routes[index] { return .success(known) }
    let route = makeRoute(account: index, .ask(dialect))
    if case .success(let made) = route {
      if isRare { rareRoutes[rare] = made } else { routes[index] = made }
    }
    return route
  }

  /// The same with another secret; made anew each time, for it is rare.
  func route(
    account index: Int, dialect: Dialect, with proof: ProbeQuestion.Proof
  ) -> Result<UpstreamRoute, UpstreamFailure> {
    makeRoute(account: index, .ask(dialect), proof)
  }

  /// The dialect in which the models of the account at `index` answer.
  func mainDialect(account index: Int) -> Dialect {
    switch snapshot.providers[snapshot.accounts[index].providerIndex].dialect {
    case .openai: .chat
    case .anthropic: .messages
    case .gemini: .gemini
    }
  }

  /// How the model list of the account at `index` is asked for; made anew each time, for it is rare.
  func modelsRoute(account index: Int) -> Result<UpstreamRoute, UpstreamFailure> {
    makeRoute(account: index, .models)
  }

  /// How the account at `index` is asked for what it has stored.
  func storedRoute(account index: Int) -> Result<UpstreamRoute, UpstreamFailure> {
    if let known = storedRoutes[index] { return .success(known) }
    let route = makeRoute(account: index, .stored)
    if case .success(let made) = route { storedRoutes[index] = made }
    return route
  }

  private enum Call {
    case ask(Dialect)
    case models
    /// A stored response, whatever is done with it.
    case stored
  }

  private func makeRoute(
    account index: Int, _ call: Call, _ proof: ProbeQuestion.Proof? = nil
  ) -> Result<UpstreamRoute, UpstreamFailure> {
    let account = snapshot.accounts[index]
    let provider = snapshot.providers[account.providerIndex]
    guard let path = Self.path(of: call, at: provider.dialect) else {
      return .failure(.dialectUnsupported)
    }
    guard let endpoint = UpstreamEndpoint(baseURL: provider.baseURL),
      let secret = proof?.secret ?? secrets[account.id], !secret.bytes.isEmpty
    else { return .failure(.misconfigured) }
    let whole = endpoint.path + Self.version(provider.dialect, under: endpoint.path) + path
    let isOpen = path.hasSuffix("/")
    let method: HTTP1Method
    if case .ask = call { method = .post } else { method = .get }
    guard
      let head = head(
        endpoint, secret, provider.dialect, isToken: proof?.isToken ?? account.holdsToken, method,
        isOpen ? nil : whole)
    else { return .failure(.misconfigured) }
    return .success(
      UpstreamRoute(
        lane: pool.lane(endpoint.origin), head: head, models: isOpen ? whole : nil,
        secret: secret.bytes))
  }

  /// What follows the version in the path; with a slash at its end where the model comes next; nil: there is no
  /// such call at providers of this protocol.
  private static func path(of call: Call, at provider: UpstreamProtocol) -> String? {
    switch (provider, call) {
    case (.openai, .ask(.chat)): "/chat/completions"
    case (.openai, .ask(.completions)): "/completions"
    case (.openai, .ask(.embeddings)): "/embeddings"
    case (.openai, .ask(.responses)): "/responses"
    case (.openai, .models): "/models"
    case (.openai, .stored): "/responses/"
    case (.anthropic, .ask(.messages)): "/messages"
    case (.anthropic, .ask(.countTokens)): "/messages/count_tokens"
    case (.anthropic, .models): "/models?limit=1000"
    case (.gemini, .ask(.gemini)): "/models/"
    case (.gemini, .models): "/models?pageSize=1000"
    case (_, .ask), (_, .stored): nil
    }
  }

  /// The API's version, where the base URL is without, as their own SDKs take it.
  private static func version(_ provider: UpstreamProtocol, under base: String) -> String {
    let last = base.split(separator: "/").last ?? ""
    let isVersion = last.first == "v" && last.dropFirst().first?.isNumber == true
    return switch provider {
    case .openai: ""
    case .anthropic: isVersion ? "" : "/v1"
    case .gemini: isVersion ? "" : "/v1beta"
    }
  }

  private func head(
    _ endpoint: UpstreamEndpoint, _ secret: UpstreamSecret, _ provider: UpstreamProtocol,
    isToken: Bool, _ method: HTTP1Method, _ target: String?
  ) -> ByteBuffer? {
    guard secret.bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    var head = ByteBuffer()
    do throws(HTTP1Fault) {
      if let target { try HTTP1Encoder.requestLine(method, target: target.utf8, to: &head) }
      try HTTP1Encoder.field("host", checked: endpoint.origin.hostField, to: &head)
      // Tokens of a sign-in are no keys: whoever takes keys in a field of its own takes those as bearers.
      switch isToken ? .openai : provider {
      case .openai:
        try HTTP1Encoder.field(
          "authorization", checked: Array("Bearer ".utf8) + secret.bytes, to: &head)
        if provider == .anthropic {
          HTTP1Encoder.field("anthropic-beta", Self.anthropicTokens, to: &head)
        }
      case .anthropic: try HTTP1Encoder.field("x-api-key", checked: secret.bytes, to: &head)
      case .gemini: try HTTP1Encoder.field("x-goog-api-key", checked: secret.bytes, to: &head)
      }
      if method == .post { HTTP1Encoder.field("content-type", "application/json", to: &head) }
      HTTP1Encoder.field("accept-encoding", "identity", to: &head)
      try HTTP1Encoder.field("user-agent", checked: "signalbox/\(version)", to: &head)
    } catch {
      return nil
    }
    return head
  }

  /// Whose SDK asks for the models.
  enum ModelForm: Sendable, Hashable {
    case openAI
    case anthropic
    case google
  }

  private struct ListedFor: Hashable {
    var organisation: OrganisationID?
    var form: ModelForm
  }

  /// The lists of models as those of an organisation see it who may ask for everything, until a
  /// cooldown or a credential ends.
  private var modelLists: [ListedFor: (body: ByteBuffer, until: UnixNanoseconds)] = [:]
  private static let modelListsMax = 64

  /// The body of `GET /v1/models` for a key: everything it may ask for, whether or not somebody serves it now.
  func modelList(for key: Key?, as form: ModelForm, at now: UnixNanoseconds) -> ByteBuffer {
    if let key, snapshot.isFenced(key.id) {
      return list(snapshot.models(for: key.id), key, form, now)
    }
    let listed = ListedFor(organisation: key?.organisation, form: form)
    if let known = modelLists[listed], now < known.until { return known.body }
    let body = list(snapshot.models(), key, form, now)
    if modelLists.count >= Self.modelListsMax { modelLists.removeAll() }
    let until = snapshot.nextChange(after: now) ?? UnixNanoseconds(.max)
    modelLists[listed] = (body, until)
    return body
  }

  private func list(
    _ models: [ListedModel], _ key: Key?, _ form: ModelForm, _ now: UnixNanoseconds
  ) -> ByteBuffer {
    var writer = JSONWriter(capacity: 4096)
    writer.object { writer in
      if form == .openAI { writer.member("object", "list") }
      writer.name(form == .google ? "models" : "data")
      writer.array { writer in
        for model in models { write(model, key, form, now, to: &writer) }
      }
      if form == .anthropic {
        // One page holds them all.
        writer.member("has_more", false)
        writer.member("first_id", models.first?.id)
        writer.member("last_id", models.last?.id)
      }
    }
    return ByteBuffer(bytes: writer.bytes)
  }

  /// The body of `GET /v1/models/{id}`; nil if there is no such model.
  func model(
    _ id: String, for key: Key?, as form: ModelForm, at now: UnixNanoseconds
  ) -> ByteBuffer? {
    guard let model = snapshot.model(id, for: key?.id) else { return nil }
    var writer = JSONWriter()
    write(model, key, form, now, to: &writer)
    return ByteBuffer(bytes: writer.bytes)
  }

  private func write(
    _ model: ListedModel, _ key: Key?, _ form: ModelForm, _ now: UnixNanoseconds,
    to writer: inout JSONWriter
  ) {
    switch form {
    case .openAI: write(model, key, now, to: &writer)
    case .anthropic:
      writer.object { writer in
        writer.member("type", "model")
        writer.member("id", model.id)
        writer.member("display_name", model.id)
        let created = UnixNanoseconds(model.createdAt * 1_000_000_000)
        writer.member("created_at", rfc3339(created))
        writer.member("lifecycle", "active")
      }
    case .google:
      writer.object { writer in
        writer.member("name", "models/" + model.id)
        writer.member("displayName", model.id)
        writer.member(
          "supportedGenerationMethods", ["generateContent", "streamGenerateContent"])
      }
    }
  }

  private func write(
    _ model: ListedModel, _ key: Key?, _ now: UnixNanoseconds, to writer: inout JSONWriter
  ) {
    let availability = snapshot.availability(
      of: model.id, organisation: key?.organisation, key: key?.id, at: now)
    writer.object { writer in
      writer.member("id", model.id)
      writer.member("object", "model")
      writer.member("created", model.createdAt)
      writer.member("owned_by", model.ownedBy)
      writer.member("available", availability == .available)
      if case .unavailable(let until?) = availability {
        // Rounded up: what is told is not too early.
        writer.member("available_at", (until.rawValue - 1) / 1_000_000_000 + 1)
      }
    }
  }
}
