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
  private var routes: [UpstreamRoute?]

  /// How an account is reached, for one kind of call.
  struct UpstreamRoute {
    var lane: UpstreamLane
    /// Request line and the fields that are the same for each request; the head is still open.
    var head: ByteBuffer
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

  /// How the account at `index` is reached, or why it is not.
  func route(account index: Int) -> Result<UpstreamRoute, UpstreamFailure> {
    if let known = routes[index] { return .success(known) }
    let route = makeRoute(account: index, .post, "/chat/completions")
    if case .success(let made) = route { routes[index] = made }
    return route
  }

  /// How the model list of the account at `index` is asked for; made anew each time, for it is rare.
  func modelsRoute(account index: Int) -> Result<UpstreamRoute, UpstreamFailure> {
    makeRoute(account: index, .get, "/models")
  }

  private func makeRoute(
    account index: Int, _ method: HTTP1Method, _ path: String
  ) -> Result<UpstreamRoute, UpstreamFailure> {
    let account = snapshot.accounts[index]
    let provider = snapshot.providers[account.providerIndex]
    guard provider.dialect == .openai else { return .failure(.dialectUnsupported) }
    guard let endpoint = UpstreamEndpoint(baseURL: provider.baseURL),
      let secret = secrets[account.id], !secret.bytes.isEmpty,
      let head = head(endpoint, secret, method, path)
    else { return .failure(.misconfigured) }
    return .success(UpstreamRoute(lane: pool.lane(endpoint.origin), head: head))
  }

  private func head(
    _ endpoint: UpstreamEndpoint, _ secret: UpstreamSecret, _ method: HTTP1Method, _ path: String
  ) -> ByteBuffer? {
    guard secret.bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    var head = ByteBuffer()
    do throws(HTTP1Fault) {
      try HTTP1Encoder.requestLine(method, target: (endpoint.path + path).utf8, to: &head)
      try HTTP1Encoder.field("host", checked: endpoint.origin.hostField, to: &head)
      try HTTP1Encoder.field(
        "authorization", checked: Array("Bearer ".utf8) + secret.bytes, to: &head)
      if method == .post { HTTP1Encoder.field("content-type", "application/json", to: &head) }
      HTTP1Encoder.field("accept-encoding", "identity", to: &head)
      try HTTP1Encoder.field("user-agent", checked: "signalbox/\(version)", to: &head)
    } catch {
      return nil
    }
    return head
  }

  /// The body of `GET /v1/models`, as those see it who may ask for everything.
  private lazy var modelList = Self.list(snapshot.models())

  /// The body of `GET /v1/models` for a key.
  func modelList(for key: KeyID?) -> ByteBuffer {
    guard let key, snapshot.isFenced(key) else { return modelList }
    return Self.list(snapshot.models(for: key))
  }

  private static func list(_ models: [ListedModel]) -> ByteBuffer {
    var writer = JSONWriter(capacity: 4096)
    writer.object { writer in
      writer.member("object", "list")
      writer.name("data")
      writer.array { writer in
        for model in models { write(model, to: &writer) }
      }
    }
    return ByteBuffer(bytes: writer.bytes)
  }

  /// The body of `GET /v1/models/{id}`; nil if there is no such model.
  func model(_ id: String, for key: KeyID?) -> ByteBuffer? {
    guard let model = snapshot.model(id, for: key) else { return nil }
    var writer = JSONWriter()
    Self.write(model, to: &writer)
    return ByteBuffer(bytes: writer.bytes)
  }

  private static func write(_ model: ListedModel, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("id", model.id)
      writer.member("object", "model")
      writer.member("created", model.createdAt)
      writer.member("owned_by", model.ownedBy)
    }
  }
}
