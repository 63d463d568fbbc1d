import NIOCore
import NIOHTTP1
import NIOPosix

/// The old peer's way home: `PUT /api/cloud/credentials/update`, which names the provider and not the account.
enum PeerCallback {
  /// Sends it and tells the status, or what went wrong; at most ten seconds.
  static func send(
    _ told: PeerAct.Told, to callback: PeerScenario.Callback,
    done: @escaping @Sendable (String) -> Void
  ) {
    let body = OAuthWords.object([
      "provider": .string(told.provider),
      "credentials": OAuthWords.object([
        "accessToken": .string(told.accessToken),
        "refreshToken": told.refreshToken.map(JSONValue.string),
        "expiresIn": told.expiresIn.map(JSONValue.integer),
      ]),
    ]).text
    ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connectTimeout(.seconds(10))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHTTPClientHandlers()
          try channel.pipeline.syncOperations.addHandler(
            Caller(callback: callback, body: body, done: done))
        }
      }
      .connect(host: callback.host, port: callback.port)
      .whenFailure { _ in done("not connected") }
  }

  /// One request, one answer.
  private final class Caller: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let callback: PeerScenario.Callback
    private let body: String
    private var done: (@Sendable (String) -> Void)?
    private var status: UInt?

    init(
      callback: PeerScenario.Callback, body: String, done: @escaping @Sendable (String) -> Void
    ) {
      self.callback = callback
      self.body = body
      self.done = done
    }

    func channelActive(context: ChannelHandlerContext) {
      let head = HTTPRequestHead(
        version: .http1_1, method: .PUT, uri: "/api/cloud/credentials/update",
        headers: [
          "host": "\(callback.host):\(callback.port)", "authorization": "Bearer \(callback.key)",
          "content-type": "application/json", "content-length": String(body.utf8.count),
          "connection": "close",
        ])
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
      context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(10)) {
        self.finish("no answer")
        context.close(promise: nil)
      }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .head(let head): status = head.status.code
      case .body: break
      case .end:
        finish(status.map { "answered \($0)" } ?? "no answer")
        context.close(promise: nil)
      }
    }

    func channelInactive(context: ChannelHandlerContext) {
      finish("closed")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      finish("failed")
      context.close(promise: nil)
    }

    private func finish(_ outcome: String) {
      done?(outcome)
      done = nil
    }
  }
}
