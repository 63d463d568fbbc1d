import Domain

/// Answers a recorded decision as noted, and remembers what it asked.
struct NotedLocal: LocalSource {
  let noted: LocalInputs
  private var groups: Set<String> = []
  /// Accounts of which it was asked whether another request was finding out if they serve again.
  private(set) var probes: Set<AccountID> = []

  init(_ noted: LocalInputs) { self.noted = noted }

  mutating func cursor(of group: String) -> UInt64? {
    groups.insert(group)
    return noted.cursor
  }

  mutating func isProbeFree(_ account: AccountID, model: String) -> Bool {
    probes.insert(account)
    return !noted.heldProbes.contains(account)
  }

  func latency(of account: AccountID) -> UInt64 { noted.latency(of: account) }

  /// Answers a supposed decision with what this one asked too, and marks all else.
  var supposed: Supposed { Supposed(noted: noted, groups: groups, probes: probes) }

  /// Answers what was not noted as if nobody knew, and says so.
  struct Supposed: LocalSource {
    fileprivate let noted: LocalInputs
    fileprivate let groups: Set<String>
    fileprivate let probes: Set<AccountID>
    private(set) var unknown: Set<WhatIfReport.Why> = []

    fileprivate init(noted: LocalInputs, groups: Set<String>, probes: Set<AccountID>) {
      (self.noted, self.groups, self.probes) = (noted, groups, probes)
    }

    mutating func cursor(of group: String) -> UInt64? {
      guard groups.contains(group) else {
        unknown.insert(.turn)
        return nil
      }
      return noted.cursor
    }

    mutating func isProbeFree(_ account: AccountID, model: String) -> Bool {
      if !probes.contains(account) { unknown.insert(.probe) }
      return !noted.heldProbes.contains(account)
    }

    mutating func latency(of account: AccountID) -> UInt64 {
      guard let known = noted.latencies.first(where: { $0.account == account }) else {
        unknown.insert(.latency)
        return 0
      }
      return known.microseconds
    }
  }
}
