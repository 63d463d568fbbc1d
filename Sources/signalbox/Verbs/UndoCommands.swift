import ArgumentParser
import Glibc
import Surface

/// `signalbox revert`: one resource back to an earlier revision.
struct RevertCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revert",
    abstract: "Set one resource back to what it was at an earlier revision.",
    discussion: """
      Appends new events; nothing is erased. Shows first what would change, and which requests of the
      last 24 h would have been routed elsewhere. Credentials and revoked keys do not come back.

      Examples:
        signalbox history alias/fast
        signalbox revert alias/fast --to 3 --plan
        signalbox revert alias/fast --to 3 --yes
      """)

  @Argument(help: "The stream: alias/NAME, provider/ID, account/ID, key/ID, settings…")
  var stream: String

  @Option(name: .long, help: ArgumentHelp("The revision to go back to.", valueName: "revision"))
  var to: UInt64

  @Flag(name: .long, help: "Take a target that is not known any more.")
  var allowUnresolved = false

  @OptionGroup var way: WayBackOptions

  func run() async throws {
    try await way.go(
      "/api/config/revert",
      [
        .init("stream", JSONValue(stream)), .init("to", JSONValue(to)),
        .init("allowUnresolved", .bool(allowUnresolved)),
      ])
  }
}

/// `signalbox restore-config`: everything back to what it was at a moment.
struct RestoreConfigCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore-config",
    abstract: "Set the whole configuration back to what it was at a moment.",
    discussion: """
      Appends new events, as one batch; nothing is erased. Credentials, keys' secrets, passwords and
      health are no part of it: an account that was removed comes back without a credential, and a key
      that did not exist then is paused.

      Examples:
        signalbox restore-config --at -15m --plan
        signalbox restore-config --at 2026-11-20T14:00:00Z
        signalbox restore-config --at 4711 --yes
      """)

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A position (123, 2:123), an RFC 3339 time, a time ago (-15m), request:ID or event:ID.",
      valueName: "moment"))
  var at: String

  @OptionGroup var way: WayBackOptions

  func run() async throws {
    try await way.go("/api/config/restore", [.init("at", JSONValue(at))])
  }
}

/// Shown first, done then.
struct WayBackOptions: ParsableArguments {
  @Flag(name: .long, help: "Only show what would change and what that would do.")
  var plan = false

  @Flag(name: .long, help: "Do it without asking.")
  var yes = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "How long to look at the requests of the last 24 h, at most 60; 0: not at all.",
      valueName: "seconds"))
  var effectSeconds: Int64 = 5

  @OptionGroup var options: VerbOptions

  func go(_ target: String, _ members: [JSONValue.Member]) async throws {
    do {
      let administration = Administration(data: options.data)
      let telling = Task {
        // Nobody needs to be told of what is over within a second; cancelled then.
        try await Task.sleep(for: .seconds(1))
        Console.warn("signalbox: looking at the requests of the last 24 h …")
      }
      defer { telling.cancel() }
      let planned = try await send(
        administration, target,
        members + [.init("plan", true), .init("effectSeconds", JSONValue(effectSeconds))])
      telling.cancel()
      if plan || !options.json { try show(planned) }
      if plan { return }
      guard planned["changes"]?.array?.isEmpty == false else {
        if options.json { try show(planned) }
        return
      }
      guard try yes || confirmed() else {
        Console.warn("signalbox: nothing was changed")
        throw ExitStatus.failed
      }
      // What was shown is what is done: a change in between is refused.
      let done = try await send(
        administration, target, members, ifMatch: planned["revision"].map { AnswerText.cell($0) })
      if options.json {
        try show(done)
      } else {
        let place = done["position"]?.string.map { ", through \($0)" } ?? ""
        try Console.say("\(AnswerText.cell(done["events"])) events written\(place)")
      }
    } catch {
      throw Console.explain(error)
    }
  }

  private func send(
    _ administration: Administration, _ target: String, _ members: [JSONValue.Member],
    ifMatch: String? = nil
  ) async throws -> JSONValue {
    let reply = try await administration.send(
      ControlRequest(.post, target, body: .object(members), ifMatch: ifMatch))
    guard reply.status == 200 else { throw Refused(reply) }
    return try reply.json()
  }

  private func show(_ answer: JSONValue) throws {
    try Console.say(
      options.json ? String(decoding: answer.bytes, as: UTF8.self) : PlanText.wayBack(answer))
  }

  /// Asks whoever sits at the terminal.
  private func confirmed() throws -> Bool {
    guard isatty(STDIN_FILENO) == 1 else {
      throw ValidationError("There is no terminal to ask on: add --yes to do it, or --plan.")
    }
    Console.warn("signalbox: do this? Type yes:")
    return readLine() == "yes"
  }
}
