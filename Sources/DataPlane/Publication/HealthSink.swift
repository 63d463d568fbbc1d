public import Domain

/// Where the ends of attempts are reported that health depends on.
///
/// Every failed attempt at once; a success only of an account that is suspect (it failed before, or is half-open).
public protocol HealthSink: Sendable {
  /// Called on event loops: never blocks, keeps a bounded number of reports.
  ///
  /// - Parameter dealtWith: called exactly once, on any thread: what follows from the report is decided and published
  ///   (or the report was shed), so that a probe's permit may be given back.
  func report(_ report: AttemptReport, dealtWith: (@Sendable () -> Void)?)
}
