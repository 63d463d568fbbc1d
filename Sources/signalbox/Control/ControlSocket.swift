import ControlPlane
import Domain
import Glibc
import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Administration on `DIR/control.sock`, for whoever may open the data directory, without a login.
///
/// HTTP/1.1, one request a connection. Who asks is what the system says of the process that
/// connected. Only a gateway that holds the log's lock opens it, so that a socket that is already
/// there is a dead gateway's.
final class ControlSocket: Sendable {
  private let path: String
  private let channel: any Channel
  private let group: MultiThreadedEventLoopGroup
  private let calls: Calls
  private let isClosed = Mutex(false)

  private init(
    path: String, channel: any Channel, group: MultiThreadedEventLoopGroup, calls: Calls
  ) {
    self.path = path
    self.channel = channel
    self.group = group
    self.calls = calls
  }

  /// Listens; from the moment that the file is there, connecting to it succeeds.
  static func open(
    directory: String, responder: AdminResponder
  ) async throws -> ControlSocket {
    let path = "\(directory)/\(ControlSocketAddress.name)"
    let descriptor = try await listeningSocket(in: directory)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let calls = Calls()
    let owner = getuid()
    let bootstrap = ServerBootstrap(group: group).childChannelInitializer { channel in
      Self.peer(of: channel).flatMapThrowing { peer in
        // The file's mode keeps others out; this holds if somebody loosens it.
        guard peer.uid == owner || peer.uid == 0 else { throw Stranger() }
        try channel.pipeline.syncOperations.configureHTTPServerPipeline()
        try channel.pipeline.syncOperations.addHandler(
          Conversation(user: peer.uid, responder: responder, calls: calls))
      }
    }
    do {
      let channel = try await bootstrap.withBoundSocket(descriptor).get()
      return ControlSocket(path: path, channel: channel, group: group, calls: calls)
    } catch {
      // The descriptor is the channel's from the call on, also where that fails.
      unlink(path)
      try? await group.shutdownGracefully()
      throw error
    }
  }

  /// Takes the file away, lets the calls under way end, and hangs up; once.
  func close() async {
    let wasClosed = isClosed.withLock { isClosed in
      defer { isClosed = true }
      return isClosed
    }
    if wasClosed { return }
    // First the file: who finds none knows that nobody listens.
    unlink(path)
    try? await channel.close()
    await calls.finish()
    try? await group.shutdownGracefully()
  }

  /// A socket that listens at `DIR/control.sock`, in place of any that was there.
  private static func listeningSocket(in directory: String) async throws -> CInt {
    let path = "\(directory)/\(ControlSocketAddress.name)"
    var old = stat()
    if lstat(path, &old) == 0, old.st_mode & S_IFMT != S_IFSOCK {
      throw ControlSocketAddress.Failure(call: "bind", path: path, code: EEXIST)
    }
    let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(AF_UNIX, type, 0)
    func check(_ result: CInt, _ call: String) throws {
      guard result != 0 else { return }
      let code = errno
      Glibc.close(descriptor)
      throw ControlSocketAddress.Failure(call: call, path: path, code: code)
    }
    try check(descriptor < 0 ? -1 : 0, "socket")
    // Before there is a file: Linux gives it the descriptor's mode less the umask, so that it is at no
    // moment open to others.
    try check(fchmod(descriptor, 0o600), "fchmod")
    // Under another name first: a file that nobody listens at yet would look like a dead gateway's.
    let fresh = ".control.sock.new"
    unlink("\(directory)/\(fresh)")
    try await ControlSocketAddress.withPath(of: fresh, in: directory) { short in
      var address = ControlSocketAddress.address(short)
      let bound = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      try check(bound, "bind")
    }
    // An umask may have taken the owner's bits too.
    try check(chmod("\(directory)/\(fresh)", 0o600), "chmod")
    try check(listen(descriptor, 64), "listen")
    try check(rename("\(directory)/\(fresh)", path), "rename")
    return descriptor
  }

