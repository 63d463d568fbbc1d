/// The log could not do what was asked.
///
/// `description` names the file, the offset, the rule and the remedy where there are such; never
/// any event's content.
public struct StoreError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What went wrong, as a stable name.
  public enum Code: String, Sendable, CaseIterable {
    /// A stream's revision is not the expected one; nothing was written.
    case conflict
    /// Some, not all, ids of a batch are in the log, or in another order; nothing was written.
    case idReused
    /// A draft breaks a bound stated at `EventDraft` or `AppendBatch`; nothing was written.
    case invalidDraft
    /// Another process holds the directory for writing.
    case locked
    /// Directory, file or format is not a store of ours, or is of a newer major version.
    case notAStore
    /// Permissions of the directory or a file are wider than 0700/0600.
    case permissions
    /// Acknowledged bytes are damaged; the store is readable, not writable.
    case damaged
    /// A read or write failed with an errno; after a failed write the outcome is unknown.
    case io
    /// No space or file descriptor left; nothing of this batch was written.
    case full
    /// An earlier write or sync failed: the writer takes nothing more until the store is reopened.
    case poisoned
    /// The writer's queue is at its bound; nothing was written.
    case overloaded
    /// The store was closed.
    case closed
  }

  /// What went wrong.
  public var code: Code
  /// One sentence for a person; bounded, free of event content.
  public var message: String
  /// The file concerned, if any.
  public var path: String?
  /// For `.conflict`: the stream and its actual revision.
  public var stream: String?
  /// The revision that the stream has, for `.conflict`.
  public var actual: Revision?
  /// For `.damaged`: the first position that cannot be read.
  public var position: Position?
  /// For `.damaged` at an opening for writing: all that is damaged, in the order of the log.
  public var damage: [LogGap] = []
  /// For `.damaged` at an opening for writing: the command that accepts the loss of all of it.
  public var acceptCommand: String?
  /// The system's error number, if a system call failed.
  public var errno: Int32?

  /// Takes the parts as they are.
  public init(
    _ code: Code, _ message: String, path: String? = nil, stream: String? = nil,
    actual: Revision? = nil, position: Position? = nil, errno: Int32? = nil
  ) {
    self.code = code
    self.message = message
    self.path = path
    self.stream = stream
    self.actual = actual
    self.position = position
    self.errno = errno
  }

  /// For people; bounded.
  public var description: String {
    // Damage names its files itself.
    "\(code.rawValue): \(damage.isEmpty ? path.map { "\($0): " } ?? "" : "")\(message)"
      + (errno.map { " (errno \($0))" } ?? "")
  }
}
