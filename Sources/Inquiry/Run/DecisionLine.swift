import Domain

/// One decision as `replay decisions` prints it: what two builds are compared by.
///
/// The forms are for ever, so that any two builds understand each other.
public struct DecisionLine: Sendable, Hashable {
  /// Of the record of the request's end.
  public var position: UInt64
  /// From 1.
  public var attempt: Int
  /// The request's id, as a UUID.
  public var request: String
  /// As the client wrote it.
  public var model: String
  /// `ACCOUNT PROVIDER/MODEL by RULE`, `refused CODE` or `unknown: WHY`.
  public var outcome: String

  /// In the log's order.
  var place: (UInt64, Int) { (position, attempt) }

  /// Without a line break.
  public var text: String {
    JSONTree.object([
      .init("at", .count(position)), .init("attempt", .count(attempt)),
      .init("request", .text(request)), .init("model", .text(model)),
      .init("outcome", .text(outcome)),
    ]).line
  }

  /// Reads a line; nil: it is none.
  init?(_ tree: JSONTree) {
    guard let position = tree["at"]?.count, let attempt = tree["attempt"]?.count,
      (1...1_000).contains(attempt), case .text(let request)? = tree["request"],
      case .text(let model)? = tree["model"], case .text(let outcome)? = tree["outcome"]
    else { return nil }
    self.init(
      position: position, attempt: Int(attempt), request: request, model: model, outcome: outcome)
  }

  init(position: UInt64, attempt: Int, request: String, model: String, outcome: String) {
    self.position = position
    self.attempt = attempt
    self.request = request
    self.model = model
    self.outcome = outcome
  }
}

/// What stands before and behind the decisions.
enum DecisionFrame {
  /// Raised when a line comes to mean something else.
  static let version: UInt64 = 1

  static func head(store: String, first: UInt64, last: UInt64) -> String {
    JSONTree.object([
      .init("replay", .text("decisions")), .init("version", .count(version)),
      .init("store", .text(store)), .init("first", .count(first)), .init("last", .count(last)),
    ]).line
  }

  static func end(_ count: UInt64) -> String {
    JSONTree.object([.init("decisions", .count(count))]).line
  }
}
