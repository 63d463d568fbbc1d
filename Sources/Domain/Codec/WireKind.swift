/// The kinds of record this build writes and reads.
///
/// Rows are added, never edited or removed: old logs stay readable.
public enum WireKind: String, CaseIterable, Sendable {
  case providerAdded = "provider.added.v1"
  case providerChanged = "provider.changed.v1"
  case providerEnabled = "provider.enabled.v1"
  case providerDisabled = "provider.disabled.v1"
  case providerRemoved = "provider.removed.v1"
  case providerModelsDiscovered = "provider.models_discovered.v1"
  case providerHealthCheckSet = "provider.health_check_set.v1"
  case providerOAuthSet = "provider.oauth_set.v1"
  case accountAdded = "account.added.v1"
  case accountChanged = "account.changed.v1"
  case accountEnabled = "account.enabled.v1"
  case accountDisabled = "account.disabled.v1"
  case accountRemoved = "account.removed.v1"
  case accountDegraded = "account.degraded.v1"
  case accountRestored = "account.restored.v1"
  case accountCredentialSet = "account.credential_set.v1"
  case credentialIssued = "credential.issued.v1"
  case credentialIssuedV2 = "credential.issued.v2"
  case credentialRevoked = "credential.revoked.v1"
  case credentialExpirySet = "credential.expiry_set.v1"
  case credentialRefreshAttempted = "credential.refresh_attempted.v1"
  case credentialRefreshed = "credential.refreshed.v1"
  case credentialRefreshRejected = "credential.refresh_rejected.v1"
  case credentialRefreshFailed = "credential.refresh_failed.v1"
  case credentialMarkedUncertain = "credential.marked_uncertain.v1"
  case credentialReleased = "credential.released.v1"
  case credentialStaleWriteRefused = "credential.stale_write_refused.v1"
  case credentialHomeMoved = "credential.home_moved.v1"
  case credentialAncestryLearned = "credential.ancestry_learned.v1"
  case healthCooldownStarted = "health.cooldown_started.v1"
  case healthCooldownEnded = "health.cooldown_ended.v1"
  case healthTested = "health.tested.v1"
  case healthNoted = "health.noted.v1"
  case healthProbeStarted = "health.probe_started.v1"
  case healthQuirkLearned = "health.quirk_learned.v1"
  case modelEnabled = "model.enabled.v1"
  case modelDisabled = "model.disabled.v1"
  case aliasSet = "alias.set.v1"
  case aliasRemoved = "alias.removed.v1"
  case comboSet = "combo.set.v1"
  case comboRemoved = "combo.removed.v1"
  case policySet = "policy.set.v1"
  case policyRemoved = "policy.removed.v1"
  case organisationCreated = "organisation.created.v1"
  case organisationRenamed = "organisation.renamed.v1"
  case organisationLimitsSet = "organisation.limits_set.v1"
  case organisationBudgetsSet = "organisation.budgets_set.v1"
  case organisationPaused = "organisation.paused.v1"
  case organisationResumed = "organisation.resumed.v1"
  case organisationRemoved = "organisation.removed.v1"
  case keyCreated = "key.created.v1"
  case keyChanged = "key.changed.v1"
  case keyPaused = "key.paused.v1"
  case keyResumed = "key.resumed.v1"
  case keyRevoked = "key.revoked.v1"
  case keyAccessChanged = "key.access_changed.v1"
  case keyLimitsSet = "key.limits_set.v1"
  case keyBudgetsSet = "key.budgets_set.v1"
  case settingsChanged = "settings.changed.v1"
  case settingsAdminPasswordSet = "settings.admin_password_set.v1"
  case settingsTrustedProxiesSet = "settings.trusted_proxies_set.v1"
  case settingsRoutingChanged = "settings.routing_changed.v1"
  case settingsSyncChanged = "settings.sync_changed.v1"
  case settingsCloudTokenSet = "settings.cloud_token_set.v1"
  case settingsCloudTokenRemoved = "settings.cloud_token_removed.v1"
  case pricingChanged = "pricing.changed.v1"
  case accessLoginSucceeded = "access.login_succeeded.v1"
  case accessLoginRefused = "access.login_refused.v1"
  case accessSessionRevoked = "access.session_revoked.v1"
  case accessAllSessionsRevoked = "access.all_sessions_revoked.v1"
  case syncEnabled = "sync.enabled.v1"
  case syncDisabled = "sync.disabled.v1"
  case syncDisabledV2 = "sync.disabled.v2"
  case syncPushed = "sync.pushed.v1"
  case syncReceived = "sync.received.v1"
  case syncReceivedV2 = "sync.received.v2"
  case syncReconciled = "sync.reconciled.v1"
  case syncReconciledV2 = "sync.reconciled.v2"
  case syncMirrored = "sync.mirrored.v1"
  case syncCandidateKept = "sync.candidate_kept.v1"
  case syncCandidateRefused = "sync.candidate_refused.v1"
  case syncConflict = "sync.conflict.v1"
  case syncConflictV2 = "sync.conflict.v2"
  case syncFailed = "sync.failed.v1"
  case syncFailedV2 = "sync.failed.v2"
  case syncLifeBegan = "sync.life_began.v1"
  case syncForgotten = "sync.forgotten.v1"
  case syncTokenIssued = "sync.token_issued.v1"
  case syncTokenRevoked = "sync.token_revoked.v1"
  case syncTokenBound = "sync.token_bound.v1"
  case syncTokenRefused = "sync.token_refused.v1"
  case requestDispatched = "request.dispatched.v1"
  case requestDispatchedV2 = "request.dispatched.v2"
  case requestFinished = "request.finished.v1"
  case requestFinishedV2 = "request.finished.v2"
  case requestFinishedV3 = "request.finished.v3"
  case requestInterrupted = "request.interrupted.v1"
  case requestInterruptedV2 = "request.interrupted.v2"
  case requestDeliveryFailed = "request.delivery_failed.v1"
  case requestDeniedSummary = "request.denied_summary.v1"
  case gatewayStarted = "gateway.started.v1"
  case gatewayStopped = "gateway.stopped.v1"
  case gatewayTailTruncated = "gateway.tail_truncated.v1"
  case gatewayGap = "gateway.gap.v1"
  case gatewayGapOpened = "gateway.gap_opened.v1"
  case gatewayGapClosed = "gateway.gap_closed.v1"
  case gatewayLossAccepted = "gateway.loss_accepted.v1"
  case gatewayCheckpointSigned = "gateway.checkpoint_signed.v1"
  case gatewayViewRebuilt = "gateway.view_rebuilt.v1"
  case gatewayIdentified = "gateway.identified.v1"
  case gatewayRestored = "gateway.restored.v1"

