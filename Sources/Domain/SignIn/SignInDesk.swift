/// The sign-ins that were begun and may still be ended: bounded, each ended once, by whoever began it.
///
/// Only in memory: what waits is forgotten when the process ends. `Held` is what stays on the server meanwhile, which
/// is secret; of an ended sign-in nothing of it is kept.
public struct SignInDesk<Held: Sendable>: Sendable {
  /// Open and ended ones together.
  public static var most: Int { 256 }
  /// Of one session.
  public static var mostOfOne: Int { 32 }
  /// How long one may take, in seconds, if the provider sets no end of its own.
  public static var lifetime: Int64 { 600 }

  private var entries: [String: Entry] = [:]

  private struct Entry: Sendable {
    var begun: SignInBegun
    /// nil: it has ended.
    var held: Held?
    var pace: Pace
    var isPolled = false
  }

  private struct Pace: Sendable {
    var intervalSeconds: Int64
    var next: UnixNanoseconds
  }

  /// Nothing was begun.
  public init() {}

  /// How many may still be ended.
  public var open: Int { entries.values.count { $0.held != nil } }

  /// Takes a sign-in under a handle that nobody can guess.
  ///
  /// - Parameter intervalSeconds: between two polls; 0 where there are none.
  public mutating func begin(
    _ begun: SignInBegun, handle: String, held: Held, intervalSeconds: Int64 = 0,
    at now: UnixNanoseconds
  ) throws(SignInRefusal) {
    entries = entries.filter { now < $0.value.begun.expiresAt }
    guard entries.count < Self.most,
      entries.values.count(where: { $0.begun.session == begun.session }) < Self.mostOfOne
    else { throw .tooMany }
    entries[handle] = Entry(
      begun: begun, held: held,
      pace: Pace(
        intervalSeconds: intervalSeconds,
        next: UnixNanoseconds(now.rawValue &+ intervalSeconds * 1_000_000_000)))
  }

  /// Ends a sign-in and gives what was kept for it; whatever comes of that, it cannot be ended again.
  public mutating func take(
    _ handle: String, by caller: SignInCaller, at now: UnixNanoseconds
  ) throws(SignInRefusal) -> (begun: SignInBegun, held: Held) {
    let (entry, held) = try find(handle, by: caller, at: now)
    entries[handle]?.held = nil
    return (entry, held)
  }

  /// Whether the provider may be asked now how a device's sign-in stands.
  public mutating func poll(
    _ handle: String, by caller: SignInCaller, at now: UnixNanoseconds
  ) throws(SignInRefusal) -> (begun: SignInBegun, held: Held)? {
    let found = try find(handle, by: caller, at: now)
    guard let entry = entries[handle], !entry.isPolled, now >= entry.pace.next else { return nil }
    entries[handle]?.isPolled = true
    return found
  }

  /// The provider said to wait on: `slower` by five seconds between polls from now on.
  public mutating func wait(_ handle: String, slower: Bool, at now: UnixNanoseconds) {
    guard var entry = entries[handle] else { return }
    if slower { entry.pace.intervalSeconds += 5 }
    entry.isPolled = false
    entry.pace.next = UnixNanoseconds(
      now.rawValue &+ entry.pace.intervalSeconds * 1_000_000_000)
    entries[handle] = entry
  }

  /// The provider decided: it cannot be asked again.
  public mutating func end(_ handle: String) { entries[handle]?.held = nil }

  private func find(
    _ handle: String, by caller: SignInCaller, at now: UnixNanoseconds
  ) throws(SignInRefusal) -> (begun: SignInBegun, held: Held) {
    guard let entry = entries[handle] else { throw .unknown }
    // Whoever guesses or stole one is told no more of it than that it is not theirs.
    guard entry.begun.session == caller.session else { throw .otherSession }
    guard entry.begun.provider == caller.provider, entry.begun.flow == caller.flow else {
      throw .otherProvider
    }
    guard now < entry.begun.expiresAt else { throw .expired }
    guard let held = entry.held else { throw .used }
    return (entry.begun, held)
  }
}

/// A sign-in as it was begun.
public struct SignInBegun: Sendable, Hashable {
  /// Where.
  public var provider: ProviderID
  /// In which way.
  public var flow: OAuthProvider.Flow
  /// Whose: an administrator's session, a key or a user of this machine.
  public var session: String
  /// It is over then.
  public var expiresAt: UnixNanoseconds
  /// Whose next credential it is to bring; nil: whosever it turns out to be.
  public var account: AccountID?

  /// Made of its parts.
  public init(
    provider: ProviderID, flow: OAuthProvider.Flow, session: String, expiresAt: UnixNanoseconds,
    account: AccountID?
  ) {
    self.provider = provider
    self.flow = flow
    self.session = session
    self.expiresAt = expiresAt
    self.account = account
  }
}

/// Who comes back with a handle, and for what.
public struct SignInCaller: Sendable, Hashable {
  /// As in `SignInBegun`.
  public var session: String
  /// As in the path.
  public var provider: ProviderID
  /// As the path says.
  public var flow: OAuthProvider.Flow

  /// Made of its parts.
  public init(session: String, provider: ProviderID, flow: OAuthProvider.Flow) {
    self.session = session
    self.provider = provider
    self.flow = flow
  }
}

/// Why a sign-in cannot be begun or ended.
public enum SignInRefusal: String, Error, Sendable, Hashable, CaseIterable {
  case unknown
  case used
  case expired
  case otherProvider = "other_provider"
  case otherSession = "other_session"
  /// As many wait as may.
  case tooMany = "too_many"
}
