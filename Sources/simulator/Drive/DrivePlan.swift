import Foundation

/// The load of a window, as `replay run --plan` writes it: docs/replay.md has the form.
struct DrivePlan: Sendable {
  /// One request to be sent.
  struct Request: Sendable {
    /// After the plan's beginning.
    var microseconds: Int64
    /// The name of the client's key then; nil: it had none.
    var key: String?
    var operation: String
    var model: String
    var isStream: Bool
    var outputTokens: Int64?
    var requestBytes: Int64
    /// What its client got.
    var status: Int64
  }

  /// In the order of their times, as written where those are equal.
  var requests: [Request] = []

  /// Bytes of a plan, and of a line of it.
  private static let (bytesMax, lineMax) = (1 << 30, 1 << 20)
  private static let requestsMax = 2_000_000

  /// - Throws: `CleanFailure` naming the line, the member and what is expected.
  init(path: String) throws {
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    } catch {
      throw CleanFailure("cannot read \(path): \(error.localizedDescription)")
    }
    guard data.count <= Self.bytesMax else {
      throw CleanFailure("\(path): a plan has at most \(Self.bytesMax) bytes; take a smaller range")
    }
    var number = 0
    var end: Int64?
    for line in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      if line.isEmpty, end != nil || line.endIndex == data.endIndex { continue }
      do {
        guard end == nil else { throw CleanFailure("nothing is expected behind the end") }
        guard line.count <= Self.lineMax else { throw CleanFailure("the line is too long") }
        guard let value = JSONValue(String(decoding: line, as: UTF8.self)), let it = value.object
        else { throw CleanFailure("a JSON object is expected") }
        if number == 1 {
          try Self.checkHead(it)
        } else if it["at"] == nil, it["requests"] != nil {
          end = try Self.number(it, "requests", 0...Int64(Self.requestsMax))
        } else {
          requests.append(try Self.request(it))
          guard requests.count <= Self.requestsMax else {
            throw CleanFailure("a plan has at most \(Self.requestsMax) requests")
          }
        }
      } catch let failure as CleanFailure {
        throw CleanFailure("\(path), line \(number): \(failure)")
      }
    }
    guard let end, end == requests.count else {
      throw CleanFailure(
        "\(path): the plan is cut off: it has \(requests.count) requests"
          + (end.map { ", and says \($0)" } ?? " and no end") + "; write it again")
    }
    // Where times are equal the order is the plan's.
    requests = requests.enumerated().sorted {
      ($0.element.microseconds, $0.offset) < ($1.element.microseconds, $1.offset)
    }.map(\.element)
  }

  private static func checkHead(_ it: [String: JSONValue]) throws {
    guard it["plan"]?.string == "signalbox" else {
      throw CleanFailure("plan: \"signalbox\" is expected; `replay run --plan` writes plans")
    }
    guard it["version"] == .integer(1) else {
      throw CleanFailure(
        "version: 1 is expected, not \(it["version"]?.text ?? "nothing"); use the simulator of that build"
      )
    }
  }

  private static func request(_ it: [String: JSONValue]) throws -> Request {
    guard case .boolean(let isStream)? = it["stream"] else {
      throw CleanFailure("stream: true or false is expected")
    }
    return Request(
      microseconds: try number(it, "at", 0...(1 << 50)), key: it["key"]?.string,
      operation: try text(it, "operation"), model: try text(it, "model"), isStream: isStream,
      outputTokens: it["outputTokens"] == .null
        ? nil : try number(it, "outputTokens", 0...Int64.max),
      requestBytes: try number(it, "requestBytes", 0...Int64.max),
      status: try number(it, "status", 0...999))
  }

  private static func text(_ it: [String: JSONValue], _ name: String) throws -> String {
    guard let text = it[name]?.string else { throw CleanFailure("\(name): a text is expected") }
    return text
  }

  private static func number(
    _ it: [String: JSONValue], _ name: String, _ range: ClosedRange<Int64>
  ) throws -> Int64 {
    guard case .integer(let value)? = it[name], range.contains(value) else {
      throw CleanFailure(
        "\(name): a whole number from \(range.lowerBound) to \(range.upperBound) is expected")
    }
    return value
  }
}
