import Domain

/// Every decoded field of an event, in the order of its declaration.
enum EventFields {
  typealias Members = [JSONTree.Member]

  static func members(_ event: Event) -> Members {
    switch event {
    case .provider(let event): provider(event)
    case .account(let event): account(event)
    case .credential(let event): credential(event)
    case .health(let event): health(event)
    case .model(let event): model(event)
    case .alias(let event): alias(event)
    case .combo(let event): combo(event)
    case .policy(let event): policy(event)
    case .organisation(let event): organisation(event)
    case .key(let event): key(event)
    case .settings(let event): settings(event)
    case .pricing(let event): pricing(event)
    case .access(let event): access(event)
    case .sync(let event): sync(event)
    case .syncToken(let event): syncToken(event)
    case .request(let event): request(event)
    case .gateway(let event): gateway(event)
    }
  }

  static func provenance(_ it: Provenance) -> JSONTree {
    var members: Members = [
      .init("actor", .text(it.actor)), .init("source", .text(it.source.name)),
    ]
    optional("address", it.address.map { .text($0) }, &members)
    optional("cause", it.cause.map { .text(uuidText($0)) }, &members)
    optional("correlation", it.correlation.map { .text(uuidText($0)) }, &members)
    members.append(.init("base", .count(it.base)))
    return .object(members)
  }

  static func usage(_ it: TokenUsage) -> JSONTree {
    .object(
      [
        .init("input", .count(it.input)), .init("output", .count(it.output)),
        .init("cached", .count(it.cached)), .init("reasoning", .count(it.reasoning)),
      ] + (it.cacheCreation.map { [.init("cacheCreation", .count($0))] } ?? []))
  }

  static func attempt(_ it: Attempt) -> Members {
    [
      .init("account", .text(it.account.rawValue)), .init("rule", .text(it.rule.name)),
      .init("snapshot", .count(it.snapshot)), .init("now", .text(rfc3339(it.now))),
      .init("nowNanoseconds", .text(String(it.now.rawValue))),
      .init("seed", .text(String(it.seed))), .init("local", local(it.local)),
      .init("status", it.status.map { .number(Int64($0)) } ?? .null),
      .init("errorClass", .text(it.errorClass?.name)), .init("errorCode", .text(it.errorCode)),
      .init("connectMicroseconds", .count(it.connectMicroseconds)),
      .init("firstByteMicroseconds", .count(it.firstByteMicroseconds)),
      .init("totalMicroseconds", .count(it.totalMicroseconds)),
    ] + (it.upstreamModel.map { [.init("upstreamModel", .text($0))] } ?? [])
  }

  /// What the decision was told of live state; empty where it asked nothing.
  private static func local(_ it: LocalInputs) -> JSONTree {
    var members: Members = []
    optional("cursor", it.cursor.map { .count($0) }, &members)
    if !it.heldProbes.isEmpty {
      members.append(.init("heldProbes", texts(it.heldProbes.map(\.rawValue))))
    }
    if !it.latencies.isEmpty {
      let figures = it.latencies.map { figure in
        JSONTree.object([
          .init("account", .text(figure.account.rawValue)),
          .init("microseconds", .count(figure.microseconds)),
        ])
      }
      members.append(.init("latencies", .array(figures)))
    }
    return .object(members)
  }

  /// What only requests under limits, with a session, an `Idempotency-Key` or a trace have.
  private static func further(_ it: RequestEvent.Finished) -> Members {
    var members: Members = []
    // As hexadecimal digits: no reader of JSON need keep 64 bits of a number.
    optional("session", it.session.map { .text(String($0, radix: 16)) }, &members)
    if !it.limits.isEmpty {
      members.append(.init("limits", .array(it.limits.map(reading))))
    }
    optional("reserve", it.reserve.map(reserve), &members)
    optional("idempotency", it.idempotency.map(mark), &members)
    optional("trace", it.trace.map(trace), &members)
    return members
  }

  private static func reading(_ it: LimitReading) -> JSONTree {
    .object([
      .init("scope", .text(it.scope.name)), .init("measure", .text(it.measure.name)),
      .init("limit", .count(it.limit)), .init("used", .count(it.used)),
      .init("reserved", .count(it.reserved)),
    ])
  }

  private static func reserve(_ it: Reserve) -> JSONTree {
    .object([.init("microUsd", .count(it.microUSD)), .init("tokens", .count(it.tokens))])
  }

