package import EventStore
internal import Synchronization

/// A disk in memory that forgets, tears and reorders what was not synced, by seed.
///
/// A *power cut* keeps of each un-synced write any subset of its 512-byte sectors, of each directory
/// any first part of its un-synced changes; bytes that a file gained may be zeros. A *kill* keeps all
/// that was handed over, and of the write that it interrupts a first part.
///
/// A *harsh* disk does more at a power cut: in what was written and not synced a sector may be garbled,
/// or zeros, and where a file grew there may stand what stood there in an earlier life of the file or in
/// another file. Bytes that were synced and not written since stay, also in a sector that is torn. By its seed it
/// writes in place, where overwriting needs no space, or elsewhere, where what was there before is never seen again.
///
/// With a capacity it is finite: each file takes a sector for its name and its contents in whole
/// sectors; what does not fit is refused, a write after the part that did fit.
package final class SimulatedDisk: Disk {
  package enum Fault: Sendable, Hashable {
    case ioError
    case noSpace
    /// The call writes this many bytes and then reports that there is no space.
    case noSpaceAfter(Int)
    /// The call writes only this many bytes, and says so.
    case shortWrite(Int)
    /// This and every later call fails until `restart`.
    case kill
    case powerCut
  }

  /// What a changing call did.
  package enum Operation: String, Sendable {
    case makeDirectory, create, rename, remove, syncDirectory, write, sync, truncate, allocate
  }

  /// A fault that was injected and happened.
  package struct Hit: Sendable {
    package var fault: Fault
    package var operation: Operation
    package var path: String
  }

  fileprivate enum Change: Sendable {
    case write(offset: Int, bytes: [UInt8])
    case truncate(Int)
  }

  fileprivate final class Inode: Sendable {
    struct State {
      var live: [UInt8] = []
      var durable: [UInt8] = []
      var changes: [Change] = []

      /// The parts of `range` that were written or gained since the last sync.
      func unsynced(in range: Range<Int>) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        if range.upperBound > durable.count {
          parts.append(max(range.lowerBound, durable.count)..<range.upperBound)
        }
        for case .write(let offset, let bytes) in changes {
          let part = range.clamped(to: offset..<(offset + bytes.count))
          if !part.isEmpty { parts.append(part) }
        }
        return parts
      }
    }
    let state = Mutex(State())
  }

  fileprivate enum Entry: Sendable {
    case directory
    case file(Inode)
  }

  fileprivate struct State {
    var random: SeededRandom
    var live: [String: Entry] = [:]
    var durable: [String: Entry] = [:]
    /// Changes of names since the last sync of their directory: the path and what stands there then.
    var renames: [(path: String, entry: Entry?)] = []
    var boot = 1
    var time: Int64 = 1_700_000_000_000_000_000
    var calls = 0
    var faults: [Int: Fault] = [:]
    var readFault: StoreError?
    /// The read at which a single one fails, counted from now.
    var readsUntilFault: Int?
    var hits: [Hit] = []
    var isHarsh = false
    /// Of a harsh disk: overwriting takes space, and no old bytes show.
    var writesElsewhere = false
    /// What files lost, for later lives: path and contents, the newest last.
    var past: [(path: String, bytes: [UInt8])] = []
    var isDown = false
    var locks: Set<String> = []
    var capacity: Int?

    func used() -> Int {
      var used = 0
      for case .file(let inode) in live.values {
        used += SimulatedDisk.space(of: inode.state.withLock { $0.live.count })
      }
      return used
    }

    /// Bytes that files may still take.
    func free() -> Int {
      guard let capacity else { return .max }
      return max(0, capacity - used())
    }
  }

  private static let sector = 512
  /// Lost contents that are remembered.
  private static let pastMax = 12

  /// What a file of `size` bytes takes, its name included.
  fileprivate static func space(of size: Int) -> Int {
    (1 + (size + sector - 1) / sector) * sector
  }

  fileprivate let state: Mutex<State>

  /// `sync` returns without having done anything: to show that a test notices.
  fileprivate let isLying: Bool

  package init(
    seed: UInt64, isLying: Bool = false, isHarsh: Bool = false, capacity: Int? = nil
  ) {
    self.isLying = isLying
    state = Mutex(State(random: SeededRandom(seed: seed)))
    state.withLock { state in
      state.capacity = capacity
      state.isHarsh = isHarsh
      state.writesElsewhere = isHarsh && (seed ^ seed >> 17) & 1 == 1
      state.live["/"] = .directory
      state.durable["/"] = .directory
    }
  }

  // MARK: Faults

  /// Changing calls so far.
  package var calls: Int { state.withLock { $0.calls } }

  /// Makes the changing call after `calls` more of them fail.
  package func inject(_ fault: Fault, after calls: Int = 0) {
    state.withLock { $0.faults[$0.calls + calls + 1] = fault }
  }

  /// What all files may take together, in bytes; nil: without bound.
  package var capacity: Int? {
    get { state.withLock { $0.capacity } }
    set { state.withLock { $0.capacity = newValue } }
  }

  /// Bytes that files may still take.
  package var free: Int { state.withLock { $0.free() } }

  package func freeBytes(_ path: String) -> UInt64? {
    state.withLock { $0.capacity == nil ? nil : UInt64($0.free()) }
  }

  /// From now on no more than `free` bytes are left.
  package func fill(butFor free: Int = 0) {
    state.withLock { $0.capacity = $0.used() + free }
  }

  package func clearFaults() {
    state.withLock { state in
      state.faults = [:]
      state.readsUntilFault = nil
    }
  }

  /// Makes every read fail, or none.
  package func failReads(_ fails: Bool) {
    state.withLock { $0.readFault = fails ? StoreError(.io, "injected", errno: 5) : nil }
  }

  /// Makes the read after `reads` more of them fail, once.
  package func injectReadError(after reads: Int) {
    state.withLock { $0.readsUntilFault = reads }
  }

  /// The faults that happened since the last call.
  package func takeHits() -> [Hit] {
    state.withLock { state in
      defer { state.hits = [] }
      return state.hits
    }
  }

  /// A kill or power cut happened.
  package var isDown: Bool { state.withLock { $0.isDown } }

  /// The machine runs again: after `cutPower` in a new boot.
  package func restart() {
    state.withLock { state in
      state.isDown = false
      state.locks = []
      state.faults = [:]
      state.readsUntilFault = nil
    }
  }

  /// Loses what a power cut may lose, by the disk's seed.
  package func cutPower() { state.withLock { Self.lose(&$0) } }

  private static func lose(_ state: inout State) {
    state.isDown = true
    state.boot += 1
    // Names: per directory a first part of the changes stays.
    var kept = state.durable
    for directory in Set(state.renames.map { parent($0.path) }).sorted() {
      let changes = state.renames.filter { parent($0.path) == directory }
      let count = state.random.int(0...changes.count)
      for change in changes.prefix(count) { kept[change.path] = change.entry }
    }
    state.renames = []
    state.live = kept
    state.durable = kept
    for path in kept.keys.sorted() {
      guard case .file(let inode)? = kept[path] else { continue }
      inode.state.withLock { file in
        var image = survivor(file, &state.random)
        if state.isHarsh, !file.changes.isEmpty, image.count > 0 {
          spoil(&image, path, file, &state)
          remember(file.live, path, &state)
        }
        file = Inode.State(live: image, durable: image, changes: [])
      }
    }
  }

  /// Garbles sectors of what was not synced, or puts there what a disk may hold from before.
  private static func spoil(
    _ image: inout [UInt8], _ path: String, _ file: Inode.State, _ state: inout State
  ) {
    guard state.random.oneIn(2) else { return }
    let oneIn = state.random.int(1...6)
    let older = state.past.filter { $0.path == path }
    for start in stride(from: 0, to: image.count, by: sector) where state.random.oneIn(oneIn) {
      let choice = state.random.int(0...3)
      let source =
        choice == 2
        ? older.randomElement(using: &state.random)
        : choice == 3 ? state.past.randomElement(using: &state.random) : nil
      for range in file.unsynced(in: start..<min(start + sector, image.count)) {
        for at in range {
          switch choice {
          case 0: image[at] = UInt8.random(in: 0...255, using: &state.random)
          case 1: image[at] = 0
          default:
            // Stale bytes stand only where the file had none.
            if !state.writesElsewhere, at >= file.durable.count, let source,
              at < source.bytes.count
            {
              image[at] = source.bytes[at]
            }
          }
        }
      }
    }
  }

  fileprivate static func remember(_ bytes: [UInt8], _ path: String, _ state: inout State) {
    guard state.isHarsh, !bytes.isEmpty else { return }
    if state.past.count >= pastMax { state.past.removeFirst() }
    state.past.append((path, bytes))
  }

  private static func survivor(
    _ file: Inode.State, _ random: inout SeededRandom
  ) -> [UInt8] {
    if file.changes.isEmpty || random.oneIn(4) { return file.durable }
    if random.oneIn(4) { return file.live }
    // Contents after each change, to choose from sector by sector; and any size on the way.
    var images = [file.durable]
    for change in file.changes {
      var image = images[images.count - 1]
      change.apply(to: &image)
      images.append(image)
    }
    let size = images[random.int(0...(images.count - 1))].count
    var result = [UInt8](repeating: 0, count: size)
    for start in stride(from: 0, to: size, by: 512) {
      let image = images[random.int(0...(images.count - 1))]
      for at in start..<min(start + 512, size) {
        // What a sector gained may also be zeros; what was synced in it stays.
        result[at] = at < image.count ? image[at] : 0
      }
    }
    return result
  }

  fileprivate static func parent(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  fileprivate func error(_ code: StoreError.Code, _ message: String, _ path: String, _ errno: Int32)
    -> StoreError
  {
    StoreError(code, message, path: path, errno: errno)
  }

  /// Counts a changing call; throws what is injected, after `partly` did a first part of it.
  fileprivate func step(
    _ path: String, _ operation: Operation, isInPlace: Bool = false,
    partly: (Fault) -> Int? = { _ in nil }
  ) throws(StoreError) -> Int? {
    let fault = state.withLock { state -> Fault? in
      if state.isDown { return .kill }
      state.calls += 1
      let fault = state.faults.removeValue(forKey: state.calls)
      if isInPlace, state.isHarsh, !state.writesElsewhere {
        switch fault {
        case .noSpace, .noSpaceAfter: return nil
        case .ioError, .shortWrite, .kill, .powerCut, nil: break
        }
      }
      if let fault { state.hits.append(Hit(fault: fault, operation: operation, path: path)) }
      return fault
    }
    guard let fault else { return nil }
    switch fault {
    case .ioError: throw error(.io, "injected", path, 5)
    case .noSpace: throw error(.full, "injected", path, 28)
    case .noSpaceAfter:
      _ = partly(fault)
      throw error(.full, "injected", path, 28)
    case .shortWrite: return partly(fault)
    case .kill:
      if !isDown { _ = partly(fault) }
      state.withLock { $0.isDown = true }
      throw error(.io, "killed", path, 5)
    case .powerCut:
      _ = partly(fault)
      cutPower()
      throw error(.io, "power cut", path, 5)
    }
  }

  fileprivate func requireUp(_ path: String) throws(StoreError) {
    let fault = state.withLock {
      $0.isDown ? StoreError(.io, "down", path: path, errno: 5) : $0.readFault
    }
    if let fault { throw fault }
  }

  fileprivate func requireReadable(_ path: String) throws(StoreError) {
    try requireUp(path)
    let isFailing = state.withLock { state -> Bool in
      guard let left = state.readsUntilFault else { return false }
      state.readsUntilFault = left == 0 ? nil : left - 1
      return left == 0
    }
    if isFailing { throw error(.io, "injected", path, 5) }
  }

  /// A read error was injected and has not happened yet.
  package var isReadErrorPending: Bool { state.withLock { $0.readsUntilFault != nil } }

  // MARK: Looking and damaging, for tests

  /// Paths of all files, sorted.
  package var paths: [String] {
    state.withLock { state in
      state.live.filter { if case .file = $0.value { true } else { false } }.keys.sorted()
    }
  }

  package func contents(_ path: String) -> [UInt8]? {
    inode(path).map { $0.state.withLock { $0.live } }
  }

  /// Sets a file's contents, as durable; nil removes it.
  package func set(_ path: String, _ bytes: [UInt8]?) {
    guard let bytes else {
      state.withLock { state in
        state.live[path] = nil
        state.durable[path] = nil
      }
      return
    }
    let inode = Inode()
    inode.state.withLock { $0 = Inode.State(live: bytes, durable: bytes, changes: []) }
    state.withLock { state in
      state.live[path] = .file(inode)
      state.durable[path] = .file(inode)
    }
  }

  /// A disk with the same live contents, all of them durable; or with what is durable here only.
  package func copy(seed: UInt64, onlyDurable: Bool = false) -> SimulatedDisk {
    let copy = SimulatedDisk(seed: seed)
    let (entries, boot) = state.withLock { (onlyDurable ? $0.durable : $0.live, $0.boot) }
    copy.state.withLock { state in
      state.boot = boot
      for (path, entry) in entries {
        if case .directory = entry {
          state.live[path] = .directory
          state.durable[path] = .directory
        }
      }
    }
    for case (let path, .file(let inode)) in entries {
      copy.set(path, inode.state.withLock { onlyDurable ? $0.durable : $0.live })
    }
    return copy
  }

  /// Lets time pass.
  package func pass(milliseconds: Int64) { state.withLock { $0.time += milliseconds * 1_000_000 } }

  /// From now on the machine is in another boot.
  package func changeBoot() { state.withLock { $0.boot += 1 } }

  fileprivate func inode(_ path: String) -> Inode? {
    state.withLock { state in
      guard case .file(let inode)? = state.live[path] else { return nil }
      return inode
    }
  }

  // MARK: Disk

  package func status(_ path: String) throws(StoreError) -> FileStatus? {
    try requireUp(path)
    let entry = state.withLock { $0.live[path] }
    switch entry {
    case nil: return nil
    case .directory?: return FileStatus(isDirectory: true, size: 0, permissions: 0o700)
    case .file(let inode)?:
      let size = inode.state.withLock { $0.live.count }
      return FileStatus(isDirectory: false, size: UInt64(size), permissions: 0o600)
    }
  }

  private func rename(_ path: String, to entry: Entry?) {
    state.withLock { state in
      state.live[path] = entry
      state.renames.append((path, entry))
    }
  }

  package func makeDirectory(_ path: String) throws(StoreError) {
    _ = try step(path, .makeDirectory)
    if state.withLock({ $0.live[path] != nil }) { throw error(.io, "exists", path, 17) }
    rename(path, to: .directory)
  }

  package func list(_ path: String) throws(StoreError) -> [String] {
    try requireUp(path)
    return state.withLock { state in
      state.live.keys.filter { $0 != "/" && Self.parent($0) == path }
        .map { String($0.dropFirst(path == "/" ? 1 : path.count + 1)) }
    }
  }

  package func open(_ path: String, _ mode: OpenMode) throws(StoreError) -> any DiskFile {
    if case .createNew = mode {
      _ = try step(path, .create)
      if state.withLock({ $0.live[path] != nil }) { throw error(.io, "exists", path, 17) }
      let inode = Inode()
      if free < Self.space(of: 0) { throw error(.full, "no space", path, 28) }
      rename(path, to: .file(inode))
      return SimulatedFile(disk: self, inode: inode, path: path)
    }
    try requireUp(path)
    guard let inode = inode(path) else { throw error(.io, "no such file", path, 2) }
    return SimulatedFile(disk: self, inode: inode, path: path)
  }

  package func rename(_ from: String, _ to: String) throws(StoreError) {
    _ = try step(from, .rename)
    guard let inode = inode(from) else { throw error(.io, "no such file", from, 2) }
    state.withLock { state in
      state.live[from] = nil
      state.live[to] = .file(inode)
      state.renames.append((to, .file(inode)))
      state.renames.append((from, nil))
    }
  }

  package func remove(_ path: String) throws(StoreError) {
    _ = try step(path, .remove)
    guard let inode = inode(path) else { throw error(.io, "no such file", path, 2) }
    let bytes = inode.state.withLock { $0.live }
    state.withLock { Self.remember(bytes, path, &$0) }
    rename(path, to: nil)
  }

  package func syncDirectory(_ path: String) throws(StoreError) {
    _ = try step(path, .syncDirectory)
    state.withLock { state in
      for change in state.renames where Self.parent(change.path) == path {
        state.durable[change.path] = change.entry
      }
      state.renames.removeAll { Self.parent($0.path) == path }
    }
  }

  package func lock(_ path: String) throws(StoreError) -> any DiskLock {
    try requireUp(path)
    let isTaken = state.withLock { !$0.locks.insert(path).inserted }
    if isTaken { throw error(.locked, "held", path, 11) }
    return SimulatedLock(disk: self, path: path)
  }

  package func isLocked(_ path: String) -> Bool? { state.withLock { $0.locks.contains(path) } }

  package func bootID() -> [UInt8] { Array("boot-\(state.withLock { $0.boot })".utf8) }

  package func now() -> Int64 {
    state.withLock { state in
      state.time += 1_000
      return state.time
    }
  }

  package func monotonic() -> Int64 { now() }

  package func randomID() -> UInt128 {
    state.withLock { state in UInt128.random(in: 1 ... .max, using: &state.random) }
  }
}