  /// Every wire literal, in the order of declaration.
  public static let all: [String] = allCases.map(\.rawValue)

  /// A typical event of the kind, with every optional field present; nil if this build does not know it.
  public static func sample(_ kind: String) -> Event? { named(kind)?.sample }

  /// The row of a literal; nil if this build does not know it.
  static func named(_ literal: String) -> WireKind? { byLiteral[literal] }

  /// Decoding asks once a record; comparing the literals one by one would be most of its time.
  private static let byLiteral = [String: WireKind](
    uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })
}

extension Event {
  /// The wire literal with its version, for example `provider.added.v1`.
  public var kind: String { wireKind.rawValue }

  /// The row of the event's wire literal: the first version of its kind that can hold it.
  public var wireKind: WireKind {
    switch self {
    case .provider(.added): .providerAdded
    case .provider(.changed): .providerChanged
    case .provider(.enabled): .providerEnabled
    case .provider(.disabled): .providerDisabled
    case .provider(.removed): .providerRemoved
    case .provider(.modelsDiscovered): .providerModelsDiscovered
    case .provider(.healthCheckSet): .providerHealthCheckSet
    case .provider(.oauthSet): .providerOAuthSet
    case .account(.added): .accountAdded
    case .account(.changed): .accountChanged
    case .account(.enabled): .accountEnabled
    case .account(.disabled): .accountDisabled
    case .account(.removed): .accountRemoved
    case .account(.degraded): .accountDegraded
    case .account(.restored): .accountRestored
    case .account(.credentialSet): .accountCredentialSet
    case .credential(.issued(let it)): it.wireKind
    case .credential(.revoked): .credentialRevoked
    case .credential(.expirySet): .credentialExpirySet
    case .credential(.refreshAttempted): .credentialRefreshAttempted
    case .credential(.refreshed): .credentialRefreshed
    case .credential(.refreshRejected): .credentialRefreshRejected
    case .credential(.refreshFailed): .credentialRefreshFailed
    case .credential(.markedUncertain): .credentialMarkedUncertain
    case .credential(.released): .credentialReleased
    case .credential(.staleWriteRefused): .credentialStaleWriteRefused
    case .credential(.homeMoved): .credentialHomeMoved
    case .credential(.ancestryLearned): .credentialAncestryLearned
    case .health(.cooldownStarted): .healthCooldownStarted
    case .health(.cooldownEnded): .healthCooldownEnded
    case .health(.tested): .healthTested
    case .health(.noted): .healthNoted
    case .health(.probeStarted): .healthProbeStarted
    case .health(.quirkLearned): .healthQuirkLearned
    case .model(.enabled): .modelEnabled
    case .model(.disabled): .modelDisabled
    case .alias(.set): .aliasSet
    case .alias(.removed): .aliasRemoved
    case .combo(.set): .comboSet
    case .combo(.removed): .comboRemoved
    case .policy(.set): .policySet
    case .policy(.removed): .policyRemoved
    case .organisation(.created): .organisationCreated
    case .organisation(.renamed): .organisationRenamed
    case .organisation(.limitsSet): .organisationLimitsSet
    case .organisation(.budgetsSet): .organisationBudgetsSet
    case .organisation(.paused): .organisationPaused
    case .organisation(.resumed): .organisationResumed
    case .organisation(.removed): .organisationRemoved
    case .key(.created): .keyCreated
    case .key(.changed): .keyChanged
    case .key(.paused): .keyPaused
    case .key(.resumed): .keyResumed
    case .key(.revoked): .keyRevoked
    case .key(.accessChanged): .keyAccessChanged
    case .key(.limitsSet): .keyLimitsSet
    case .key(.budgetsSet): .keyBudgetsSet
    case .settings(.changed): .settingsChanged
    case .settings(.adminPasswordSet): .settingsAdminPasswordSet
    case .settings(.trustedProxiesSet): .settingsTrustedProxiesSet
    case .settings(.routingChanged): .settingsRoutingChanged
    case .settings(.syncChanged): .settingsSyncChanged
    case .settings(.cloudTokenSet): .settingsCloudTokenSet
    case .settings(.cloudTokenRemoved): .settingsCloudTokenRemoved
    case .pricing(.changed): .pricingChanged
    case .access(.loginSucceeded): .accessLoginSucceeded
    case .access(.loginRefused): .accessLoginRefused
    case .access(.sessionRevoked): .accessSessionRevoked
    case .access(.allSessionsRevoked): .accessAllSessionsRevoked
    case .sync(.enabled): .syncEnabled
    case .sync(.disabled(let it)): it.wireKind
    case .sync(.pushed): .syncPushed
    case .sync(.received(let it)): it.receivedKind
    case .sync(.reconciled(let it)): it.isWhole ? .syncReconciled : .syncReconciledV2
    case .sync(.mirrored): .syncMirrored
    case .sync(.candidateKept): .syncCandidateKept
    case .sync(.candidateRefused): .syncCandidateRefused
    case .sync(.conflict(let it)): it.wireKind
    case .sync(.failed(let it)): it.wireKind
    case .sync(.lifeBegan): .syncLifeBegan
    case .sync(.forgotten): .syncForgotten
    case .syncToken(.issued): .syncTokenIssued
    case .syncToken(.revoked): .syncTokenRevoked
    case .syncToken(.bound): .syncTokenBound
    case .syncToken(.refused): .syncTokenRefused
    case .request(.dispatched(let it)): it.wireKind
    case .request(.finished(let it)): it.wireKind
    case .request(.interrupted(let it)): it.wireKind
    case .request(.deliveryFailed): .requestDeliveryFailed
    case .request(.deniedSummary): .requestDeniedSummary
    case .gateway(.started): .gatewayStarted
    case .gateway(.stopped): .gatewayStopped
    case .gateway(.tailTruncated): .gatewayTailTruncated
    case .gateway(.gap): .gatewayGap
    case .gateway(.gapOpened): .gatewayGapOpened
    case .gateway(.gapClosed): .gatewayGapClosed
    case .gateway(.lossAccepted): .gatewayLossAccepted
    case .gateway(.checkpointSigned): .gatewayCheckpointSigned
    case .gateway(.viewRebuilt): .gatewayViewRebuilt
    case .gateway(.identified): .gatewayIdentified
    case .gateway(.restored): .gatewayRestored
    }
  }
}
