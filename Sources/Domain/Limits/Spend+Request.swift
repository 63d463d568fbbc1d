extension Spend {
  /// What a request that has ended is charged to its key's and organisation's budgets.
  ///
  /// What the provider reported counts, whatever else happened. Where it reported nothing, and yet may have
  /// worked for the request, what was set aside counts; a request that was refused or failed costs nothing.
  ///
  /// - Parameters:
  ///   - wasSent: Whether any account was called.
  ///   - reserve: What was set aside; nil: it is under no budget.
  public static func charged(
    _ usage: TokenUsage, costMicroUSD: UInt64?, ending: Ending, wasSent: Bool, reserve: Spend?
  ) -> Spend {
    if usage.input != nil || usage.output != nil {
      return Spend(
        microUSD: costMicroUSD ?? 0,
        tokens: (usage.input ?? 0).addingSaturated(usage.output ?? 0))
    }
    switch ending {
    case .denied, .failed: return .zero
    case .completed, .clientHungUp, .upstreamCut, .drained:
      return wasSent ? reserve ?? .zero : .zero
    }
  }
}

extension RequestEvent.Finished {
  /// What the request is charged to its key's and organisation's budgets.
  public var charge: Spend {
    charge(reserve: reserve.map { Spend(microUSD: $0.microUSD, tokens: $0.tokens) })
  }

  /// The same, had another amount been set aside.
  public func charge(reserve: Spend?) -> Spend {
    Spend.charged(
      usage, costMicroUSD: costMicroUSD, ending: ending, wasSent: !attempts.isEmpty,
      reserve: reserve)
  }
}
