/// A resource as its own stream tells it, event by event: what each changed, and who set what last.
public struct StreamFold: Sendable {
  /// Whose stream it is.
  public let subject: Subject
  /// By field, while the resource is there: the event that gave it its value.
  public private(set) var writers: [String: Writer] = [:]
  /// The event that made the resource be there, or not be there any more; nil: none did.
  public private(set) var presence: Writer?
  /// Whether a file took the resource away once; who brought it back since meant it.
  public private(set) var wasRemovedByFile = false
  /// A scratch: nothing is in it but this resource.
  private var state: ControlState

  /// Who set a value.
  public struct Writer: Sendable, Hashable {
    /// In which epoch of the log.
    public var epoch: UInt64
    /// Place in the log.
    public var position: UInt64
    /// The author's clock.
    public var time: UnixNanoseconds
    /// Wire kind.
    public var kind: String
    /// Who, through which door and because of what.
    public var provenance: Provenance
  }

  /// Before the stream's first event.
  public init(_ subject: Subject) {
    self.subject = subject
    state = .initial
    state.holdPlace(for: subject)
  }

  /// The resource after the events taken in; nil: it is not there.
  public var image: Image? { state.image(of: subject) }

  /// Takes in the stream's next event; those of other streams must not come here.
  ///
  /// - Returns: what it changed.
  @discardableResult
  public mutating func apply(_ recorded: Recorded, epoch: UInt64 = 0) -> [Image.Difference] {
    let before = image
    state.apply(recorded)
    let after = image
    let differences = Image.difference(before, after)
    let writer = Writer(
      epoch: epoch, position: recorded.position, time: recorded.time, kind: recorded.kind,
      provenance: recorded.provenance)
    if (before == nil) != (after == nil) {
      presence = writer
      if after == nil, recorded.provenance.source == .file { wasRemovedByFile = true }
      writers = [:]
      for field in after?.fields ?? [] { writers[field.name] = writer }
    }
    for difference in differences where after != nil { writers[difference.field] = writer }
    return differences
  }
}

extension Event {
  /// Whether nothing that its stream said before it matters any more for what the resource is.
  public var isWhole: Bool {
    switch self {
    case .provider(.added), .provider(.removed), .account(.added), .account(.removed), .alias,
      .key(.created), .credential(.issued), .model, .combo, .policy, .organisation(.created),
      .organisation(.removed):
      true
    case .provider(.changed), .provider(.enabled), .provider(.disabled),
      .provider(.modelsDiscovered), .provider(.healthCheckSet), .provider(.oauthSet),
      .account(.changed),
      .account(.enabled), .account(.disabled),
      .account(.degraded), .account(.restored), .account(.credentialSet), .credential(.revoked),
      .credential(.expirySet), .credential(.refreshAttempted), .credential(.refreshed),
      .credential(.refreshRejected), .credential(.refreshFailed), .credential(.markedUncertain),
      .credential(.released), .credential(.staleWriteRefused), .credential(.homeMoved),
      .credential(.ancestryLearned),
      .key(.changed), .key(.paused), .key(.resumed), .key(.revoked),
      .key(.accessChanged), .key(.limitsSet), .key(.budgetsSet), .organisation(.renamed),
      .organisation(.limitsSet), .organisation(.budgetsSet), .organisation(.paused),
      .organisation(.resumed), .health, .settings, .pricing, .access, .sync, .syncToken, .request,
      .gateway:
      false
    }
  }
}
