internal import Domain

/// Which of two hosts' tellings holds where they differ.
///
/// A value of this tool: the gateway has one rule and no way to another.
enum MergeRule: String, CaseIterable {
  /// Ours: operators' intent by causality and field, credentials by generation, health not at all.
  case fieldByField = "ours"
  /// The older gateways': one record an account under one time, and the later one holds whole.
  case wholeRecordLastWriterWins = "old"
}

/// What an older gateway keeps: read and written as one.
struct Blob: Hashable {
  var accounts: [String: Record] = [:]
  /// Alias → model.
  var aliases: [String: String] = [:]
  /// Key → whether it is on.
  var keys: [String: Bool] = [:]
  /// What an operator removed, by stream.
  ///
  /// Older gateways know nothing of it; it is here so that the log can tell a removal from something that is not told.
  var removed: Set<String> = []
}

/// One account in it: what an operator set, which tokens are in use and how it went.
struct Record: Hashable {
  var priority: UInt32 = 1
  var isActive = true
  /// By the provider's count; nil: erased, or the account has a key.
  var access: UInt64?
  /// As `access`, of the refresh token.
  var refresh: UInt64?
  var apiKey: String?
  var status = TestStatus.unknown
  /// Seconds of the day, as all times here.
  var cooledUntil: Int64?
  /// nil: not told.
  var updatedAt: Int64?

  /// Which tokens there are.
  var tokens: [UInt64?] { [access, refresh] }
}

extension Blob {
  /// What the worker makes of a push: the later record of each account whole, everything else as it was pushed.
  func merging(_ pushed: Blob, now: Int64) -> Blob {
    var merged = Blob(aliases: pushed.aliases, keys: pushed.keys, removed: pushed.removed)
    for (name, theirs) in pushed.accounts {
      var record = theirs
      // Its own word for how it goes, which a push does not have.
      record.status = .active
      if let ours = accounts[name], ours.updatedAt ?? 0 > theirs.updatedAt ?? 0 { record = ours }
      record.updatedAt = now
      merged.accounts[name] = record
    }
    return merged
  }

  /// What a local gateway makes of the worker's answer: of later records the tokens and the health.
  func taking(_ answer: Blob, now: Int64) -> Blob {
    var taken = self
    for (name, theirs) in answer.accounts {
      guard var ours = accounts[name], theirs.updatedAt ?? 0 > ours.updatedAt ?? 0 else { continue }
      ours.access = theirs.access ?? ours.access
      ours.refresh = theirs.refresh ?? ours.refresh
      ours.cooledUntil = theirs.cooledUntil ?? ours.cooledUntil
      ours.status = theirs.status
      ours.updatedAt = now
      taken.accounts[name] = ours
    }
    return taken
  }

  /// Operators' fields by stream.
  private var fields: [String: [String: Image.Value]] {
    var all: [String: [String: Image.Value]] = [:]
    for (name, record) in accounts {
      all["account/\(name)"] = [
        "isActive": .flag(record.isActive), "priority": .number(UInt64(record.priority)),
      ]
    }
    for (name, model) in aliases { all["alias/\(name)"] = ["model": .text(model)] }
    for (name, isOn) in keys { all["key/\(name)"] = ["status": .text(isOn ? "active" : "paused")] }
    return all
  }

  /// Whose operators' fields held in a merge, as `sync.reconciled` has it.
  ///
  /// - Parameters:
  ///   - base: what both agreed on last; nil: nothing.
  ///   - version: of the side that won, by whether it is ours.
  func decisions(
    _ theirs: Blob, merged: Blob, base: Blob?, version: (Bool) -> FieldVersion
  ) -> [SyncEvent.Decision] {
    let (mine, other, after) = (fields, theirs.fields, merged.fields)
    let before = base?.fields ?? [:]
    var decisions: [SyncEvent.Decision] = []
    for stream in Set(mine.keys).union(other.keys).sorted() {
      func decide(
        _ field: String, _ ours: Image.Value, _ theirs: Image.Value, isOurs: Bool,
        _ rule: SyncEvent.Rule
      ) {
        decisions.append(
          .init(
            stream: stream, field: field, ours: ours, theirs: theirs, base: nil,
            version: version(isOurs), winner: isOurs ? .ours : .theirs, rule: rule))
      }
      switch (mine[stream], other[stream]) {
      case (nil, _):
        decide("", .none, .flag(true), isOurs: after[stream] == nil, .new)
      case (_, nil):
        // Said to be removed, or not told at all: the older rule takes the one for the other.
        let isSaid = theirs.removed.contains(stream)
        decide(
          "", .flag(true), isSaid ? .flag(false) : .none, isOurs: after[stream] != nil,
          isSaid ? .successor : .removed)
      case (let ours?, let told?):
        for (field, value) in ours.sorted(by: { $0.key < $1.key }) where told[field] != value {
          let isOurs = after[stream]?[field] == value
          let loser = isOurs ? told[field] : value
          decide(
            field, value, told[field] ?? .none, isOurs: isOurs,
            loser == before[stream]?[field] ? .successor : .concurrent)
        }
      }
    }
    return decisions
  }
}
