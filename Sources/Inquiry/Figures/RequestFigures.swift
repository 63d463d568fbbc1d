public import Domain

/// Whose matter an ended request is, as the alerts count it.
public enum RequestVerdict: Sendable, Hashable {
  case served
  /// The gateway, an account, a model, a provider or the network kept it from being served.
  case failed
  /// Its caller or the request itself was at fault: neither a failure nor counted among the requests.
  case callers
}

extension RequestEvent.Finished {
  /// As the alerts and promises count it.
  public var verdict: RequestVerdict {
    switch errorClass {
    case .client, .request: .callers
    case .account, .model, .provider, .network, .gateway: .failed
    case nil:
      switch ending {
      case .failed, .upstreamCut, .drained: .failed
      case .completed, .denied, .clientHungUp: errorCode == nil ? .served : .failed
      }
    }
  }
}

extension Attempt {
  /// Whose matter the call is, by the same rule.
  public var verdict: RequestVerdict {
    switch errorClass {
    case .client, .request: .callers
    case .account, .model, .provider, .network, .gateway: .failed
    case nil: .served
    }
  }
}

/// Figures over ended requests; the same whatever order they come in.
public struct RequestFigures: Sendable, Hashable {
  /// All that ended, whoever was at fault.
  public private(set) var requests: UInt64 = 0
  /// Those that count as failures.
  public private(set) var failed: UInt64 = 0
  /// Those that their callers or they themselves were at fault for.
  public private(set) var callers: UInt64 = 0
  /// By whose fault it was.
  public private(set) var classes: [ErrorClass: UInt64] = [:]
  /// Upstream calls, whoever was at fault.
  public private(set) var calls: UInt64 = 0
  /// Of those, the ones that callers or requests were at fault for.
  public private(set) var callersCalls: UInt64 = 0
  /// Of those, the ones that count as failures.
  public private(set) var failedCalls: UInt64 = 0
  /// What those took, in microseconds.
  public private(set) var failedCallMicroseconds: UInt64 = 0
  /// Calls after a request's first one.
  public private(set) var retries: UInt64 = 0
  /// Requests that were served although their first call failed.
  public private(set) var rescued: UInt64 = 0
  /// As reported.
  public private(set) var tokensIn: UInt64 = 0
  /// As reported.
  public private(set) var tokensOut: UInt64 = 0
  /// Of requests with a price, in millionths of a US dollar.
  public private(set) var costMicroUSD: UInt64 = 0
  /// Requests that an account was asked for and that have no price.
  public private(set) var unpriced: UInt64 = 0
  /// Tokens of failed requests, in and out, as reported.
  public private(set) var lostTokens: UInt64 = 0
  /// Cost of failed requests, in millionths of a US dollar.
  public private(set) var lostMicroUSD: UInt64 = 0
  /// Failed requests that an account was asked for, of whose tokens nothing is known.
  public private(set) var lostUnknown: UInt64 = 0
  /// Until the first byte of the answer, of requests that an account was asked for.
  public private(set) var firstByte: LatencyFigures
  /// Until the end.
  public private(set) var total: LatencyFigures

  /// None yet.
  ///
  /// - Parameter exactMax: so many times are kept as they are.
  public init(exactMax: Int = 4_096) {
    firstByte = LatencyFigures(exactMax: exactMax)
    total = LatencyFigures(exactMax: exactMax)
  }

  /// What failures are a share of.
  public var counted: UInt64 { requests - callers }

  mutating func add(_ it: RequestEvent.Finished) {
    requests += 1
    if let errorClass = it.errorClass { classes[errorClass, default: 0] += 1 }
    retries += UInt64(max(0, it.attempts.count - 1))
    calls += UInt64(it.attempts.count)
    for attempt in it.attempts {
      switch attempt.verdict {
      case .served: break
      case .callers: callersCalls += 1
      case .failed:
        failedCalls += 1
        failedCallMicroseconds = failedCallMicroseconds.clamped(adding: attempt.totalMicroseconds)
      }
    }
    let tokens = (it.usage.input ?? 0).clamped(adding: it.usage.output ?? 0)
    tokensIn = tokensIn.clamped(adding: it.usage.input ?? 0)
    tokensOut = tokensOut.clamped(adding: it.usage.output ?? 0)
    costMicroUSD = costMicroUSD.clamped(adding: it.costMicroUSD ?? 0)
    if !it.attempts.isEmpty, it.costMicroUSD == nil { unpriced += 1 }
    switch it.verdict {
    case .served: if it.attempts.first?.errorClass != nil { rescued += 1 }
    case .callers: callers += 1
    case .failed:
      failed += 1
      lostTokens = lostTokens.clamped(adding: tokens)
      lostMicroUSD = lostMicroUSD.clamped(adding: it.costMicroUSD ?? 0)
      if !it.attempts.isEmpty, it.usage == .notReported { lostUnknown += 1 }
    }
    guard !it.attempts.isEmpty else { return }
    if let time = it.firstByteMicroseconds { firstByte.record(time) }
    total.record(it.totalMicroseconds)
  }