  private static func trace(_ it: TraceContext) -> JSONTree {
    .object([
      .init("id", .text(hexText(it.trace))), .init("parent", .text(hexText(it.parent))),
      .init("sampled", .bool(it.isSampled)),
    ])
  }

  private static func mark(_ it: IdempotencyMark) -> JSONTree {
    .object([.init("key", .text(uuidText(it.key))), .init("body", .text(uuidText(it.body)))])
  }

  // MARK: By stream

  private static func provider(_ event: ProviderEvent) -> Members {
    switch event {
    case .added(let it):
      return [
        .init("id", .text(it.id.rawValue)), .init("name", .text(it.name)),
        .init("protocol", .text(it.dialect.name)), .init("baseUrl", .text(it.baseURL)),
        .init("prefix", .text(it.prefix)), .init("models", models(it.models)),
        .init("excludedModels", texts(it.excludedModels)),
      ]
    case .changed(let it):
      var members: Members = [.init("id", .text(it.id.rawValue))]
      optional("name", it.name.map { .text($0) }, &members)
      optional("protocol", it.dialect.map { .text($0.name) }, &members)
      optional("baseUrl", it.baseURL.map { .text($0) }, &members)
      optional("prefix", it.prefix.map { .text($0) }, &members)
      optional("models", it.models.map(models), &members)
      optional("excludedModels", it.excludedModels.map(texts), &members)
      return members
    case .enabled(let id), .disabled(let id), .removed(let id):
      return [.init("id", .text(id.rawValue))]
    case .modelsDiscovered(let it):
      return [
        .init("id", .text(it.id.rawValue)), .init("account", .text(it.account.rawValue)),
        .init("models", texts(it.models)),
      ]
    case .healthCheckSet(let it):
      return [
        .init("id", .text(it.id.rawValue)),
        .init("intervalSeconds", .count(it.intervalSeconds.map(UInt64.init))),
      ]
    case .oauthSet(let it):
      return [
        .init("id", .text(it.id.rawValue)),
        .init("oauth", it.client.map { .object(oauth($0)) } ?? .null),
      ]
    }
  }

  private static func account(_ event: AccountEvent) -> Members {
    switch event {
    case .added(let it):
      return [
        .init("id", .text(it.id.rawValue)), .init("provider", .text(it.provider.rawValue)),
        .init("name", .text(it.name)), .init("priority", .count(UInt64(it.priority))),
        .init("weight", .count(UInt64(it.weight))),
      ]
    case .changed(let it):
      var members: Members = [.init("id", .text(it.id.rawValue))]
      optional("name", it.name.map { .text($0) }, &members)
      optional("priority", it.priority.map { .count(UInt64($0)) }, &members)
      optional("weight", it.weight.map { .count(UInt64($0)) }, &members)
      return members
    case .degraded(let it):
      return [.init("id", .text(it.id.rawValue)), .init("reason", .text(it.reason))]
    case .credentialSet(let it):
      return [
        .init("id", .text(it.id.rawValue)), .init("generation", .count(it.generation)),
      ]
    case .enabled(let id), .disabled(let id), .restored(let id), .removed(let id):
      return [.init("id", .text(id.rawValue))]
    }
  }

  private static func alias(_ event: AliasEvent) -> Members {
    switch event {
    case .set(let it):
      [
        .init("name", .text(it.name)), .init("target", .text(it.target)),
        .init("isUnresolved", .bool(it.isUnresolved)),
      ]
    case .removed(let name): [.init("name", .text(name))]
    }
  }

