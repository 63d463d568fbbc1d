/// Answers what a decision must know and events up to its snapshot do not determine.
///
/// The gateway's answers from live state and notes what it said; replay's is the note.
public protocol LocalSource {
  /// How many requests went through the group before this one: the same for all attempts of a request; nil:
  /// nobody counted.
  mutating func cursor(of group: String) -> UInt64?
  /// Whether no other request is finding out whether this account serves again.
  mutating func isProbeFree(_ account: AccountID, model: String) -> Bool
  /// How long the account takes to its first byte, in microseconds, smoothed; 0: nobody knows.
  mutating func latency(of account: AccountID) -> UInt64
}

/// What a decision asked its local source and was told; empty for fill-first among healthy accounts.
public struct LocalInputs: Sendable, Hashable {
  /// The place in the order of the group's requests.
  public var cursor: UInt64?
  /// Accounts that another request was probing, in the order in which they were asked about.
  public var heldProbes: [AccountID]
  /// Of the accounts that were compared.
  public var latencies: [Figure]

  /// An account's latency.
  public struct Figure: Sendable, Hashable {
    /// Whose.
    public var account: AccountID
    /// To the first byte, smoothed; 0: unknown.
    public var microseconds: UInt64

    /// Made of its parts.
    public init(account: AccountID, microseconds: UInt64) {
      self.account = account
      self.microseconds = microseconds
    }
  }

  /// Made of its parts.
  public init(
    cursor: UInt64? = nil, heldProbes: [AccountID] = [], latencies: [Figure] = []
  ) {
    self.cursor = cursor
    self.heldProbes = heldProbes
    self.latencies = latencies
  }

  /// Nothing local was used.
  public static let none = LocalInputs()
}

extension LocalInputs: LocalSource {
  /// As noted.
  public func cursor(of group: String) -> UInt64? { cursor }
  /// As noted.
  public func isProbeFree(_ account: AccountID, model: String) -> Bool {
    !heldProbes.contains(account)
  }
  /// As noted.
  public func latency(of account: AccountID) -> UInt64 {
    latencies.first { $0.account == account }?.microseconds ?? 0
  }
}
