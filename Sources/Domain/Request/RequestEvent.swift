/// Whose fault a failed attempt or request is.
public enum ErrorClass: UInt8, Sendable, Hashable, CaseIterable {
  case client = 1
  case request = 2
  case account = 3
  case model = 4
  case provider = 5
  case network = 6
  case gateway = 7

  /// As shown in answers and the timeline.
  public var name: String {
    switch self {
    case .client: "client"
    case .request: "request"
    case .account: "account"
    case .model: "model"
    case .provider: "provider"
    case .network: "network"
    case .gateway: "gateway"
    }
  }
}

/// How a request ended, as its client saw it.
public enum Ending: UInt8, Sendable, Hashable, CaseIterable {
  /// Upstream complete, and all but the withheld end of the answer accepted by our socket.
  case completed = 1
  /// The answer is an error that upstream or the gateway caused.
  case failed = 2
  /// Refused before any upstream call.
  case denied = 3
  /// The client went away first.
  case clientHungUp = 4
  /// Upstream broke off after the first byte had been sent to the client.
  case upstreamCut = 5
  /// The gateway stopped before the answer was complete.
  case drained = 6

  /// As shown in the timeline.
  public var name: String {
    switch self {
    case .completed: "completed"
    case .failed: "failed"
    case .denied: "denied"
    case .clientHungUp: "client_hung_up"
    case .upstreamCut: "upstream_cut"
    case .drained: "drained"
    }
  }
}

/// Tokens as the provider reported them; nil is "not reported".
public struct TokenUsage: Sendable, Hashable {
  /// Tokens of the request.
  public var input: UInt64?
  /// Tokens of the answer.
  public var output: UInt64?
  /// Part of `input`.
  public var cached: UInt64?
  /// Part of `output`.
  public var reasoning: UInt64?
  /// Part of `input`: written to the provider's cache.
  public var cacheCreation: UInt64?

  /// Made of its parts.
  public init(
    input: UInt64? = nil, output: UInt64? = nil, cached: UInt64? = nil, reasoning: UInt64? = nil,
    cacheCreation: UInt64? = nil
  ) {
    self.input = input
    self.output = output
    self.cached = cached
    self.reasoning = reasoning
    self.cacheCreation = cacheCreation
  }

  /// Nothing was reported.
  public static let notReported = TokenUsage()

  /// These figures, and those of an earlier report where these say nothing: some providers split them over two frames.
  public func filled(from earlier: TokenUsage) -> TokenUsage {
    TokenUsage(
      input: input ?? earlier.input, output: output ?? earlier.output,
      cached: cached ?? earlier.cached, reasoning: reasoning ?? earlier.reasoning,
      cacheCreation: cacheCreation ?? earlier.cacheCreation)
  }
}

/// One upstream call made for a request, with all that its routing decision depended on.
public struct Attempt: Sendable, Hashable {
  /// Position of the routing snapshot that the decision used.
  public var snapshot: UInt64
  /// The decision's clock.
  public var now: UnixNanoseconds
  /// The decision's dice.
  public var seed: UInt64
  /// What events up to the snapshot do not determine.
  public var local: LocalInputs
  /// The account concerned.
  public var account: AccountID
  /// The rule that chose the account.
  public var rule: ChoiceRule
  /// The provider's own model name that was asked for; nil: that of `modelResolved`, or not recorded.
  public var upstreamModel: String?
  /// Upstream's status; nil if no answer came.
  public var status: UInt16?
  /// nil: the attempt succeeded.
  public var errorClass: ErrorClass?
  /// Stable short code of what went wrong (`connect_refused`, `timeout`, `status_429`…); never upstream text.
  public var errorCode: String?
  /// Microseconds from the attempt's start.
  public var connectMicroseconds: UInt64?
  /// Microseconds until the answer's first byte; nil if none came.
  public var firstByteMicroseconds: UInt64?
  /// Microseconds until the end.
  public var totalMicroseconds: UInt64

