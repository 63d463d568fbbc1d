import NIOHTTP1
import Testing

@testable import signalbox

/// How long a token endpoint wants to be left alone.
@Suite struct TokenClientTests {
  static let date = "Sun, 22 Nov 2026 12:00:00 GMT"

  @Test(
    arguments: [
      ("120", date, 120), (" 7 ", nil, 7), ("Sun, 22 Nov 2026 12:01:30 GMT", date, 90),
      ("Sun, 22 Nov 2026 11:00:00 GMT", date, 0), ("Sun, 22 Nov 2026 12:01:30 GMT", nil, nil),
      ("-1", date, nil), ("soon", date, nil),
    ] as [(String, String?, UInt32?)])
  func `seconds, or a date by the provider's own clock`(
    _ text: String, _ date: String?, _ seconds: UInt32?
  ) {
    var headers: HTTPHeaders = ["retry-after": text]
    if let date { headers.add(name: "date", value: date) }
    #expect(TokenClient.wait(headers) == seconds)
  }

  @Test func `nothing said is nothing known`() { #expect(TokenClient.wait([:]) == nil) }
}
