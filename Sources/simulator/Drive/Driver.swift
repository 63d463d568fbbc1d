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

  struct Job: Sendable {
    var request: DrivePlan.Request
    var call: DriveCall
    var due: ContinuousClock.Instant
  }

  let host: String
  let port: Int
  /// By the name of a key in the plan; "" for all others.
  let keys: [String: String]
  let speed: Double
  let connections: Int
  let timeout: TimeAmount

  /// Sends all of it and waits for the last answer.
  ///
  /// - Parameter done: told of each outcome as it comes, from many tasks.
  func run(
    _ calls: [(request: DrivePlan.Request, call: DriveCall)],
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
      for (request, call) in calls {
        let due = begin + .microseconds(Int64(Double(request.microseconds) / speed))
        if due > clock.now { try? await clock.sleep(until: due) }
        await queue.add(Job(request: request, call: call, due: due))
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
      if next == nil { next = await queue.next() }
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
            let alarm = channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
            defer { alarm.cancel() }
            let sent = ContinuousClock.now
            try await writer.write(
              contentsOf: [
                .head(current.call.head(host: "\(host):\(port)", key: key(of: current.request))),
                .body(ByteBuffer(string: current.call.body)), .end(nil),
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
            job = await queue.next()
          }
        }
      } catch {
        // Nothing is under way when closing fails.
        guard let turn = turn.withLock({ $0 }) else { continue }
        let isLate = ContinuousClock.now - turn.job.due > .nanoseconds(timeout.nanoseconds)
        if turn.isReused, !turn.isAnswered, !isLate {
          // The other side had let the connection go: the request never arrived.
          again = turn.job
        } else {
          let why = isLate ? "timeout" : (error as? DriveFailure)?.why ?? Self.word(error)
          done(outcome(of: turn.job, sent: .now, failure: why))
        }
      }
    }
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
      .connectTimeout(min(timeout, .seconds(10)))
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
