/// How far the background work on finished segments is.
public struct SealingState: Sendable, Hashable {
  /// Finished segments that are not sealed yet.
  public var pending: Int
  /// Why the last attempt failed (a full disk, damage); nil after progress.
  ///
  /// It is tried again later, and no event is lost by it.
  public var lastFailure: StoreError?

  /// Takes the parts as they are.
  public init(pending: Int, lastFailure: StoreError?) {
    self.pending = pending
    self.lastFailure = lastFailure
  }
}
