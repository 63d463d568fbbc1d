/// One thing that the old peer was asked for or did.
struct PeerDeed: Sendable {
  var ordinal: UInt64 = 0
  /// Unix nanoseconds of the peer's own clock.
  var at: Int64 = 0
  /// `sync`, `read`, `delete`, `verify`, `health`, `act …`, `callback`, `purge`.
  var what: String
  var machine: String
  var isolate: String?
  var outcome: String
  var mishap: String?
  var updated: [String] = []
  var fromWorker: [String] = []
}

/// What the old peer holds: one blob a machine, and each isolate's own idea of it.
struct PeerState: Sendable {
  static let deedLimit = 4096

  struct Blob: Sendable {
    var data: [String: JSONValue]
    /// The peer's own clock.
    var savedAt: Int64
  }

  var scenario: PeerScenario
  var rules: PeerRules
  var blobs: [String: Blob] = [:]
  /// Isolate → machine → what it read or wrote, and when.
  var caches: [String: [String: Blob]] = [:]
  var queue: [QueuedMishap]
  var deeds: [PeerDeed] = []
  var deedCount: UInt64 = 0

  init(scenario: PeerScenario) {
    self.scenario = scenario
    rules = scenario.rules
    queue = scenario.calls
  }

  /// Through the isolate's cache, as every reader of the old peer.
  mutating func load(_ machine: String, isolate: String, now: Int64) -> [String: JSONValue]? {
    purge(now: now)
    // Without a cache a clock that was set back makes none.
    if rules.cache > 0, let cached = caches[isolate]?[machine],
      now - cached.savedAt < rules.cache
    {
      return cached.data
    }
    guard let data = blobs[machine]?.data else { return nil }
    caches[isolate, default: [:]][machine] = Blob(data: data, savedAt: now)
    return data
  }

  /// The whole blob, over whatever others wrote meanwhile.
  mutating func save(
    _ data: [String: JSONValue], _ machine: String, isolate: String, now: Int64
  ) {
    blobs[machine] = Blob(data: data, savedAt: now)
    caches[isolate, default: [:]][machine] = blobs[machine]
  }

  mutating func forget(_ machine: String, isolate: String) {
    blobs[machine] = nil
    caches[isolate]?[machine] = nil
  }

  /// What the old peer's clock work drops; caches notice when they are too old.
  mutating func purge(now: Int64) {
    for (machine, blob) in blobs where now - blob.savedAt >= rules.purgeAfter {
      blobs[machine] = nil
      note(PeerDeed(what: "purge", machine: machine, outcome: "forgotten"), now: now)
    }
  }

  mutating func note(_ deed: PeerDeed, now: Int64) {
    deedCount += 1
    var deed = deed
    deed.ordinal = deedCount
    deed.at = now
    deeds.append(deed)
    if deeds.count > PeerState.deedLimit { deeds.removeFirst() }
  }
}
