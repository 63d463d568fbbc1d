import Domain
import HTTPTypes
import Surface

/// `/v1/admin/routing/policies`: weighted accounts for an organisation's requests of a model, by API
/// Router's names.
extension AdminService {
  func listPolicies(_ call: AdminCall) throws -> AdminAnswer {
    let organisation = try call.query.text("organization_id")
    let model = try call.query.text("model")
    let state = control.state
    let policies = state.policies.values.filter { policy in
      (organisation ?? policy.id.organisation.rawValue) == policy.id.organisation.rawValue
        && (model ?? policy.id.model) == policy.id.model
    }
    return try Page(call.query).answer(
      "policies", policies,
      by: { Page.Key(.text($0.id.organisation.rawValue), .text($0.id.model)) }
    ) { Self.json($0, state) }
  }

  func getPolicy(_ call: AdminCall) throws -> AdminAnswer {
    try one(try Self.policyID(call), control.state)
  }

  /// Makes the policy what the body says, whatever it was before: what is left out is as for a new one.
  func setPolicy(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    guard let organisation = try Self.organisation(&fields) else {
      throw APIFault(.missingField, "organization_id is missing", field: "organization_id")
    }
    let id = PolicyID(organisation: organisation, model: try fields.string("model"))
    let wanted = try WantedPolicy(&fields)
    guard let backends = wanted.backends else {
      throw APIFault(.missingField, "backends is missing", field: "backends")
    }
    let outcome = try await change(call) { state in
      if call.mustExist, state.policies[id] == nil {
        throw Refusal.revisionMismatch(current: state.revision(ofStream: id.stream))
      }
      return .set(
        id, accounts: try Self.accounts(backends, state),
        failoverThreshold: wanted.failoverThreshold ?? 3, allowUnresolved: wanted.allowUnresolved)
    }
    return try one(id, outcome.state)
  }

  /// Changes the fields given of a policy that is there.
  func changePolicy(_ call: AdminCall) async throws -> AdminAnswer {
    let id = try Self.policyID(call)
    var fields = try call.fields()
    let organisation = try Self.organisation(&fields)
    let model = try fields.changedString("model")
    guard organisation ?? id.organisation == id.organisation, model ?? id.model == id.model else {
      throw fields.fault(
        model ?? id.model == id.model ? "organization_id" : "model",
        "a policy keeps its organisation and its model",
        remedy: "Set a new one with POST /v1/admin/routing/policies.")
    }
    let wanted = try WantedPolicy(&fields)
    let outcome = try await change(call) { state in
      guard let policy = state.policies[id] else { throw APIFault(.unknownPolicy) }
      return .set(
        id, accounts: try wanted.backends.map { try Self.accounts($0, state) } ?? policy.accounts,
        failoverThreshold: wanted.failoverThreshold ?? policy.failoverThreshold,
        allowUnresolved: wanted.allowUnresolved)
    }
    return try one(id, outcome.state)
  }

  func removePolicy(_ call: AdminCall) async throws -> AdminAnswer {
    let id = try Self.policyID(call)
    try await change(call) { state in
      guard state.policies[id] != nil else { throw APIFault(.unknownPolicy) }
      return .remove(id)
    }
    return .json([
      "policy_id": JSONValue(Self.shown(id)),
      "organization_id": JSONValue(id.organisation.rawValue), "model": JSONValue(id.model),
      "deleted": true,
    ])
  }

  /// One command; a refusal names fields as they stand in these bodies.
  @discardableResult
  private func change(
    _ call: AdminCall, _ command: @Sendable (ControlState) throws -> PolicyCommand
  ) async throws -> ControlPlane.Outcome {
    do {
      return try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
        [Change(.policy(try command($0)))]
      }
    } catch var refusal as Refusal {
      switch refusal.field {
      case "accounts", "weight", "number of accounts": refusal.field = "backends"
      default: break
      }
      throw refusal
    }
  }

  private static func policyID(_ call: AdminCall) throws -> PolicyID {
    PolicyID(
      organisation: OrganisationID(try call.parameter("organization_id")),
      model: try call.parameter("model"))
  }

  /// Both spellings are read; where both are there they must say the same.
  private static func organisation(_ fields: inout ObjectReader) throws -> OrganisationID? {
    let american = try fields.changedString("organization_id")
    let british = try fields.changedString("organisation_id")
    if let american, let british, american != british {
      throw fields.fault(
        "organisation_id", "organization_id and organisation_id contradict each other",
        remedy: "Send one of them.")
    }
    return (american ?? british).map { OrganisationID($0) }
  }

  private static func accounts(
    _ backends: [WantedPolicy.Backend], _ state: ControlState
  ) throws -> [PolicyAccount] {
    try backends.map { backend in
      PolicyAccount(account: try account(backend.reference, state).id, weight: backend.weight)
    }
  }

  private func one(_ id: PolicyID, _ state: ControlState) throws -> AdminAnswer {
    guard let policy = state.policies[id] else { throw APIFault(.unknownPolicy) }
    return .json(Self.json(policy, state), revision: policy.revision)
  }

  private static func shown(_ id: PolicyID) -> String { "\(id.organisation.rawValue)-\(id.model)" }

  private static func json(_ policy: Policy, _ state: ControlState) -> JSONValue {
    let accounts = policy.accounts.map(\.account)
    let degraded = accounts.filter { state.accounts[$0]?.degradation != nil }
    let removed = accounts.filter { state.accounts[$0] == nil }
    return [
      "policy_id": JSONValue(shown(policy.id)),
      "organization_id": JSONValue(policy.id.organisation.rawValue),
      "model": JSONValue(policy.id.model),
      "backends": .array(
        policy.accounts.map { share in
          [
            "backend_id": JSONValue(share.account.rawValue), "weight": JSONValue(share.weight),
          ]
        }), "failover_threshold": JSONValue(policy.failoverThreshold),
      "degraded_backends": .array(degraded.map { JSONValue($0.rawValue) }),
      "removed_backends": .array(removed.map { JSONValue($0.rawValue) }),
      "allow_unresolved": JSONValue(policy.isUnresolved),
      "created_at": JSONValue(policy.createdAt), "updated_at": JSONValue(policy.updatedAt),
      "version": JSONValue(policy.revision),
    ]
  }
}

/// The fields of a policy that a body may set.
private struct WantedPolicy: Sendable {
  struct Backend: Sendable {
    /// An account's id, or its name where only one has it.
    var reference: String
    var weight: UInt32
  }

  var backends: [Backend]?
  var failoverThreshold: UInt32?
  var allowUnresolved: Bool

  /// Reads all that is left of a body, and refuses what it does not know.
  init(_ fields: inout ObjectReader) throws {
    backends = try fields.optionalObjects("backends").map { readers in
      try readers.map { reader in
        var reader = reader
        let backend = Backend(
          reference: try reader.string("backend_id"),
          weight: UInt32(try reader.int("weight", in: 0...10_000)))
        try reader.finish()
        return backend
      }
    }
    failoverThreshold = try fields.changedInt("failover_threshold", in: 1...1000)
      .map { UInt32($0) }
    allowUnresolved = try fields.optionalBool("allow_unresolved") ?? false
    // Parts of answers: so an earlier answer can be sent as it is to go back to it.
    for name in [
      "policy_id", "degraded_backends", "removed_backends", "created_at", "updated_at", "version",
    ] {
      _ = fields.raw(name)
    }
    try fields.finish()
  }
}
