import ArgumentParser
import Surface

/// Limits and budgets, as organisations and keys have them.
struct LimitFields: ParsableArguments {
  @Option(
    name: .long,
    help:
      "Requests a second. Limits are one field: those given are all there are, the others none.")
  var rps: Int?

  @Option(
    name: .long, help: "Requests that may come at once after a quiet time; without it: --rps.")
  var burst: Int?

  @Option(name: .long, help: "Requests a minute.")
  var rpm: Int?

  @Option(name: .long, help: "Tokens a minute.")
  var tpm: Int?

  @Option(name: .long, help: "Requests at the same time.")
  var concurrency: Int?

  @Flag(name: .long, help: "No limits.")
  var noLimits = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "What may be spent, as month,usd=500 or day,tokens=1000000,timezone=+01:00; may be"
        + " repeated, and makes the whole list.", valueName: "period,…"))
  var budget: [BudgetOption] = []

  @Flag(name: .long, help: "No budgets.")
  var noBudgets = false

  func write(to body: inout RequestBody) {
    var limits = RequestBody()
    limits.set("rps", rps)
    limits.set("burst", burst)
    limits.set("rpm", rpm)
    limits.set("tpm", tpm)
    limits.set("concurrency", concurrency)
    if !limits.members.isEmpty || noLimits { body.set("limits", .object(limits.members)) }
    body.set("budgets", list: budget.map(\.json), isEmptied: noBudgets)
  }
}

/// `month,usd=500,timezone=UTC`.
struct BudgetOption: ExpressibleByArgument {
  var json: JSONValue

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    var body = RequestBody()
    body.set("period", String(parts[0]))
    for part in parts.dropFirst() {
      guard let equals = part.firstIndex(of: "=") else { return nil }
      let (name, text) = (String(part[..<equals]), String(part[part.index(after: equals)...]))
      if name == "timezone" {
        body.set(name, text)
      } else {
        guard let number = JSONValue(decimal: text) else { return nil }
        body.set(name, number)
      }
    }
    json = .object(body.members)
  }
}

/// A number as it was written; what it may be is the API's to say.
struct Decimal: ExpressibleByArgument {
  var json: JSONValue

  init?(argument: String) {
    guard let number = JSONValue(decimal: argument) else { return nil }
    json = number
  }
}

extension JSONValue {
  /// nil: not a JSON number.
  init?(decimal text: String) {
    guard let value = try? JSONValue.parse(Array(text.utf8)), case .number = value else {
      return nil
    }
    self = value
  }
}
