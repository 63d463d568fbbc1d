/// All that a start of the gateway, or a question about a moment, needs of the log up to a position.
///
/// A fold over the log: the same from zero as from an encoded value and the tail behind it. Anything that
/// it tells can be deleted and is told again by the log.
public struct GatewayProjection: Sendable, Hashable {
  /// The last event taken in, of whatever kind; 0: none.
  public private(set) var position: UInt64
  /// The configuration.
  public private(set) var state: ControlState
  /// Requests dispatched since the last start and not ended.
  public private(set) var inFlight: InFlight
  /// What keys and organisations spent in the running day and month.
  public private(set) var ledger: Ledger
  /// What the gateway said of itself.
  public private(set) var life: LifeFacts
  /// By stream of the configuration (the administrator's password apart): the event that changed it last.
  public private(set) var changes: [String: LastChange]
  /// Configuration events of kinds that this build does not know.
  public private(set) var unknownEvents: UInt64
  /// How many of them stand before the event at `state.position`.
  public private(set) var unknownBeforeState: UInt64

  /// Before the first event.
  public static let initial = GatewayProjection(
    position: 0, state: .initial, inFlight: InFlight(), ledger: Ledger(), life: LifeFacts(),
    changes: [:], unknownEvents: 0, unknownBeforeState: 0)

  /// Stands for the password among the streams: it is no setting that routing knows.
  public static let passwordChange = "settings/admin-password"

  init(
    position: UInt64, state: ControlState, inFlight: InFlight, ledger: Ledger, life: LifeFacts,
    changes: [String: LastChange], unknownEvents: UInt64, unknownBeforeState: UInt64
  ) {
    self.position = position
    self.state = state
    self.inFlight = inFlight
    self.ledger = ledger
    self.life = life
    self.changes = changes
    self.unknownEvents = unknownEvents
    self.unknownBeforeState = unknownBeforeState
  }

  /// Takes in the next event of the log; total.
  ///
  /// - Parameters:
  ///   - epoch: in which the event was written.
  ///   - revision: as for `ControlState.apply`.
  public mutating func apply(_ recorded: Recorded, epoch: UInt64, revision: UInt64? = nil) {
    position = recorded.position
    guard case .event(let event) = recorded.content else {
      if Interest(kind: recorded.kind) == .configuration { unknownEvents += 1 }
      return
    }
    switch event {
    case .provider, .account, .credential, .health, .model, .alias, .combo, .policy, .organisation,
      .key, .settings, .pricing, .access, .sync, .syncToken:
      state.apply(recorded, revision: revision)
      // Only what moves the routing view on; signing in and out does not.
      if state.position == recorded.position { unknownBeforeState = unknownEvents }
      let part =
        event == .settings(.adminPasswordSet) ? GatewayProjection.passwordChange : event.stream
      changes[part] = LastChange(recorded, epoch: epoch)
    case .request(let event):
      switch event {
      case .finished(let fact): ledger.take(RecordedCharge(fact), state)
      case .interrupted(let fact): ledger.take(RecordedCharge(fact), state)
      case .dispatched, .deliveryFailed, .deniedSummary: break
      }
      inFlight.apply(recorded)
    case .gateway(let event):
      state.apply(recorded)
      // A start deals with all that was under way before it.
      if case .started = event { inFlight = InFlight() }
      life.apply(event, position: recorded.position)
    }
  }

  /// Takes in the next event of the log as its record tells it, decoding no more than matters here.
  ///
  /// - Throws: where what matters cannot be decoded; nothing was taken in then.
  public mutating func apply(
    position: UInt64, epoch: UInt64, time: UnixNanoseconds, kind: String, revision: UInt64? = nil,
    bytes: ArraySlice<UInt8>
  ) throws(DecodingFailure) {
    switch Interest(kind: kind) {
    case .nothing: break
    case .requestEnd:
      // Most of a log is this.
      guard let kind = WireKind.named(kind) else { break }
      let charge = try RecordedCharge(endedBy: bytes, kind: kind)
      ledger.take(charge, state)
      inFlight.end(charge.request)
    case .dispatch, .life, .configuration:
      apply(
        try Recorded(position: position, time: time, kind: kind, bytes: bytes), epoch: epoch,
        revision: revision)
    }
    self.position = position
  }
}

/// The event that last changed a part of the configuration.
public struct LastChange: Sendable, Hashable {
  /// Wire kind.
  public var kind: String
  /// The epoch in which it was written.
  public var epoch: UInt64
  /// Place in the log.
  public var position: UInt64
  /// The author's clock.
  public var time: UnixNanoseconds
  /// Who.
  public var actor: String
  /// Through which door.
  public var source: Source

  /// That an event did it.
  public init(_ recorded: Recorded, epoch: UInt64) {
    kind = recorded.kind
    self.epoch = epoch
    position = recorded.position
    time = recorded.time
    actor = recorded.provenance.actor
    source = recorded.provenance.source
  }
}

