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

  /// The body of `GET /v1/models` as those of an organisation see it who may ask for everything, until a
  /// cooldown or a credential ends.
  private var modelLists: [OrganisationID?: (body: ByteBuffer, until: UnixNanoseconds)] = [:]
  private static let modelListsMax = 64

  /// The body of `GET /v1/models` for a key: everything it may ask for, whether or not somebody serves it now.
  func modelList(for key: Key?, at now: UnixNanoseconds) -> ByteBuffer {
    if let key, snapshot.isFenced(key.id) {
      return list(snapshot.models(for: key.id), key, now)
    }
    if let known = modelLists[key?.organisation], now < known.until { return known.body }
    let body = list(snapshot.models(), key, now)
    if modelLists.count >= Self.modelListsMax { modelLists.removeAll() }
    let until = snapshot.nextChange(after: now) ?? UnixNanoseconds(.max)
    modelLists[key?.organisation] = (body, until)
    return body
  }

  private func list(_ models: [ListedModel], _ key: Key?, _ now: UnixNanoseconds) -> ByteBuffer {
    var writer = JSONWriter(capacity: 4096)
    writer.object { writer in
      writer.member("object", "list")
      writer.name("data")
      writer.array { writer in
        for model in models { write(model, key, now, to: &writer) }
      }
    }
    return ByteBuffer(bytes: writer.bytes)
  }

  /// The body of `GET /v1/models/{id}`; nil if there is no such model.
  func model(_ id: String, for key: Key?, at now: UnixNanoseconds) -> ByteBuffer? {
    guard let model = snapshot.model(id, for: key?.id) else { return nil }
    var writer = JSONWriter()
    write(model, key, now, to: &writer)
    return ByteBuffer(bytes: writer.bytes)
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
