extension WireKind {
  /// A typical event of the kind, with every optional field present.
  ///
  /// Feeds the golden, round-trip and truncation tests and the compression dictionary.
  public var sample: Event {
    switch self {
    case .providerAdded:
      .provider(
        .added(
          .init(
            id: Sample.provider, name: "Mock", dialect: .openai,
            baseURL: "http://127.0.0.1:9000/v1", prefix: "mock",
            models: [
              ProviderModel(name: "gpt-4o-mini"), ProviderModel(name: "gpt-4o", alias: "big"),
            ],
            excludedModels: ["*-preview"])))
    case .providerChanged:
      .provider(
        .changed(
          .init(
            id: Sample.provider, name: "Mock", dialect: .openai,
            baseURL: "https://api.example.com/v1", prefix: "mock",
            models: [ProviderModel(name: "gpt-4o-mini")], excludedModels: [])))
    case .providerEnabled: .provider(.enabled(Sample.provider))
    case .providerDisabled: .provider(.disabled(Sample.provider))
    case .providerRemoved: .provider(.removed(Sample.provider))
    case .accountAdded:
      .account(
        .added(
          .init(id: Sample.account, provider: Sample.provider, name: "a1", priority: 1, weight: 80))
      )
    case .accountChanged:
      .account(.changed(.init(id: Sample.account, name: "a1", priority: 2, weight: 20)))
    case .accountEnabled: .account(.enabled(Sample.account))
    case .accountDisabled: .account(.disabled(Sample.account))
    case .accountRemoved: .account(.removed(Sample.account))
    case .credentialIssued:
      .credential(
        .issued(.init(account: Sample.account, generation: 1, fingerprint: Sample.fingerprint)))
    case .credentialIssuedV2:
      .credential(
        .issued(
          .init(
            account: Sample.account, generation: 2, fingerprint: Sample.fingerprint, kind: .oauth,
            home: Sample.node, homeEpoch: 1, canRefresh: true, expiresAt: Sample.time)))
    case .credentialRevoked: .credential(.revoked(Sample.account))
    case .credentialRefreshAttempted:
      .credential(
        .refreshAttempted(
          .init(account: Sample.account, generation: 2, attempt: 5, cause: .proactive)))
    case .credentialRefreshed:
      .credential(
        .refreshed(
          .init(
            account: Sample.account, from: 2, generation: 3, fingerprint: Sample.fingerprint,
            expiresAt: Sample.time, attempt: 5)))
    case .credentialRefreshRejected:
      .credential(
        .refreshRejected(
          .init(account: Sample.account, generation: 2, attempt: 5, code: "invalid_grant")))
    case .credentialRefreshFailed:
      .credential(
        .refreshFailed(
          .init(
            account: Sample.account, generation: 2, attempt: 5, code: "status_503",
            outcomeUnknown: false, retryAt: Sample.time)))
    case .credentialMarkedUncertain:
      .credential(
        .markedUncertain(
          .init(account: Sample.account, generation: 2, reason: .unfinished, attempt: 5)))
    case .credentialReleased:
      .credential(.released(.init(account: Sample.account, generation: 2)))
    case .credentialStaleWriteRefused:
      .credential(
        .staleWriteRefused(
          .init(
            account: Sample.account, homeEpoch: 1, generation: 2, fingerprint: Sample.fingerprint,
            source: "refresh", rule: .older)))
    case .credentialHomeMoved:
      .credential(.homeMoved(.init(account: Sample.account, home: Sample.node, homeEpoch: 2)))
    case .credentialAncestryLearned:
      .credential(
        .ancestryLearned(.init(account: Sample.account, generation: 4, ancestry: Sample.ancestry)))
    case .aliasSet:
      .alias(.set(.init(name: "fast", target: "mock/gpt-4o-mini", isUnresolved: false)))
    case .aliasRemoved: .alias(.removed("fast"))
    case .keyCreated:
      .key(
        .created(
          .init(
            id: Sample.key, name: "default", organisation: .standard,
            fingerprint: Sample.fingerprint, masked: "sb-1234…cdef", diagnostics: true,
            expiresAt: Sample.time)))
    case .keyChanged: .key(.changed(.init(id: Sample.key, name: "default", diagnostics: false)))
    case .keyPaused: .key(.paused(Sample.key))
    case .keyResumed: .key(.resumed(Sample.key))
    case .keyRevoked: .key(.revoked(Sample.key))
    case .settingsChanged:
      .settings(
        .changed(
          .init(
            fallbackStrategy: .fillFirst, requireAPIKey: true, forceModelPrefix: false,
            maxBodyBytes: 32 << 20)))
    case .settingsAdminPasswordSet: .settings(.adminPasswordSet)
    case .settingsSyncChanged:
      .settings(
        .syncChanged(
          .init(
            cloudURL: "https://cloud.example.com", cloudProtocol: .nineRouter,
            machineID: "machine-1", syncSecrets: true, intervalSeconds: 300)))
    case .settingsCloudTokenSet: .settings(.cloudTokenSet(Sample.fingerprint))
    case .settingsCloudTokenRemoved: .settings(.cloudTokenRemoved)
    case .providerModelsDiscovered:
      .provider(
        .modelsDiscovered(
          .init(id: Sample.provider, account: Sample.account, models: ["gpt-4o", "o3"])))
    case .accountDegraded:
      .account(.degraded(.init(id: Sample.account, reason: "upstream incident 42")))
    case .accountRestored: .account(.restored(Sample.account))
    case .accountCredentialSet:
      .account(.credentialSet(.init(id: Sample.account, generation: 2)))
    case .credentialExpirySet:
      .credential(
        .expirySet(.init(account: Sample.account, generation: 2, expiresAt: Sample.time)))
    case .healthCooldownStarted:
      .health(
        .cooldownStarted(
          .init(
            account: Sample.account, scope: .model("gpt-4o"), rule: "rate_limited",
            until: Sample.time, status: 429, errorCode: "status_429")))
    case .healthCooldownEnded:
      .health(
        .cooldownEnded(.init(account: Sample.account, scope: .account, reason: .passedTest)))
    case .healthTested:
      .health(
        .tested(
          .init(
            account: Sample.account, model: "gpt-4o-mini", isValid: false,
            latencyMicroseconds: 12_345, status: 401, errorClass: .account,
            errorCode: "status_401")))
    case .healthNoted:
      .health(
        .noted(
          .init(
            account: Sample.account, testStatus: .unavailable,
            error: .set(status: 429, code: "status_429"))))
    case .modelEnabled: .model(.enabled(Sample.model))
    case .modelDisabled: .model(.disabled(Sample.model))
    case .comboSet:
      .combo(
        .set(
          .init(
            name: "smart", models: ["mock/gpt-4o", "mock/gpt-4o-mini"], isUnresolved: false)))
    case .comboRemoved: .combo(.removed("smart"))
    case .policySet:
      .policy(
        .set(
          .init(
            id: Sample.policy,
            accounts: [
              PolicyAccount(account: Sample.account, weight: 80),
              PolicyAccount(account: AccountID("mock.a2"), weight: 20),
            ], failoverThreshold: 3, isUnresolved: false)))
    case .policyRemoved: .policy(.removed(Sample.policy))
    case .organisationCreated:
      .organisation(.created(.init(id: Sample.organisation, name: "Acme")))
    case .organisationRenamed:
      .organisation(.renamed(.init(id: Sample.organisation, name: "Acme Ltd")))
    case .organisationLimitsSet:
      .organisation(.limitsSet(.init(id: Sample.organisation, limits: Sample.limits)))
    case .organisationBudgetsSet:
      .organisation(.budgetsSet(.init(id: Sample.organisation, budgets: Sample.budgets)))
    case .organisationPaused: .organisation(.paused(Sample.organisation))
    case .organisationResumed: .organisation(.resumed(Sample.organisation))
    case .organisationRemoved: .organisation(.removed(Sample.organisation))
    case .keyAccessChanged:
      .key(
        .accessChanged(
          .init(
            id: Sample.key, allowedModels: ["mock/*"], allowedAccounts: [Sample.account],
            expiry: .at(Sample.time))))
    case .keyLimitsSet: .key(.limitsSet(.init(id: Sample.key, limits: Sample.limits)))
    case .keyBudgetsSet: .key(.budgetsSet(.init(id: Sample.key, budgets: Sample.budgets)))
    case .settingsTrustedProxiesSet:
      .settings(.trustedProxiesSet(.init(networks: ["10.0.0.0/8", "::1"])))
    case .pricingChanged:
      .pricing(
        .changed(
          .init(
            set: [
              .init(
                id: PriceID(provider: Sample.provider, model: "gpt-4o"),
                price: Price(
                  input: 2_500_000, output: 10_000_000, cached: 1_250_000,
                  reasoning: 10_000_000, cacheCreation: 2_500_000))
            ], removed: [PriceID(provider: Sample.provider, model: "gpt-4")])))
    case .accessLoginSucceeded:
      .access(
        .loginSucceeded(.init(session: Sample.request.rawValue, expiresAt: Sample.time)))
    case .accessLoginRefused:
      .access(.loginRefused(.init(reason: "wrong_password", count: 3)))
    case .accessSessionRevoked:
      .access(
        .sessionRevoked(.init(session: Sample.request.rawValue, expiresAt: Sample.time)))
    case .accessAllSessionsRevoked: .access(.allSessionsRevoked)
    case .syncEnabled:
      .sync(.enabled(.init(peer: Sample.peer, url: "https://cloud.example.com")))
    case .syncDisabled: .sync(.disabled(.init(peer: Sample.peer, farewell: .owed)))
    case .syncDisabledV2: .sync(.disabled(.init(peer: Sample.peer, farewell: .told)))
    case .syncPushed: .sync(.pushed(Sample.exchanged))
    case .syncReceived: .sync(.received(Sample.exchanged))
    case .syncReceivedV2: .sync(.received(Sample.exchangedUnderToken))
    case .syncReconciled: .sync(.reconciled(Sample.reconciled))
    case .syncReconciledV2: .sync(.reconciled(Sample.reconciledInPart))
    case .syncMirrored:
      .sync(
        .mirrored(
          .init(
            peer: "9router", exchange: Sample.exchanged.exchange,
            decisions: [
              .init(
                stream: "account/mock.a1", field: "priority", ours: .number(2), theirs: .number(7),
                base: .number(1), winner: .ours, rule: .concurrent)
            ],
            told: [
              .init(stream: "account/mock.a1", fields: [.init("priority", .number(7))]),
              .init(stream: "alias/fast", fields: nil),
            ])))
    case .syncCandidateKept:
      .sync(
        .candidateKept(
          .init(
            peer: "9router", account: Sample.account,
            version: .init(homeEpoch: 1, generation: 3), fingerprint: Sample.fingerprint,
            kind: .token, expiresAt: Sample.time)))
    case .syncCandidateRefused:
      .sync(
        .candidateRefused(
          .init(
            peer: "9router", account: Sample.account,
            version: .init(homeEpoch: 1, generation: 3), fingerprint: Sample.fingerprint,
            code: "invalid_key", isFinal: true)))
    case .syncConflict:
      .sync(
        .conflict(
          .init(
            peer: Sample.peer, account: Sample.account, homeEpoch: 1, generation: 3,
            ours: Sample.fingerprint, theirs: Fingerprint((0..<32).map { 255 - $0 }))))
    case .syncConflictV2:
      .sync(
        .conflict(
          .init(
            peer: Sample.peer, account: Sample.account, homeEpoch: 1, generation: 4,
            ours: Sample.fingerprint, theirs: Fingerprint((0..<32).map { 255 - $0 }),
            lost: .init(
              whose: .theirs, origin: .init(author: EditAuthor(Sample.node), generation: 3)),
            rival: Sample.ancestry)))
    case .syncFailed:
      .sync(.failed(.init(peer: Sample.peer, action: "sync", code: "sync_unreachable")))
    case .syncFailedV2:
      .sync(
        .failed(
          .init(
            peer: Sample.peer, action: "serve", code: "sync_ambiguous_edit",
            about: .init(
              stream: "alias/fast", field: "model", counts: .init(told: 12, before: 17)))))
    case .syncLifeBegan:
      .sync(.lifeBegan(.init(peer: Sample.peer, incarnation: 0x5E1F_00C4_77A2_9B30)))
    case .syncForgotten: .sync(.forgotten(.init(peer: Sample.peer)))
    case .syncTokenIssued:
      .syncToken(
        .issued(
          .init(
            id: Sample.syncToken, name: "second node", fingerprint: Sample.fingerprint)))
    case .syncTokenRevoked: .syncToken(.revoked(Sample.syncToken))
    case .syncTokenBound:
      .syncToken(.bound(.init(id: Sample.syncToken, node: Sample.node, isProven: true)))
    case .syncTokenRefused:
      .syncToken(
        .refused(
          .init(id: Sample.syncToken, node: Sample.node, code: "sync_token_of_another")))
    case .requestDispatched: .request(.dispatched(Sample.dispatched))
    case .requestDispatchedV2: .request(.dispatched(Sample.dispatchedUnderBudget))
    case .requestFinished: .request(.finished(Sample.finished))
    case .requestFinishedV2: .request(.finished(Sample.finishedUnderLimits))
    case .requestFinishedV3: .request(.finished(Sample.finishedInTrace))
    case .requestInterrupted: .request(.interrupted(Sample.interrupted()))
    case .requestInterruptedV2:
      .request(
        .interrupted(
          Sample.interrupted(.init(reserve: Sample.reserve, receivedAt: Sample.time))))
    case .healthProbeStarted:
      .health(.probeStarted(.init(account: Sample.account, scope: .model("gpt-4o"))))
    case .healthQuirkLearned:
      .health(.quirkLearned(.init(account: Sample.account, quirk: .rejectsStreamOptions)))
    case .providerOAuthSet:
      .provider(
        .oauthSet(
          .init(
            id: Sample.provider,
            client: OAuthClient(
              kind: "generic", tokenURL: "https://auth.example.com/oauth/token",
              authorizeURL: "https://auth.example.com/authorize",
              deviceURL: "https://auth.example.com/device",
              revokeURL: "https://auth.example.com/revoke", clientID: "client-1",
              secret: Sample.fingerprint, scopes: ["openid", "offline_access"], encoding: .json,
              leadSeconds: 300, isSharedFamily: true, spacingSeconds: 2))))
    case .providerHealthCheckSet:
      .provider(.healthCheckSet(.init(id: Sample.provider, intervalSeconds: 30)))
    case .settingsRoutingChanged:
      .settings(
        .routingChanged(
          .init(stickyRoundRobinLimit: 3, maxAttempts: 8, requestTimeoutSeconds: 600)))
    case .requestDeliveryFailed:
      .request(.deliveryFailed(.init(id: Sample.request, errorCode: "client_hung_up")))
    case .requestDeniedSummary:
      .request(.deniedSummary(.init(remoteAddress: "192.0.2.7", since: Sample.time, count: 1_200)))
    case .gatewayStarted:
      .gateway(
        .started(
          .init(
            version: "0.1.0", epoch: 3, recording: .standard, listen: "127.0.0.1:8080",
            previousStopWasClean: false, interruptedRequests: 2)))
    case .gatewayStopped: .gateway(.stopped(.init(reason: "SIGTERM", cutRequests: 1)))
    case .gatewayTailTruncated:
      .gateway(
        .tailTruncated(
          .init(
            segment: "0000000001.seg", offset: 4_096, bytes: 512,
            rule: "block_checksum_mismatch")))
    case .gatewayGap:
      .gateway(.gap(.init(boundMilliseconds: 25, reason: "unclean stop, another boot")))
    case .gatewayGapOpened: .gateway(.gapOpened(.init(reason: "full")))
    case .gatewayGapClosed: .gateway(.gapClosed(.init(opened: 1_042, count: 17)))
    case .gatewayLossAccepted:
      .gateway(
        .lossAccepted(
          .init(
            first: 1_042, last: 1_044, file: "00000000000000000001.esl", rule: "block.body-crc",
            reason: "no backup")))
    case .gatewayCheckpointSigned:
      .gateway(
        .checkpointSigned(
          .init(
            position: 65_536, epoch: 3, chain: Sample.fingerprint.rawValue, previous: 1_042,
            root: Sample.fingerprint.rawValue, publicKey: Sample.fingerprint.rawValue,
            signature: Sample.fingerprint.rawValue + Sample.fingerprint.rawValue)))
    case .gatewayViewRebuilt:
      .gateway(.viewRebuilt(.init(view: "usage", reason: .damaged, position: 1_042)))
    case .gatewayIdentified:
      .gateway(.identified(.init(node: Sample.node, incarnation: 0x0123_4567_89AB_CDEF)))
    case .gatewayRestored:
      .gateway(
        .restored(
          .init(
            node: Sample.node, incarnation: 0x0F1E_2D3C_4B5A_6978, previous: 0x0123_4567_89AB_CDEF))
      )
    }
  }
}

