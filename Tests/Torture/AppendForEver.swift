internal import EventStore
internal import Glibc
internal import Synchronization

/// Prints the id of each acknowledged event as 32 hexadecimal digits and a line feed: one `write(2)`
/// per answer batch, so that a kill leaves at most one incomplete line.
private final class Witness: AppendSink {
  private let seed: UInt128
  private let room = Signalled(limit: 256)

  init(seed: UInt64) { self.seed = UInt128(seed) << 64 }

  func completed(_ completions: [AppendCompletion]) {
    var text: [UInt8] = []
    for completion in completions {
      guard case .success = completion.result else { exit(3) }
      let digits = String(seed | UInt128(completion.token), radix: 16)
      text.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 32 - digits.utf8.count))
      text.append(contentsOf: digits.utf8)
      text.append(10)
    }
    _ = Glibc.write(1, text, text.count)
    room.leave(completions.count)
  }

  func enter() { room.enter() }
}

/// Lets a bounded number of appends be under way.
final class Signalled: @unchecked Sendable {
  // `@unchecked`: a semaphore is made for use from many threads, and its address never changes.
  private let semaphore: UnsafeMutablePointer<sem_t>

  init(limit: UInt32) {
    semaphore = .allocate(capacity: 1)
    sem_init(semaphore, 0, limit)
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func enter() { while sem_wait(semaphore) != 0 {} }
  func leave(_ count: Int = 1) { for _ in 0..<count { sem_post(semaphore) } }
}

/// Appends until it is killed; the payload of an event is its own id, three times.
func appendForEver(directory: String, mode: String, seed: String) {
  let modes: [String: Durability] = ["durable": .durable, "written": .written, "queued": .queued]
  guard let durability = modes[mode], let seed = UInt64(seed) else { exit(2) }
  do {
    let store = try EventStore.open(
      directory: directory, options: StoreOptions(segmentBytes: 64 << 10))
    let witness = Witness(seed: seed)
    var number: UInt64 = 0
    while true {
      number += 1
      witness.enter()
      let id = EventID(UInt128(seed) << 64 | UInt128(number))
      let bytes = withUnsafeBytes(of: id.rawValue.bigEndian) { Array($0) }
      store.submit(
        AppendBatch(events: [
          EventDraft(
            id: id, stream: "torture/\(number % 7)", kind: "torture.appended.v1",
            time: Int64(number), lookupKeys: [bytes], payload: bytes + bytes + bytes)
        ]), durability: durability, sink: witness, token: number)
    }
  } catch {
    print("cannot open: \(error)")
    exit(4)
  }
}
