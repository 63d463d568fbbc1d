extension Price {
  /// What reported tokens cost, in millionths of a US dollar; nil: nothing was reported.
  ///
  /// Cached tokens and those written to the cache are parts of the input, reasoning is a part of the
  /// output. Summed in pico-dollars and rounded once, to the nearest, a half to the even one.
  public func microUSD(of usage: TokenUsage) -> UInt64? {
    if usage.input == nil && usage.output == nil { return nil }
    let input = usage.input ?? 0
    let cached = min(usage.cached ?? 0, input)
    let created = min(usage.cacheCreation ?? 0, input - cached)
    let output = usage.output ?? 0
    let reasoning = min(usage.reasoning ?? 0, output)
    return Self.rounded(
      [
        (input - cached - created, self.input), (cached, self.cached ?? self.input),
        (created, self.cacheCreation ?? self.input), (output - reasoning, self.output),
        (reasoning, self.reasoning ?? self.output),
      ])
  }

  /// The most that so many tokens can cost, whatever part of them is cached or reasoning.
  func upperBound(input: UInt64, output: UInt64) -> UInt64 {
    Self.rounded(
      [
        (input, max(self.input, cached ?? 0, cacheCreation ?? 0)),
        (output, max(self.output, reasoning ?? 0)),
      ])
  }

  /// The sum of tokens times pico-dollars, in micro-dollars.
  private static func rounded(_ parts: [(tokens: UInt64, price: UInt64)]) -> UInt64 {
    var sum: UInt128 = 0
    for part in parts {
      // No price that was ever accepted comes near; a log may say anything.
      let (total, isOver) = sum.addingReportingOverflow(
        UInt128(part.tokens) * UInt128(part.price))
      sum = isOver ? .max : total
    }
    let (whole, rest) = sum.quotientAndRemainder(dividingBy: 1_000_000)
    let isUp = rest > 500_000 || (rest == 500_000 && whole % 2 == 1)
    return UInt64(clamping: whole + (isUp ? 1 : 0))
  }
}