  /// Made of its parts.
  public init(
    snapshot: UInt64, now: UnixNanoseconds, seed: UInt64, local: LocalInputs, account: AccountID,
    rule: ChoiceRule, status: UInt16?, errorClass: ErrorClass?, errorCode: String?,
    connectMicroseconds: UInt64?, firstByteMicroseconds: UInt64?, totalMicroseconds: UInt64,
    upstreamModel: String? = nil
  ) {
    self.upstreamModel = upstreamModel
    self.snapshot = snapshot
    self.now = now
    self.seed = seed
    self.local = local
    self.account = account
    self.rule = rule
    self.status = status
    self.errorClass = errorClass
    self.errorCode = errorCode
    self.connectMicroseconds = connectMicroseconds
    self.firstByteMicroseconds = firstByteMicroseconds
    self.totalMicroseconds = totalMicroseconds
  }

  /// What the request's later attempts do not choose again: the account as a whole where the failure was not
  /// about one model of it, the model at all accounts of the provider where the request could not be told to it.
  public var tried: Tried {
    Tried(account, model: upstreamModel, endedWith: errorClass, status: status)
  }
}

extension Tried {
  /// What is out for the rest of a request after an attempt that ended so.
  ///
  /// - Parameters:
  ///   - errorClass: nil: it succeeded.
  ///   - status: Upstream's; nil: no answer came.
  public init(
    _ account: AccountID, model: String?, endedWith errorClass: ErrorClass?, status: UInt16?
  ) {
    switch errorClass {
    case .request where status == nil: self.init(account, model: model, isUntold: true)
    case .model, .provider, .request, nil: self.init(account, model: model)
    case .account, .network, .gateway, .client: self.init(account, model: nil)
    }
  }
}

/// What a request under a budget sets aside before its first call.
public struct Reserve: Sendable, Hashable {
  /// In millionths of a US dollar; 0 where no price is known.
  public var microUSD: UInt64
  /// Input and output together.
  public var tokens: UInt64

  /// Made of its parts.
  public init(microUSD: UInt64, tokens: UInt64) {
    self.microUSD = microUSD
    self.tokens = tokens
  }
}

/// A limit and what was used of it when a request was admitted or refused by it.
public struct LimitReading: Sendable, Hashable {
  /// Whose limit.
  public var scope: Scope
  /// What it limits.
  public var measure: Measure
  /// How much may be used.
  public var limit: UInt64
  /// How much was used, this request not counted.
  public var used: UInt64
  /// The part of `used` that was set aside for requests under way.
  public var reserved: UInt64

  /// Made of its parts.
  public init(
    scope: Scope, measure: Measure, limit: UInt64, used: UInt64, reserved: UInt64 = 0
  ) {
    self.scope = scope
    self.measure = measure
    self.limit = limit
    self.used = used
    self.reserved = reserved
  }

  /// Whose limit.
  public enum Scope: UInt8, Sendable, Hashable, CaseIterable {
    case key = 1
    case organisation = 2

    /// As shown in answers and the timeline.
    public var name: String {
      switch self {
      case .key: "key"
      case .organisation: "organisation"
      }
    }
  }

  /// What a limit limits.
  public enum Measure: UInt8, Sendable, Hashable, CaseIterable {
    case requestsPerSecond = 1
    case requestsPerMinute = 2
    case tokensPerMinute = 3
    case concurrency = 4
    /// Millionths of a US dollar.
    case moneyPerDay = 5
    case moneyPerMonth = 6
    case tokensPerDay = 7
    case tokensPerMonth = 8

    /// As shown in answers and the timeline.
    public var name: String {
      switch self {
      case .requestsPerSecond: "rps"
      case .requestsPerMinute: "rpm"
      case .tokensPerMinute: "tpm"
      case .concurrency: "concurrency"
      case .moneyPerDay: "usd_per_day"
      case .moneyPerMonth: "usd_per_month"
      case .tokensPerDay: "tokens_per_day"
      case .tokensPerMonth: "tokens_per_month"
      }
    }
  }
}

/// What tells a repeated request from another one under the same `Idempotency-Key`.
public struct IdempotencyMark: Sendable, Hashable {
  /// Of the header's value and the API key.
  public var key: UInt128
  /// Of operation and body.
  public var body: UInt128

  /// Made of its parts.
  public init(key: UInt128, body: UInt128) {
    self.key = key
    self.body = body
  }
}

