import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Sends a plan's requests when they are due, however long others take, over a bounded number of connections.
struct Driver: Sendable {
  /// What became of one request.
  struct Outcome: Sendable {
    var request: DrivePlan.Request
    /// nil: no answer came.
    var status: Int?
    /// Why none came.
    var failure: String?
    /// From when it was due to the answer's end: waiting for a connection counts.
    var microseconds: Int64
    /// By how much it was sent later than it was due.
    var late: Int64
  }

  /// What is to be sent; its body is made up when it is.
  struct Call: Sendable {
    var request: DrivePlan.Request
    var operation: DriveCall.Operation
  }

  struct Job: Sendable {
    var call: Call
    var due: ContinuousClock.Instant

    var request: DrivePlan.Request { call.request }
  }

  let host: String
  let port: Int
  /// By the name of a key in the plan; "" for all others.
  let keys: [String: String]
  let speed: Double
  let connections: Int
  /// From when a request was due to its answer's end.
  let timeout: Duration

  /// Sends all of it and waits for the last answer.
  ///
  /// - Parameter done: told of each outcome as it comes, from many tasks.
  func run(
    _ calls: [Call],
    done: @escaping @Sendable (Outcome) -> Void
  ) async {
    let group = MultiThreadedEventLoopGroup.singleton
    let queue = DriveQueue()
    let clock = ContinuousClock()
    await withTaskGroup(of: Void.self) { tasks in
      for _ in 0..<min(connections, calls.count) {
        tasks.addTask { await work(queue, group, done) }
      }
      let begin = clock.now
      for call in calls {
        let due = begin + .microseconds(Int64(Double(call.request.microseconds) / speed))
        if due > clock.now { try? await clock.sleep(until: due) }
        await queue.add(Job(call: call, due: due))
      }
      await queue.end()
    }
  }

  private typealias Part = HTTPPart<HTTPRequestHead, ByteBuffer>

  /// What is to be done next over a connection, and with what it is under way.
  private struct Turn {
    var job: Job
    /// Whether a part of its answer came.
    var isAnswered = false
    /// Whether the connection had served another one before.
    var isReused = false
  }

  /// One connection after the other, as long as there is something to be sent.
  private func work(
    _ queue: DriveQueue, _ group: any EventLoopGroup, _ done: @Sendable (Outcome) -> Void
  ) async {
    var again: Job?
    while true {
      var next = again
      again = nil
      if next == nil { next = await take(from: queue, done) }
      guard let first = next else { return }
      let turn = Mutex<Turn?>(Turn(job: first))
      do {
        let channel = try await connect(group)
        try await channel.executeThenClose { parts, writer in
          var reader = parts.makeAsyncIterator()
          var job: Job? = first
          var isReused = false
          while let current = job {
            turn.withLock { $0 = Turn(job: current, isReused: isReused) }
            let channel = channel.channel
            let call = DriveCall(current.request, current.call.operation)
            let sent = ContinuousClock.now
            let left = max(.zero, timeout - (sent - current.due))
            let alarm = channel.eventLoop.scheduleTask(in: .microseconds(left.microseconds)) {
              channel.close(promise: nil)
            }
            defer { alarm.cancel() }
            try await writer.write(
              contentsOf: [
                .head(call.head(host: "\(host):\(port)", key: key(of: current.request))),
                .body(ByteBuffer(string: call.body)), .end(nil),
              ] as [Part])
            var (status, isOpen) = (0, true)
            reading: while true {
              guard let part = try await reader.next() else {
                throw DriveFailure(why: status == 0 ? "closed" : "cut")
              }
              switch part {
              case .head(let head):
                turn.withLock { $0?.isAnswered = true }
                status = Int(head.status.code)
                isOpen = head.isKeepAlive
              case .body: break
              case .end: break reading
              }
            }
            turn.withLock { $0 = nil }
            done(outcome(of: current, sent: sent, status: status))
            isReused = true
            guard isOpen else { return }
            job = await take(from: queue, done)
          }
        }
      } catch {
        // Nothing is under way when closing fails.
        guard let turn = turn.withLock({ $0 }) else { continue }
        let isLate = ContinuousClock.now - turn.job.due >= timeout
        if turn.isReused, !turn.isAnswered, !isLate {
          // As a rule the other side had let the idle connection go, and the request never arrived.
          again = turn.job
        } else {
          let why = isLate ? "timeout" : (error as? DriveFailure)?.why ?? Self.word(error)
          done(outcome(of: turn.job, sent: .now, failure: why))
        }
      }
    }
  }

