import Domain
import Surface

/// The parameters of a query, each of which the route's contract names and none of which is there twice.
struct Query: Sendable {
  /// The most parameters that are looked at.
  static let maximumCount = 64

  private var values: [String: String] = [:]

  /// A query without parameters.
  init() {}

  /// Reads `?a=b&c` of a request's target.
  ///
  /// - Parameter contract: which parameters mean something here, and what they may be; nil: nothing is
  ///   refused, and of a repeated one the first counts.
  init(target: String, _ contract: Contract?) throws {
    let text = target.firstIndex(of: "?").map { target[target.index(after: $0)...] } ?? ""
    let pairs = text.split(separator: "&")
    guard pairs.count <= Self.maximumCount else {
      throw APIFault(
        .unsupportedParameter,
        "The query has \(pairs.count) parameters; at most \(Self.maximumCount) are read.")
    }
    for pair in pairs {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = String(parts[0]).percentDecoded(plusIsSpace: true),
        let value = String(parts.count > 1 ? parts[1] : "").percentDecoded(plusIsSpace: true)
      else {
        throw APIFault(
          .malformedRequest, "The query has a percent-escape that is broken or not UTF-8.")
      }
      if let contract { try Self.check(name, value, contract) }
      if values[name] != nil {
        if contract == nil { continue }
        throw APIFault(
          .duplicateField, "The query has \(name) twice.", field: name,
          remedy: "Send the parameter once.")
      }
      values[name] = value
    }
    if let missing = contract?.query.first(where: { $0.isRequired && values[$0.name] == nil }) {
      throw APIFault(
        .missingField, "The query has no \(missing.name).", field: missing.name,
        remedy: "Add ?\(missing.name)=<value>.")
    }
  }

  /// The parameter as text; nil if it is not there.
  subscript(_ name: String) -> String? { values[name] }

  /// Text that must not be empty or hold control characters; nil if it is not there.
  func text(_ name: String, atMost bytes: Int = 512) throws -> String? {
    guard let value = values[name] else { return nil }
    let isFit =
      (1...bytes).contains(value.utf8.count)
      && value.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
    guard isFit else {
      throw Self.invalid(name, value, "is not 1 to \(bytes) bytes without control characters")
    }
    return value
  }

  /// `true` or `false`; nil if it is not there.
  func bool(_ name: String) throws -> Bool? {
    switch values[name] {
    case nil: return nil
    case "true": return true
    case "false": return false
    case let value?: throw Self.invalid(name, value, "is neither true nor false")
    }
  }

  /// An integer in `range`; nil if it is not there.
  func int(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let value = values[name] else { return nil }
    guard value.utf8.count <= 20, value.utf8.first != UInt8(ascii: "+"), let number = Int(value),
      range.contains(number)
    else {
      throw Self.invalid(
        name, value, "is not a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// One of `words`; nil if it is not there.
  func choice(_ name: String, of words: [String]) throws -> String? {
    guard let value = values[name] else { return nil }
    guard words.contains(value) else {
      throw Self.invalid(name, value, "is none of \(words.joined(separator: ", "))")
    }
    return value
  }

  private static func invalid(_ name: String, _ value: String, _ what: String) -> APIFault {
    APIFault(
      .invalidField, "The parameter \(name) \(what).", field: name,
      details: [.init("value", JSONValue(Refusal.bounded(value)))])
  }

  /// Refuses what the contract does not name or let in.
  private static func check(_ name: String, _ value: String, _ contract: Contract) throws {
    guard let parameter = contract.query.first(where: { $0.name == name }) else {
      throw unknown(name, contract.query.map(\.name))
    }
    if let fault = parameter.schema.fault(inText: value) { throw invalid(name, value, fault) }
  }

  private static func unknown(_ name: String, _ known: [String]) -> APIFault {
    let shown = Refusal.bounded(name)
    let remedy =
      known.isEmpty
      ? "Leave it out: no parameter is expected here."
      : "Known parameters: \(known.joined(separator: ", "))."
    return APIFault(
      .unsupportedParameter, "The query has a parameter that means nothing here.", field: shown,
      remedy: remedy)
  }
}
