/// What the simulated provider offers and how it behaves, as one YAML or JSON document says.
struct Scenario: Sendable, Equatable {
  /// Of the dice behind every `probability`.
  var seed: UInt64 = 1
  /// How many requests are kept for `/_control/requests`; at most 64 MiB of bodies whatever it says.
  var keepRequests = 64
  var behaviour = Behaviour()
  /// Of `GET /v1/models`.
  var modelList = Behaviour()
  var models: [Model] = [Model(name: "gpt-4o-mini"), Model(name: "gpt-4o")]
  /// Empty: any key is good (unless `oauth` is strict), and requests count under the account `any`.
  var accounts: [Account] = []
  var oauth = OAuthScenario()
  var sync = PeerScenario()

  /// A model that is offered; others answer 404.
  struct Model: Sendable, Equatable {
    var name: String
    var behaviour = Behaviour()
  }

  /// A key that is good.
  struct Account: Sendable, Equatable {
    var name: String
    var key: String
    var behaviour = Behaviour()
    /// One step after the other, by the account's own request count.
    var sequence: [Step] = []
    /// After the last step the first comes again; otherwise the account's own behaviour follows.
    var repeats = false
  }

  /// Part of a sequence: a behaviour for the next `times` requests.
  struct Step: Sendable, Equatable {
    var times = 1
    var behaviour: Behaviour
  }
}

extension Scenario.Account {
  /// The sequence's behaviour for the account's request number `ordinal`, counted from 0.
  func step(at ordinal: Int) -> Behaviour? {
    let length = sequence.reduce(0) { $0 + $1.times }
    guard length > 0, repeats || ordinal < length else { return nil }
    var rest = ordinal % length
    for step in sequence {
      if rest < step.times { return step.behaviour }
      rest -= step.times
    }
    return nil
  }
}

/// A failure or a behaviour for the next `times` requests that match, ahead of everything else.
struct QueuedBehaviour: Sendable, Equatable {
  /// nil: any account.
  var account: String?
  /// nil: any model.
  var model: String?
  var times = 1
  var behaviour: Behaviour
}
