/// The payload of a record: provenance, then the event's fields.
///
/// Varints, raw ids and length-prefixed texts; no field names. One value has exactly one encoding.
public func encode(_ event: Event, _ provenance: Provenance) -> [UInt8] {
  var writer = RecordWriter()
  provenance.write(to: &writer)
  event.write(to: &writer)
  return writer.bytes
}

extension RequestEvent.Finished {
  /// Appends the whole payload (the gateway's own provenance, then these fields) to `buffer`.
  ///
  /// The same bytes as `encode(.request(.finished(self)), .system)`, without intermediate arrays.
  public func encode(into buffer: inout [UInt8]) {
    var writer = RecordWriter(taking: &buffer)
    Provenance.writeSystem(to: &writer)
    write(to: &writer)
    writer.give(back: &buffer)
  }
}

extension Recorded {
  /// Decodes a record's payload: any bytes give a record or a failure, never a trap.
  ///
  /// A kind that this build does not know is kept as `.unknown`; its provenance is read all the same.
  public init(
    position: UInt64, time: UnixNanoseconds, kind: String, bytes: ArraySlice<UInt8>
  ) throws(DecodingFailure) {
    var reader = RecordReader(bytes, kind: kind)
    let provenance = try Provenance(from: &reader)
    let content: Content
    if let wireKind = WireKind.named(kind) {
      content = .event(try Event(wireKind, from: &reader))
      try reader.end()
    } else {
      content = .unknown(bytes: [UInt8](bytes))
    }
    self.init(
      position: position, time: time, kind: kind, provenance: provenance, content: content)
  }

  /// Decodes a record's payload, as the initialiser for slices does.
  public init(
    position: UInt64, time: UnixNanoseconds, kind: String, bytes: [UInt8]
  ) throws(DecodingFailure) {
    try self.init(position: position, time: time, kind: kind, bytes: bytes[...])
  }
}

