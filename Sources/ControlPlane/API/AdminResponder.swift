import Domain
import EventStore
import HTTPTypes
import Hummingbird
public import Logging
import NIOCore
import Surface
import Synchronization

/// Answers everything that the control plane serves: Hummingbird's router over Surface's rows.
///
/// There is no server here; whoever owns a socket hands requests in and gets whole answers.
public struct AdminResponder: Sendable {
  /// Bodies beyond this are answered 413.
  public static let maximumBodyBytes = 1 << 20

  let service: AdminService
  private let router: RouterResponder<AdminContext>
  private let logger: Logger

  /// Registers every row of the control plane's.
  ///
  /// - Parameters:
  ///   - probe: makes calls to upstreams; nil: no gateway runs, and what needs one is refused.
  ///   - credentials: refreshes them; nil: no gateway runs.
  ///   - sync: exchanges with other nodes; nil: no gateway runs.
  ///   - views: keep requests countable; nil: no gateway runs.
  ///   - signer: signs what a proof is asked for; nil: no gateway runs.
  ///   - metrics: count what the log tells; nil: no gateway runs.
  ///   - figures: of the gateway that runs; nil: none does.
  public init(
    control: ControlPlane, options: AdminOptions, probe: (any AccountProbe)? = nil,
    credentials: CredentialKeeper? = nil, sync: SyncKeeper? = nil,
    usage: (any UsageSource)? = nil, views: ViewKeeper? = nil,
    signer: CheckpointSigner? = nil,
    metrics: MetricsKeeper? = nil, figures: (any GatewayFigures)? = nil, logger: Logger
  ) async {
    let service = AdminService(
      control: control, options: options, probe: probe, credentials: credentials, sync: sync,
      usage: usage,
      keeper: views, signer: signer, metricsKeeper: metrics, figures: figures,
      sessions: await Sessions(secret: options.sessionSecret, vault: control.vault),
      logger: logger)
    self.service = service
    self.logger = logger
    let router = Router(context: AdminContext.self)
    for row in Self.rows {
      router.on(row.routerPath, method: HTTPRequest.Method(row.method)) { request, context in
        let answer = try await service.answer(request, context, row)
        if let stream = answer.stream { context.carried.put(stream) }
        return answer.response
      }
    }
    self.router = router.buildResponder()
  }

  /// The rows served here.
  static let rows = Routes.all.filter { $0.plane == .controlPlane }

  /// Answers one request.
  ///
  /// Never throws: what fails becomes an answer in the path's own shape.
  public func respond(to request: AdminRequest) async -> AdminAnswer {
    let uri = Self.originForm(request.uri)
    let path = String(uri.prefix { $0 != "?" })
    var answer: AdminAnswer
    do {
      // The rows decide what is there: the router alone would pass over doubled slashes.
      guard case .found(let row, _) = Routes.match(method: request.method.rawValue, path: path)
      else {
        throw noRoute(request.method, path)
      }
      guard request.body.readableBytes <= row.endpoint.administrationBodyBytes else {
        throw APIFault(.bodyTooLarge)
      }
      // HEAD is GET whose body the listener leaves out.
      let head = HTTPRequest(
        method: request.method == .head ? .get : request.method, scheme: nil, authority: nil,
        path: uri, headerFields: request.headers)
      let context = AdminContext(
        source: AdminContextSource(
          logger: logger, remoteAddress: request.remoteAddress, requestID: request.requestID,
          localUser: request.localUser,
          isOnAdministrationListener: request.isOnAdministrationListener,
          takesStream: request.takesStream))
      let response = try await router.respond(
        to: Request(head: head, body: RequestBody(buffer: request.body)), context: context)
      // The router itself answers what it has no route for; the handlers' answers are never 404 here.
      answer = try await AdminAnswer(response)
      if answer.headers[.contentType] == nil && answer.status.kind == .clientError {
        throw noRoute(request.method, path)
      }
      answer.stream = context.carried.take()
    } catch {
      answer = failed(error, path: path, requestID: request.requestID, method: request.method)
    }
    answer.headers[.contentLength] = nil
    answer.headers[.cacheControl] = "no-store"
    answer.headers[.xContentTypeOptions] = "nosniff"
    return answer
  }

