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
  private(set) var greatestID: UInt128 = 0
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

  /// The number of `stream` in `touches`, for the events noted next, of which it has at least one.
  ///
  /// - Parameter before: the stream's last revision before the block.
  mutating func touch(_ stream: String, before: (String) -> UInt64) -> Int {
    if let known = touch(of: stream) {
      latest = known
    } else {
      latest = touches.count
      touchOf[stream] = latest
      let revision = before(stream)
      touches.append(
        StreamTouch(
          stream: stream, firstIndex: idHashes.count, firstRevision: revision + 1,
          lastRevision: revision))
    }
    return latest
  }

  /// Notes the next event of the block; returns its revision, the next one of its stream.
  mutating func add(id: UInt128, hash: UInt64, touch: Int) -> UInt64 {
    idHashes.append(hash)
    greatestID = max(greatestID, id)
    touches[touch].lastRevision += 1
    return touches[touch].lastRevision
  }

  /// Notes an event of the block of which nothing is known; no id is looked for by `hash`.
  mutating func skip(hash: UInt64) { idHashes.append(hash) }

  /// Notes the next event of the block, as it was read.
  mutating func add(id: UInt128, hash: UInt64? = nil, stream: String, revision: UInt64) {
    let touch = touch(stream) { _ in revision - 1 }
    idHashes.append(hash ?? FingerprintTable.hash(id))
    greatestID = max(greatestID, id)
    touches[touch].lastRevision = revision
  }

  /// Notes a lookup key of the event noted last.
  mutating func add(keyHash: UInt64) { keys.append((keyHash, idHashes.count - 1)) }

  mutating func removeAll() {
    idHashes.removeAll(keepingCapacity: true)
    greatestID = 0
    keys.removeAll(keepingCapacity: true)
    touches.removeAll(keepingCapacity: true)
    touchOf.removeAll(keepingCapacity: true)
    latest = 0
  }
}
