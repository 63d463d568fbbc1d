import Domain
import Glibc
import Synchronization

/// Bounds how fast passwords can be guessed from one address; of IPv6, from one /64.
///
/// An attempt counts as failed from its beginning, so that many at once cannot slip through; a right
/// password takes the count back.
final class LoginLimiter: Sendable {
  /// Failures of one address within the window before it must wait.
  static let failures = 5
  /// In nanoseconds: 60 s.
  static let window: Int64 = 60_000_000_000
  /// Addresses remembered; beyond it the one that failed longest ago is forgotten.
  static let addresses = 4096

  private let failed = Mutex<[String: [Int64]]>([:])

  /// - Returns: nil: try; else the seconds to wait, at least 1.
  func admit(_ address: String, now: UnixNanoseconds) -> Int64? {
    let address = Self.holder(address)
    return failed.withLock { failed in
      var times = (failed[address] ?? []).filter { now.rawValue - $0 < Self.window }
      if times.count >= Self.failures {
        failed[address] = times
        let wait = Self.window - (now.rawValue - times[0])
        return max(1, (wait + 999_999_999) / 1_000_000_000)
      }
      if times.isEmpty && failed.count >= Self.addresses { Self.makeRoom(&failed, now) }
      times.append(now.rawValue)
      failed[address] = times
      return nil
    }
  }

  /// The address knew the password: its earlier failures do not count any more.
  func succeeded(_ address: String) {
    failed.withLock { $0[Self.holder(address)] = nil }
  }

  /// Addresses remembered at present; for tests of the bound.
  var count: Int { failed.withLock { $0.count } }

  /// Who holds an address: of IPv6 one host has a whole /64 to choose from; else the address itself.
  private static func holder(_ address: String) -> String {
    var bytes = [UInt8](repeating: 0, count: 16)
    guard address.contains(":"), inet_pton(AF_INET6, address, &bytes) == 1 else { return address }
    // ::ffff:0:0/96 is IPv4, and all of it has the same first half.
    if bytes[..<10].allSatisfy({ $0 == 0 }) { return address }
    return hexadecimalText(bytes[..<8]) + "/64"
  }

  private static func makeRoom(_ failed: inout [String: [Int64]], _ now: UnixNanoseconds) {
    failed = failed.filter { now.rawValue - ($0.value.last ?? 0) < window }
    guard failed.count >= addresses else { return }
    let oldest = failed.min { ($0.value.last ?? 0, $0.key) < ($1.value.last ?? 0, $1.key) }
    if let oldest { failed[oldest.key] = nil }
  }
}
