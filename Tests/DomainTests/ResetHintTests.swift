import Domain
import Testing

private let now = UnixNanoseconds(1_795_208_019_000_000_000)  // 2026-11-20T20:53:39Z

@Suite("Reset hints")
struct ResetHintTests {
  @Test("are read in every form that is in use")
  func forms() {
    let rows: [(String, Int64?)] = [
      ("1", 1_000_000_000), ("0.25", 250_000_000), ("120", 120_000_000_000),
      ("59.387s", 59_387_000_000), ("6m0s", 360_000_000_000), ("1s", 1_000_000_000),
      ("20ms", 20_000_000), ("2m59.56s", 179_560_000_000), ("1h2m3s", 3_723_000_000_000),
      ("1795208079", 60_000_000_000), ("1795208079.5", 60_500_000_000),
      ("1795208079000", 60_000_000_000), ("2026-11-20T20:54:39Z", 60_000_000_000),
      ("Fri, 20 Nov 2026 20:54:39 GMT", 60_000_000_000),
      ("31622400", ResetHints.waitMax),
      // What counts for nothing: over, beyond the bound, or no form at all.
      ("0", nil), ("-1", nil), ("31622401", nil), ("1795208018", nil), ("500000000", nil),
      ("2026-11-20T20:53:38Z", nil), ("Fri, 20 Nov 2026 20:53:38 GMT", nil), ("", nil),
      ("soon", nil), ("1e3", nil), ("1.", nil), (".5", nil), ("s", nil), ("5s6m", nil),
      ("99999999999999999999", nil), ("1 s", nil), ("NaN", nil),
      ("9999999999999", nil), ("9223372036855", nil), ("99999999999999", nil),
      ("Fri, 31 Feb 2027 20:54:39 GMT", nil), (String(repeating: "9", count: 65), nil),
    ]
    for (text, wait) in rows { #expect(ResetHints.wait(text, now: now) == wait, "\(text)") }
  }

  @Test("HTTP dates are read and nothing else is")
  func dates() {
    #expect(parseHTTPDate("Sun, 06 Nov 1994 08:49:37 GMT")?.rawValue == 784_111_777_000_000_000)
    for text in [
      "Sun, 06 Nov 1994 08:49:37 UTC", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
      "Sun, 06 Nov 1994 08:49:60 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
      "Sun, 06 nov 1994 08:49:37 GMT",
      "", "Sun, 06 Nov 1994T08:49:37 GMT",
    ] { #expect(parseHTTPDate(text) == nil, "\(text)") }
  }

  struct Fields: Sendable, CustomTestStringConvertible {
    var fields: [(String, String)]
    var seconds: Int64?
    var testDescription: String { fields.map { "\($0): \($1)" }.joined(separator: ", ") }
  }

  @Test(
    "of an answer's head",
    arguments: [
      Fields(fields: [], seconds: nil),
      Fields(fields: [("retry-after", "7")], seconds: 7),
      Fields(fields: [("retry-after-ms", "3000")], seconds: 3),
      Fields(fields: [("retry-after", "Fri, 20 Nov 2026 20:53:49 GMT")], seconds: 10),
      // What is said about this refusal counts before the limits; the longer of two.
      Fields(
        fields: [
          ("x-ratelimit-reset-tokens", "6m0s"), ("retry-after", "7"), ("retry-after-ms", "6500"),
        ],
        seconds: 7),
      Fields(fields: [("x-ratelimit-reset-requests", "6m0s")], seconds: 360),
      // A limit that is not used up refuses nothing.
      Fields(
        fields: [
          ("x-ratelimit-reset-requests", "6m0s"), ("x-ratelimit-remaining-requests", "12"),
          ("x-ratelimit-reset-tokens", "2s"), ("x-ratelimit-remaining-tokens", "0"),
        ], seconds: 2),
      Fields(
        fields: [
          ("anthropic-ratelimit-tokens-reset", "2026-11-20T20:54:39Z"),
          ("anthropic-ratelimit-tokens-remaining", "0"),
          ("anthropic-ratelimit-requests-reset", "2026-11-20T20:53:44Z"),
        ], seconds: 60),
      Fields(fields: [("x-ratelimit-reset", "1795208049000")], seconds: 30),
      Fields(fields: [("ratelimit-reset", "30")], seconds: 30),
      Fields(fields: [("retry-after", "soon"), ("date", "now")], seconds: nil),
    ])
  func heads(_ it: Fields) {
    var hints = ResetHints(now: now)
    for (name, value) in it.fields { hints.take(field: name, value) }
    #expect(hints.wait == it.seconds.map { $0 * 1_000_000_000 })
    #expect(hints.resetAt == it.seconds.map { UnixNanoseconds(now.rawValue + $0 * 1_000_000_000) })
  }

  @Test("of more limits than anybody has are not all kept")
  func bounded() {
    var hints = ResetHints(now: now)
    for index in 0..<1_000 { hints.take(field: "x-ratelimit-reset-\(index)", "\(index + 1)") }
    #expect(hints.wait == 16_000_000_000)
  }
}
