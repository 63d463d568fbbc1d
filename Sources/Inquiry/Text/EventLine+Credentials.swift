import Domain

extension EventLine {
  static func credential(_ event: CredentialEvent, _ state: ControlState) -> String {
    let title = "credential of \(name(event.account, state))"
    switch event {
    case .issued(let it):
      var text =
        "\(title) issued: generation \(it.generation), fingerprint "
        + Shown.fingerprint(it.fingerprint)
      guard it.wireKind == .credentialIssuedV2 else { return text }
      text += ", \(it.kind.name)" + (it.canRefresh ? " with refresh token" : "")
      if let home = it.home { text += ", home \(Shown.text(home.rawValue))" }
      if it.homeEpoch > 0 { text += ", home epoch \(it.homeEpoch)" }
      return text + (it.expiresAt.map { ", expires \(rfc3339($0))" } ?? "")
    case .revoked: return "\(title) revoked"
    case .expirySet(let it):
      return "\(title), generation \(it.generation), "
        + (it.expiresAt.map { "expires \(rfc3339($0))" } ?? "has no known end")
    case .refreshAttempted(let it):
      return "\(title): refresh \(it.attempt) begins, presenting generation \(it.generation) "
        + "(\(it.cause.name))"
    case .refreshed(let it):
      return "\(title) refreshed: generation \(it.from) → \(it.generation), fingerprint "
        + Shown.fingerprint(it.fingerprint)
        + (it.expiresAt.map { ", expires \(rfc3339($0))" } ?? ", end not told")
        + ", by refresh \(it.attempt)"
    case .refreshRejected(let it):
      return "\(title): refresh \(it.attempt) refused (\(Shown.text(it.code))): generation "
        + "\(it.generation) is used until it ends, then somebody has to sign in again"
    case .refreshFailed(let it):
      return "\(title): refresh \(it.attempt) failed (\(Shown.text(it.code)))"
        + (it.outcomeUnknown ? ", the provider may have taken the refresh token" : "")
        + ", not again before \(rfc3339(it.retryAt))"
    case .markedUncertain(let it):
      return "\(title), generation \(it.generation), is uncertain: "
        + why(it.reason) + (it.attempt.map { " (refresh \($0))" } ?? "")
    case .released(let it):
      return "\(title), generation \(it.generation), may be refreshed again"
    case .staleWriteRefused(let it):
      let what =
        it.fingerprint.map { "generation \(it.generation), fingerprint \(Shown.fingerprint($0))," }
        ?? "an outcome for generation \(it.generation)"
      return "\(title): \(what) from \(Shown.text(it.source)) not taken: " + why(it.rule)
    case .homeMoved(let it):
      return "\(title): only node \(Shown.text(it.home.rawValue)) refreshes it, home epoch "
        + "\(it.homeEpoch)"
    case .ancestryLearned(let it):
      let made = it.ancestry.made.count
      return "\(title), generation \(it.generation), stands on secrets of "
        + Shown.count(made, "author")
        + (it.ancestry.beaten.isEmpty
          ? "" : "; \(Shown.count(it.ancestry.beaten.count, "author"))'s gave way to it")
    }
  }

  private static func why(_ reason: Credential.Uncertainty.Reason) -> String {
    switch reason {
    case .unfinished: "the gateway ended before it knew how a refresh ended"
    case .answerLost: "a refresh got no answer that tells"
    case .restored: "the data directory is a copy or a backup"
    }
  }

  private static func why(_ rule: CredentialEvent.StaleWriteRefused.Rule) -> String {
    switch rule {
    case .older: "a newer one is in force"
    case .conflict: "the same generation has another secret here"
    }
  }
}
