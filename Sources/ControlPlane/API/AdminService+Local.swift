import ConfigFile
import Domain
import EventStore
import Surface

/// What only the machine's own users may ask for, over the control socket.
extension AdminService {
  /// `/api/config/apply`: a file of the caller's, with the variables of the caller's environment.
  func applyConfiguration(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let text = try fields.string("file")
    var environment: [String: String] = [:]
    if var given = try fields.optionalObject("environment") {
      for name in try ConfigurationFile.variables(in: text) {
        if let value = try given.optionalString(name) { environment[name] = value }
      }
      try given.finish()
    }
    let overwrite = try fields.optionalBool("overwrite") ?? false
    let options = try PlanOptions(&fields)
    try fields.finish()
    let file = try ConfigurationFile.parse(text, environment: environment)
    let applied: AppliedConfiguration
    if options.isPlan {
      let state = control.state
      if let seen = call.ifMatch, seen != state.configurationRevision {
        throw Refusal.revisionMismatch(current: state.configurationRevision)
      }
      let (vault, log, now) = (control.vault, control.store.reader, edge.now())
      applied = try await effects.run {
        try ControlPlane.plan(
          file, against: state, vault: vault, log: log, overwrite: overwrite,
          effect: (now, options.effectSeconds))
      }
    } else {
      var provenance = call.provenance
      provenance.source = .file
      applied = try await control.apply(
        file, provenance: provenance, ifMatch: call.ifMatch, overwrite: overwrite)
    }
    return .json(applied.json(isPlan: options.isPlan), revision: applied.revision)
  }

  /// `/api/settings/reset-password`: for whoever owns the data directory, and has forgotten the password.
  ///
  /// Ends every session, for those are bound to the password that they were got with.
  func resetPassword(_ call: AdminCall) async throws -> AdminAnswer {
    let given = try Self.newPassword(call)
    let password = given ?? KeyText.makePassword(edge)
    let change = try await control.passwordChange(password)
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      _ in [change]
    }
    let revision = outcome.state.settings.revision
    var members = [JSONValue.Member("success", true), .init("revision", JSONValue(revision))]
    if given == nil {
      members.append(.init("password", JSONValue(String(decoding: password.bytes, as: UTF8.self))))
    }
    return .json(.object(members), revision: revision)
  }

  /// The password that the caller chose; nil: none.
  ///
  /// Apart from `resetPassword` and never inlined: its closure among the suspensions there crashes the
  /// optimiser (Swift 6.3.1, splitting the coroutine).
  @inline(never)
  private static func newPassword(_ call: AdminCall) throws -> Secret? {
    if call.body.isEmpty { return nil }
    var fields = try call.fields()
    let text = try fields.optionalString("newPassword")
    try fields.finish()
    return text.map { Secret($0) }
  }
}