  private static func key(_ event: KeyEvent) -> Members {
    switch event {
    case .created(let it):
      return [
        .init("id", .text(it.id.rawValue)), .init("name", .text(it.name)),
        .init("organisation", .text(it.organisation.rawValue)),
        .init("fingerprint", .text(Shown.hex(it.fingerprint.rawValue))),
        .init("masked", .text(it.masked)), .init("diagnostics", .bool(it.diagnostics)),
        .init("expiresAt", .text(it.expiresAt.map { rfc3339($0) })),
      ]
    case .changed(let it):
      var members: Members = [.init("id", .text(it.id.rawValue))]
      optional("name", it.name.map { .text($0) }, &members)
      optional("diagnostics", it.diagnostics.map { .bool($0) }, &members)
      return members
    case .paused(let id), .resumed(let id), .revoked(let id):
      return [.init("id", .text(id.rawValue))]
    case .accessChanged(let it):
      var members: Members = [.init("id", .text(it.id.rawValue))]
      optional("allowedModels", it.allowedModels.map(texts), &members)
      optional(
        "allowedAccounts", it.allowedAccounts.map { texts($0.map(\.rawValue)) }, &members)
      switch it.expiry {
      case .never: members.append(.init("expiresAt", .null))
      case .at(let time): members.append(.init("expiresAt", .text(rfc3339(time))))
      case nil: break
      }
      return members
    case .limitsSet(let it):
      return [.init("id", .text(it.id.rawValue)), .init("limits", limits(it.limits))]
    case .budgetsSet(let it):
      return [.init("id", .text(it.id.rawValue)), .init("budgets", budgets(it.budgets))]
    }
  }

  private static func settings(_ event: SettingsEvent) -> Members {
    switch event {
    case .changed(let it):
      var members: Members = []
      optional("fallbackStrategy", it.fallbackStrategy.map { .text($0.name) }, &members)
      optional("requireApiKey", it.requireAPIKey.map { .bool($0) }, &members)
      optional("forceModelPrefix", it.forceModelPrefix.map { .bool($0) }, &members)
      optional("maxBodyBytes", it.maxBodyBytes.map { .count($0) }, &members)
      return members
    case .adminPasswordSet: return []
    case .trustedProxiesSet(let it): return [.init("networks", texts(it.networks))]
    case .routingChanged(let it):
      var members: Members = []
      optional(
        "stickyRoundRobinLimit", it.stickyRoundRobinLimit.map { .count(UInt64($0)) }, &members)
      optional("maxAttempts", it.maxAttempts.map { .count(UInt64($0)) }, &members)
      optional(
        "requestTimeoutSeconds", it.requestTimeoutSeconds.map { .count(UInt64($0)) }, &members)
      return members
    case .syncChanged(let it):
      var members: Members = []
      optional("cloudUrl", it.cloudURL.map { .text($0) }, &members)
      optional("cloudProtocol", it.cloudProtocol.map { .text($0.name) }, &members)
      optional("machineId", it.machineID.map { .text($0) }, &members)
      optional("syncSecrets", it.syncSecrets.map { .bool($0) }, &members)
      optional("syncIntervalSeconds", it.intervalSeconds.map { .count(UInt64($0)) }, &members)
      return members
    case .cloudTokenSet(let token): return [.init("fingerprint", .text(token.short))]
    case .cloudTokenRemoved: return []
    }
  }

  private static func request(_ event: RequestEvent) -> Members {
    switch event {
    case .dispatched(let it):
      [
        .init("id", .text(uuidText(it.id.rawValue))),
        .init("clientRequestId", .text(it.clientRequestID)),
        .init("organisation", .text(it.organisation?.rawValue)),
        .init("key", .text(it.key?.rawValue)), .init("operation", .text(it.operation.name)),
        .init("modelAsked", .text(it.modelAsked)),
        .init("receivedAt", .text(rfc3339(it.receivedAt))),
        .init("account", .text(it.account?.rawValue)),
      ] + (it.reserve.map { [.init("reserve", reserve($0))] } ?? [])
        + (it.idempotency.map { [.init("idempotency", mark($0))] } ?? [])
    case .finished(let it): finished(it)
    case .interrupted(let it):
      [
        .init("id", .text(uuidText(it.id.rawValue))),
        .init("clientRequestId", .text(it.clientRequestID)),
        .init("organisation", .text(it.organisation?.rawValue)),
        .init("key", .text(it.key?.rawValue)), .init("dispatchedAt", .count(it.dispatchedAt)),
      ]
        + (it.charge.map {
          [
            .init("charge", reserve($0.reserve)),
            .init("receivedAt", .text(rfc3339($0.receivedAt))),
          ]
        } ?? [])
    case .deliveryFailed(let it):
      [
        .init("id", .text(uuidText(it.id.rawValue))), .init("errorCode", .text(it.errorCode)),
      ]
    case .deniedSummary(let it):
      [
        .init("remoteAddress", .text(it.remoteAddress)),
        .init("since", .text(rfc3339(it.since))), .init("count", .count(it.count)),
      ]
    }
  }

