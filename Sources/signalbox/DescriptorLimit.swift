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
}
