public import Domain

extension DataPlane {
  /// Asks `account` for one token of `model`, named as upstream names it.
  ///
  /// A real call over the connections, certificates, address rules and waits of traffic, whatever routing
  /// thinks of the account; it counts in no limit and no usage, and the log does not tell of it. Takes at
  /// most 10 s.
  public func test(_ account: AccountID, model: String) async -> ProbeReport {
    await ask(ProbeQuestion(kind: .answer(model: model)), of: account).probe
  }

  /// The same with another secret than the one in force.
  ///
  /// - Parameter isToken: it came of a sign-in, and is no API key.
  public func test(
    _ account: AccountID, model: String, with secret: UpstreamSecret, isToken: Bool
  ) async -> ProbeReport {
    await ask(
      ProbeQuestion(kind: .answer(model: model), proof: .init(secret: secret, isToken: isToken)),
      of: account
    ).probe
  }

  /// Asks `account` which models there are; as `test` in all else.
  public func models(of account: AccountID) async -> ModelListReport {
    await ask(ProbeQuestion(kind: .models), of: account)
  }
}

extension ModelListReport {
  /// There was no call any more.
  static let shuttingDown = ModelListReport(
    probe: ProbeReport(
      status: nil, errorClass: ProbeFault.shuttingDown.errorClass,
      errorCode: ProbeFault.shuttingDown.rawValue, microseconds: 0))
}
