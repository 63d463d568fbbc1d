internal import Domain

/// A provider whose refresh tokens work once; presented again, everything of the sign-in is revoked.
struct Provider {
  private(set) var current: [String: UInt64] = [:]
  private var ends: [String: Int64] = [:]
  private var revoked: Set<String> = []
  /// In seconds.
  static let life: Int64 = 3_600

  /// The next generation of an account's tokens.
  mutating func issue(_ account: String, now: Int64) -> UInt64 {
    let number = (current[account] ?? 0) + 1
    current[account] = number
    ends[account] = now + Self.life
    revoked.remove(account)
    return number
  }

  func accepts(_ account: String, _ access: UInt64?, now: Int64) -> Bool {
    !revoked.contains(account) && access == current[account] && now < ends[account] ?? 0
  }

  /// nil: the grant is refused.
  mutating func redeem(_ account: String, _ refresh: UInt64?, now: Int64) -> UInt64? {
    guard let refresh, !revoked.contains(account) else { return nil }
    guard refresh == current[account] else {
      revoked.insert(account)
      return nil
    }
    return issue(account, now: now)
  }

  mutating func expire(_ account: String, now: Int64) { ends[account] = now }
}

/// Stands for a secret: whose it is and which.
func fingerprint(_ account: String, _ secret: String) -> Fingerprint {
  let bytes = Array("\(account) \(secret)".utf8.prefix(Fingerprint.byteCount))
  return Fingerprint(bytes + repeatElement(0, count: Fingerprint.byteCount - bytes.count))
}

func fingerprint(_ account: String, _ generation: UInt64) -> Fingerprint {
  fingerprint(account, "R\(generation)")
}