  /// `http://host/path` → `/path`, as a proxy's client may send it; the rest as it is.
  private static func originForm(_ uri: String) -> String {
    guard let scheme = ["http://", "https://"].first(where: { uri.lowercased().hasPrefix($0) })
    else { return uri }
    let rest = uri.dropFirst(scheme.count).drop { $0 != "/" && $0 != "?" }
    return rest.hasPrefix("/") ? String(rest) : "/" + rest
  }

  private func failed(
    _ error: any Error, path: String, requestID: Domain.RequestID, method: HTTPRequest.Method
  ) -> AdminAnswer {
    var fault: APIFault
    if let known = APIFault(error) {
      fault = known
    } else if error is HTTPError {
      fault = noRoute(method, path)
    } else {
      logger.error(
        "administration failed",
        metadata: [
          "request": .string(uuidText(requestID.rawValue)), "error": .string(Self.named(error)),
        ])
      fault = APIFault(.internalError)
    }
    if fault.code.status == 401 { fault.headers[.wwwAuthenticate] = "Bearer" }
    return .fault(fault, path: path, requestID: requestID)
  }

  /// Our own errors say what failed without a secret; of foreign ones only the type is safe to tell.
  private static func named(_ error: any Error) -> String {
    switch error {
    case let error as VaultError: error.description
    case let error as ControlError: error.description
    case let error as StoreError: error.description
    default: String(describing: type(of: error))
    }
  }

  private func noRoute(_ method: HTTPRequest.Method, _ path: String) -> APIFault {
    switch Routes.match(method: method.rawValue, path: path) {
    case .methodNotAllowed(let allow):
      APIFault(.methodNotAllowed, headers: [.allow: allow])
    case .malformed(let reason): APIFault(.malformedRequest, reason)
    case .found, .notFound: APIFault(.notFound)
    }
  }
}

extension RouteRow {
  /// As Hummingbird writes it; what a parameter holds is read by Surface's own match.
  fileprivate var routerPath: RouterPath {
    guard takesRest, let slash = path.lastIndex(of: "/") else { return RouterPath(path) }
    return RouterPath(path[...slash] + "**")
  }
}

extension HTTPRequest.Method {
  fileprivate init(_ method: RouteMethod) {
    self =
      switch method {
      case .get: .get
      case .post: .post
      case .put: .put
      case .patch: .patch
      case .delete: .delete
      }
  }
}

/// What travels with a request through Hummingbird's router.
struct AdminContext: RequestContext {
  typealias Source = AdminContextSource

  var coreContext: CoreRequestContextStorage
  let remoteAddress: String
  let requestID: Domain.RequestID
  let localUser: UInt32?
  let isOnAdministrationListener: Bool
  let takesStream: Bool
  /// The router hands on bodies alone: what goes on without end passes beside it.
  let carried = CarriedStream()

  init(source: AdminContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    remoteAddress = source.remoteAddress
    requestID = source.requestID
    localUser = source.localUser
    isOnAdministrationListener = source.isOnAdministrationListener
    takesStream = source.takesStream
  }
}

/// Where an `AdminContext` comes from: no channel, only what the listener knows.
struct AdminContextSource: RequestContextSource {
  let logger: Logger
  let remoteAddress: String
  let requestID: Domain.RequestID
  let localUser: UInt32?
  let isOnAdministrationListener: Bool
  let takesStream: Bool
}

/// Where a handler leaves the rest of its answer.
final class CarriedStream: Sendable {
  private let stream = Mutex<AdminStream?>(nil)

  func put(_ new: AdminStream) { stream.withLock { $0 = new } }

  func take() -> AdminStream? {
    stream.withLock { stream in
      defer { stream = nil }
      return stream
    }
  }
}

extension AdminAnswer {
  /// As Hummingbird's handlers return it.
  var response: Response {
    Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
  }

  /// Collects what a handler returned; bodies are whole buffers, so nothing waits.
  init(_ response: Response) async throws {
    let collected = Collected()
    try await response.body.write(Collector(collected: collected))
    self.init(status: response.status, headers: response.headers, body: collected.buffer)
  }
}

/// Where a collector's bytes end up; used by one task at a time, within one call.
private final class Collected {
  var buffer = ByteBuffer()
}

private struct Collector: ResponseBodyWriter {
  let collected: Collected

  mutating func write(_ buffer: ByteBuffer) async throws {
    var buffer = buffer
    collected.buffer.writeBuffer(&buffer)
  }

  consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
