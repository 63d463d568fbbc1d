import Glibc
import NIOCore
import NIOHTTP1

/// One client connection: collects a request, asks the stage, and plays the steps of the response.
///
/// Requests of one connection are answered one after the other; a pipelined second request closes it.
final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  /// Larger than any body that a gateway lets through.
  static let bodyLimit = 256 << 20

  private let stage: Stage
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()
  private var playing: Playing?

  /// A response under way.
  private struct Playing {
    var steps: [Step]
    var next = 0
    var isKeepAlive: Bool
    /// False for control answers, which are not counted.
    var isCounted: Bool
    var account: String?
    var status: Int?
    var timer: Scheduled<Void>?
    var held: Holds.Ticket?
  }

  init(stage: Stage) {
    self.stage = stage
  }

  func channelActive(context: ChannelHandlerContext) {
    stage.connectionOpened()
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    finish(.abortedByClient)
    stage.connectionClosed()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A reset or a request that is no HTTP: either way this connection is of no more use.
    context.close(promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      guard playing == nil, self.head == nil else {
        context.close(promise: nil)
        return
      }
      self.head = head
      let length = head.headers.first(name: "content-length").flatMap(Int.init) ?? 0
      body = context.channel.allocator.buffer(capacity: min(max(length, 0), 1 << 20))
      if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
        let go = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(go)), promise: nil)
      }
    case .body(var part):
      guard body.readableBytes + part.readableBytes <= ConnectionHandler.bodyLimit else {
        context.close(promise: nil)
        return
      }
      body.writeBuffer(&part)
    case .end:
      guard let head else { return }
      self.head = nil
      answer(head, context: context)
    }
  }

  // MARK: - Deciding

  private func answer(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
    let path = String(head.uri.prefix { $0 != "?" })
    if path.hasPrefix("/_control/") {
      let steps = ControlEndpoint(stage: stage).steps(to: head, body: body)
      play(steps, head, isCounted: false, context: context)
      return
    }
    if path.hasPrefix("/oauth/") {
      let steps = OAuthEndpoint(stage: stage).steps(HTTPCall(head, body: body))
      play(steps, head, isCounted: false, context: context)
      return
    }
    if let place = PeerEndpoint.Place(path) {
      let steps = PeerEndpoint(stage: stage).steps(HTTPCall(head, body: body), place)
      play(steps, head, isCounted: false, context: context)
      return
    }
    let key = bearer(head)
    if head.method == .GET, path == "/v1/models" || path.hasPrefix("/v1/models/") {
      play(models(path, key: key), head, isCounted: false, context: context)
      return
    }
    guard path == "/v1/chat/completions" else {
      let error = OpenAIError(
        status: 404, message: "Unknown request URL.", type: "invalid_request_error",
        code: "unknown_url")
      play(error.steps(ordinal: 0), head, isCounted: false, context: context)
      return
    }
    guard head.method == .POST else {
      let error = OpenAIError(
        status: 405, message: "Not allowed to \(head.method.rawValue) here.",
        type: "invalid_request_error", code: "method_not_supported")
      play(error.steps(ordinal: 0), head, isCounted: false, context: context)
      return
    }
    chat(head, path: path, key: key, context: context)
  }

  private func chat(
    _ head: HTTPRequestHead, path: String, key: String?, context: ChannelHandlerContext
  ) {
    let read = body.withUnsafeReadableBytes { bytes in
      Result { () throws(ChatRequest.Fault) in try ChatRequest.read(bytes) }
    }
    let cue = stage.begin(key: key, path: path, request: try? read.get(), body: body)
    let steps: [Step]
    switch (cue.verdict, read) {
    case (.deadToken(let answer), _):
      steps = answer.steps()
    case (.unknownKey, _):
      steps = OpenAIError.upstream(401).steps(ordinal: cue.ordinal)
    case (.unknownModel, _):
      steps = OpenAIError.upstream(404).steps(ordinal: cue.ordinal)
    case (.act(let act), .failure(let fault)):
      // A fault of the scenario comes first: it does not look at the body.
      let placeholder = ChatRequest(modelToken: Array("null".utf8))
      steps =
        if act.trouble == .none {
          OpenAIError(
            status: 400,
            message: "We could not parse the JSON body of your request: \(fault.reason).",
            type: "invalid_request_error"
          ).steps(ordinal: cue.ordinal)
        } else {
          Answer(
            request: placeholder, act: act, ordinal: cue.ordinal, now: SimulatorClock.wall,
            allocator: context.channel.allocator
          ).steps()
        }
    case (.act(let act), .success(let request)):
      steps = Answer(
        request: request, act: act, ordinal: cue.ordinal, now: SimulatorClock.wall,
        allocator: context.channel.allocator
      ).steps()
    }
    play(steps, head, isCounted: true, account: cue.account, context: context)
  }

  private func models(_ path: String, key: String?) -> [Step] {
    if let dead = stage.oauth.deadAnswer(to: key) { return dead.steps() }
    guard stage.knows(key: key) else { return OpenAIError.upstream(401).steps(ordinal: 0) }
    let rows = stage.models.map { name in
      #"{"id":"\#(name)","object":"model","created":1763640000,"owned_by":"simulator"}"#
    }
    let asked = path.dropFirst("/v1/models".count).dropFirst()
    if asked.isEmpty {
      return ModelListAnswer(rows: rows, act: stage.modelListAct, now: SimulatorClock.wall).steps()
    }
    guard let index = stage.models.firstIndex(of: String(asked)) else {
      return OpenAIError.upstream(404).steps(ordinal: 0)
    }
    return JSONResponse(status: .ok, text: rows[index]).steps()
  }

  private func bearer(_ head: HTTPRequestHead) -> String? {
    guard let value = head.headers.first(name: "authorization"),
      value.prefix(7).lowercased() == "bearer "
    else { return nil }
    return String(value.dropFirst(7))
  }

  // MARK: - Playing

  private func play(
    _ steps: [Step], _ head: HTTPRequestHead, isCounted: Bool, account: String? = nil,
    context: ChannelHandlerContext
  ) {
    playing = Playing(
      steps: steps, isKeepAlive: head.isKeepAlive, isCounted: isCounted, account: account)
    resume(context: context)
  }

  private func resume(context: ChannelHandlerContext) {
    while let current = playing, current.next < current.steps.count {
      playing?.next += 1
      switch current.steps[current.next] {
      case .head(let head):
        playing?.status = Int(head.status.code)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
      case .body(let bytes):
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
      case .wait(let time):
        context.flush()
        playing?.timer = context.eventLoop.assumeIsolated().scheduleTask(in: time) {
          self.resume(context: context)
        }
        return
      case .silence:
        context.flush()
        return
      case .hold(let ticket):
        guard stage.holds.isWaiting(ticket) else { continue }
        context.flush()
        playing?.next -= 1
        playing?.held = ticket
        playing?.timer = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(2)) {
          self.resume(context: context)
        }
        return
      case .later(let make):
        playing?.steps += make()
      case .end:
        finish(.played)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if !current.isKeepAlive { context.close(promise: nil) }
        return
      case .close:
        context.flush()
        finish(.played)
        context.close(promise: nil)
        return
      case .reset:
        context.flush()
        finish(.played)
        reset(context: context)
        return
      }
    }
  }

  /// Sends RST: with a linger time of zero the kernel drops what is unsent and does not say goodbye.
  private func reset(context: ChannelHandlerContext) {
    guard let provider = context.channel as? any SocketOptionProvider else {
      context.close(promise: nil)
      return
    }
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    provider.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in
      bound.value.close(promise: nil)
    }
  }

  /// Counts the end of the response under way, once.
  private func finish(_ ending: Stage.Ending) {
    guard let current = playing else { return }
    playing = nil
    current.timer?.cancel()
    if let held = current.held { stage.holds.drop(held) }
    if current.isCounted { stage.end(ending, status: current.status, account: current.account) }
  }
}