/// What the gateway said of its own life, as far as the next start asks.
public struct LifeFacts: Sendable, Hashable {
  /// Position of the last `started`.
  public private(set) var started: UInt64?
  /// Position of the last `stopped`.
  public private(set) var stopped: UInt64?
  /// Position of the last `gap_opened`, until its `gap_closed`.
  public private(set) var openGap: UInt64?
  /// Position of the last `checkpoint_signed`.
  public private(set) var checkpoint: UInt64?

  /// Before the first event.
  public init() {}

  init(started: UInt64?, stopped: UInt64?, openGap: UInt64?, checkpoint: UInt64?) {
    self.started = started
    self.stopped = stopped
    self.openGap = openGap
    self.checkpoint = checkpoint
  }

  /// Whether the last gateway said that it stopped; nil: there was none.
  public var endedByStopping: Bool? {
    if let stopped { return stopped > started ?? 0 }
    return started == nil ? nil : false
  }

  mutating func apply(_ event: GatewayEvent, position: UInt64) {
    switch event {
    case .started: started = position
    case .stopped: stopped = position
    case .gapOpened: openGap = position
    case .gapClosed(let fact): if fact.opened == openGap { openGap = nil }
    case .checkpointSigned: checkpoint = position
    case .tailTruncated, .gap, .lossAccepted, .viewRebuilt, .identified, .restored: break
    }
  }
}

extension GatewayProjection {
  /// What of a record matters here, by its kind alone.
  public enum Interest: Sendable, Hashable {
    case nothing
    case requestEnd
    case dispatch
    case life
    case configuration

    /// Kinds of later builds count as configuration unless they say that they are about requests or the
    /// gateway.
    public init(kind: String) {
      switch WireKind.named(kind) {
      case .requestFinished, .requestFinishedV2, .requestFinishedV3, .requestInterrupted,
        .requestInterruptedV2:
        self = .requestEnd
      case .requestDispatched, .requestDispatchedV2: self = .dispatch
      case .requestDeliveryFailed, .requestDeniedSummary: self = .nothing
      case .gatewayStarted, .gatewayStopped, .gatewayTailTruncated, .gatewayGap, .gatewayGapOpened,
        .gatewayGapClosed, .gatewayLossAccepted, .gatewayCheckpointSigned, .gatewayViewRebuilt,
        .gatewayIdentified, .gatewayRestored:
        self = .life
      case .providerAdded, .providerChanged, .providerEnabled, .providerDisabled, .providerRemoved,
        .accountAdded, .accountChanged, .accountEnabled, .accountDisabled, .accountRemoved,
        .credentialIssued, .credentialRevoked, .aliasSet, .aliasRemoved, .keyCreated, .keyChanged,
        .keyPaused, .keyResumed, .keyRevoked, .settingsChanged, .settingsAdminPasswordSet,
        .providerModelsDiscovered, .accountDegraded, .accountRestored, .accountCredentialSet,
        .credentialExpirySet, .credentialIssuedV2, .credentialRefreshAttempted,
        .credentialRefreshed, .credentialRefreshRejected, .credentialRefreshFailed,
        .credentialMarkedUncertain, .credentialReleased, .credentialStaleWriteRefused,
        .credentialHomeMoved, .credentialAncestryLearned, .providerOAuthSet, .healthCooldownStarted,
        .healthCooldownEnded,
        .healthTested,
        .healthNoted, .healthProbeStarted, .healthQuirkLearned, .providerHealthCheckSet,
        .settingsRoutingChanged, .modelEnabled, .modelDisabled, .comboSet, .comboRemoved,
        .policySet,
        .policyRemoved, .organisationCreated, .organisationRenamed, .organisationLimitsSet,
        .organisationBudgetsSet, .organisationPaused, .organisationResumed, .organisationRemoved,
        .keyAccessChanged, .keyLimitsSet, .keyBudgetsSet, .settingsTrustedProxiesSet,
        .pricingChanged, .accessLoginSucceeded, .accessLoginRefused, .accessSessionRevoked,
        .accessAllSessionsRevoked, .syncEnabled, .syncDisabled, .syncPushed, .syncReceived,
        .syncReconciled, .syncReconciledV2, .syncMirrored, .syncCandidateKept,
        .syncCandidateRefused, .syncConflict, .syncConflictV2, .syncFailed, .syncLifeBegan,
        .syncTokenIssued, .syncTokenRevoked, .syncDisabledV2, .syncReceivedV2, .syncFailedV2,
        .syncForgotten,
        .syncTokenBound, .syncTokenRefused,
        .settingsSyncChanged, .settingsCloudTokenSet, .settingsCloudTokenRemoved:
        self = .configuration
      case nil:
        self = kind.hasPrefix("request.") || kind.hasPrefix("gateway.") ? .nothing : .configuration
      }
    }
  }
}