/// The values of which samples are made.
enum Sample {
  static let provider = ProviderID("mock")
  static let account = AccountID("mock.a1")
  static let node = NodeID("node-7f3a9c")
  static let key = KeyID("key_default")
  static let model = ModelID(provider: provider, name: "gpt-4o")
  static let organisation = OrganisationID("acme")
  static let policy = PolicyID(organisation: organisation, model: "gpt-4o")
  // One of each: tables have no order when they are shown.
  static let ancestry = Ancestry(
    made: [EditAuthor(node): 4], beaten: [EditAuthor("n-4f2a9c1e7b3d5860~5e1f00c477a29b30"): 3],
    unnamed: 1)
  static let syncToken = SyncTokenID("7Qd0xYb3Kp5w")
  static let peer = "n-4f2a9c1e7b3d5860"
  static let exchanged = SyncEvent.Exchanged(
    peer: peer, exchange: 0x0192_F3A4_5B6C_7D8E_9FA0_B1C2_D3E4_F506, streams: 12, credentials: 3,
    clock: time)
  static let exchangedUnderToken: SyncEvent.Exchanged = {
    var sample = exchanged
    sample.token = syncToken
    return sample
  }()
  static let reconciled = SyncEvent.Reconciled(
    peer: peer, exchange: exchanged.exchange,
    decisions: [
      .init(
        stream: "alias/fast", field: "model", ours: .text("mock/gpt-4o-mini"),
        theirs: .text("mock/gpt-4o"),
        base: HybridStamp(time: time, counter: 0, author: EditAuthor(peer)),
        version: FieldVersion(
          stamp: HybridStamp(time: time, counter: 2, author: EditAuthor(peer)),
          seen: [HybridStamp(time: time, counter: 0, author: EditAuthor("n-1"))],
          beaten: [HybridStamp(time: time, counter: 1, author: EditAuthor("n-2"))]),
        winner: .theirs,
        rule: .concurrent)
    ],
    withheld: [
      .init(
        stream: "provider/corp", isPresent: true,
        fields: [
          .init("isActive", .flag(true)), .init("prefix", .text("mock")),
          .init("models", .list([.record([.init("name", .text("m")), .init("alias", .none)])])),
          .init("weight", .number(80)), .init("until", .time(time)),
        ], reason: "the name mock is already an alias")
    ],
    waiting: [
      .init(
        stream: "alias/slow", field: "",
        stamp: HybridStamp(time: time, counter: 7, author: EditAuthor(peer)))
    ],
    floors: [.init(account: account, version: .init(homeEpoch: 1, generation: 4))], streams: 12,
    isWhole: true)
  /// What changed, and why something waits.
  static let reconciledInPart = {
    var it = reconciled
    it.isWhole = false
    it.settled = ["alias/quick"]
    it.waiting.append(
      .init(
        stream: "provider/corp", field: "baseUrl",
        stamp: HybridStamp(time: time, counter: 8, author: EditAuthor(peer)),
        reason: "baseUrl must begin with http:// or https://"))
    it.arrived = [.init(stream: "alias/slow", field: "model")]
    return it
  }()
  static let limits = Limits(
    requestsPerSecond: 100, burst: 200, requestsPerMinute: 3_000, tokensPerMinute: 1_000_000,
    concurrency: 64)
  static let budgets = [
    Budget(period: .day, microUSD: nil, tokens: 5_000_000),
    Budget(period: .month, timezone: "+02:00", microUSD: 500_000_000, tokens: 100_000_000),
  ]
  static let time = UnixNanoseconds(1_795_208_019_123_456_789)
  static let request = RequestID(0x019A_A2D1_5F33_7ABC_8DEF_0123_4567_89AB)
  static let fingerprint = Fingerprint((0..<32).map { UInt8($0 * 7 & 0xFF) })

