import ArgumentParser
import Foundation
import NIOCore

/// `simulator serve`.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Plays an OpenAI-shaped provider that misbehaves on command.",
    discussion: """
      Answers POST /v1/chat/completions and GET /v1/models[/{id}], and is an OAuth server under
      /oauth/{name}/ (authorize, token, device/code, revoke, userinfo, jwks,
      .well-known/openid-configuration), whose tokens the model endpoints take.
      /sync/{machine}, /{machine}/v1/verify and /health play the old whole-record sync peer.

      Tests look and steer under /_control/ on the same port:
        GET  state, requests?last=N, oauth, sync, clock
        POST scenario, reset, next, clock, release,
             oauth/next, oauth/session, oauth/approve, oauth/deny, oauth/revoke, oauth/expire,
             sync/next, sync/rules, sync/act
      Fixtures/scenarios/README.md names every field of a scenario and of a control.
      """)

  @Option(help: ArgumentHelp("Where to listen; port 0 takes any free one.", valueName: "host:port"))
  var listen = "127.0.0.1:9000"

  @Option(help: ArgumentHelp("YAML or JSON; without it every request gets a good answer."))
  var scenario: String?

  @Option(help: ArgumentHelp("Written once the port is open, with its number on one line."))
  var portFile: String?

  @Option(help: "Event loops, at least 1.")
  var threads = 2

  func run() throws {
    let address = try Address(listen)
    guard (1...64).contains(threads) else { throw ValidationError("--threads: 1…64 is expected") }
    let stage = Stage(try loadScenario())

    // Blocked before the first thread starts, so that every thread inherits the mask and the
    // signals wait for `sigwait` below.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    signal(SIGPIPE, SIG_IGN)

    let server: Server
    do {
      server = try Server.start(
        host: address.host, port: address.port, threads: threads, stage: stage)
    } catch {
      throw CleanFailure("cannot listen on \(listen): \(error)")
    }
    if let portFile { try write(port: server.port, to: portFile) }
    report("simulator listening on \(address.host):\(server.port)")

    var received: Int32 = 0
    sigwait(&signals, &received)
    try server.stop()
    report("simulator stopped")
  }

  private func loadScenario() throws -> Scenario {
    guard let scenario else { return Scenario() }
    let text: String
    do {
      text = try String(contentsOfFile: scenario, encoding: .utf8)
    } catch {
      throw CleanFailure("cannot read \(scenario): \(error.localizedDescription)")
    }
    do {
      return try ScenarioReader.scenario(text)
    } catch {
      throw CleanFailure("\(scenario): \(error)")
    }
  }

  /// Whole or not at all: a reader that polls for the file never sees half a number.
  private func write(port: Int, to path: String) throws {
    do {
      try Data("\(port)\n".utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw CleanFailure("cannot write \(path): \(error.localizedDescription)")
    }
  }

  private func report(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
  }
}

/// `host:port`, the host perhaps in brackets.
struct Address {
  var host: String
  var port: Int

  init(_ text: String) throws {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65535).contains(port)
    else { throw ValidationError("--listen: HOST:PORT is expected, not “\(text)”") }
    let host = text[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
    guard !host.isEmpty else { throw ValidationError("--listen: the host is missing") }
    self.host = host
    self.port = port
  }
}

/// A failure of the world that is told in one sentence.
struct CleanFailure: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}
