import ArgumentParser
import Surface

/// A verb that is one request of the API, and a way to show the answer.
///
/// It checks nothing that the API checks: what is right, and what to say of what is not, is said there.
protocol AdminVerb: AsyncParsableCommand {
  var options: VerbOptions { get }
  /// What is asked for; throws only what is wrong with the command line itself.
  func request() throws -> ControlRequest
  /// The answer as people read it, lines with their breaks.
  func text(_ answer: JSONValue) -> String
}

extension AdminVerb {
  func run() async throws {
    do {
      try await answer(to: try request())
    } catch {
      throw Console.explain(error)
    }
  }

  /// Sends the request and shows what came back.
  private func answer(to request: ControlRequest) async throws {
    let administration = Administration(data: options.data)
    var reply = try await administration.send(request)
    if case .get = request.method {
      reply = try await administration.remaining(of: reply, request)
    }
    guard (200..<300).contains(reply.status) else {
      if options.json { try Console.say(String(decoding: reply.bytes, as: UTF8.self)) }
      throw Refused(reply)
    }
    let shown =
      options.json
      ? String(decoding: reply.bytes, as: UTF8.self) : text(try reply.json()).withoutLastBreak
    do {
      if !shown.isEmpty { try Console.say(shown) }
    } catch {
      if request.method != .get { Console.warn("signalbox: the change was made") }
      throw error
    }
  }
}

/// What every such verb takes.
struct VerbOptions: ParsableArguments {
  @OptionGroup var data: DataOptions

  @Flag(name: .long, help: "Print the API's JSON instead of a table.")
  var json = false
}

/// What every verb takes that writes.
struct WriteOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "Write only if this is still the revision; * writes only to what is there.",
      valueName: "revision"))
  var ifMatch: String?

  func validate() throws {
    guard let ifMatch, ifMatch != "*", UInt64(ifMatch) == nil else { return }
    throw ValidationError("--if-match takes a revision, as `show` prints it, or *.")
  }
}

extension Administration {
  /// Pages at most; each has up to a thousand elements.
  private static let pages = 1000

  /// A list's first page with all others behind it; any other answer as it is.
  fileprivate func remaining(
    of first: ControlReply, _ request: ControlRequest
  ) async throws -> ControlReply {
    guard first.status == 200, var next = try? first.json()["next"]?.string else { return first }
    var whole = try first.json()
    for _ in 0..<Self.pages {
      let mark = request.target.contains("?") ? "&" : "?"
      let reply = try await send(
        ControlRequest(.get, "\(request.target)\(mark)after=\(next)"))
      guard reply.status == 200 else { return reply }
      let page = try reply.json()
      whole = whole.followed(by: page)
      guard let more = page["next"]?.string else { break }
      next = more
    }
    return ControlReply(status: 200, bytes: whole.bytes)
  }
}

extension JSONValue {
  /// One page and the next: lists and maps put together, all else of the later one.
  func followed(by page: JSONValue) -> JSONValue {
    guard let members, let more = page.members else { return page }
    var whole: [Member] = []
    for member in members where member.name != "next" {
      switch (member.value, page[member.name]) {
      case (.array(let first), .array(let second)?):
        whole.append(Member(member.name, .array(first + second)))
      case (.object(let first), .object(let second)?):
        whole.append(Member(member.name, .object(first + second)))
      case (let first, let second): whole.append(Member(member.name, second ?? first))
      }
    }
    return .object(whole + more.filter { self[$0.name] == nil || $0.name == "next" })
  }
}

extension String {
  fileprivate var withoutLastBreak: String { hasSuffix("\n") ? String(dropLast()) : self }
}
