/// Where the answers of appends go.
///
/// Called on one of the store's own threads (or on the submitter's, for a refusal without a look at
/// the log), once per group and sink, tokens in the order of submission within one call.
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
