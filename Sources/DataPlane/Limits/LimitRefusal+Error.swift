import Domain
import Surface

/// How a refusal is told to the client.
extension LimitRefusal {
  var code: ErrorCode {
    switch cause {
    case .rate: .rateLimitExceeded
    case .reserved: .budgetReserved
    case .exceeded(let room): room.unit == .microUSD ? .budgetExceeded : .quotaExceeded
    }
  }

  /// When the same request may be let in; nil: not before the period ends.
  var waitNanoseconds: Int64? {
    switch cause {
    case .rate(let denial): denial.waitNanoseconds
    case .reserved: RateDenial.unknownWait
    case .exceeded: nil
    }
  }

  var retryAfterSeconds: Int? {
    waitNanoseconds.map { Int(secondsToWait(nanoseconds: $0)) }
  }

  /// Which limit it is, and how it stands; `retry_after_seconds` where there is such a time.
  var details: [JSONValue.Member] {
    var context: [JSONValue.Member] = [.init("scope", .string(scope.name))]
    switch cause {
    case .rate(let denial):
      context += [
        .init("limit_type", .string(denial.rule.name)),
        .init("unit", .string(denial.rule == .tokensPerMinute ? "tokens" : "requests")),
        .init("current_usage", JSONValue(denial.used)), .init("limit", JSONValue(denial.limit)),
        .init("remaining", JSONValue(denial.limit - min(denial.limit, denial.used))),
      ]
    case .reserved(let room), .exceeded(let room): context += Self.context(room)
    }
    var details: [JSONValue.Member] = [.init("limit_context", .object(context))]
    if let seconds = retryAfterSeconds {
      details.append(.init("retry_after_seconds", JSONValue(seconds)))
    }
    return details
  }

  private static func context(_ room: BudgetRoom) -> [JSONValue.Member] {
    func amount(_ value: UInt64) -> JSONValue {
      room.unit == .microUSD ? JSONValue(millionths: value) : JSONValue(value)
    }
    let quota = room.period == .day ? "daily_quota" : "monthly_quota"
    return [
      .init("limit_type", .string("budget")),
      .init("quota_type", .string(room.unit == .microUSD ? "budget" : quota)),
      .init("period", .string(room.period.name)),
      .init("unit", .string(room.unit == .microUSD ? "usd" : "tokens")),
      .init("current_usage", amount(room.used)), .init("reserved", amount(room.reserved)),
      .init("limit", amount(room.limit)), .init("remaining", amount(room.unspent)),
      .init("resets_at", .string(rfc3339(room.resetsAt))),
    ]
  }
}
