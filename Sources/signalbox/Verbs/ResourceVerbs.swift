import ArgumentParser
import Surface

// The verbs that every resource has in the same manner; a resource lists those that its API has.

/// `list`.
struct ListVerb<Resource: AdminResource>: AdminVerb {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "list", abstract: "List every \(Resource.noun).")
  }

  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest { ControlRequest(.get, Resource.path) }

  func text(_ answer: JSONValue) -> String {
    let elements = Resource.elements(answer)
    return elements.isEmpty
      ? "there is no \(Resource.noun)\n" : AnswerText.table(elements, Resource.columns)
  }
}

/// `show`.
struct ShowVerb<Resource: AdminResource>: AdminVerb {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "show",
      abstract: "Show one \(Resource.noun), with the revision that --if-match takes.")
  }

  @OptionGroup var what: Reference<Resource>
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest { ControlRequest(.get, Resource.target(what.reference)) }
  func text(_ answer: JSONValue) -> String { Resource.fields(answer) }
}

/// `remove`.
struct RemoveVerb<Resource: AdminResource>: AdminVerb {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "remove", abstract: "Remove one \(Resource.noun).")
  }

  @OptionGroup var what: Reference<Resource>
  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(.delete, Resource.target(what.reference), ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String {
    "removed \(AnswerText.cell(.string(what.reference)))\n"
  }
}

/// `add` and its like: a new one, by `POST` to the list.
struct AddVerb<Fields: NewFields>: AdminVerb {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: Fields.verb, abstract: Fields.abstract, discussion: Fields.discussion)
  }

  @OptionGroup var fields: Fields
  @OptionGroup var options: VerbOptions

  func request() throws -> ControlRequest {
    ControlRequest(.post, Fields.Resource.path, body: try RequestBody.made(fields))
  }

  func text(_ answer: JSONValue) -> String {
    guard let member = Fields.shownOnce, case .string(let secret)? = answer[member] else {
      return Fields.Resource.fields(answer)
    }
    let rest = (answer.members ?? []).filter { $0.name != member }
    return "\(member) (shown once): \(AnswerText.cell(.string(secret)))\n"
      + AnswerText.fields(.object(rest))
  }
}

/// `change`: the fields given, by `PUT`.
struct ChangeVerb<Fields: ChangedFields>: AdminVerb {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "change",
      abstract: "Change the fields given of one \(Fields.Resource.noun); the others stay.",
      discussion: Fields.discussion)
  }

  @OptionGroup var what: Reference<Fields.Resource>
  @OptionGroup var fields: Fields
  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() throws -> ControlRequest {
    ControlRequest(
      .put, Fields.Resource.target(what.reference), body: try RequestBody.made(fields),
      ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { Fields.Resource.fields(answer) }
}

/// `enable`, `disable` and their like: one truth value of one resource.
struct SwitchVerb<Resource: AdminResource, Position: SwitchPosition>: AdminVerb {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: Position.verb, abstract: "\(Position.abstract) one \(Resource.noun).")
  }

  @OptionGroup var what: Reference<Resource>
  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(
      .put, Resource.target(what.reference), body: ["isActive": .bool(Position.isActive)],
      ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { Resource.fields(answer) }
}

/// Which one is meant.
struct Reference<Resource: AdminResource>: ParsableArguments {
  @Argument(help: ArgumentHelp(stringLiteral: "The \(Resource.noun)'s \(Resource.reference)."))
  var reference: String

  func validate() throws {
    guard !reference.isEmpty else {
      throw ValidationError("The \(Resource.noun)'s \(Resource.reference) must not be empty.")
    }
  }
}

extension AdminResource {
  /// One of them, a line for each field.
  static func fields(_ answer: JSONValue) -> String {
    AnswerText.fields(single.flatMap { answer[$0] } ?? answer)
  }
}

// MARK: Fields

/// Options of the command line that become fields of a request's body.
protocol FieldOptions: ParsableArguments {
  associatedtype Resource: AdminResource
  static var discussion: String { get }
  func write(to body: inout RequestBody) throws
}

extension FieldOptions {
  static var discussion: String { "" }
}

/// The fields of a new one.
protocol NewFields: FieldOptions {
  static var verb: String { get }
  static var abstract: String { get }
  /// The member of the answer that is in no other answer; nil: none.
  static var shownOnce: String? { get }
}

extension NewFields {
  static var verb: String { "add" }
  static var abstract: String { "Add one \(Resource.noun)." }
  static var shownOnce: String? { nil }
}

/// The fields of one that is there already.
protocol ChangedFields: FieldOptions {}

/// A body in the making: what was not given is not in it.
struct RequestBody {
  private(set) var members: [JSONValue.Member] = []

  static func made(_ fields: some FieldOptions) throws -> JSONValue {
    var body = RequestBody()
    try fields.write(to: &body)
    return .object(body.members)
  }

  mutating func set(_ name: String, _ value: JSONValue?) {
    if let value { members.append(JSONValue.Member(name, value)) }
  }

  mutating func set(_ name: String, _ text: String?) { set(name, text.map { JSONValue($0) }) }
  mutating func set(_ name: String, _ number: Int?) { set(name, number.map { JSONValue($0) }) }
  mutating func set(_ name: String, _ truth: Bool?) { set(name, truth.map { .bool($0) }) }

  /// A repeated option; none given leaves the field out, `isEmptied` makes it an empty list.
  mutating func set(_ name: String, list: [JSONValue], isEmptied: Bool = false) {
    if !list.isEmpty || isEmptied { set(name, .array(list)) }
  }
}

// MARK: Positions

/// Where a switch is put.
protocol SwitchPosition {
  static var verb: String { get }
  static var abstract: String { get }
  static var isActive: Bool { get }
}

enum Enabled: SwitchPosition {
  static let verb = "enable"
  static let abstract = "Use again"
  static let isActive = true
}

enum Disabled: SwitchPosition {
  static let verb = "disable"
  static let abstract = "Keep, and use no more,"
  static let isActive = false
}

enum Paused: SwitchPosition {
  static let verb = "pause"
  static let abstract = "Refuse, until resumed,"
  static let isActive = false
}

enum Resumed: SwitchPosition {
  static let verb = "resume"
  static let abstract = "Accept again"
  static let isActive = true
}
