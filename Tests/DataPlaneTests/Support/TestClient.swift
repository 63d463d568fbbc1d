import NIOCore
import NIOPosix

/// A client on a real socket that sends exactly the bytes it is told to and keeps what comes back.
final class TestClient: Sendable {
  struct State: Sendable {
    var bytes: [UInt8] = []
    var isClosed = false
  }

  private let channel: any Channel
  private let watched: Watched<State>

  private init(_ channel: any Channel, _ state: Watched<State>) {
    self.channel = channel
    watched = state
  }

  private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    let state: Watched<State>
    init(_ state: Watched<State>) { self.state = state }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let buffer = unwrapInboundIn(data)
      state.change { state in
        buffer.withUnsafeReadableBytes { state.bytes.append(contentsOf: $0) }
      }
    }
    func channelInactive(context: ChannelHandlerContext) { state.change { $0.isClosed = true } }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      context.close(promise: nil)
    }
  }

  /// Connects; `reads` false: takes no byte before `startReading`.
  static func connect(port: Int, reads: Bool = true) async throws -> TestClient {
    let state = Watched(State())
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.autoRead, value: reads)
      .channelOption(.socketOption(.so_rcvbuf), value: reads ? 1 << 20 : 64 << 10)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Collector(state))
        }
      }
      .connect(host: "127.0.0.1", port: port).get()
    return TestClient(channel, state)
  }

  func send(_ text: String) async throws { try await send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) async throws {
    try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
  }

  /// Sends as far as the other side takes it; never fails.
  func offer(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

  func startReading() async throws { try await channel.setOption(.autoRead, value: true).get() }

  func close() async { try? await channel.close().get() }

  var received: State { watched.value }

  /// Waits for the next whole answer and takes it out of what was received.
  func response(toHead: Bool = false) async throws -> TestResponse {
    let state = await watched.when {
      $0.isClosed || TestResponse.parse($0.bytes, isClosed: false, toHead: toHead) != nil
    }
    guard
      let (response, used) = TestResponse.parse(
        state.bytes, isClosed: state.isClosed, toHead: toHead)
    else { throw Missing(bytes: state.bytes) }
    watched.change { $0.bytes.removeFirst(used) }
    return response
  }

  /// Waits until what was received holds `text`.
  func receives(_ text: String) async -> String {
    let state = await watched.when {
      $0.isClosed || String(decoding: $0.bytes, as: UTF8.self).contains(text)
    }
    return String(decoding: state.bytes, as: UTF8.self)
  }

  func receives(atLeast count: Int) async -> [UInt8] {
    await watched.when { $0.isClosed || $0.bytes.count >= count }.bytes
  }

  /// Waits until the gateway closed the connection.
  func closed() async -> [UInt8] { await watched.when { $0.isClosed }.bytes }

  struct Missing: Error, CustomStringConvertible {
    var bytes: [UInt8]
    var description: String { "no whole answer in: \(String(decoding: bytes, as: UTF8.self))" }
  }
}

/// An answer as a plain HTTP/1.1 client reads it.
struct TestResponse: Sendable {
  var status: Int
  /// Lower-case names.
  var headers: [String: String]
  var body: [UInt8]
  var text: String { String(decoding: body, as: UTF8.self) }

  static func parse(
    _ bytes: [UInt8], isClosed: Bool, toHead: Bool
  ) -> (response: TestResponse, used: Int)? {
    guard let headEnd = find(Array("\r\n\r\n".utf8), in: bytes, from: 0) else { return nil }
    let lines = String(decoding: bytes[..<headEnd], as: UTF8.self).split(separator: "\r\n")
    guard let first = lines.first, let status = Int(first.split(separator: " ")[1]) else {
      return nil
    }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] =
        line[line.index(after: colon)...].drop { $0 == " " }
        .description
    }
    var response = TestResponse(status: status, headers: headers, body: [])
    var at = headEnd + 4
    if toHead || status == 204 || status < 200 { return (response, at) }
    if let length = headers["content-length"].flatMap(Int.init) {
      guard bytes.count >= at + length else { return nil }
      response.body = Array(bytes[at..<(at + length)])
      return (response, at + length)
    }
    if headers["transfer-encoding"] == "chunked" {
      while true {
        guard let lineEnd = find([13, 10], in: bytes, from: at),
          let size = Int(String(decoding: bytes[at..<lineEnd], as: UTF8.self), radix: 16)
        else { return nil }
        at = lineEnd + 2
        guard bytes.count >= at + size + 2 else { return nil }
        response.body += bytes[at..<(at + size)]
        at += size + 2
        if size == 0 { return (response, at) }
      }
    }
    guard isClosed else { return nil }
    response.body = Array(bytes[at...])
    return (response, bytes.count)
  }

  private static func find(_ needle: [UInt8], in bytes: [UInt8], from: Int) -> Int? {
    guard bytes.count >= needle.count, from <= bytes.count - needle.count else { return nil }
    return (from...(bytes.count - needle.count)).first { at in
      needle.indices.allSatisfy { bytes[at + $0] == needle[$0] }
    }
  }
}