  private static func peer(of channel: any Channel) -> EventLoopFuture<PeerCredential> {
    guard let provider = channel as? any SocketOptionProvider else {
      return channel.eventLoop.makeFailedFuture(Stranger())
    }
    return provider.unsafeGetSocketOption(
      level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
  }
}

/// `struct ucred`: who connected, as the system noted it then.
private struct PeerCredential {
  var pid: Int32
  var uid: UInt32
  var gid: UInt32
}

/// Another user than the gateway's own and root; hung up on.
private struct Stranger: Error {}

/// The calls that are being answered.
private final class Calls: Sendable {
  private struct Running {
    var next: UInt64 = 0
    var tasks: [UInt64: Task<Void, Never>] = [:]
  }

  private let running = Mutex(Running())

  func start(_ work: @escaping @Sendable () async -> Void) {
    running.withLock { running in
      let id = running.next
      running.next += 1
      running.tasks[id] = Task {
        await work()
        self.running.withLock { $0.tasks[id] = nil }
      }
    }
  }

  /// Returns when every call so far was answered.
  func finish() async {
    for task in running.withLock({ Array($0.tasks.values) }) { await task.value }
  }
}

/// One connection: collects a request, has it answered, hangs up.
///
/// A caller who goes away changes nothing: what was asked for is done, and the log has it.
private final class Conversation: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  /// What the responder answers 413.
  private static let tooLong = AdminResponder.maximumBodyBytes + 1

  private let user: UInt32
  private let responder: AdminResponder
  private let calls: Calls
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()

  init(user: UInt32, responder: AdminResponder, calls: Calls) {
    self.user = user
    self.responder = responder
    self.calls = calls
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): self.head = head
    case .body(let part):
      let room = Self.tooLong - body.readableBytes
      body.writeImmutableBuffer(
        part.getSlice(at: part.readerIndex, length: min(room, part.readableBytes)) ?? part)
    case .end:
      guard let head else { return }
      answer(head, context)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // No HTTP, or the caller went away: of no more use either way.
    context.close(promise: nil)
  }

  private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let request = AdminRequest(
      method: HTTPRequest.Method(rawValue: head.method.rawValue) ?? .trace, uri: head.uri,
      headers: HTTPFields(head.headers), body: body, localUser: user,
      requestID: RequestID(Edge.system.mintID()))
    let isHead = head.method == .HEAD
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let loop = context.eventLoop
    calls.start { [responder] in
      let answer = await responder.respond(to: request)
      try? await loop.flatSubmit {
        let (conversation, context) = bound.value
        return conversation.send(answer, request.requestID, withoutBody: isHead, context)
      }.get()
    }
  }

  private func send(
    _ answer: AdminAnswer, _ id: RequestID, withoutBody: Bool, _ context: ChannelHandlerContext
  ) -> EventLoopFuture<Void> {
    var headers = HTTPHeaders(answer.headers.map { ($0.name.rawName, $0.value) })
    headers.replaceOrAdd(name: "content-length", value: "\(answer.body.readableBytes)")
    headers.replaceOrAdd(name: "connection", value: "close")
    headers.replaceOrAdd(name: "x-request-id", value: uuidText(id.rawValue))
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: answer.status.code),
      headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if !withoutBody {
      context.write(wrapOutboundOut(.body(.byteBuffer(answer.body))), promise: nil)
    }
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    return context.writeAndFlush(wrapOutboundOut(.end(nil))).flatMap {
      bound.value.close()
    }
  }
}

extension HTTPFields {
  /// Field by field; a name that is none for the other package is left out.
  fileprivate init(_ headers: HTTPHeaders) {
    self.init()
    for (name, value) in headers {
      guard let name = HTTPField.Name(name) else { continue }
      append(HTTPField(name: name, value: value))
    }
  }
}
