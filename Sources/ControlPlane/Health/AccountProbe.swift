public import Domain

/// Makes real calls with one account, whatever routing thinks of it, outside limits, usage and the log.
///
/// The data plane's own way upstream, so that what it finds holds for traffic.
public protocol AccountProbe: Sendable {
  /// Asks for one token of `model`, named as the provider names it; takes at most 10 s.
  func test(_ account: AccountID, model: String) async -> ProbeReport

  /// The same with a token that is not in force.
  ///
  /// - Parameter isToken: false: it is an API key.
  func test(
    _ account: AccountID, model: String, with token: Secret, isToken: Bool
  ) async -> ProbeReport

  /// Asks which models there are; takes at most 10 s.
  func models(of account: AccountID) async -> ModelListReport
}
