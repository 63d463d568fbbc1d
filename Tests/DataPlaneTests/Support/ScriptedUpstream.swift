import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// An upstream on a real socket that does nothing by itself: each test says what it answers, and when.
///
/// Requests are read by NIO's own parser, so that ours is not its own judge.
final class ScriptedUpstream: Sendable {
  struct State: Sendable {
    var calls: [UpstreamCall] = []
    /// Calls handed to the test.
    var taken = 0
    var connections = 0
  }

  let port: Int
  private let watched: Watched<State>

  private init(_ channel: any Channel, _ watched: Watched<State>) {
    self.watched = watched
    port = channel.localAddress?.port ?? 0
  }

  static func start(
    tls: NIOSSLContext? = nil, answer: (@Sendable (UpstreamCall) -> Void)? = nil
  ) async throws -> ScriptedUpstream {
    let watched = Watched(State())
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.socketOption(.so_sndbuf), value: 16 << 10)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          watched.change { $0.connections += 1 }
          let pipeline = channel.pipeline.syncOperations
          if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
          try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
          try pipeline.addHandler(Collector(watched, answer))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    return ScriptedUpstream(channel, watched)
  }

  /// The next request that came in whole and was not taken yet.
  func next() async -> UpstreamCall {
    _ = await watched.when { $0.calls.count > $0.taken }
    return watched.change { state in
      state.taken += 1
      return state.calls[state.taken - 1]
    }
  }

  var callCount: Int { watched.value.calls.count }
  /// The accounts that were asked, in order.
  var asked: [String] { watched.value.calls.map(\.account) }
  /// Waits until an account was asked this often.
  func asked(_ account: String, times: Int) async {
    _ = await watched.when { $0.calls.count { $0.account == account } >= times }
  }
  var connections: Int { watched.value.connections }

  private final class Collector: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    private let watched: Watched<State>
    private let answer: (@Sendable (UpstreamCall) -> Void)?
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private let isClosed = Watched(false)

    init(_ watched: Watched<State>, _ answer: (@Sendable (UpstreamCall) -> Void)?) {
      self.watched = watched
      self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .head(let head):
        self.head = head
        body = []
      case .body(let bytes): body.append(contentsOf: bytes.readableBytesView)
      case .end:
        guard let head else { return }
        let call = UpstreamCall(
          head: head, body: body, channel: context.channel, isClosed: isClosed)
        watched.change { $0.calls.append(call) }
        answer?(call)
      }
    }

    func channelInactive(context: ChannelHandlerContext) { isClosed.change { $0 = true } }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      context.close(promise: nil)
    }
  }
}

/// One request at an upstream, and the means to answer it.
struct UpstreamCall: Sendable {
  let head: HTTPRequestHead
  let body: [UInt8]
  let channel: any Channel
  private let isClosed: Watched<Bool>

  init(head: HTTPRequestHead, body: [UInt8], channel: any Channel, isClosed: Watched<Bool>) {
    self.head = head
    self.body = body
    self.channel = channel
    self.isClosed = isClosed
  }

  var text: String { String(decoding: body, as: UTF8.self) }
  var path: String { head.uri }
  var method: String { head.method.rawValue }
  /// Whose secret came with it.
  var account: String {
    String((header("authorization") ?? "").dropFirst("Bearer secret-of-".count))
  }
  func header(_ name: String) -> String? { head.headers.first(name: name) }

  /// Sends these bytes as they are.
  func send(_ text: String) { send(Array(text.utf8)) }
  func send(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

  /// Sends these bytes and returns when the socket took them.
  func deliver(_ bytes: [UInt8]) async throws {
    try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
  }

  /// A whole answer with content-length.
  func answer(_ body: String, status: Int = 200, headers: String = "") {
    send(
      "HTTP/1.1 \(status) X\r\ncontent-type: application/json\r\ncontent-length: \(body.utf8.count)\r\n"
        + "\(headers)\r\n\(body)")
  }

  /// The head of a chunked stream.
  func startStream() {
    send(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
  }

  func chunk(_ text: String) { chunk(Array(text.utf8)) }
  func chunk(_ bytes: [UInt8]) {
    send(Array("\(String(bytes.count, radix: 16, uppercase: false))\r\n".utf8) + bytes + [13, 10])
  }
  func endChunks() { send("0\r\n\r\n") }

  func close() { channel.close(promise: nil) }
  /// Waits until the gateway closed this connection.
  func closed() async { _ = await isClosed.when { $0 } }
}
