import CFast

/// Sees to it that memory which a rush of clients or the sealing of a segment took is the machine's again.
///
/// The allocator keeps what is freed for the next one who asks, and pages in the midst of its heaps it never
/// gives back by itself: without this a gateway stays as large as its worst minute.
struct FreedMemory {
  /// More that is resident and not used is worth the work, in bytes.
  static let worthwhile: Int64 = 16 << 20
  private static let look = Duration.seconds(5)

  /// What was left of the unused the last time: pieces too small to be given back.
  private var remains: Int64 = 0

  /// Large blocks go back at once; before anything is allocated.
  static func returnLargeBlocks() { cfast_memory_return_large() }

  /// Looks every few seconds until the task is cancelled.
  static func keepLittle() async {
    var memory = FreedMemory()
    while !Task.isCancelled {
      memory.look(unused: cfast_memory_unused, trim: cfast_memory_trim)
      do { try await Task.sleep(for: look) } catch { return }
    }
  }

  /// Trims if much more is unused than a trim left the last time.
  mutating func look(unused: () -> Int64, trim: () -> Void) {
    let now = unused()
    remains = min(remains, max(0, now))
    guard now > remains + Self.worthwhile else { return }
    trim()
    remains = max(0, unused())
  }
}