extension Event {
  func write(to writer: inout RecordWriter) {
    switch self {
    case .provider(.added(let it)): it.write(to: &writer)
    case .provider(.changed(let it)): it.write(to: &writer)
    case .provider(.enabled(let id)): id.write(to: &writer)
    case .provider(.disabled(let id)): id.write(to: &writer)
    case .provider(.removed(let id)): id.write(to: &writer)
    case .account(.added(let it)): it.write(to: &writer)
    case .account(.changed(let it)): it.write(to: &writer)
    case .account(.enabled(let id)): id.write(to: &writer)
    case .account(.disabled(let id)): id.write(to: &writer)
    case .account(.removed(let id)): id.write(to: &writer)
    case .credential(.issued(let it)): it.write(to: &writer)
    case .credential(.revoked(let id)): id.write(to: &writer)
    case .credential(.refreshAttempted(let it)): it.write(to: &writer)
    case .credential(.refreshed(let it)): it.write(to: &writer)
    case .credential(.refreshRejected(let it)): it.write(to: &writer)
    case .credential(.refreshFailed(let it)): it.write(to: &writer)
    case .credential(.markedUncertain(let it)): it.write(to: &writer)
    case .credential(.released(let it)): it.write(to: &writer)
    case .credential(.staleWriteRefused(let it)): it.write(to: &writer)
    case .credential(.homeMoved(let it)): it.write(to: &writer)
    case .credential(.ancestryLearned(let it)): it.write(to: &writer)
    case .provider(.oauthSet(let it)): it.write(to: &writer)
    case .gateway(.identified(let it)): it.write(to: &writer)
    case .gateway(.restored(let it)): it.write(to: &writer)
    case .alias(.set(let it)): it.write(to: &writer)
    case .alias(.removed(let name)): name.write(to: &writer)
    case .key(.created(let it)): it.write(to: &writer)
    case .key(.changed(let it)): it.write(to: &writer)
    case .key(.paused(let id)): id.write(to: &writer)
    case .key(.resumed(let id)): id.write(to: &writer)
    case .key(.revoked(let id)): id.write(to: &writer)
    case .settings(.changed(let it)): it.write(to: &writer)
    case .settings(.adminPasswordSet): break
    case .provider(.modelsDiscovered(let it)): it.write(to: &writer)
    case .provider(.healthCheckSet(let it)): it.write(to: &writer)
    case .account(.degraded(let it)): it.write(to: &writer)
    case .account(.restored(let id)): id.write(to: &writer)
    case .account(.credentialSet(let it)): it.write(to: &writer)
    case .credential(.expirySet(let it)): it.write(to: &writer)
    case .health(.cooldownStarted(let it)): it.write(to: &writer)
    case .health(.cooldownEnded(let it)): it.write(to: &writer)
    case .health(.tested(let it)): it.write(to: &writer)
    case .health(.noted(let it)): it.write(to: &writer)
    case .health(.probeStarted(let it)): it.write(to: &writer)
    case .health(.quirkLearned(let it)): it.write(to: &writer)
    case .model(.enabled(let id)): id.write(to: &writer)
    case .model(.disabled(let id)): id.write(to: &writer)
    case .combo(.set(let it)): it.write(to: &writer)
    case .combo(.removed(let name)): name.write(to: &writer)
    case .policy(.set(let it)): it.write(to: &writer)
    case .policy(.removed(let id)): id.write(to: &writer)
    case .organisation(.created(let it)): it.write(to: &writer)
    case .organisation(.renamed(let it)): it.write(to: &writer)
    case .organisation(.limitsSet(let it)): it.write(to: &writer)
    case .organisation(.budgetsSet(let it)): it.write(to: &writer)
    case .organisation(.paused(let id)): id.write(to: &writer)
    case .organisation(.resumed(let id)): id.write(to: &writer)
    case .organisation(.removed(let id)): id.write(to: &writer)
    case .key(.accessChanged(let it)): it.write(to: &writer)
    case .key(.limitsSet(let it)): it.write(to: &writer)
    case .key(.budgetsSet(let it)): it.write(to: &writer)
    case .settings(.trustedProxiesSet(let it)): it.write(to: &writer)
    case .settings(.routingChanged(let it)): it.write(to: &writer)
    case .settings(.syncChanged(let it)): it.write(to: &writer)
    case .settings(.cloudTokenSet(let it)): writer.fingerprint(it)
    case .settings(.cloudTokenRemoved): break
    case .pricing(.changed(let it)): it.write(to: &writer)
    case .access(.loginSucceeded(let it)): it.write(to: &writer)
    case .access(.loginRefused(let it)): it.write(to: &writer)
    case .access(.sessionRevoked(let it)): it.write(to: &writer)
    case .access(.allSessionsRevoked): break
    case .sync(.enabled(let it)): it.write(to: &writer)
    case .sync(.disabled(let it)): it.write(to: &writer)
    case .sync(.pushed(let it)): it.writePushed(to: &writer)
    case .sync(.received(let it)): it.writeReceived(to: &writer)
    case .sync(.reconciled(let it)): it.write(to: &writer)
    case .sync(.mirrored(let it)): it.write(to: &writer)
    case .sync(.candidateKept(let it)): it.write(to: &writer)
    case .sync(.candidateRefused(let it)): it.write(to: &writer)
    case .sync(.conflict(let it)): it.write(to: &writer)
    case .sync(.failed(let it)): it.write(to: &writer)
    case .sync(.lifeBegan(let it)): it.write(to: &writer)
    case .sync(.forgotten(let it)): it.write(to: &writer)
    case .syncToken(.issued(let it)): it.write(to: &writer)
    case .syncToken(.revoked(let id)): id.write(to: &writer)
    case .syncToken(.bound(let it)): it.write(to: &writer)
    case .syncToken(.refused(let it)): it.write(to: &writer)
    case .request(.dispatched(let it)): it.write(to: &writer)
    case .request(.finished(let it)): it.write(to: &writer)
    case .request(.interrupted(let it)): it.write(to: &writer)
    case .request(.deliveryFailed(let it)): it.write(to: &writer)
    case .request(.deniedSummary(let it)): it.write(to: &writer)
    case .gateway(.started(let it)): it.write(to: &writer)
    case .gateway(.stopped(let it)): it.write(to: &writer)
    case .gateway(.tailTruncated(let it)): it.write(to: &writer)
    case .gateway(.gap(let it)): it.write(to: &writer)
    case .gateway(.gapOpened(let it)): it.write(to: &writer)
    case .gateway(.gapClosed(let it)): it.write(to: &writer)
    case .gateway(.lossAccepted(let it)): it.write(to: &writer)
    case .gateway(.checkpointSigned(let it)): it.write(to: &writer)
    case .gateway(.viewRebuilt(let it)): it.write(to: &writer)
    }
  }

