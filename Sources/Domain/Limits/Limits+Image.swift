extension Limits {
  /// `{rps, burst, rpm, tpm, concurrency}`; 0: no limit.
  public var imageValue: Image.Value {
    .record([
      .init("rps", Image.Value(requestsPerSecond)), .init("burst", Image.Value(burst)),
      .init("rpm", Image.Value(requestsPerMinute)), .init("tpm", Image.Value(tokensPerMinute)),
      .init("concurrency", Image.Value(concurrency)),
    ])
  }

  init(imageValue: Image.Value) {
    func number<Number: FixedWidthInteger>(_ name: String) -> Number {
      imageValue[name].number(as: Number.self) ?? 0
    }
    self.init(
      requestsPerSecond: number("rps"), burst: number("burst"), requestsPerMinute: number("rpm"),
      tokensPerMinute: number("tpm"), concurrency: number("concurrency"))
  }
}

extension Budget {
  /// `{period, timezone, microUsd, tokens}`.
  public var imageValue: Image.Value {
    .record([
      .init("period", .text(period.name)), .init("timezone", .text(timezone)),
      .init("microUsd", Image.Value(microUSD)), .init("tokens", Image.Value(tokens)),
    ])
  }

  init?(imageValue: Image.Value) {
    let name = imageValue["period"].text
    guard let period = Period.allCases.first(where: { $0.name == name }) else { return nil }
    self.init(
      period: period, timezone: imageValue["timezone"].text ?? "UTC",
      microUSD: imageValue["microUsd"].number, tokens: imageValue["tokens"].number)
  }
}
