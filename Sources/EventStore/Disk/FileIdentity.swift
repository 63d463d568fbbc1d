internal import CFast

/// What a file keeps as long as it is the same file, and no copy of it has.
public struct FileIdentity: Sendable, Hashable {
  /// Its number in its file system.
  public let inode: UInt64
  /// When it was created, in nanoseconds since the epoch; 0: the file system does not say.
  public let born: Int64

  /// nil: there is no such file, or it cannot be looked at.
  public init?(ofFileAt path: String) {
    var inode: UInt64 = 0
    var born: Int64 = 0
    guard cfast_file_identity(path, &inode, &born) == 0 else { return nil }
    self.inode = inode
    self.born = born
  }
}
