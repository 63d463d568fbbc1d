/// How the old peer puts a push and what it holds together: pure, and as careless as the rules say.
struct PeerMerge {
  let rules: PeerRules
  /// The peer's own clock, as it stamps.
  let now: String

  /// What the merge did, account by account.
  struct Changes: Sendable {
    /// Taken from the push.
    var updated: [String] = []
    /// Kept from the peer.
    var fromWorker: [String] = []
  }

  /// Every other field of a record is lost.
  static let known = [
    "id", "provider", "authType", "name", "displayName", "email", "priority", "globalPriority",
    "defaultModel", "accessToken", "refreshToken", "expiresAt", "expiresIn", "lastRefreshAt",
    "tokenType", "scope", "idToken", "projectId", "apiKey", "providerSpecificData", "isActive",
    "status", "lastError", "lastErrorAt", "errorCode", "rateLimitedUntil", "createdAt",
    "updatedAt",
  ]

  private static let tokenFields = [
    "accessToken", "refreshToken", "idToken", "expiresAt", "expiresIn", "providerSpecificData",
    "updatedAt",
  ]

  func merge(
    push: [String: JSONValue], providers: [JSONValue], into held: [String: JSONValue]
  ) -> (data: [String: JSONValue], changes: Changes) {
    let stored = held["providers"]?.object ?? [:]
    var merged = rules.missingIsDeleted ? [:] : stored
    var changes = Changes()
    for provider in providers {
      guard let pushed = provider.object, let id = pushed["id"]?.scalarText, !id.isEmpty else {
        continue
      }
      if let mine = stored[id]?.object {
        merged[id] = .object(record(pushed, mine, id, &changes))
      } else {
        merged[id] = .object(formatted(pushed))
        changes.updated.append(id)
      }
    }
    var data: [String: JSONValue] = ["providers": .object(merged), "updatedAt": .string(now)]
    for (name, empty) in [
      ("modelAliases", JSONValue.object([:])), ("combos", .array([])), ("apiKeys", .array([])),
    ] {
      data[name] = collection(push[name], held[name], empty)
    }
    return (data, changes)
  }

  private func record(
    _ pushed: [String: JSONValue], _ mine: [String: JSONValue], _ id: String,
    _ changes: inout Changes
  ) -> [String: JSONValue] {
    let isMineNewer = isNewer(mine["updatedAt"], than: pushed["updatedAt"])
    if isMineNewer { changes.fromWorker.append(id) } else { changes.updated.append(id) }
    var merged = formatted(isMineNewer && rules.wholeRecord ? mine : pushed)
    if isMineNewer, !rules.wholeRecord {
      for name in PeerMerge.tokenFields { merged[name] = mine[name] }
    }
    if rules.restamps { merged["updatedAt"] = .string(now) }
    return merged
  }

  /// Strictly later; a missing time is 1970, and one that is none is later than nothing.
  private func isNewer(_ left: JSONValue?, than right: JSONValue?) -> Bool {
    func time(_ value: JSONValue?) -> Int64? {
      guard let value, !value.isFalsy else { return 0 }
      return value.string.flatMap(UnixTime.parse)
    }
    guard let left = time(left), let right = time(right) else { return false }
    return left > right
  }

  private func formatted(_ record: [String: JSONValue]) -> [String: JSONValue] {
    var kept =
      rules.whitelist ? record.filter { PeerMerge.known.contains($0.key) } : record
    if kept["providerSpecificData"]?.isFalsy ?? true { kept["providerSpecificData"] = [:] }
    if rules.statusActive, kept["status"]?.isFalsy ?? true { kept["status"] = "active" }
    for name in ["lastError", "lastErrorAt", "errorCode", "rateLimitedUntil"]
    where kept[name]?.isFalsy ?? true {
      kept[name] = .null
    }
    if kept["updatedAt"]?.isFalsy ?? true { kept["updatedAt"] = .string(now) }
    return kept
  }

  private func collection(
    _ pushed: JSONValue?, _ held: JSONValue?, _ empty: JSONValue
  ) -> JSONValue {
    // An empty list is no falsehood to the old peer: it empties what was there.
    guard let pushed, !pushed.isFalsy else {
      return held.flatMap { $0.isFalsy ? nil : $0 } ?? empty
    }
    guard !rules.wholesale, let held else { return pushed }
    switch (pushed, held) {
    case (.object(let new), .object(let old)): return .object(old.merging(new) { _, new in new })
    case (.array(let new), .array(let old)):
      let ids = new.compactMap { $0.object?["id"] }
      return .array(
        old.filter { row in row.object?["id"].map { !ids.contains($0) } ?? !new.contains(row) }
          + new)
    default: return pushed
    }
  }
}
