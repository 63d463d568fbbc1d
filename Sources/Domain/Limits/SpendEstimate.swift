/// What a request may cost, before it is sent.
public struct SpendEstimate: Sendable, Hashable {
  /// An upper bound, as far as anything is known.
  public var amount: Spend
  /// Nothing is known of how long answers are: `amount` is a guess.
  public var isGuess: Bool

  /// Output tokens of a request that does not bound them, at a model that has not answered yet.
  public static let unknownOutput: UInt64 = 1_024

  /// Made of its parts.
  public init(amount: Spend, isGuess: Bool) {
    self.amount = amount
    self.isGuess = isGuess
  }

  /// Estimates a request by its size, its own bound and what its model answered lately.
  ///
  /// - Parameters:
  ///   - bodyBytes: Of the whole request; two bytes a token are fewer than any text has.
  ///   - maxOutput: Tokens to which the client bounds each answer.
  ///   - answers: How many answers it asks for (`n`); 0 counts as 1.
  ///   - targets: The models that may serve it; the dearest counts.
  public init(
    bodyBytes: UInt64, maxOutput: UInt64?, answers: UInt64, targets: [Target]
  ) {
    let answers = max(1, answers)
    let input = bodyBytes / 2 + 16
    var amount = Spend.zero
    var isGuess = false
    for target in targets.isEmpty ? [Target(price: nil, lately: nil)] : targets {
      let output: UInt64
      if let maxOutput {
        output = maxOutput.multipliedSaturated(answers)
      } else if let lately = target.lately {
        output = lately.multipliedSaturated(answers)
      } else {
        output = Self.unknownOutput.multipliedSaturated(answers)
        isGuess = true
      }
      amount.tokens = max(amount.tokens, input.addingSaturated(output))
      amount.microUSD = max(
        amount.microUSD, target.price?.upperBound(input: input, output: output) ?? 0)
    }
    self.init(amount: amount, isGuess: isGuess)
  }

  /// A model that may serve a request.
  public struct Target: Sendable, Hashable {
    /// nil: what it costs is not known, and counts as nothing.
    public var price: Price?
    /// The greatest output of one answer lately seen; nil: none was.
    public var lately: UInt64?

    /// Made of its parts.
    public init(price: Price?, lately: UInt64?) {
      self.price = price
      self.lately = lately
    }
  }
}

/// The greatest of a model's late answers: follows a rise at once and a fall slowly.
public struct LatelySeen: Sendable, Hashable {
  /// In tokens.
  public private(set) var greatest: UInt64

  /// After the first answer.
  public init(_ first: UInt64) { greatest = first }

  /// Takes in the next answer: each one that is shorter takes a 32nd off.
  public mutating func observe(_ output: UInt64) {
    greatest = max(output, greatest - greatest / 32)
  }
}

extension UInt64 {
  /// The product, or the greatest number if it is greater.
  func multipliedSaturated(_ other: UInt64) -> UInt64 {
    let (product, isOver) = multipliedReportingOverflow(by: other)
    return isOver ? .max : product
  }
}
