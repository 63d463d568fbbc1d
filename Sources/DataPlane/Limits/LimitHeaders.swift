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

  /// Anthropic's names: the instant at which all of it is there again in RFC 3339, in whole seconds.
  func appendAnthropic(at wall: Int64, to out: inout ByteBuffer) {
    if let requests {
      let (limit, rest) = (Self.number(requests.limit), Self.number(requests.remaining))
      HTTP1Encoder.field("anthropic-ratelimit-requests-limit", limit, to: &out)
      HTTP1Encoder.field("anthropic-ratelimit-requests-remaining", rest, to: &out)
      Self.instant("anthropic-ratelimit-requests-reset", requests, wall, to: &out)
    }
    if let tokens {
      let (limit, rest) = (Self.number(tokens.limit), Self.number(tokens.remaining))
      HTTP1Encoder.field("anthropic-ratelimit-tokens-limit", limit, to: &out)
      HTTP1Encoder.field("anthropic-ratelimit-tokens-remaining", rest, to: &out)
      Self.instant("anthropic-ratelimit-tokens-reset", tokens, wall, to: &out)
    }
  }

  private static func instant(
    _ name: StaticString, _ reading: RateReading, _ wall: Int64, to out: inout ByteBuffer
  ) {
    let second: Int128 = 1_000_000_000
    let full = (Int128(wall) + Int128(reading.fullInNanoseconds) + second - 1) / second * second
    let text = rfc3339(UnixNanoseconds(Int64(clamping: full)))
    _ = try? HTTP1Encoder.field(name, checked: text, to: &out)
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