  var json: JSONTree {
    func times(_ figures: LatencyFigures) -> JSONTree {
      .object([
        .init("p50", .count(figures.percentile(50))), .init("p95", .count(figures.percentile(95))),
        .init("p99", .count(figures.percentile(99))), .init("isExact", .bool(figures.isExact)),
      ])
    }
    return .object([
      .init("requests", .count(requests)), .init("counted", .count(counted)),
      .init("failed", .count(failed)), .init("callersFault", .count(callers)),
      .init(
        "errorClasses",
        .object(
          ErrorClass.allCases.compactMap { name in
            classes[name].map { .init(name.name, .count($0)) }
          })),
      .init("calls", .count(calls)), .init("callersCalls", .count(callersCalls)),
      .init("failedCalls", .count(failedCalls)),
      .init("failedCallMicroseconds", .count(failedCallMicroseconds)),
      .init("retries", .count(retries)), .init("rescued", .count(rescued)),
      .init("tokensIn", .count(tokensIn)), .init("tokensOut", .count(tokensOut)),
      .init("costMicroUsd", .count(costMicroUSD)), .init("unpriced", .count(unpriced)),
      .init("lostTokens", .count(lostTokens)),
      .init("lostMicroUsd", .count(lostMicroUSD)), .init("lostUnknown", .count(lostUnknown)),
      .init("firstByteMicroseconds", times(firstByte)), .init("totalMicroseconds", times(total)),
    ])
  }
}

/// A share that failed, and whether another one is another.
struct Share: Sendable, Hashable {
  var part: UInt64
  var whole: UInt64

  static let none = Share(part: 0, whole: 0)

  static func + (a: Share, b: Share) -> Share {
    Share(part: a.part + b.part, whole: a.whole + b.whole)
  }

  /// Whether the two shares differ by more than chance and by at least one in a hundred.
  ///
  /// The test of two proportions without a root or a fraction: with N = n₁ + n₂ and F = f₁ + f₂ they differ when
  /// (f₂n₁ − f₁n₂)² · N > 16 · n₁ · n₂ · F · (N − F), which is z > 4: by chance once in 16,000 times. The larger
  /// share must be of three or more.
  func differs(from other: Share) -> Bool {
    // 2^24 keeps every product within 128 bits.
    let most = max(whole, other.whole, 1)
    let shift = UInt64(max(0, 64 - most.leadingZeroBitCount - 24))
    let (n1, f1) = (Int128(other.whole >> shift), Int128(other.part >> shift))
    let (n2, f2) = (Int128(whole >> shift), Int128(part >> shift))
    guard n1 > 0, n2 > 0 else { return false }
    let difference = f2 * n1 - f1 * n2
    guard (difference > 0 ? part : other.part) >= 3 else { return false }
    guard difference.magnitude * 100 >= (n1 * n2).magnitude else { return false }
    let (all, failed) = (n1 + n2, f1 + f2)
    return difference * difference * all > 16 * n1 * n2 * failed * (all - failed)
  }

  /// Whether it is the greater one of the two.
  func isAbove(_ other: Share) -> Bool {
    part.multipliedFullWidth(by: other.whole) > other.part.multipliedFullWidth(by: whole)
  }

  /// `31 of 284 (10.9 %)`.
  var text: String { "\(part) of \(whole) (\(percent))" }

  /// `10.9 %`, half up; `–` of nothing.
  var percent: String {
    guard whole > 0 else { return "–" }
    let tenths = (UInt128(part) * 2_000 / UInt128(whole) + 1) / 2
    // What is not nothing is not shown as nothing, and what is not all not as all.
    let shown = part > 0 ? max(1, part < whole ? min(tenths, 999) : tenths) : 0
    return "\(shown / 10).\(shown % 10) %"
  }
}
