public import Domain

/// What the gateway that runs counts of limits and budgets.
public protocol UsageSource: Sendable {
  /// What a key or an organisation uses at a moment; asks no disk.
  ///
  /// - Parameter budgets: Those in force.
  func usage(of scope: LimitScope, budgets: [Budget], at now: UnixNanoseconds) -> LimitUsage
}