  static let reserve = Reserve(microUSD: 12_300, tokens: 1_536)
  static let mark = IdempotencyMark(
    key: 0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF, body: request.rawValue)

  static let dispatched = RequestEvent.Dispatched(
    id: request, clientRequestID: "req-42", organisation: .standard, key: key,
    operation: .chatCompletions, modelAsked: "mock/gpt-4o-mini", receivedAt: time, account: account)

  static let dispatchedUnderBudget: RequestEvent.Dispatched = {
    var sample = dispatched
    sample.reserve = reserve
    sample.idempotency = mark
    return sample
  }()

  static func interrupted(
    _ charge: RequestEvent.Interrupted.Charge? = nil
  ) -> RequestEvent.Interrupted {
    RequestEvent.Interrupted(
      id: request, clientRequestID: "req-42", organisation: .standard, key: key,
      dispatchedAt: 1_042, charge: charge)
  }

  /// As `finished`, by a strategy that asked local state, within limits.
  static let finishedUnderLimits: RequestEvent.Finished = {
    var sample = finished
    sample.attempts[0].upstreamModel = "gpt-4o"
    sample.attempts[0].rule = .weighted
    sample.attempts[0].local = LocalInputs(
      cursor: 1_042, heldProbes: [AccountID("mock.a3")],
      latencies: [.init(account: account, microseconds: 21_000)])
    sample.usage.cacheCreation = 128
    sample.session = 0x0123_4567_89AB_CDEF
    sample.limits = [
      LimitReading(scope: .key, measure: .requestsPerMinute, limit: 3_000, used: 17),
      LimitReading(
        scope: .organisation, measure: .moneyPerMonth, limit: 500_000_000, used: 41_200_000,
        reserved: 90_000),
    ]
    sample.reserve = reserve
    sample.idempotency = mark
    return sample
  }()

