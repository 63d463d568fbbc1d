internal import Synchronization

/// Space that is kept for what must be recorded although the disk is full: a file whose bytes are
/// really allocated, and are given back when they are needed.
final class SpaceReserve: Sendable {
  static let name = "RESERVE"

  let bytes: UInt64

  private struct State {
    var file: (any DiskFile)?
    var isHeld = false
  }

  private let disk: any Disk
  private let path: String
  private let state = Mutex(State())

  /// Takes nothing yet.
  init(disk: any Disk, directory: String, bytes: Int) {
    self.disk = disk
    self.bytes = UInt64(bytes)
    path = directory + "/" + Self.name
  }

  /// Makes sure that the space is there.
  ///
  /// - Throws: `.full` if it is not; then none of it is taken.
  func take() throws(StoreError) {
    try state.withLock { (state) throws(StoreError) in
      if state.isHeld { return }
      // Not synced: a file that a crash takes away is made again.
      guard bytes > 0 else {
        if try disk.status(path) != nil { try disk.remove(path) }
        return
      }
      let file: any DiskFile
      if let open = state.file {
        file = open
      } else {
        file = try disk.open(path, try disk.status(path) == nil ? .createNew : .readWrite)
      }
      state.file = file
      do throws(StoreError) {
        if try file.size() > bytes { try file.truncate(to: bytes) }
        try file.allocate(bytes)
      } catch {
        _ = try? file.truncate(to: 0)
        throw error
      }
      state.isHeld = true
    }
  }

  /// Gives the space back; false if none was held.
  func release() -> Bool {
    state.withLock { state in
      guard state.isHeld, let file = state.file else { return false }
      state.isHeld = false
      return (try? file.truncate(to: 0)) != nil
    }
  }

  /// Gives back what an earlier life held; false if there was nothing.
  static func giveUp(disk: any Disk, directory: String) throws(StoreError) -> Bool {
    let path = directory + "/" + name
    guard let status = try disk.status(path), status.size > 0 else { return false }
    let file = try disk.open(path, .readWrite)
    defer { file.close() }
    try file.truncate(to: 0)
    return true
  }
}