extension SimulatedDisk.Change {
  fileprivate func apply(to image: inout [UInt8]) {
    switch self {
    case .write(let offset, let bytes):
      if image.count < offset + bytes.count {
        image.append(
          contentsOf: [UInt8](repeating: 0, count: offset + bytes.count - image.count))
      }
      image.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
    case .truncate(let size):
      if size <= image.count {
        image.removeLast(image.count - size)
      } else {
        image.append(contentsOf: [UInt8](repeating: 0, count: size - image.count))
      }
    }
  }
}

private final class SimulatedLock: DiskLock {
  private let disk: SimulatedDisk
  private let path: String

  init(disk: SimulatedDisk, path: String) {
    self.disk = disk
    self.path = path
  }

  func describe(_ text: String) {}

  func release() { _ = disk.state.withLock { $0.locks.remove(path) } }
}

private final class SimulatedFile: DiskFile {
  private let disk: SimulatedDisk
  private let inode: SimulatedDisk.Inode
  private let path: String

  init(disk: SimulatedDisk, inode: SimulatedDisk.Inode, path: String) {
    self.disk = disk
    self.inode = inode
    self.path = path
  }

  /// Faults go by the name under which it was opened.
  func isNow(at path: String) {}

  func read(
    into room: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(StoreError) -> Int {
    try disk.requireReadable(path)
    return inode.state.withLock { file in
      guard Int(offset) < file.live.count else { return 0 }
      let bytes = file.live[Int(offset)..<min(file.live.count, Int(offset) + room.count)]
      room.copyBytes(from: bytes)
      return bytes.count
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    let isInPlace = inode.state.withLock { Int(offset) + bytes.count <= $0.live.count }
    let part = try disk.step(path, .write, isInPlace: isInPlace) { [self] fault in
      let wanted =
        switch fault {
        case .noSpaceAfter(let count), .shortWrite(let count): count
        default: disk.state.withLock { $0.random.int(0...bytes.count) }
        }
      let count = min(wanted, bytes.count)
      if count > 0 { apply(.write(offset: Int(offset), bytes: Array(bytes.prefix(count)))) }
      return count
    }
    if let part { return part }
    let fitting = fittingSize(upTo: Int(offset) + bytes.count) - Int(offset)
    if fitting <= 0, bytes.count > 0 { throw disk.error(.full, "no space", path, 28) }
    apply(.write(offset: Int(offset), bytes: Array(bytes.prefix(fitting))))
    return fitting
  }

  /// The size, at most `wanted`, to which the file may grow.
  private func fittingSize(upTo wanted: Int) -> Int {
    let size = inode.state.withLock { $0.live.count }
    let free = disk.free
    guard wanted > size, free < .max else { return wanted }
    let room = SimulatedDisk.space(of: size) + free - SimulatedDisk.space(of: 0)
    return min(wanted, room)
  }

  private func apply(_ change: SimulatedDisk.Change) {
    inode.state.withLock { file in
      change.apply(to: &file.live)
      file.changes.append(change)
    }
  }

  func sync() throws(StoreError) {
    _ = try disk.step(path, .sync)
    if disk.isLying { return }
    inode.state.withLock { file in
      file.durable = file.live
      file.changes = []
    }
  }

  func truncate(to size: UInt64) throws(StoreError) {
    _ = try disk.step(path, .truncate)
    let bytes = inode.state.withLock { $0.live }
    disk.state.withLock { SimulatedDisk.remember(bytes, path, &$0) }
    apply(.truncate(Int(size)))
  }

  func allocate(_ size: UInt64) throws(StoreError) {
    _ = try disk.step(path, .allocate)
    let old = inode.state.withLock { $0.live.count }
    guard Int(size) > old else { return }
    let fitting = fittingSize(upTo: Int(size))
    if fitting > old { apply(.truncate(fitting)) }
    if fitting < Int(size) { throw disk.error(.full, "no space", path, 28) }
  }

  func size() throws(StoreError) -> UInt64 {
    try disk.requireUp(path)
    return UInt64(inode.state.withLock { $0.live.count })
  }

  func forgetCache() {}

  func close() {}
}
