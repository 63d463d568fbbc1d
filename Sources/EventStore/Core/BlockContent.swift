/// What the index is told of a block's events; also the writer's view of what its group would change.
struct BlockContent {
  struct StreamTouch {
    var stream: String
    /// Place in the block of the stream's first event there.
    var firstIndex: Int
    var firstRevision: UInt64
    var lastRevision: UInt64
  }

  private(set) var idHashes: [UInt64] = []
  private(set) var keys: [(hash: UInt64, index: Int)] = []
  private(set) var touches: [StreamTouch] = []
  private var touchOf: [String: Int] = [:]
  private var latest = 0

  var count: Int { idHashes.count }

  /// The stream's last revision within the block; nil if the block holds none of it.
  func revision(of stream: String) -> UInt64? { touch(of: stream).map { touches[$0].lastRevision } }

  private func touch(of stream: String) -> Int? {
    // Most blocks are of one stream.
    if latest < touches.count, touches[latest].stream == stream { return latest }
    return touchOf[stream]
  }

  /// Notes the next event of the block.
  mutating func add(id: UInt128, stream: String, revision: UInt64) {
    let index = idHashes.count
    idHashes.append(FingerprintTable.hash(id))
    if let touch = touch(of: stream) {
      touches[touch].lastRevision = revision
      latest = touch
    } else {
      latest = touches.count
      touchOf[stream] = latest
      touches.append(
        StreamTouch(
          stream: stream, firstIndex: index, firstRevision: revision, lastRevision: revision))
    }
  }

  /// Notes a lookup key of the event noted last.
  mutating func add(key: UnsafeRawBufferPointer) {
    keys.append((PostingTable.hash(key), idHashes.count - 1))
  }

  mutating func removeAll() {
    idHashes.removeAll(keepingCapacity: true)
    keys.removeAll(keepingCapacity: true)
    touches.removeAll(keepingCapacity: true)
    touchOf.removeAll(keepingCapacity: true)
    latest = 0
  }
}