  /// As `finishedUnderLimits`, as part of a client's trace.
  static let finishedInTrace: RequestEvent.Finished = {
    var sample = finishedUnderLimits
    sample.trace = TraceContext(
      trace: 0x4BF9_2F35_77B3_4DA6_A3CE_929D_0E0E_4736, parent: 0x00F0_67AA_0BA9_02B7,
      flags: TraceContext.Flag.sampled)
    return sample
  }()

  /// Failed over once, streamed, and everything reported.
  static let finished = RequestEvent.Finished(
    id: request, clientRequestID: "req-42", organisation: .standard, key: key,
    remoteAddress: "127.0.0.1", operation: .chatCompletions, modelAsked: "fast",
    modelResolved: "mock/gpt-4o-mini", isStream: true, receivedAt: time,
    attempts: [
      Attempt(
        snapshot: 41, now: UnixNanoseconds(time.rawValue + 90_000), seed: 0, local: .none,
        account: account, rule: .fillFirst, status: 429, errorClass: .account,
        errorCode: "status_429", connectMicroseconds: 310, firstByteMicroseconds: 1_250,
        totalMicroseconds: 1_260),
      Attempt(
        snapshot: 41, now: UnixNanoseconds(time.rawValue + 1_400_000), seed: 0, local: .none,
        account: AccountID("mock.a2"), rule: .only, status: 200, errorClass: nil, errorCode: nil,
        connectMicroseconds: 290, firstByteMicroseconds: 21_000, totalMicroseconds: 850_000),
    ],
    status: 200, ending: .upstreamCut, errorCode: "upstream_cut", errorClass: .provider,
    usage: TokenUsage(input: 1_024, output: 256, cached: 512, reasoning: 64),
    priceVersion: 1, costMicroUSD: 307, requestBytes: 4_321, responseBytes: 12_345,
    queueMicroseconds: 45, firstByteMicroseconds: 22_600, totalMicroseconds: 851_500)
}
