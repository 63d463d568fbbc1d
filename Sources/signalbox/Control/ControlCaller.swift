import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Surface

/// One request to the administration, from this machine.
struct ControlRequest: Sendable {
  var method: RouteMethod
  /// Path and query, percent-encoded.
  var target: String
  /// nil: without a body.
  var body: JSONValue?
  /// A revision, or `*`.
  var ifMatch: String?

  init(_ method: RouteMethod, _ target: String, body: JSONValue? = nil, ifMatch: String? = nil) {
    self.method = method
    self.target = target
    self.body = body
    self.ifMatch = ifMatch
  }

  /// The value of `If-Match`.
  var tag: String? { ifMatch.map { $0 == "*" ? $0 : "\"\($0)\"" } }
}

/// What came back.
struct ControlReply: Sendable {
  var status: Int
  var bytes: [UInt8]

  /// The body; null if it is empty.
  func json() throws -> JSONValue { bytes.isEmpty ? .null : try JSONValue.parse(bytes) }
}

/// Speaks to a running gateway over its control socket.
enum ControlCaller {
  /// Why there is no answer.
  struct Unanswered: Error, CustomStringConvertible {
    var description: String
  }

  /// The gateway's answer; nil if none listens: there is no socket, or a dead gateway's.
  ///
  /// - Throws: `Unanswered` where one listens and lets us not in, or says nothing within `patience`.
  static func send(
    _ request: ControlRequest, directory: String, patience: Duration
  ) async throws -> ControlReply? {
    let channel: NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>
    do {
      channel = try await connect(directory)
    } catch let failure as ControlSocketAddress.Failure {
      switch failure.code {
      case ENOENT, ENOTDIR, ECONNREFUSED: return nil
      case EACCES, EPERM:
        throw Unanswered(
          description: "\(failure): only the user who runs the gateway, and root, may use it")
      default: throw Unanswered(description: "\(failure)")
      }
    }
    return try await withThrowingTaskGroup(of: ControlReply.self) { group in
      group.addTask { try await exchange(request, channel) }
      group.addTask {
        // The bound of the wait: cancelled as soon as the answer is there.
        try await Task.sleep(for: patience)
        throw Unanswered(
          description: "the gateway did not answer within \(patience.components.seconds) s;"
            + " whether it did what was asked shows in `replay window`")
      }
      defer { group.cancelAll() }
      guard let reply = try await group.next() else { throw CancellationError() }
      return reply
    }
  }

  private static func connect(
    _ directory: String
  ) async throws -> NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart> {
    let name = ControlSocketAddress.name
    return try await ControlSocketAddress.withPath(of: name, in: directory) { path in
      do {
        return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
          .connect(to: SocketAddress(unixDomainSocketPath: path)) { channel in
            channel.eventLoop.makeCompletedFuture {
              try channel.pipeline.syncOperations.addHTTPClientHandlers()
              return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
            }
          }
      } catch let error as IOError {
        throw ControlSocketAddress.Failure(
          call: "connect", path: "\(directory)/\(name)", code: error.errnoCode)
      }
    }
  }

  private static func exchange(
    _ request: ControlRequest,
    _ channel: NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>
  ) async throws -> ControlReply {
    let gone = Unanswered(
      description:
        "the gateway went away before it answered; whether it did what was asked shows in"
        + " `replay window`")
    do {
      return try await channel.executeThenClose { inbound, outbound in
        var headers: HTTPHeaders = ["host": "localhost", "connection": "close"]
        let body = request.body.map { ByteBuffer(bytes: $0.bytes) }
        if let body {
          headers.add(name: "content-type", value: "application/json")
          headers.add(name: "content-length", value: "\(body.readableBytes)")
        }
        if let tag = request.tag { headers.add(name: "if-match", value: tag) }
        let head = HTTPRequestHead(
          version: .http1_1, method: HTTPMethod(rawValue: request.method.rawValue),
          uri: request.target, headers: headers)
        let content = body.map { [HTTPClientRequestPart.body(.byteBuffer($0))] } ?? []
        // In one write: to the gateway the request is whole with the body's last byte. It may have
        // answered and hung up before a separate `.end`, which would then fail.
        try await outbound.write(contentsOf: [.head(head)] + content + [.end(nil)])
        var status: Int?
        var bytes: [UInt8] = []
        for try await part in inbound {
          switch part {
          case .head(let head): status = Int(head.status.code)
          case .body(let piece): bytes += piece.readableBytesView
          case .end:
            guard let status else { throw gone }
            return ControlReply(status: status, bytes: bytes)
          }
        }
        throw gone
      }
    } catch is IOError, is ChannelError, is HTTPParserError {
      throw gone
    }
  }
}
