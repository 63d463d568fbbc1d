import ArgumentParser
import Surface

/// `signalbox policies`: weighted accounts for an organisation's requests of a model.
struct PoliciesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policies",
    abstract: "Which accounts serve an organisation's requests of a model, and in which shares.",
    discussion: """
      Examples:
        signalbox policies set acme gpt-4o --backend a1=80 --backend a2=20
        signalbox policies change acme gpt-4o --failover-threshold 5 --if-match 1
        signalbox policies remove acme gpt-4o
      """,
    subcommands: [
      ListVerb<PolicyResource>.self, ShowPolicy.self, SetPolicy.self, ChangePolicy.self,
      RemovePolicy.self,
    ], defaultSubcommand: ListVerb<PolicyResource>.self)
}

enum PolicyResource: AdminResource {
  static let noun = "policy"
  static let path = "/v1/admin/routing/policies"
  static let listed = "policies"
  static let columns = [
    Column("ORGANISATION", "organization_id"), Column("MODEL", "model"),
    Column("BACKENDS", "backends"), Column("DEGRADED", "degraded_backends"),
    Column("REMOVED", "removed_backends"),
    Column(">FAILOVER", "failover_threshold"), Column(">REVISION", "version"),
  ]
}

/// Which policy is meant.
struct PolicyReference: ParsableArguments {
  @Argument(help: "Whose requests.")
  var organisation: String

  @Argument(help: "Of which model, as clients write it.")
  var model: String

  func validate() throws {
    guard !organisation.isEmpty, !model.isEmpty else {
      throw ValidationError("Neither the organisation nor the model may be empty.")
    }
  }

  var target: String {
    "\(PolicyResource.path)/\(percentEncoded(organisation))/\(percentEncoded(model))"
  }
}

/// What a policy says.
struct PolicyFields: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "An account, by id or name, and its share; may be repeated, and makes the whole list.",
      valueName: "account=weight"))
  var backend: [PolicyShare] = []

  @Option(name: .long, help: "Errors in a row after which an account is passed over.")
  var failoverThreshold: Int?

  @Flag(name: .long, help: "Also if no account of it has such a model yet.")
  var allowUnresolved = false

  func write(to body: inout RequestBody) {
    body.set("backends", list: backend.map(\.json))
    body.set("failover_threshold", failoverThreshold)
    if allowUnresolved { body.set("allow_unresolved", true) }
  }
}

/// `a1=80`.
struct PolicyShare: ExpressibleByArgument {
  var json: JSONValue

  init?(argument: String) {
    guard let equals = argument.lastIndex(of: "="),
      let weight = Int(argument[argument.index(after: equals)...])
    else { return nil }
    json = ["backend_id": JSONValue(String(argument[..<equals])), "weight": JSONValue(weight)]
  }
}

/// `policies show`.
struct ShowPolicy: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show one policy; its version is what --if-match takes.")

  @OptionGroup var what: PolicyReference
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest { ControlRequest(.get, what.target) }
  func text(_ answer: JSONValue) -> String { AnswerText.fields(answer) }
}

/// `policies set`.
struct SetPolicy: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Make one policy what is given here, whatever it was before.")

  @OptionGroup var what: PolicyReference
  @OptionGroup var fields: PolicyFields
  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    var body = RequestBody()
    body.set("organization_id", what.organisation)
    body.set("model", what.model)
    fields.write(to: &body)
    return ControlRequest(
      .post, PolicyResource.path, body: .object(body.members), ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { AnswerText.fields(answer) }
}

/// `policies change`.
struct ChangePolicy: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "change", abstract: "Change the fields given of one policy; the others stay.")

  @OptionGroup var what: PolicyReference
  @OptionGroup var fields: PolicyFields
  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    var body = RequestBody()
    fields.write(to: &body)
    return ControlRequest(
      .put, what.target, body: .object(body.members), ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { AnswerText.fields(answer) }
}

/// `policies remove`.
struct RemovePolicy: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Remove one policy.")

  @OptionGroup var what: PolicyReference
  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(.delete, what.target, ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String {
    "removed \(AnswerText.cell(.string("\(what.organisation) \(what.model)")))\n"
  }
}
