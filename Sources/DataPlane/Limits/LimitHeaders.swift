import Domain
import NIOCore

/// What a client is told of its rates: those of its key and of its organisation that have the least left.
struct LimitHeaders: Sendable, Hashable {
  var requests: RateReading?
  var tokens: RateReading?

  /// Nothing is limited.
  static let none = LimitHeaders([])

  init(_ readings: [RateReading]) {
    for reading in readings {
      switch reading.rule {
      case .requestsPerSecond, .requestsPerMinute: Self.tighten(&requests, by: reading)
      case .tokensPerMinute: Self.tighten(&tokens, by: reading)
      case .concurrency: break
      }
    }
  }

  private static func tighten(_ reading: inout RateReading?, by other: RateReading) {
    guard let known = reading else {
      reading = other
      return
    }
    let isTighter =
      (other.remaining, -other.fullInNanoseconds) < (known.remaining, -known.fullInNanoseconds)
    if isTighter { reading = other }
  }

  /// The API Router's three fields, and OpenAI's.
  func append(to out: inout ByteBuffer) {
    if let first = requests ?? tokens {
      HTTP1Encoder.field("x-ratelimit-limit", Self.number(first.limit), to: &out)
      HTTP1Encoder.field("x-ratelimit-remaining", Self.number(first.remaining), to: &out)
      HTTP1Encoder.field("x-ratelimit-reset", Self.seconds(first), to: &out)
    }
    if let requests {
      HTTP1Encoder.field("x-ratelimit-limit-requests", Self.number(requests.limit), to: &out)
      HTTP1Encoder.field(
        "x-ratelimit-remaining-requests", Self.number(requests.remaining), to: &out)
      Self.time("x-ratelimit-reset-requests", requests, to: &out)
    }
    if let tokens {
      HTTP1Encoder.field("x-ratelimit-limit-tokens", Self.number(tokens.limit), to: &out)
      HTTP1Encoder.field("x-ratelimit-remaining-tokens", Self.number(tokens.remaining), to: &out)
      Self.time("x-ratelimit-reset-tokens", tokens, to: &out)
    }
  }

  private static func number(_ value: UInt64) -> Int { Int(clamping: value) }

  /// Until all of it is there again, rounded up.
  private static func seconds(_ reading: RateReading) -> Int {
    Int(clamping: (Int128(reading.fullInNanoseconds) + 999_999_999) / 1_000_000_000)
  }

  /// As OpenAI writes it: `0s`, `20ms`, `6s`.
  private static func time(
    _ name: StaticString, _ reading: RateReading, to out: inout ByteBuffer
  ) {
    let milliseconds = (Int128(reading.fullInNanoseconds) + 999_999) / 1_000_000
    let text = (1..<1_000).contains(milliseconds) ? "\(milliseconds)ms" : "\(seconds(reading))s"
    _ = try? HTTP1Encoder.field(name, checked: text, to: &out)
  }
}
