import Domain
import EventStore
import Inquiry
import Testing

@Suite struct SelectorTests {
  static let good: [(text: String, selector: Selector)] = [
    ("0", .position(0, epoch: nil)), ("123", .position(123, epoch: nil)),
    ("2:123", .position(123, epoch: 2)), ("-15m", .ago(900_000_000_000)),
    ("-1d", .ago(86_400_000_000_000)),
    ("1970-01-01T00:00:01Z", .time(UnixNanoseconds(1_000_000_000))),
    ("1970-01-01T01:00:01+01:00", .time(UnixNanoseconds(1_000_000_000))),
    ("request:abc", .request("abc")), ("request:-15m", .request("-15m")),
    ("event:00000000-0000-0000-0000-0000000000ff", .event(255)),
  ]

  @Test(arguments: good)
  func `every form is read`(_ row: (text: String, selector: Selector)) throws {
    #expect(try Selector(row.text) == row.selector)
  }

  @Test(arguments: [
    "", "x", "15m", "-", "-15", "-15x", "--15m", "1:2:3", ":1", "1:", "a:1", "18446744073709551616",
    "2026-02-30T00:00:00Z", "2026-11-20", "request:", "event:abc", "event:", "+5", "1.5", " 1",
    "\u{1B}[31m", "-99999999999999999999d",
  ])
  func `anything else is refused, named and with the forms that are allowed`(_ text: String) throws
  {
    let fault = try #require(throws: InquiryFault.self) { try Selector(text) }
    #expect(fault.code == .usage && fault.exitCode == .usage)
    #expect(!fault.message.contains("\u{1B}"))
    let isHelpful = ["`-15m`", "UUID"].contains { fault.message.contains($0) }
    #expect(isHelpful, "\(fault)")
  }

  static let ranges: [(from: String?, to: String?, first: UInt64, last: UInt64)] = [
    (nil, nil, 1, 29), ("5", "7", 5, 7), ("1:5", "2:23", 5, 23), ("-90s", nil, 10, 29),
    (nil, "-90s", 1, 10), ("2026-11-20T21:00:05Z", "2026-11-20T21:00:06.999Z", 5, 6),
    ("request:my-id", "request:my-id", 10, 19),
    ("event:01932d5e-7c4b-7000-8000-000000000003", "100", 3, 29),
  ]

  @Test(arguments: ranges)
  func `selectors name the positions that a reader expects`(
    _ row: (from: String?, to: String?, first: UInt64, last: UInt64)
  ) throws {
    let log = try TestLog.story()
    let report = try Replay.window(
      log.reader(),
      WindowQuery(from: row.from.map { try Selector($0) }, to: row.to.map { try Selector($0) }),
      now: TestLog.now)
    #expect(report.first.rawValue == row.first && report.last.rawValue == row.last)
  }

  @Test(arguments: ["2:5", "request:nobody", "event:00000000-0000-0000-0000-0000000000ff"])
  func `a selector that names nothing is told apart from an empty window`(_ text: String) throws {
    let log = try TestLog.story()
    let fault = try #require(throws: InquiryFault.self) {
      try Replay.window(log.reader(), WindowQuery(from: Selector(text)), now: TestLog.now)
    }
    #expect(fault.code == .notFound && fault.exitCode == .usage)
  }

  @Test(arguments: [
    ("9", "3", true), ("3", "9", false), ("3", "3", false), ("-5m", "-10m", true),
    ("-10m", "-5m", false), ("2026-11-20T14:00:00Z", "2026-11-20T13:00:00Z", true),
    ("9", "-5m", false), ("request:a", "3", false),
  ])
  func `a range that ends before it begins is refused`(
    _ from: String, _ to: String, _ isReversed: Bool
  ) throws {
    let ends = (try Selector(from), try Selector(to))
    if isReversed {
      let fault = try #require(throws: InquiryFault.self) {
        try Selector.check(from: ends.0, to: ends.1, now: TestLog.now)
      }
      #expect(fault.exitCode == .usage)
    } else {
      try Selector.check(from: ends.0, to: ends.1, now: TestLog.now)
    }
  }

  @Test func `a moment that the log has not reached is not answered with its end`() throws {
    let log = try TestLog.story()
    let beyond = Selector.position(log.last + 1, epoch: nil)
    let fault = try #require(throws: InquiryFault.self) {
      try Replay.state(log.reader(), at: beyond, now: TestLog.now)
    }
    #expect(fault.code == .notFound && fault.message.contains("covers"))
  }
}
