public import Domain

/// Where a newer credential comes from when a provider refuses the one in use.
public protocol CredentialSource: Sendable {
  /// Asks for a credential newer than the one presented; called on event loops, never blocks.
  ///
  /// - Parameter done: called exactly once, on any thread: true when a newer one is published.
  func renew(
    _ account: AccountID, presented: UInt64, for request: RequestID,
    done: @escaping @Sendable (Bool) -> Void)
}
