import Domain
import EventStore

/// `DIR/node`: tells a data directory from its copies.
///
/// It holds which node the log is, and its own number and birth in the file system: a copied or unpacked file has others.
/// A snapshot of the whole file system, or of the machine, is taken back without a trace.
struct NodeFile {
  let directory: String

  private var path: String { "\(directory)/node" }
  private static let title = "signalbox node v1"

  /// The identity that the file vouches for; nil: there is none, or it is a copy.
  func read() throws(VaultError) -> NodeIdentity? {
    // Empty: a crash came while it was written, and it vouches for nothing.
    guard let bytes = try KeyFile.read(path), !bytes.isEmpty else { return nil }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    guard lines.count == 5, lines[0] == Self.title,
      let incarnation = UInt64(lines[2], radix: 16), let inode = UInt64(lines[3]),
      let born = Int64(lines[4])
    else {
      throw VaultError(
        .damaged, "not a node file of this format; remove it if the directory is a copy", path: path
      )
    }
    guard let own = FileIdentity(ofFileAt: path), own.inode == inode, own.born == born else {
      return nil
    }
    return NodeIdentity(node: NodeID(lines[1]), incarnation: incarnation)
  }

  /// Vouches for an identity from now on; on disk, synced, when this returns.
  func write(_ identity: NodeIdentity) throws(VaultError) {
    // A file of its own first, so that its number and birth are known: overwriting keeps both.
    try KeyFile.write([], to: path, directory: directory)
    guard let own = FileIdentity(ofFileAt: path) else {
      throw VaultError(.io, "cannot examine the node file", path: path)
    }
    let lines = [
      Self.title, identity.node.rawValue, String(identity.incarnation, radix: 16),
      String(own.inode), String(own.born),
    ]
    try KeyFile.overwrite(Array((lines.joined(separator: "\n") + "\n").utf8), at: path)
  }
}

extension ControlPlane {
  /// Finds out whether the data directory is the one that wrote the log last, and says in the log, durably, if it is not:
  /// then every credential that may have been refreshed elsewhere is uncertain.
  ///
  /// To be called before anything is served or refreshed.
  ///
  /// - Returns: Whether the directory is a copy or a backup.
  @discardableResult
  public func identify(directory: String) async throws -> Bool {
    let file = NodeFile(directory: directory)
    let found = try file.read()
    guard let known = state.identity else {
      let identity = found ?? NodeIdentity.mint(edge)
      // The file first: a log without a file is a copy's.
      if found == nil { try file.write(identity) }
      try await execute(provenance: .system) { _ in
        [Change(.node(.identify(identity.node, incarnation: identity.incarnation)))]
      }
      return false
    }
    if found == known { return false }
    let incarnation = edge.random()
    try await execute(provenance: .system) { _ in
      [Change(.node(.restore(incarnation: incarnation)))]
    }
    try file.write(NodeIdentity(node: known.node, incarnation: incarnation))
    return true
  }
}
