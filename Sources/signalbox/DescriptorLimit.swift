import Glibc

/// How many descriptors this process may hold: connections on both sides, segments, and what libraries open.
enum DescriptorLimit {
  /// Raises the soft limit (often 1,024) to what the administrator allows; a refusal leaves it as it was.
  ///
  /// - Returns: the limit in force, nil if it cannot be read.
  static func raise() -> UInt64? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
    guard limit.rlim_cur < limit.rlim_max else { return UInt64(limit.rlim_cur) }
    var raised = limit
    raised.rlim_cur = limit.rlim_max
    let isRaised = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0
    return UInt64(isRaised ? raised.rlim_cur : limit.rlim_cur)
  }

  /// How many clients may be connected under a limit; at least 16.
  ///
  /// A connection needs a descriptor on either side, and a part is reserved for the log and the views: no flood of
  /// clients takes those.
  static func connections(of limit: UInt64) -> Int {
    let reserved = min(512, limit / 4)
    return max(16, Int(min((limit - reserved) / 2, 1 << 30)))
  }
}
