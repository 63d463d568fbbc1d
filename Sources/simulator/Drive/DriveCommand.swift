import ArgumentParser
import Dispatch
import Foundation
import NIOCore
import Synchronization

/// `simulator drive`.
struct DriveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drive",
    abstract: "Sends the recorded load of a window to a gateway again.",
    discussion: """
      PLAN comes from `replay run --plan`. Each request is sent when it came then, counted from the
      plan's beginning, whether or not those before it were answered; model, operation, streaming, size
      and limit of tokens are as recorded, the words are filling. It ends with the last answer, and no later than --timeout after the
      last request was due: what waits so long for a free connection is not sent.

      The summary says how many requests of each model got each status, beside what was recorded, how
      long they took, counted from when they were due, and by how much they were sent later than that. Exit codes: 0 all were answered, whatever
      the status; 1 some were not; 64 wrong usage.

      EXAMPLES
        replay run --plan load.plan --from -1h
        simulator drive load.plan --to http://127.0.0.1:8080 --key-env CLIENT_KEY --speed 10
      """)

  @Argument(help: "The plan.", completion: .file())
  var plan: String

  @Option(help: ArgumentHelp("The gateway: http://HOST:PORT.", valueName: "url"))
  var to: String

  @Option(
    help: ArgumentHelp(
      "The environment variable that has the client key; NAME=VARIABLE: for the plan's key NAME alone.",
      valueName: "[name=]variable"))
  var keyEnv: [String] = []

  @Option(help: "How many times as fast as recorded, 0.01…1000.")
  var speed = 1.0

  @Option(
    help: "Connections at most, 1…1024; what is due while all are busy waits, and counts as late.")
  var connections = 64

  @Option(help: "Seconds for an answer, from when the request was due, 1…3600.")
  var timeout = 120

  @Option(help: "Only so many of the first requests.")
  var limit: Int?

  @Flag(
    help: ArgumentHelp(
      "Allow a target that is not this machine.",
      discussion: "Whoever answers there may bill every request."))
  var remote = false

  @Flag(help: "Answer as JSON instead of text.")
  var json = false

  func validate() throws {
    guard (0.01...1000).contains(speed) else {
      throw ValidationError("--speed: 0.01…1000 is expected")
    }
    guard (1...1024).contains(connections) else {
      throw ValidationError("--connections: 1…1024 is expected")
    }
    guard (1...3600).contains(timeout) else {
      throw ValidationError("--timeout: 1…3600 is expected")
    }
    if let limit, limit < 1 { throw ValidationError("--limit: at least 1 is expected") }
  }

  func run() throws {
    let target = try Target(to)
    guard remote || target.isLoopback else {
      throw ValidationError(
        "--to: \(target.host) is not this machine; say --remote if every request may be billed there"
      )
    }
    let keys = try readKeys()
    let plan = try DrivePlan(path: plan)
    try Self.check(keys, of: plan)
    var report = DriveReport()
    var calls: [Driver.Call] = []
    for request in plan.requests.prefix(limit ?? .max) {
      guard let operation = DriveCall.Operation(rawValue: request.operation) else {
        report.skip(request)
        continue
      }
      report.plan(request)
      calls.append(Driver.Call(request: request, operation: operation))
    }
    let driver = Driver(
      host: target.host, port: target.port, keys: keys, speed: speed, connections: connections,
      timeout: .seconds(timeout))
    let found = Self.drive(driver, calls, report)
    print(json ? found.json : found.text, terminator: json ? "\n" : "")
    if found.failed > 0 { throw ExitCode(1) }
  }

  /// Waits for the last answer, and tells every second how far it is.
  private static func drive(
    _ driver: Driver, _ calls: [Driver.Call], _ report: DriveReport
  ) -> DriveReport {
    let shared = Shared(report)
    let clock = ContinuousClock()
    let begin = clock.now
    let isDone = DispatchSemaphore(value: 0)
    Task {
      await driver.run(calls) { outcome in shared.report.withLock { $0.take(outcome) } }
      isDone.signal()
    }
    while isDone.wait(timeout: .now() + 1) == .timedOut {
      let (answered, failed) = shared.report.withLock { ($0.answered, $0.failed) }
      let line = "drive: \(answered) of \(calls.count) answered, \(failed) without an answer\n"
      FileHandle.standardError.write(Data(line.utf8))
    }
    var found = shared.report.withLock { $0 }
    found.microseconds = (clock.now - begin).microseconds
    return found
  }

  /// What tasks add to.
  private final class Shared: Sendable {
    let report: Mutex<DriveReport>

    init(_ report: DriveReport) { self.report = Mutex(report) }
  }

  private func readKeys() throws -> [String: String] {
    var keys: [String: String] = [:]
    for given in keyEnv {
      let cut = given.lastIndex(of: "=")
      let name = cut.map { String(given[..<$0]) } ?? ""
      let variable = cut.map { String(given[given.index(after: $0)...]) } ?? given
      guard let key = ProcessInfo.processInfo.environment[variable], !key.isEmpty else {
        throw ValidationError("--key-env: the environment has no variable \(variable)")
      }
      guard key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
        throw ValidationError("--key-env: what \(variable) holds is no key")
      }
      keys[name] = key
    }
    return keys
  }

  /// Refuses keys of names that the plan does not have: nothing would be sent with them.
  private static func check(_ keys: [String: String], of plan: DrivePlan) throws {
    let names = Set(plan.requests.compactMap(\.key))
    guard let name = keys.keys.filter({ !$0.isEmpty && !names.contains($0) }).min() else { return }
    let shown = names.sorted().prefix(10).joined(separator: ", ")
    throw ValidationError(
      "--key-env: the plan has no key \(name); "
        + (names.isEmpty
          ? "none of its requests has one"
          : "its keys are \(shown)\(names.count > 10 ? ", …" : "")"))
  }

  /// Where to.
  private struct Target {
    var host: String
    var port: Int

    init(_ text: String) throws {
      guard let url = URLComponents(string: text), url.scheme == "http", let host = url.host,
        !host.isEmpty, url.path.isEmpty || url.path == "/", url.query == nil, url.user == nil
      else { throw ValidationError("--to: http://HOST:PORT is expected, not “\(text)”") }
      self.host = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
      port = url.port ?? 80
    }

    var isLoopback: Bool {
      if host == "localhost" { return true }
      guard let address = try? SocketAddress(ipAddress: host, port: 0) else { return false }
      switch address {
      case .v4(let it): return UInt32(bigEndian: it.address.sin_addr.s_addr) >> 24 == 127
      case .v6: return address.ipAddress == "::1"
      case .unixDomainSocket: return false
      }
    }
  }
}