  /// What is to be sent next.
  ///
  /// What waited as long as an answer may take is not sent any more, so that a gateway which does not keep up ends the
  /// drive in time.
  private func take(
    from queue: DriveQueue, _ done: @Sendable (Outcome) -> Void
  ) async -> Job? {
    while let job = await queue.next() {
      let now = ContinuousClock.now
      if now - job.due < timeout { return job }
      done(outcome(of: job, sent: now, failure: "not sent in time"))
    }
    return nil
  }

  private func key(of request: DrivePlan.Request) -> String? {
    request.key.flatMap { keys[$0] } ?? keys[""]
  }

  private func outcome(
    of job: Job, sent: ContinuousClock.Instant, status: Int? = nil, failure: String? = nil
  ) -> Outcome {
    Outcome(
      request: job.request, status: status, failure: failure,
      microseconds: (ContinuousClock.now - job.due).microseconds,
      late: max(0, (sent - job.due).microseconds))
  }

  private static func word(_ error: any Error) -> String {
    switch error {
    case is NIOConnectionError: "connect"
    case is ChannelError: "closed"
    case is HTTPParserError: "no HTTP"
    case is IOError: "reset"
    case _: "failed"
    }
  }

  private func connect(
    _ group: any EventLoopGroup
  ) async throws -> NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, ByteBuffer>> {
    try await ClientBootstrap(group: group)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .connectTimeout(.microseconds(min(timeout, .seconds(10)).microseconds))
      .connect(host: host, port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHTTPClientHandlers()
          try channel.pipeline.syncOperations.addHandler(BufferParts())
          return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
        }
      }
  }
}

/// No answer, or not all of one.
private struct DriveFailure: Error {
  var why: String
}

/// Parts whose bodies are buffers, which may go from task to task, as the encoder wants them.
private final class BufferParts: ChannelOutboundHandler {
  typealias OutboundIn = HTTPPart<HTTPRequestHead, ByteBuffer>
  typealias OutboundOut = HTTPClientRequestPart

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let part: HTTPClientRequestPart =
      switch unwrapOutboundIn(data) {
      case .head(let head): .head(head)
      case .body(let buffer): .body(.byteBuffer(buffer))
      case .end(let trailers): .end(trailers)
      }
    context.write(wrapOutboundOut(part), promise: promise)
  }
}

/// What is due and nobody has begun. Whoever waited least gets the next: few connections stay busy, not all a little.
actor DriveQueue {
  private var jobs: [Driver.Job] = []
  private var taken = 0
  private var waiting: [CheckedContinuation<Driver.Job?, Never>] = []
  private var isOver = false

  func add(_ job: Driver.Job) {
    if let next = waiting.popLast() { next.resume(returning: job) } else { jobs.append(job) }
  }

  /// Nothing is added any more.
  func end() {
    isOver = true
    for one in waiting { one.resume(returning: nil) }
    waiting = []
  }

  /// nil: there is nothing more, and nothing will come.
  func next() async -> Driver.Job? {
    if taken < jobs.count {
      defer {
        taken += 1
        if taken == jobs.count { (jobs, taken) = ([], 0) }
      }
      return jobs[taken]
    }
    if isOver { return nil }
    return await withCheckedContinuation { waiting.append($0) }
  }
}

extension Duration {
  /// Whole ones.
  var microseconds: Int64 {
    components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
  }
}
