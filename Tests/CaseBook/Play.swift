internal import Domain
internal import Surface

/// Something that cannot be played; what it is, as one sentence.
struct PlayFault: Error, CustomStringConvertible {
  var description: String
}

/// One step of a case: when, who, what.
struct Step {
  /// Of the day, in seconds.
  var second: Int64
  var host: String
  var verb: String
  var words: [JSONValue]

  init(_ row: JSONValue) throws {
    guard let cells = row.array, cells.count >= 3, let time = cells[0].string,
      let host = cells[1].string, let verb = cells[2].string
    else { throw PlayFault(description: "a step is [time, host, verb, …], not \(row)") }
    let parts = time.split(separator: ":").compactMap { Int64($0) }
    guard parts.count == 3 else { throw PlayFault(description: "\(time) is no time of a day") }
    second = (parts[0] * 60 + parts[1]) * 60 + parts[2]
    (self.host, self.verb, words) = (host, verb, Array(cells.dropFirst(3)))
  }

  /// The word at a place.
  func text(_ index: Int) throws -> String {
    guard let text = words.indices.contains(index) ? words[index].string : nil else {
      throw PlayFault(description: "\(verb) needs a name as its word \(index + 1)")
    }
    return text
  }

  func number(_ index: Int) throws -> Int64 {
    guard let number = words.indices.contains(index) ? words[index].int : nil else {
      throw PlayFault(description: "\(verb) needs a number as its word \(index + 1)")
    }
    return number
  }

  /// What stands behind the names.
  var fields: [JSONValue.Member] { words.last?.members ?? [] }
}

/// Under which a case's older gateways differ from others.
struct Quirks {
  /// Pushed records have no time.
  var omitsUpdatedAt = false
  /// A refusal is stored as no refresh token.
  var refusedIsNull = false
}

/// A host that plays its part of the steps and writes a log.
protocol Host: AnyObject {
  var log: HostLog { get }
  /// How far its clock is ahead, in seconds.
  var skew: Int64 { get set }
  func take(_ step: Step, _ play: Play) throws
}

/// One case under one rule: three hosts, a provider, and the time.
final class Play {
  let rule: MergeRule
  let quirks: Quirks
  var provider = Provider()
  private(set) var now: Int64 = 0
  private(set) var exchange: UInt128 = 0
  private var hosts: [String: any Host] = [:]
  /// What was refused and so is in no log.
  private(set) var refusals: [String] = []

  /// The case book's, which begins at 2026-11-20T00:00:00Z: in seconds since 1970.
  private static let day: Int64 = 1_795_132_800
  /// L and M are gateways, W is the worker in the cloud.
  static let names = ["L", "M", "W"]

  /// - Parameter directory: gets a log for each host.
  init(_ rule: MergeRule, _ quirks: Quirks, in directory: String) throws {
    (self.rule, self.quirks) = (rule, quirks)
    for (number, name) in Play.names.enumerated() {
      let log = try HostLog("\(directory)/\(name)", number: UInt128(number + 1))
      try log.append(
        [(.gateway(.identified(.init(node: NodeID(name), incarnation: 1))), .system)],
        at: Play.moment(0))
      hosts[name] =
        switch rule {
        case .fieldByField: try OurHost(name, log)
        case .wholeRecordLastWriterWins: OldHost(name, log, isWorker: name == "W")
        }
    }
  }

  static func moment(_ second: Int64) -> UnixNanoseconds {
    UnixNanoseconds((day + second) * 1_000_000_000)
  }

  func host<H: Host>(_ name: String) throws -> H {
    guard let host = hosts[name] as? H else {
      throw PlayFault(description: "there is no host \(name)")
    }
    return host
  }

  func beginExchange() -> UInt128 {
    exchange += 1
    return exchange
  }

  func refuse(_ host: String, _ step: Step, _ why: String) {
    refusals.append("\(host) \(step.verb): \(why)")
  }

  func take(_ step: Step) throws {
    now = step.second
    switch step.host {
    case "P":
      guard step.verb == "expire" else {
        throw PlayFault(description: "the provider does not \(step.verb)")
      }
      provider.expire(try step.text(0), now: now)
    case "clock":
      guard let host = hosts[step.verb] else {
        throw PlayFault(description: "there is no clock of \(step.verb)")
      }
      host.skew = try step.number(0)
    case _:
      guard let host = hosts[step.host] else {
        throw PlayFault(description: "there is no host \(step.host)")
      }
      try host.take(step, self)
    }
  }

  func end() throws {
    for name in Play.names { try hosts[name]?.log.close() }
  }
}
