import Domain
import Surface

/// What a change of an account says about its health, field by field, in 9router's names.
struct WantedHealth: Sendable {
  private typealias Given = ObjectReader.Given

  /// How far ahead a cooldown may end, in nanoseconds: what is meant for ever is `isActive` or degradation.
  private static let cooldownMax: Int64 = 366 * 86_400 * 1_000_000_000

  private var testStatus: TestStatus?
  private var rateLimitedUntil: Given<UnixNanoseconds>
  private var lastError: Given<LastError>
  /// The error's status.
  private var errorCode: Given<Int64>
  private var expiresAt: Given<UnixNanoseconds>

  /// `lastError` as a client writes it.
  private struct LastError: Sendable {
    var code: String
    /// Whose fault it was: only a call finds that, so it may only be said again.
    var type: String?
  }

  init(_ fields: inout ObjectReader, now: UnixNanoseconds) throws {
    if let name = try fields.changedString("testStatus") {
      guard let status = TestStatus.allCases.first(where: { $0.name == name }) else {
        let names = TestStatus.allCases.map(\.name).joined(separator: ", ")
        throw fields.fault(
          "testStatus", "there is no such status", remedy: "Choose one of \(names).")
      }
      testStatus = status
    }
    rateLimitedUntil = try Self.time("rateLimitedUntil", &fields)
    if let until = rateLimitedUntil.value,
      until <= now || until.rawValue - now.rawValue > Self.cooldownMax
    {
      throw fields.fault(
        "rateLimitedUntil", "rateLimitedUntil is not a time within the next 366 days",
        remedy: "Send a time to come, or null to end the cooldown.")
    }
    lastError = try Self.error(&fields)
    errorCode = try fields.givenInt("errorCode", in: 100...599)
    expiresAt = try Self.time("expiresAt", &fields)
  }

  private static func time(
    _ name: String, _ fields: inout ObjectReader
  ) throws -> Given<UnixNanoseconds> {
    switch try fields.givenString(name) {
    case .absent: return .absent
    case .null: return .null
    case .value(let text):
      guard let time = parseRFC3339(text) else {
        throw fields.fault(
          name, "\(name) is not a time",
          remedy: "Send RFC 3339, for example 2030-01-01T00:00:00Z, or null.")
      }
      return .value(time)
    }
  }

  /// `{"code","type"}` or null; an upstream's text is nothing that is kept.
  private static func error(_ fields: inout ObjectReader) throws -> Given<LastError> {
    guard let value = fields.raw("lastError") else { return .absent }
    if value.isNull { return .null }
    guard value.members != nil else {
      throw fields.fault(
        "lastError", "lastError is \(value.typeName)",
        remedy: "Send null to clear it, or an object with a code such as status_429.")
    }
    var inner = try ObjectReader(value, path: "lastError")
    let error = LastError(
      code: try inner.string("code"), type: try inner.optionalString("type"))
    try inner.finish()
    return .value(error)
  }

  /// The commands that make it so.
  ///
  /// - Parameter expiry: what makes the credential end then.
  func changes(
    of id: AccountID, _ state: ControlState, expiry: (UnixNanoseconds) -> Change
  ) throws -> [Change] {
    var changes: [Change] = []
    if let type = lastError.value?.type {
      let last = state.health[id]?.lastError
      guard last?.code == lastError.value?.code, last?.errorClass?.name == type else {
        throw APIFault(
          .invalidField, "lastError.type is not that of the last error.", field: "lastError.type",
          remedy: "Leave it out: whose fault an error was only a call can find.")
      }
    }
    switch rateLimitedUntil {
    case .absent: break
    case .null: changes += AdminService.endingCooldown(of: id, state)
    case .value(let until):
      changes.append(
        Change(
          .health(
            .startCooldown(
              HealthEvent.CooldownStarted(
                account: id, scope: .account, rule: "operator", until: until)))))
    }
    let note = HealthEvent.Noted(
      account: id, testStatus: testStatus, error: error(after: state.health[id]?.lastError))
    if note.testStatus != nil || note.error != nil { changes.append(Change(.health(.note(note)))) }
    switch expiresAt {
    case .absent: break
    case .null: changes.append(Change(.account(.setCredentialExpiry(id, nil))))
    case .value(let time): changes.append(expiry(time))
    }
    return changes
  }

  /// Each of the two fields changes its own part of the error.
  private func error(after last: AccountHealth.LastError?) -> HealthEvent.ErrorNote? {
    var (status, code) = (last?.status, last?.code)
    switch (lastError, errorCode) {
    case (.absent, .absent): return nil
    case (.null, .absent), (.null, .null): return .cleared
    case _: break
    }
    switch lastError {
    case .absent: break
    case .null: code = nil
    case .value(let error): code = error.code
    }
    switch errorCode {
    case .absent: break
    case .null: status = nil
    case .value(let number): status = UInt16(clamping: number)
    }
    return status == nil && code == nil ? .cleared : .set(status: status, code: code)
  }
}
