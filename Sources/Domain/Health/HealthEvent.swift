/// What of an account a cooldown holds back.
public enum CooldownScope: Sendable, Hashable {
  /// Every request.
  case account
  /// Requests for one model, by the provider's own name of it.
  case model(String)
}

/// Facts in `health/<account>`: what is known of an account's state, never what operators want of it.
public enum HealthEvent: Sendable, Hashable {
  case cooldownStarted(CooldownStarted)
  case cooldownEnded(CooldownEnded)
  case tested(Tested)
  case noted(Noted)
  case probeStarted(ProbeStarted)
  case quirkLearned(QuirkLearned)

  /// A request was let through to see whether what cooled serves again; its time was over.
  public struct ProbeStarted: Sendable, Hashable {
    /// Whom it is about.
    public var account: AccountID
    /// What had cooled.
    public var scope: CooldownScope

    /// Made of its parts.
    public init(account: AccountID, scope: CooldownScope) {
      self.account = account
      self.scope = scope
    }
  }

  /// The account's provider refuses something that its protocol has; it is not asked for it again.
  public struct QuirkLearned: Sendable, Hashable {
    /// With whose credential it was found.
    public var account: AccountID
    /// What is refused.
    public var quirk: Quirk

    /// Made of its parts.
    public init(account: AccountID, quirk: Quirk) {
      self.account = account
      self.quirk = quirk
    }
  }

  /// The account (or one of its models) is not chosen until a time; replaces a cooldown of the same scope.
  public struct CooldownStarted: Sendable, Hashable {
    /// Whom it is about.
    public var account: AccountID
    /// What is held back.
    public var scope: CooldownScope
    /// Which rule asked for it, as a stable word: `operator`, `rate_limited`…; 1…64 of `a-z 0-9 _`.
    public var rule: String
    /// Until when.
    public var until: UnixNanoseconds
    /// Upstream's status that led to it.
    public var status: UInt16?
    /// Stable short code of what went wrong; never upstream's text.
    public var errorCode: String?

    /// Made of its parts.
    public init(
      account: AccountID, scope: CooldownScope, rule: String, until: UnixNanoseconds,
      status: UInt16? = nil, errorCode: String? = nil
    ) {
      self.account = account
      self.scope = scope
      self.rule = rule
      self.until = until
      self.status = status
      self.errorCode = errorCode
    }
  }

  /// A cooldown ended before its time.
  public struct CooldownEnded: Sendable, Hashable {
    /// Whom it is about.
    public var account: AccountID
    /// What is free again; nil: the account and each of its models.
    public var scope: CooldownScope?
    /// What ended it.
    public var reason: EndReason

    /// Made of its parts.
    public init(account: AccountID, scope: CooldownScope?, reason: EndReason) {
      self.account = account
      self.scope = scope
      self.reason = reason
    }
  }

  /// What ends a cooldown before its time.
  public enum EndReason: UInt8, Sendable, Hashable, CaseIterable {
    case byOperator = 1
    case passedTest = 2
    case success = 3

    /// As shown in answers and the timeline.
    public var name: String {
      switch self {
      case .byOperator: "operator"
      case .passedTest: "passed_test"
      case .success: "success"
      }
    }
  }

  /// A real call was made to see whether the account works.
  public struct Tested: Sendable, Hashable {
    /// Whom it is about.
    public var account: AccountID
    /// The model that was asked; nil: none was.
    public var model: String?
    /// Whether the answer was good.
    public var isValid: Bool
    /// How long it took.
    public var latencyMicroseconds: UInt64
    /// Upstream's status; nil: no answer came.
    public var status: UInt16?
    /// What was at fault; nil: nothing.
    public var errorClass: ErrorClass?
    /// Stable short code of what went wrong; never upstream's text.
    public var errorCode: String?

    /// Made of its parts.
    public init(
      account: AccountID, model: String?, isValid: Bool, latencyMicroseconds: UInt64,
      status: UInt16?, errorClass: ErrorClass?, errorCode: String?
    ) {
      self.account = account
      self.model = model
      self.isValid = isValid
      self.latencyMicroseconds = latencyMicroseconds
      self.status = status
      self.errorClass = errorClass
      self.errorCode = errorCode
    }
  }

  /// An operator wrote down what the account's state is; routing takes no notice of it.
  public struct Noted: Sendable, Hashable {
    /// Whom it is about.
    public var account: AccountID
    /// nil: unchanged.
    public var testStatus: TestStatus?
    /// nil: unchanged.
    public var error: ErrorNote?

    /// Made of its parts.
    public init(account: AccountID, testStatus: TestStatus? = nil, error: ErrorNote? = nil) {
      self.account = account
      self.testStatus = testStatus
      self.error = error
    }
  }

  /// What an operator says about the last error.
  public enum ErrorNote: Sendable, Hashable {
    case cleared
    case set(status: UInt16?, code: String?)
  }

  /// Whom the fact is about.
  public var account: AccountID {
    switch self {
    case .cooldownStarted(let it): it.account
    case .cooldownEnded(let it): it.account
    case .tested(let it): it.account
    case .noted(let it): it.account
    case .probeStarted(let it): it.account
    case .quirkLearned(let it): it.account
    }
  }
}

/// What a provider refuses although its protocol has it.
public enum Quirk: UInt8, Sendable, Hashable, CaseIterable, Comparable {
  /// A stream's usage figures, asked for by `stream_options.include_usage`.
  case rejectsStreamOptions = 1

  /// As shown in answers and the timeline.
  public var name: String {
    switch self {
    case .rejectsStreamOptions: "rejects_stream_options"
    }
  }

  /// In the order of the raw values.
  public static func < (a: Quirk, b: Quirk) -> Bool { a.rawValue < b.rawValue }
}

/// What the last test, or an operator, said of an account.
public enum TestStatus: UInt8, Sendable, Hashable, CaseIterable {
  case unknown = 1
  case active = 2
  case unavailable = 3
  case error = 4

  /// As written in answers and the runbooks.
  public var name: String {
    switch self {
    case .unknown: "unknown"
    case .active: "active"
    case .unavailable: "unavailable"
    case .error: "error"
    }
  }
}