/// Facts in `request`.
public enum RequestEvent: Sendable, Hashable {
  case dispatched(Dispatched)
  case finished(Finished)
  case interrupted(Interrupted)
  case deliveryFailed(DeliveryFailed)
  case deniedSummary(DeniedSummary)

  /// The request is in flight: written for those that take more than 100 ms, and before the call in strict mode.
  public struct Dispatched: Sendable, Hashable {
    /// The request, by the id that the gateway minted.
    public var id: RequestID
    /// The client's own `x-request-id`, if it sent one.
    public var clientRequestID: String?
    /// The tenant it belongs to.
    public var organisation: OrganisationID?
    /// The API key that was presented, if any.
    public var key: KeyID?
    /// What was asked for.
    public var operation: Operation
    /// The client's `model`, as written.
    public var modelAsked: String
    /// When the head had arrived.
    public var receivedAt: UnixNanoseconds
    /// The account of the attempt under way.
    public var account: AccountID?
    /// What is set aside for it; nil: it is under no budget.
    public var reserve: Reserve?
    /// Of its `Idempotency-Key`; nil: it has none.
    public var idempotency: IdempotencyMark?

    /// Made of its parts.
    public init(
      id: RequestID, clientRequestID: String?, organisation: OrganisationID?, key: KeyID?,
      operation: Operation, modelAsked: String, receivedAt: UnixNanoseconds, account: AccountID?,
      reserve: Reserve? = nil, idempotency: IdempotencyMark? = nil
    ) {
      self.id = id
      self.clientRequestID = clientRequestID
      self.organisation = organisation
      self.key = key
      self.operation = operation
      self.modelAsked = modelAsked
      self.receivedAt = receivedAt
      self.account = account
      self.reserve = reserve
      self.idempotency = idempotency
    }
  }

  /// The one record of how a request went.
  public struct Finished: Sendable, Hashable {
    /// The request, by the id that the gateway minted.
    public var id: RequestID
    /// The client's own `x-request-id`: 1…128 visible ASCII.
    public var clientRequestID: String?
    /// The tenant it belongs to.
    public var organisation: OrganisationID?
    /// The API key that was presented, if any.
    public var key: KeyID?
    /// The client's address without port; empty if unknown.
    public var remoteAddress: String
    /// What was asked for.
    public var operation: Operation
    /// At most 256 bytes, as far as it could be read.
    public var modelAsked: String
    /// `provider/model` as sent upstream.
    public var modelResolved: String?
    /// Whether the answer was asked for as a stream.
    public var isStream: Bool
    /// When the head had arrived.
    public var receivedAt: UnixNanoseconds
    /// The upstream calls, in order.
    public var attempts: [Attempt]
    /// What the client got (or would have got, had it stayed).
    public var status: UInt16
    /// How it ended, as the client saw it.
    public var ending: Ending
    /// The error catalogue's code; nil on success.
    public var errorCode: String?
    /// Whose fault a failure was; nil on success.
    public var errorClass: ErrorClass?
    /// Tokens as the provider reported them.
    public var usage: TokenUsage
    /// In which price list the cost was found; nil: no price known.
    public var priceVersion: UInt64?
    /// In millionths of a US dollar; nil: no price known.
    public var costMicroUSD: UInt64?
    /// Bytes of the request's body.
    public var requestBytes: UInt64
    /// Bytes of the answer's body that were sent to the client.
    public var responseBytes: UInt64
    /// From the head's last byte to the first attempt.
    public var queueMicroseconds: UInt64
    /// From the head's last byte to the first byte sent to the client.
    public var firstByteMicroseconds: UInt64?
    /// Microseconds until the end.
    public var totalMicroseconds: UInt64
    /// A hash of the session that the client named; nil: it named none, or nothing was decided by it.
    public var session: UInt64?
    /// The limits that held, and what was used of each when the request came.
    public var limits: [LimitReading]
    /// What was set aside for it; nil: it is under no budget.
    public var reserve: Reserve?
    /// Of its `Idempotency-Key`; nil: it has none.
    public var idempotency: IdempotencyMark?
    /// The trace that it is part of; nil: the client named none.
    public var trace: TraceContext?

