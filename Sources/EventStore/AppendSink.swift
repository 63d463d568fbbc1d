/// Where the answers of appends go.
///
/// Called on one of the store's own threads, or on one that submits (which may not be the one that submitted what
/// is answered), once per group and sink, tokens in the order of submission within one call.
public protocol AppendSink: AnyObject, Sendable {
  /// Takes the answers of one group; must not block, read the log or close it.
  func completed(_ completions: [AppendCompletion])
}

/// The answer to one submitted batch.
public struct AppendCompletion: Sendable {
  /// The token given to `EventStore.submit`.
  public var token: UInt64
  /// Where the batch stands, or why it does not.
  public var result: Result<AppendReceipt, StoreError>

  /// Takes the parts as they are.
  public init(token: UInt64, result: Result<AppendReceipt, StoreError>) {
    self.token = token
    self.result = result
  }
}

/// A batch, and how it is to be appended.
public struct AppendRequest: Sendable {
  /// What to append.
  public var batch: AppendBatch
  /// When it is answered.
  public var durability: Durability
  /// Given back with the answer.
  public var token: UInt64

  /// Takes the parts as they are.
  public init(batch: AppendBatch, durability: Durability, token: UInt64) {
    self.batch = batch
    self.durability = durability
    self.token = token
  }
}