  private static func finished(_ it: RequestEvent.Finished) -> Members {
    [
      .init("id", .text(uuidText(it.id.rawValue))),
      .init("clientRequestId", .text(it.clientRequestID)),
      .init("organisation", .text(it.organisation?.rawValue)),
      .init("key", .text(it.key?.rawValue)), .init("remoteAddress", .text(it.remoteAddress)),
      .init("operation", .text(it.operation.name)), .init("modelAsked", .text(it.modelAsked)),
      .init("modelResolved", .text(it.modelResolved)), .init("isStream", .bool(it.isStream)),
      .init("receivedAt", .text(rfc3339(it.receivedAt))),
      .init("attempts", .array(it.attempts.map { .object(attempt($0)) })),
      .init("status", .number(Int64(it.status))), .init("ending", .text(it.ending.name)),
      .init("errorCode", .text(it.errorCode)), .init("errorClass", .text(it.errorClass?.name)),
      .init("usage", usage(it.usage)), .init("priceVersion", .count(it.priceVersion)),
      .init("costMicroUsd", .count(it.costMicroUSD)),
      .init("requestBytes", .count(it.requestBytes)),
      .init("responseBytes", .count(it.responseBytes)),
      .init("queueMicroseconds", .count(it.queueMicroseconds)),
      .init("firstByteMicroseconds", .count(it.firstByteMicroseconds)),
      .init("totalMicroseconds", .count(it.totalMicroseconds)),
    ] + further(it)
  }

  private static func gateway(_ event: GatewayEvent) -> Members {
    switch event {
    case .started(let it):
      [
        .init("version", .text(it.version)), .init("epoch", .count(it.epoch)),
        .init("recording", .text(it.recording.name)), .init("listen", .text(it.listen)),
        .init("previousStopWasClean", .bool(it.previousStopWasClean)),
        .init("interruptedRequests", .count(it.interruptedRequests)),
      ]
    case .stopped(let it):
      [.init("reason", .text(it.reason)), .init("cutRequests", .count(it.cutRequests))]
    case .tailTruncated(let it):
      [
        .init("segment", .text(it.segment)), .init("offset", .count(it.offset)),
        .init("bytes", .count(it.bytes)), .init("rule", .text(it.rule)),
      ]
    case .gap(let it):
      [
        .init("boundMilliseconds", .count(it.boundMilliseconds)),
        .init("reason", .text(it.reason)),
      ]
    case .gapOpened(let it):
      [.init("reason", .text(it.reason))]
    case .gapClosed(let it):
      [.init("opened", .count(it.opened)), .init("count", .count(it.count))]
    case .lossAccepted(let it):
      [
        .init("first", .count(it.first)), .init("last", .count(it.last)),
        .init("file", .text(it.file)), .init("rule", .text(it.rule)),
        .init("reason", .text(it.reason)),
      ]
    case .checkpointSigned(let it):
      [
        .init("position", .count(it.position)), .init("epoch", .count(it.epoch)),
        .init("chain", .text(Shown.hex(it.chain))), .init("previous", .count(it.previous)),
        .init("root", .text(Shown.hex(it.root))),
        .init("publicKey", .text(Shown.hex(it.publicKey))),
        .init("signature", .text(Shown.hex(it.signature))),
      ]
    case .viewRebuilt(let it):
      [
        .init("view", .text(it.view)), .init("reason", .text(it.reason.name)),
        .init("position", .count(it.position)),
      ]
    case .identified(let it):
      [
        .init("node", .text(it.node.rawValue)),
        .init("incarnation", .text(Shown.incarnation(it.incarnation))),
      ]
    case .restored(let it):
      [
        .init("node", .text(it.node.rawValue)),
        .init("incarnation", .text(Shown.incarnation(it.incarnation))),
        .init("previous", .text(Shown.incarnation(it.previous))),
      ]
    }
  }

  // MARK: Parts

  static func models(_ models: [ProviderModel]) -> JSONTree {
    .array(
      models.map { .object([.init("name", .text($0.name)), .init("alias", .text($0.alias))]) })
  }

  static func texts(_ texts: [String]) -> JSONTree { .array(texts.map { .text($0) }) }

  static func optional(_ name: String, _ value: JSONTree?, _ members: inout Members) {
    if let value { members.append(.init(name, value)) }
  }
}