  init(_ kind: WireKind, from reader: inout RecordReader) throws(DecodingFailure) {
    switch kind {
    case .providerAdded: self = .provider(.added(try .init(from: &reader)))
    case .providerChanged: self = .provider(.changed(try .init(from: &reader)))
    case .providerEnabled: self = .provider(.enabled(try .init(from: &reader)))
    case .providerDisabled: self = .provider(.disabled(try .init(from: &reader)))
    case .providerRemoved: self = .provider(.removed(try .init(from: &reader)))
    case .accountAdded: self = .account(.added(try .init(from: &reader)))
    case .accountChanged: self = .account(.changed(try .init(from: &reader)))
    case .accountEnabled: self = .account(.enabled(try .init(from: &reader)))
    case .accountDisabled: self = .account(.disabled(try .init(from: &reader)))
    case .accountRemoved: self = .account(.removed(try .init(from: &reader)))
    case .credentialIssued, .credentialIssuedV2:
      self = .credential(.issued(try .init(from: &reader, as: kind)))
    case .credentialRefreshAttempted:
      self = .credential(.refreshAttempted(try .init(from: &reader)))
    case .credentialRefreshed:
      self = .credential(.refreshed(try .init(from: &reader)))
    case .credentialRefreshRejected:
      self = .credential(.refreshRejected(try .init(from: &reader)))
    case .credentialRefreshFailed:
      self = .credential(.refreshFailed(try .init(from: &reader)))
    case .credentialMarkedUncertain:
      self = .credential(.markedUncertain(try .init(from: &reader)))
    case .credentialReleased:
      self = .credential(.released(try .init(from: &reader)))
    case .credentialStaleWriteRefused:
      self = .credential(.staleWriteRefused(try .init(from: &reader)))
    case .credentialHomeMoved:
      self = .credential(.homeMoved(try .init(from: &reader)))
    case .credentialAncestryLearned:
      self = .credential(.ancestryLearned(try .init(from: &reader)))
    case .providerOAuthSet: self = .provider(.oauthSet(try .init(from: &reader)))
    case .gatewayIdentified: self = .gateway(.identified(try .init(from: &reader)))
    case .gatewayRestored: self = .gateway(.restored(try .init(from: &reader)))
    case .credentialRevoked: self = .credential(.revoked(try .init(from: &reader)))
    case .aliasSet: self = .alias(.set(try .init(from: &reader)))
    case .aliasRemoved: self = .alias(.removed(try reader.text()))
    case .keyCreated: self = .key(.created(try .init(from: &reader)))
    case .keyChanged: self = .key(.changed(try .init(from: &reader)))
    case .keyPaused: self = .key(.paused(try .init(from: &reader)))
    case .keyResumed: self = .key(.resumed(try .init(from: &reader)))
    case .keyRevoked: self = .key(.revoked(try .init(from: &reader)))
    case .settingsChanged: self = .settings(.changed(try .init(from: &reader)))
    case .settingsAdminPasswordSet: self = .settings(.adminPasswordSet)
    case .providerModelsDiscovered: self = .provider(.modelsDiscovered(try .init(from: &reader)))
    case .providerHealthCheckSet: self = .provider(.healthCheckSet(try .init(from: &reader)))
    case .accountDegraded: self = .account(.degraded(try .init(from: &reader)))
    case .accountRestored: self = .account(.restored(try .init(from: &reader)))
    case .accountCredentialSet: self = .account(.credentialSet(try .init(from: &reader)))
    case .credentialExpirySet: self = .credential(.expirySet(try .init(from: &reader)))
    case .healthCooldownStarted: self = .health(.cooldownStarted(try .init(from: &reader)))
    case .healthCooldownEnded: self = .health(.cooldownEnded(try .init(from: &reader)))
    case .healthTested: self = .health(.tested(try .init(from: &reader)))
    case .healthNoted: self = .health(.noted(try .init(from: &reader)))
    case .healthProbeStarted: self = .health(.probeStarted(try .init(from: &reader)))
    case .healthQuirkLearned: self = .health(.quirkLearned(try .init(from: &reader)))
    case .modelEnabled: self = .model(.enabled(try .init(from: &reader)))
    case .modelDisabled: self = .model(.disabled(try .init(from: &reader)))
    case .comboSet: self = .combo(.set(try .init(from: &reader)))
    case .comboRemoved: self = .combo(.removed(try reader.text()))
    case .policySet: self = .policy(.set(try .init(from: &reader)))
    case .policyRemoved: self = .policy(.removed(try .init(from: &reader)))
    case .organisationCreated: self = .organisation(.created(try .init(from: &reader)))
    case .organisationRenamed: self = .organisation(.renamed(try .init(from: &reader)))
    case .organisationLimitsSet: self = .organisation(.limitsSet(try .init(from: &reader)))
    case .organisationBudgetsSet: self = .organisation(.budgetsSet(try .init(from: &reader)))
    case .organisationPaused: self = .organisation(.paused(try .init(from: &reader)))
    case .organisationResumed: self = .organisation(.resumed(try .init(from: &reader)))
    case .organisationRemoved: self = .organisation(.removed(try .init(from: &reader)))
    case .keyAccessChanged: self = .key(.accessChanged(try .init(from: &reader)))
    case .keyLimitsSet: self = .key(.limitsSet(try .init(from: &reader)))
    case .keyBudgetsSet: self = .key(.budgetsSet(try .init(from: &reader)))
    case .settingsTrustedProxiesSet: self = .settings(.trustedProxiesSet(try .init(from: &reader)))
    case .settingsRoutingChanged: self = .settings(.routingChanged(try .init(from: &reader)))
    case .settingsSyncChanged: self = .settings(.syncChanged(try .init(from: &reader)))
    case .settingsCloudTokenSet: self = .settings(.cloudTokenSet(try reader.fingerprint()))
    case .settingsCloudTokenRemoved: self = .settings(.cloudTokenRemoved)
    case .pricingChanged: self = .pricing(.changed(try .init(from: &reader)))
    case .accessLoginSucceeded: self = .access(.loginSucceeded(try .init(from: &reader)))
    case .accessLoginRefused: self = .access(.loginRefused(try .init(from: &reader)))
    case .accessSessionRevoked: self = .access(.sessionRevoked(try .init(from: &reader)))
    case .accessAllSessionsRevoked: self = .access(.allSessionsRevoked)
    case .syncEnabled: self = .sync(.enabled(try .init(from: &reader)))
    case .syncDisabled, .syncDisabledV2:
      self = .sync(.disabled(try .init(from: &reader, as: kind)))
    case .syncPushed: self = .sync(.pushed(try .init(from: &reader, as: kind)))
    case .syncReceived, .syncReceivedV2:
      self = .sync(.received(try .init(from: &reader, as: kind)))
    case .syncReconciled: self = .sync(.reconciled(try .init(from: &reader, isWhole: true)))
    case .syncReconciledV2: self = .sync(.reconciled(try .init(from: &reader, isWhole: false)))
    case .syncMirrored: self = .sync(.mirrored(try .init(from: &reader)))
    case .syncCandidateKept: self = .sync(.candidateKept(try .init(from: &reader)))
    case .syncCandidateRefused: self = .sync(.candidateRefused(try .init(from: &reader)))
    case .syncConflict, .syncConflictV2:
      self = .sync(.conflict(try .init(from: &reader, as: kind)))
    case .syncFailed, .syncFailedV2:
      self = .sync(.failed(try .init(from: &reader, as: kind)))
    case .syncLifeBegan: self = .sync(.lifeBegan(try .init(from: &reader)))
    case .syncForgotten: self = .sync(.forgotten(try .init(from: &reader)))
    case .syncTokenIssued: self = .syncToken(.issued(try .init(from: &reader)))
    case .syncTokenRevoked: self = .syncToken(.revoked(try .init(from: &reader)))
    case .syncTokenBound: self = .syncToken(.bound(try .init(from: &reader)))
    case .syncTokenRefused: self = .syncToken(.refused(try .init(from: &reader)))
    case .requestDispatched, .requestDispatchedV2:
      self = .request(.dispatched(try .init(from: &reader, as: kind)))
    case .requestFinished, .requestFinishedV2, .requestFinishedV3:
      self = .request(.finished(try .init(from: &reader, as: kind)))
    case .requestInterrupted, .requestInterruptedV2:
      self = .request(.interrupted(try .init(from: &reader, as: kind)))
    case .requestDeliveryFailed: self = .request(.deliveryFailed(try .init(from: &reader)))
    case .requestDeniedSummary: self = .request(.deniedSummary(try .init(from: &reader)))
    case .gatewayStarted: self = .gateway(.started(try .init(from: &reader)))
    case .gatewayStopped: self = .gateway(.stopped(try .init(from: &reader)))
    case .gatewayTailTruncated: self = .gateway(.tailTruncated(try .init(from: &reader)))
    case .gatewayGap: self = .gateway(.gap(try .init(from: &reader)))
    case .gatewayGapOpened: self = .gateway(.gapOpened(try .init(from: &reader)))
    case .gatewayGapClosed: self = .gateway(.gapClosed(try .init(from: &reader)))
    case .gatewayLossAccepted: self = .gateway(.lossAccepted(try .init(from: &reader)))
    case .gatewayCheckpointSigned: self = .gateway(.checkpointSigned(try .init(from: &reader)))
    case .gatewayViewRebuilt: self = .gateway(.viewRebuilt(try .init(from: &reader)))
    }
  }
}
