import Support
import Surface
import Testing

@Suite("Millionths")
struct MillionthsTests {
  static let exact: [(String, UInt64)] = [
    ("0", 0), ("-0", 0), ("0.0000000", 0), ("0e99999999999999999999", 0), ("1", 1_000_000),
    ("12.50", 12_500_000), ("0.000001", 1), ("1e-6", 1), ("1E+2", 100_000_000),
    ("0.1", 100_000), ("0.30", 300_000), ("100.0000000000", 100_000_000), ("1.5e3", 1_500_000_000),
    ("0.0000015e1", 15), ("18446744073709.551615", .max), ("0.001e0003", 1_000_000),
  ]

  @Test("a number is read exactly, however it is written", arguments: exact)
  func reads(_ text: String, _ millionths: UInt64) {
    #expect(JSONValue.number(text).millionths == millionths)
  }

  @Test(
    "what is no whole number of millionths is none",
    arguments: [
      "0.0000001", "1e-7", "0.1234567", "-1", "-0.000001", "18446744073709.551616", "1e14",
      "1e99999999999999999999", "1e-99999999999999999999", "1e2147483647", "1e-2147483648",
      String(repeating: "9", count: 5000), "0.\(String(repeating: "3", count: 5000))",
    ])
  func refuses(_ text: String) {
    #expect(JSONValue.number(text).millionths == nil)
  }

  @Test("only numbers are amounts")
  func onlyNumbers() {
    #expect(JSONValue.string("1").millionths == nil)
    #expect(JSONValue.null.millionths == nil)
    #expect(JSONValue.bool(true).millionths == nil)
  }

  @Test(
    "the shortest form is answered",
    arguments: [
      (0, "0"), (1, "0.000001"), (10, "0.00001"), (12_500_000, "12.5"), (3_000_000, "3"),
      (UInt64.max, "18446744073709.551615"),
    ])
  func writes(_ millionths: UInt64, _ text: String) {
    #expect(JSONValue(millionths: millionths) == .number(text))
  }

  @Test("what was written is read back, also shifted by an exponent", arguments: UInt64(0)..<20)
  func roundTrip(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<200 {
      let amount =
        UInt64.random(in: 0 ... .max, using: &random)
        >> UInt64.random(
          in: 0...63, using: &random)
      let written = JSONValue(millionths: amount)
      #expect(written.millionths == amount)
      #expect(try JSONValue.parse(written.bytes) == written)
      let shift = Int.random(in: 0...12, using: &random)
      let zeros = String(repeating: "0", count: shift)
      #expect(JSONValue.number("\(amount)\(zeros)e-\(6 + shift)").millionths == amount)
    }
  }
}
