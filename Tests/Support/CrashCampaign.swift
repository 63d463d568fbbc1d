internal import EventStore

/// The life of one log on a harsh simulated disk: it is written, crashes, recovers, crashes during that,
/// and is compared with what its author was told after each of them.
///
/// Everything follows from the seed. A point is counted when a fault really happened and everything that
/// the log then gave was compared.
package struct CrashCampaign {
  private struct Ended: Error {}

  private let disk: SimulatedDisk
  private var random: SeededRandom
  private var oracle = CrashOracle()
  private var number: UInt64 = 1
  private var lastEpoch: UInt64 = 0
  private var unsynced: [Int] = []
  private let segmentBytes: Int
  private let aheadBytes: Int
  private let dictionary: [UInt8]
  /// Drawn from apart, so that lives that do not seal stay what they are; nil: this one does not.
  private var sealing: SeededRandom?
  /// Finished segments as they were before they were sealed.
  private var raw: [String: [UInt8]] = [:]
  /// Sealed segments whose index was garbled, as they were before.
  private var garbled: [String: [UInt8]] = [:]
  private var isIndexGarbled = false
  /// What is being done, for the names of points.
  private var phase = "append"
  /// Whether the log was closed since it was opened.
  private var isClosed = true

  /// Points by name, for example `power cut in roll`.
  package private(set) var points: [String: Int] = [:]

  private init(seed: UInt64, isLying: Bool) {
    random = SeededRandom(seed: seed)
    disk = SimulatedDisk(seed: seed ^ 0xD15C, isLying: isLying, isHarsh: true)
    segmentBytes = random.int(200...3_000)
    dictionary = random.oneIn(3) ? [] : Array("request.finished.v1 stream/ payload".utf8)
    var ahead = SeededRandom(seed: seed ^ 0xA4EAD)
    aheadBytes = ahead.oneIn(3) ? 0 : ahead.int(1...2_000)
    var sealing = SeededRandom(seed: seed ^ 0x5EA1)
    if !sealing.oneIn(3) { self.sealing = sealing }
  }

  /// Lives the life of `seed`; the points it counted, and what must not have happened, nil if nothing did.
  package static func run(
    seed: UInt64, rounds: Int = 6, isLying: Bool = false
  ) -> (points: [String: Int], violation: Violation?) {
    var campaign = CrashCampaign(seed: seed, isLying: isLying)
    for round in 0..<rounds {
      do throws(Violation) { try campaign.round() } catch {
        return (
          campaign.points, Violation(error.kind, "round \(round), \(campaign.phase): \(error.text)")
        )
      }
    }
    do throws(Violation) { try campaign.rot() } catch { return (campaign.points, error) }
    return (campaign.points, nil)
  }

  // MARK: One crash

  private mutating func round() throws(Violation) {
    let boot = disk.bootID()
    let isPowerCut = random.oneIn(2)
    // One round in four has no crash of its own, but faults only.
    if !random.oneIn(4) {
      disk.inject(isPowerCut ? .powerCut : .kill, after: random.int(0...70))
    }
    if random.oneIn(2) {
      for _ in 0..<random.int(1...3) { disk.inject(fault(), after: random.int(0...50)) }
    }
    try live()
    var names = disk.takeHits().map { name($0) }
    if !disk.isDown {
      if isPowerCut {
        disk.cutPower()
        names.append("power cut at rest")
      } else {
        names.append(isClosed ? "stop" : "kill at rest")
      }
    }
    disk.restart()
    if let name = garbleIndex() { names.append(name) }
    let store = try recover(&names)
    try judge(store, keepsWritten: disk.bootID() == boot)
    for name in names { points[name, default: 0] += 1 }
  }

  private mutating func fault() -> SimulatedDisk.Fault {
    switch random.int(0...5) {
    case 0: .ioError
    case 1: .noSpace
    // Now and then all of it is there, and still there was no room.
    case 2, 3: .noSpaceAfter(random.oneIn(3) ? .max : random.int(0...300))
    default: .shortWrite(random.int(1...300))
    }
  }

  private func name(_ hit: SimulatedDisk.Hit) -> String {
    let fault =
      switch hit.fault {
      case .ioError: "EIO"
      case .noSpace, .noSpaceAfter: "ENOSPC"
      case .shortWrite: "short write"
      case .kill: "kill"
      case .powerCut: "power cut"
      }
    var place = phase
    if phase == "seal" {
      // Where its work is: the sidecar, the sealed file, its rename, the removal of the original.
      let what =
        hit.path.contains(".idx") ? "index" : hit.path.hasSuffix("/seg") ? "rename" : "file"
      place = "seal: \(what) \(hit.operation)"
    }
    if phase == "append" || phase == "sync" {
      let isRoll = hit.path.hasSuffix(".tmp") || hit.path.hasSuffix("/seg")
      place = isRoll ? "roll" : "\(hit.operation == .sync ? "sync" : "append")"
    }
    return "\(fault) in \(place)"
  }

  // MARK: Writing

  /// Works until the log is closed, poisoned or dead, or enough was done.
  private mutating func live() throws(Violation) {
    phase = "open"
    isClosed = false
    unsynced = []
    let store: SteppedStore
    do {
      store = try SteppedStore(
        disk, segmentBytes: segmentBytes, aheadBytes: aheadBytes, dictionary: dictionary)
    } catch {
      return
    }
    defer { store.abandon() }
    guard store.report.epoch.rawValue > lastEpoch else {
      throw Violation(.wrong, "epoch \(store.report.epoch) was used before")
    }
    lastEpoch = store.report.epoch.rawValue
    do {
      for _ in 0..<random.int(1...20) {
        if sealing?.oneIn(4) == true { try seal(store) }
        phase = "append"
        switch random.int(0...10) {
        case 0...5: try append(store)
        case 6: try repeatOrConflict(store)
        case 7...8: try sync(store)
        default:
          try sync(store)
          phase = "witness"
          if random.oneIn(2) { try store.witnessBlock() }
          // A manifest that could not be written is tried again the next time.
          if random.oneIn(2) { do { try store.witness() } catch { try unlessDown() } }
        }
      }
      if random.oneIn(3) {
        phase = "close"
        try store.close()
        for batch in unsynced { oracle.note(batch, .durable) }
        isClosed = store.writer.mark != nil
      }
    } catch let violation as Violation {
      throw violation
    } catch {
      // Dead or poisoned.
    }
  }

  private func unlessDown() throws { if disk.isDown { throw Ended() } }

  private mutating func append(_ store: SteppedStore) throws {
    var group: [(batch: Int, receipt: AppendReceipt)] = []
    for _ in 0..<random.int(1...3) {
      let count = UInt64(random.oneIn(30) ? random.int(5...40) : random.int(1...4))
      let size = random.oneIn(12) ? random.int(200...900) : 24
      let drafts = (number..<(number + count)).map { draft($0, size: size) }
      number += count
      let batch = oracle.submit(drafts)
      guard case .placed(let receipt) = store.writer.add(AppendBatch(events: drafts)) else {
        throw Violation(.wrong, "a new batch was not placed")
      }
      group.append((batch, receipt))
    }
    do { try store.writer.flush() } catch {
      guard error.code == .full, !disk.isDown else { throw error }
      for (batch, _) in group { oracle.note(batch, .refused) }
      try compareLive(store)
      return
    }
    for (batch, receipt) in group {
      oracle.note(batch, .written)
      try oracle.show(batch, receipt)
      unsynced.append(batch)
    }
  }

  /// What the sealer does meanwhile; whatever comes of it, the log is the same and takes appends.
  private mutating func seal(_ store: SteppedStore) throws {
    guard var draw = sealing else { return }
    defer { sealing = draw }
    phase = "seal"
    for (path, bytes) in segmentImages { raw[path] = bytes }
    if draw.oneIn(3) { store.sealer.retry() }
    for _ in 0..<draw.int(1...6) where store.sealer.step() {}
    try unlessDown()
    if draw.oneIn(3) { try compareLive(store) }
  }

  /// Damages indexes, or puts an original beside the sealed segment that replaced it.
  ///
  /// - Returns: what was done, nil if nothing.
  private mutating func garbleIndex() -> String? {
    guard var draw = sealing else { return nil }
    defer { sealing = draw }
    guard draw.oneIn(3),
      let path = disk.paths.filter({ $0.hasSuffix(".sealed") || $0.hasSuffix(".idx") })
        .randomElement(using: &draw), let whole = disk.contents(path)
    else { return nil }
    var did: [String] = []
    let isSealed = path.hasSuffix(".sealed")
    let original = path.replacing(".sealed", with: ".esl")
    if isSealed, draw.oneIn(2), disk.contents(original) == nil, let bytes = raw[original] {
      disk.set(original, bytes)
      did.append("original beside")
    }
    if did.isEmpty || draw.oneIn(2) {
      did.append(isSealed ? "footer" : "sidecar")
      garbled[path] = isSealed ? garbled[path] ?? whole : nil
      isIndexGarbled = true
      // The index of a sealed segment begins behind its blocks with its magic.
      let magic = Array("SBXIDX\r\n".utf8)
      let base = isSealed ? whole.firstRange(of: magic)?.lowerBound ?? whole.count : 0
      var bytes = whole
      let at = min(draw.int(base...whole.count), whole.count - 1)
      switch draw.int(0...5) {
      case 0: bytes.removeSubrange(max(at, base)...)
      case 1: bytes.removeSubrange(base...)
      case 2: bytes += draw.bytes(draw.int(1...40))
      case 3: for place in at..<min(at + draw.int(1...64), whole.count) { bytes[place] = 0 }
      case 4: for place in at..<min(at + draw.int(1...64), whole.count) { bytes[place] ^= 0x5A }
      default: if at >= base { bytes[at] ^= 1 << UInt8(draw.int(0...7)) }
      }
      disk.set(path, !isSealed && draw.oneIn(3) ? nil : bytes)
    }
    return did.joined(separator: ", ")
  }

  /// After damage to an index: all of it is found, named as what it is, and made again byte for byte.
  private mutating func repairs(_ store: SteppedStore, _ events: Int) throws {
    let verdict = try store.reader.verify(from: .origin, through: nil, progress: nil)
    guard verdict.events == UInt64(events), verdict.revisionFaults.isEmpty,
      verdict.gaps.allSatisfy({ gap in
        gap.last.map { $0 < gap.first } == true
          && (gap.rule.hasPrefix("footer.") || gap.rule.hasPrefix("index."))
      })
    else { throw Violation(.lost, "a damaged index made \(verdict.gaps.first?.rule ?? "less")") }
    for (path, bytes) in segmentImages { raw[path] = bytes }
    while store.sealer.step() {}
    let state = store.sealer.sealing
    guard state.pending == 0, state.lastFailure == nil else {
      throw Violation(.wrong, "a damaged index was not made again: \(state)")
    }
    for (path, bytes) in garbled where disk.contents(path) != bytes {
      throw Violation(.wrong, "\(path) was made again with other bytes")
    }
    garbled = [:]
    isIndexGarbled = false
  }

  /// Whatever failed, the log that goes on is the one of before.
  private mutating func compareLive(_ store: SteppedStore) throws {
    let (events, gaps) = try everything(store.reader)
    guard gaps.isEmpty else { throw Violation(.wrong, "a living log has a gap: \(gaps[0].rule)") }
    try oracle.compare(events, keepsWritten: true, isLive: true)
  }

  private mutating func sync(_ store: SteppedStore) throws {
    phase = "sync"
    try store.sync()
    for batch in unsynced { oracle.note(batch, .durable) }
    unsynced = []
  }

  /// The same ids again get their old place; a wrong expectation is refused.
  private mutating func repeatOrConflict(_ store: SteppedStore) throws {
    let known = oracle.batches.filter { $0.knowledge.rawValue >= 2 }
    guard let old = known.randomElement(using: &random), let first = old.first else { return }
    switch store.writer.add(AppendBatch(events: old.drafts)) {
    case .duplicate(let receipt) where receipt.first.rawValue == first: break
    case .refused(let error) where error.code == .io && disk.isDown: throw error
    default: throw Violation(.wrong, "a repeated batch was not recognised")
    }
    let stream = old.drafts[0].stream
    let revision = Revision(oracle.revisions()[stream] ?? 0)
    let wrong = Revision(revision.rawValue + 1)
    let refusal = store.writer.add(
      AppendBatch(
        events: [draft(number, stream: stream)],
        expected: [(stream: stream, revision: .exactly(wrong))]))
    number += 1
    guard case .refused(let error) = refusal, error.code == .conflict, error.actual == revision
    else { throw Violation(.wrong, "a wrong expectation was not refused") }
  }

  // MARK: Recovering

  private typealias Images = [(path: String, bytes: [UInt8])]

  private var segmentImages: Images {
    disk.paths.filter { $0.hasSuffix(".esl") }.map { ($0, disk.contents($0) ?? []) }
  }

  /// Opens the log, which now and then crashes or fails meanwhile.
  private mutating func recover(_ names: inout [String]) throws(Violation) -> SteppedStore {
    phase = "recovery"
    var images = segmentImages
    var boot = disk.bootID()
    var failures = 0
    while failures < 2, random.oneIn(2) {
      var isReadError = false
      switch random.int(0...9) {
      case 0...3: disk.inject(.powerCut, after: random.int(0...14))
      case 4...6: disk.inject(.kill, after: random.int(0...14))
      case 7: disk.inject(fault(), after: random.int(0...10))
      default:
        isReadError = true
        disk.injectReadError(after: random.int(0...12))
      }
      do {
        let store = try SteppedStore(
          disk, segmentBytes: segmentBytes, aheadBytes: aheadBytes, dictionary: dictionary)
        lastEpoch = max(lastEpoch, store.report.epoch.rawValue)
        // Nothing happened, or something that does no harm: this is the recovery.
        disk.clearFaults()
        names += disk.takeHits().map { name($0) }
        try noticesWhatWent(images)
        return store
      } catch let violation as Violation {
        throw violation
      } catch {
        let hits = disk.takeHits()
        let wasReadError = isReadError && !disk.isReadErrorPending
        guard !hits.isEmpty || wasReadError else {
          throw Violation(.lost, "refuses to open: \(error)")
        }
        if wasReadError {
          guard (error as? StoreError)?.code == .io else {
            throw Violation(.wrong, "a read error is reported as \(error)")
          }
          // Nor was it taken for the end of the log.
          try noticesWhatWent(images)
          names.append("read error in recovery")
        }
        names += hits.map { name($0) + (failures > 0 ? " again" : "") }
      }
      disk.restart()
      failures += 1
      if disk.bootID() != boot {
        // A second power cut takes what it takes; from here on the log must account for the rest.
        boot = disk.bootID()
        images = segmentImages
      }
    }
    disk.clearFaults()
    do {
      let store = try SteppedStore(
        disk, segmentBytes: segmentBytes, aheadBytes: aheadBytes, dictionary: dictionary)
      try noticesWhatWent(images)
      return store
    } catch let violation as Violation {
      throw violation
    } catch {
      throw Violation(.lost, "refuses to open: \(error)")
    }
  }

  /// What recovery took from the segments lies in quarantine/.
  private func noticesWhatWent(_ before: Images) throws(Violation) {
    for (path, old) in before {
      let new = disk.contents(path) ?? []
      guard new.count < old.count else {
        if new != old { throw Violation(.silent, "recovery changed \(path)") }
        continue
      }
      guard old.starts(with: new) else { throw Violation(.silent, "recovery changed \(path)") }
      let gone = written(old[new.count...])
      let isKept =
        gone.isEmpty
        || disk.paths.contains {
          $0.hasSuffix(".bytes") && disk.contents($0)?.elementsEqual(gone) == true
        }
      if !isKept { throw Violation(.silent, "\(gone.count) bytes of \(path) are gone") }
    }
  }

  // MARK: Judging

  private mutating func judge(_ store: SteppedStore, keepsWritten: Bool) throws(Violation) {
    phase = "judgement"
    defer { store.abandon() }
    do {
      let (events, gaps) = try everything(store.reader)
      try oracle.compare(events, keepsWritten: keepsWritten)
      guard gaps.isEmpty else { throw Violation(.wrong, "gap \(gaps[0].rule)") }
      guard store.report.epoch.rawValue >= lastEpoch else {
        throw Violation(.wrong, "epoch \(store.report.epoch) was used before")
      }
      lastEpoch = store.report.epoch.rawValue
      try answers(store.reader, events)
      let chain = store.writer.mark?.chain ?? .zero
      store.abandon()
      // recover ∘ recover = recover
      let again = try SteppedStore(
        disk, segmentBytes: segmentBytes, aheadBytes: aheadBytes, dictionary: dictionary)
      defer { again.abandon() }
      guard again.report.truncated == nil, again.report.last.rawValue == UInt64(events.count),
        again.writer.mark?.chain ?? .zero == chain
      else { throw Violation(.wrong, "a second recovery differs from the first") }
      lastEpoch = again.report.epoch.rawValue
      if isIndexGarbled {
        try repairs(again, events.count)
        try answers(again.reader, events)
      }
      // A reader that knows nothing of the writer.
      let outside = try LogReader(disk: disk, directory: "/log")
      let verdict = try outside.verify(from: .origin, through: nil, progress: nil)
      guard verdict.isIntact, verdict.events == UInt64(events.count), verdict.chain == chain else {
        throw Violation(
          .silent,
          "verify finds \(verdict.events) of \(events.count) events, "
            + "\(verdict.gaps.first?.rule ?? "no gap"), \(verdict.revisionFaults)")
      }
      if random.oneIn(8) {
        let theirs = try everything(outside).events
        guard theirs == events else { throw Violation(.wrong, "another reader reads otherwise") }
        try answers(outside, events)
      }
    } catch let violation as Violation {
      throw violation
    } catch {
      throw Violation(.wrong, "\(error)")
    }
  }

  /// A few questions whose answers follow from the events.
  private mutating func answers(_ reader: LogReader, _ events: [StoredEvent]) throws {
    for (stream, revision) in oracle.revisions()
    where reader.revision(of: stream).rawValue != revision {
      throw Violation(.wrong, "\(stream) is at \(reader.revision(of: stream)), not \(revision)")
    }
    guard let event = events.randomElement(using: &random) else { return }
    // Of a log with indexes on disk now and then each event is asked for.
    for event in sealing?.oneIn(4) == true ? events : [event] {
      guard try reader.position(of: event.id) == event.position,
        try reader.event(at: event.position) == event
      else { throw Violation(.wrong, "the event at \(event.position) is not found by its id") }
      for key in event.lookupKeys where try reader.positions(forKey: key) != [event.position] {
        throw Violation(.wrong, "the event at \(event.position) is not found by its key")
      }
    }
    if random.oneIn(8) {
      let run = try reader.events(ofStream: event.stream, from: event.revision)
      let expected = events.filter {
        $0.stream == event.stream && $0.revision >= event.revision
      }
      guard run == expected else { throw Violation(.wrong, "stream \(event.stream) differs") }
    }
  }

  // MARK: Rot

  /// One byte anywhere is changed behind the log's back.
  private mutating func rot() throws(Violation) {
    phase = "rot"
    do {
      let events = try everything(LogReader(disk: disk, directory: "/log")).events
      for _ in 0..<2 {
        let copy = disk.copy(seed: random.next())
        guard let path = copy.paths.randomElement(using: &random),
          var bytes = copy.contents(path), !bytes.isEmpty
        else { continue }
        let at = random.int(0...(bytes.count - 1))
        bytes[at] ^= 1 << UInt8(random.int(0...7))
        copy.set(path, bytes)
        try checkDamaged(copy, events, "\(path) byte \(at)", segmentBytes: segmentBytes)
        points["flipped bit", default: 0] += 1
      }
    } catch let violation as Violation {
      throw violation
    } catch {
      throw Violation(.wrong, "\(error)")
    }
  }
}
