import Domain
import Synchronization

/// Bounds how fast passwords can be guessed: from one address (of IPv6, from one /64), and from all together.
///
/// An attempt counts as failed from its beginning, so that many at once cannot slip through; a right
/// password takes its address' count back. An address that once knew the password is not kept out by what others
/// do: who guesses from a thousand places must not lock the administrator out as well.
final class LoginLimiter: Sendable {
  /// Failures of one address within the window before it must wait.
  static let failures = 5
  /// Failures of all strange addresses together within the window before they must wait.
  static let failuresInTotal = 60
  /// In nanoseconds: 60 s.
  static let window: Int64 = 60_000_000_000
  /// Addresses remembered; beyond it the one that failed longest ago is forgotten.
  static let addresses = 4096
  /// Addresses remembered that knew the password; beyond it the one that showed it longest ago is forgotten.
  static let friends = 64

  /// Whether an attempt may be made.
  enum Verdict: Sendable, Hashable {
    case admitted
    /// Too many failures; seconds to wait, at least 1.
    ///
    /// `untold`: refusals to be told of now, this one included; 0 but for the first one after an attempt.
    case refused(seconds: Int64, untold: UInt64)
  }

  private struct Count {
    var times: [Int64] = []
    var isTold = false
    /// Refusals since the last that was told.
    var untold: UInt64 = 0

    mutating func forget(before time: Int64) { times.removeAll { $0 <= time } }

    /// nil: there is room for one more.
    mutating func refusal(at now: Int64, limit: Int) -> Verdict? {
      forget(before: now - LoginLimiter.window)
      guard times.count >= limit else { return nil }
      let wait = LoginLimiter.window - (now - times[times.count - limit])
      untold += 1
      let told = isTold ? 0 : untold
      if !isTold { untold = 0 }
      isTold = true
      return .refused(seconds: max(1, (wait + 999_999_999) / 1_000_000_000), untold: told)
    }

    mutating func add(_ now: Int64) {
      times.append(now)
      isTold = false
    }
  }

  private struct State {
    var byAddress: [String: Count] = [:]
    var total = Count()
    /// When each was last shown the password by.
    var friends: [String: Int64] = [:]
  }

  private let state = Mutex(State())

  /// Asks for one attempt.
  func admit(_ address: String, now: UnixNanoseconds) -> Verdict {
    let (address, now) = (Self.holder(address), now.rawValue)
    return state.withLock { state in
      if let refusal = state.byAddress[address]?.refusal(at: now, limit: Self.failures) {
        return refusal
      }
      let isFriend = state.friends[address] != nil
      if !isFriend {
        if let refusal = state.total.refusal(at: now, limit: Self.failuresInTotal) {
          return refusal
        }
        state.total.add(now)
      }
      if state.byAddress[address] == nil && state.byAddress.count >= Self.addresses {
        Self.makeRoom(&state.byAddress, now)
      }
      state.byAddress[address, default: Count()].add(now)
      return .admitted
    }
  }

  /// The address knew the password: its earlier failures do not count any more.
  func succeeded(_ address: String, now: UnixNanoseconds) {
    let address = Self.holder(address)
    state.withLock { state in
      let spent = state.byAddress.removeValue(forKey: address)?.times.count ?? 0
      if state.friends[address] == nil {
        state.total.times.removeLast(min(spent, state.total.times.count))
      }
      if state.friends.count >= Self.friends, state.friends[address] == nil,
        let oldest = state.friends.min(by: { ($0.value, $0.key) < ($1.value, $1.key) })
      {
        state.friends[oldest.key] = nil
      }
      state.friends[address] = now.rawValue
    }
  }

  /// Addresses remembered at present; for tests of the bound.
  var count: Int { state.withLock { $0.byAddress.count } }

  /// Who holds an address: of IPv6 one host has a whole /64 to choose from; else the address itself.
  private static func holder(_ address: String) -> String {
    guard let parsed = IPAddress(address) else { return address }
    if parsed.isVersion4 || parsed.isLoopback { return parsed.description }
    return hexadecimalText(parsed.bytes[..<8]) + "/64"
  }

  private static func makeRoom(_ counts: inout [String: Count], _ now: Int64) {
    counts = counts.filter { now - ($0.value.times.last ?? 0) < window }
    guard counts.count >= addresses else { return }
    let oldest = counts.min {
      ($0.value.times.last ?? 0, $0.key) < ($1.value.times.last ?? 0, $1.key)
    }
    if let oldest { counts[oldest.key] = nil }
  }
}