    /// Made of its parts.
    public init(
      id: RequestID, clientRequestID: String?, organisation: OrganisationID?, key: KeyID?,
      remoteAddress: String, operation: Operation, modelAsked: String, modelResolved: String?,
      isStream: Bool, receivedAt: UnixNanoseconds, attempts: [Attempt], status: UInt16,
      ending: Ending, errorCode: String?, errorClass: ErrorClass?, usage: TokenUsage,
      priceVersion: UInt64? = nil, costMicroUSD: UInt64? = nil, requestBytes: UInt64,
      responseBytes: UInt64, queueMicroseconds: UInt64, firstByteMicroseconds: UInt64?,
      totalMicroseconds: UInt64, session: UInt64? = nil, limits: [LimitReading] = [],
      reserve: Reserve? = nil, idempotency: IdempotencyMark? = nil, trace: TraceContext? = nil
    ) {
      self.id = id
      self.clientRequestID = clientRequestID
      self.organisation = organisation
      self.key = key
      self.remoteAddress = remoteAddress
      self.operation = operation
      self.modelAsked = modelAsked
      self.modelResolved = modelResolved
      self.isStream = isStream
      self.receivedAt = receivedAt
      self.attempts = attempts
      self.status = status
      self.ending = ending
      self.errorCode = errorCode
      self.errorClass = errorClass
      self.usage = usage
      self.priceVersion = priceVersion
      self.costMicroUSD = costMicroUSD
      self.requestBytes = requestBytes
      self.responseBytes = responseBytes
      self.queueMicroseconds = queueMicroseconds
      self.firstByteMicroseconds = firstByteMicroseconds
      self.totalMicroseconds = totalMicroseconds
      self.session = session
      self.limits = limits
      self.reserve = reserve
      self.idempotency = idempotency
      self.trace = trace
    }
  }

  /// Found at recovery: dispatched in an earlier life, no end in the log.
  public struct Interrupted: Sendable, Hashable {
    /// The request, by the id that the gateway minted.
    public var id: RequestID
    /// The client's own `x-request-id`, if it sent one.
    public var clientRequestID: String?
    /// The tenant it belongs to.
    public var organisation: OrganisationID?
    /// The API key that was presented, if any.
    public var key: KeyID?
    /// Position of its `dispatched`.
    public var dispatchedAt: UInt64
    /// What its budgets are charged with, since nobody knows what it cost; nil: it was under none.
    public var charge: Charge?

    /// An interrupted request's part of its budgets.
    public struct Charge: Sendable, Hashable {
      /// What was set aside for it.
      public var reserve: Reserve
      /// When the request came: to which period the charge belongs.
      public var receivedAt: UnixNanoseconds

      /// Made of its parts.
      public init(reserve: Reserve, receivedAt: UnixNanoseconds) {
        self.reserve = reserve
        self.receivedAt = receivedAt
      }
    }

    /// Made of its parts.
    public init(
      id: RequestID, clientRequestID: String?, organisation: OrganisationID?, key: KeyID?,
      dispatchedAt: UInt64, charge: Charge? = nil
    ) {
      self.id = id
      self.clientRequestID = clientRequestID
      self.organisation = organisation
      self.key = key
      self.dispatchedAt = dispatchedAt
      self.charge = charge
    }
  }

  /// `finished` was recorded as completed, and then the withheld end could not be sent.
  public struct DeliveryFailed: Sendable, Hashable {
    /// The request, by the id that the gateway minted.
    public var id: RequestID
    /// Stable short code.
    public var errorCode: String

    /// Made of its parts.
    public init(id: RequestID, errorCode: String) {
      self.id = id
      self.errorCode = errorCode
    }
  }

  /// Unauthenticated requests from one address beyond 10 a second, counted instead of told one by one.
  public struct DeniedSummary: Sendable, Hashable {
    /// The client's address without port.
    public var remoteAddress: String
    /// When counting began.
    public var since: UnixNanoseconds
    /// How many were counted.
    public var count: UInt64

    /// Made of its parts.
    public init(remoteAddress: String, since: UnixNanoseconds, count: UInt64) {
      self.remoteAddress = remoteAddress
      self.since = since
      self.count = count
    }
  }
}
