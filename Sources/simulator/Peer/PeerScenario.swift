/// The old sync peer of a scenario: 9router's cloud worker, each of its rules on or off.
struct PeerScenario: Sendable, Equatable {
  /// Bearer token that `/sync/…` asks for; nil: everybody may read and wipe, as it was.
  var token: String?
  var rules = PeerRules()
  /// Where a refresh of the peer's own is told.
  var callback: Callback?
  /// Which OAuth server refreshes for a provider; without a row the one of the provider's name.
  var oauth: [String: String] = [:]
  var calls: [QueuedMishap] = []

  /// `PUT {url}/api/cloud/credentials/update`, by provider only.
  struct Callback: Sendable, Equatable {
    var host: String
    var port: Int
    /// Bearer.
    var key: String
  }

  static func read(_ given: Fields) throws(ScenarioFault) -> PeerScenario {
    var fields = given
    var read = PeerScenario()
    read.token = try fields.string("token")
    if let inner = try fields.object("rules") { try read.rules.change(inner) }
    if var inner = try fields.object("callback") {
      let url = try inner.required("url")
      let key = try inner.required("key")
      try inner.refuseRest()
      guard url.hasPrefix("http://"), let address = try? Address(String(url.dropFirst(7))),
        ["127.0.0.1", "localhost", "::1"].contains(address.host)
      else {
        throw ScenarioFault(
          description: "\(inner.path).url: http://HOST:PORT of a loopback address is expected")
      }
      read.callback = Callback(host: address.host, port: address.port, key: key)
    }
    for (index, node) in (try fields.list("oauth") ?? []).enumerated() {
      var row = try Fields(node, "\(given.path).oauth[\(index)]")
      read.oauth[try row.required("provider")] = try row.required("server")
      try row.refuseRest()
    }
    for (index, node) in (try fields.list("calls") ?? []).enumerated() {
      read.calls.append(try QueuedMishap.read(try Fields(node, "\(given.path).calls[\(index)]")))
    }
    try fields.refuseRest()
    return read
  }
}

/// How the old peer merges, stores and stamps; times in nanoseconds.
struct PeerRules: Sendable, Equatable {
  /// The newer `updatedAt` takes the entire record; off: only the token fields go by time.
  var wholeRecord = true
  /// Every merged record gets the peer's own time.
  var restamps = true
  /// A record is rebuilt from the fields that the peer knows.
  var whitelist = true
  /// A record without `status` becomes `active`.
  var statusActive = true
  /// An account that is not in a push is dropped; off: kept.
  var missingIsDeleted = true
  /// Aliases, combos and keys are replaced as a whole, by empty ones too; off: put together.
  var wholesale = true
  /// A key that is paused is good.
  var pausedKeysWork = true
  /// How far the peer's clock is ahead of the simulator's.
  var skew: Int64 = 0
  /// For so long an isolate believes what it read or wrote last.
  var cache: Int64 = 5 * 1_000_000_000
  /// A machine that was not written for so long is forgotten.
  var purgeAfter: Int64 = 7 * 86_400 * 1_000_000_000

  mutating func change(_ given: Fields) throws(ScenarioFault) {
    var fields = given
    if let on = try fields.boolean("whole-record") { wholeRecord = on }
    if let on = try fields.boolean("restamp") { restamps = on }
    if let on = try fields.boolean("whitelist") { whitelist = on }
    if let on = try fields.boolean("status-active") { statusActive = on }
    if let on = try fields.boolean("missing-is-deleted") { missingIsDeleted = on }
    if let on = try fields.boolean("wholesale") { wholesale = on }
    if let on = try fields.boolean("paused-keys-work") { pausedKeysWork = on }
    if let span = try fields.span("skew", signed: true) { skew = span }
    if let span = try fields.span("cache") { cache = span }
    if let span = try fields.span("purge-after") { purgeAfter = span }
    try fields.refuseRest()
  }
}
