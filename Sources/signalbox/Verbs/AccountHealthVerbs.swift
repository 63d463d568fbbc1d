import ArgumentParser
import Surface

// What operators do about an account's health; the account's own fields are in `AccountsCommand`.

/// `accounts test`.
struct TestAccountVerb: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Make a real call with one account; a good one ends its cooldown.",
    discussion: "The gateway must run: the call goes the way that requests go.")

  @OptionGroup var what: Reference<AccountResource>

  @Option(name: .long, help: "By the provider's own name; without it the first offered one.")
  var model: String?

  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(
      .post, AccountResource.target(what.reference) + "/test",
      body: model.map { ["model": JSONValue($0)] })
  }

  func text(_ answer: JSONValue) -> String { AnswerText.fields(answer) }
}

/// `accounts end-cooldown`.
struct EndCooldownVerb: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "end-cooldown", abstract: "Let requests go to one account before its time.")

  @OptionGroup var what: Reference<AccountResource>
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(.post, AccountResource.target(what.reference) + "/cooldown/end")
  }

  func text(_ answer: JSONValue) -> String { AccountResource.fields(answer) }
}

/// `accounts discover`.
struct DiscoverModelsVerb: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "discover", abstract: "Ask one account which models its provider offers.",
    discussion: "The gateway must run. A list that cannot be had leaves the last good one.")

  @OptionGroup var what: Reference<AccountResource>
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(.post, AccountResource.target(what.reference) + "/models/refresh")
  }

  func text(_ answer: JSONValue) -> String { AnswerText.fields(answer) }
}

/// `accounts degrade`.
struct DegradeVerb: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "degrade",
    abstract: "Take one account out of routing until it is restored, whatever tests say.")

  @OptionGroup var what: Reference<AccountResource>

  @Option(name: .long, help: "What the next operator should know.")
  var reason: String?

  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(
      .post, backendTarget(what.reference, "degrade"),
      body: reason.map { ["reason": JSONValue($0)] }, ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { AnswerText.fields(answer) }
}

/// `accounts restore`.
struct RestoreVerb: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Put one account back into routing; where the gateway runs, test it then.")

  @OptionGroup var what: Reference<AccountResource>
  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(.post, backendTarget(what.reference, "healthy"), ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { AnswerText.fields(answer) }
}

private func backendTarget(_ reference: String, _ action: String) -> String {
  "/v1/admin/routing/backends/\(percentEncoded(reference))/\(action)"
}
