import Domain
import Foundation
import Support
import Testing

@Test("an id is written in 8-4-4-4-12 lower-case digits and read back")
func writesUUIDs() {
  let id: UInt128 = 0x019A_A2D1_5F33_7ABC_8DEF_0123_4567_89AB
  #expect(uuidText(id) == "019aa2d1-5f33-7abc-8def-0123456789ab")
  #expect(uuidText(0) == "00000000-0000-0000-0000-000000000000")
  #expect(parseUUID("019AA2D1-5F33-7ABC-8DEF-0123456789AB") == id)
  for seed in UInt64(0)..<100 {
    var random = SeededRandom(seed: seed)
    let any = UInt128(random.next()) << 64 | UInt128(random.next())
    #expect(parseUUID(uuidText(any)) == any, "seed \(seed)")
  }
}

@Test(
  "what is not an id is nil",
  arguments: [
    "", "019aa2d15f337abc8def0123456789ab", "019aa2d1-5f33-7abc-8def-0123456789a",
    "019aa2d1-5f33-7abc-8def-0123456789abc", "019aa2d1_5f33-7abc-8def-0123456789ab",
    "019aa2d1-5f33-7abc-8def-0123456789ag", "{19aa2d1-5f33-7abc-8def-0123456789ab",
    "019aa2d15-f33-7abc-8def-0123456789ab", "019aa2d1-5f33-7abc-8def-0123456789é",
  ])
func refusesUUIDs(_ text: String) { #expect(parseUUID(text) == nil) }

@Test("times are written in UTC with milliseconds, cut and not rounded")
func writesTimes() {
  let rows: [(Int64, String)] = [
    (0, "1970-01-01T00:00:00.000Z"),
    (1_795_208_019_123_999_999, "2026-11-20T20:53:39.123Z"),
    (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
    (951_868_799_999_999_999, "2000-02-29T23:59:59.999Z"),
    (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
    (.max, "2262-04-11T23:47:16.854Z"),
    (-1, "1969-12-31T23:59:59.999Z"),
    (.min, "1677-09-21T00:12:43.145Z"),
  ]
  for (time, text) in rows { #expect(rfc3339(UnixNanoseconds(time)) == text) }
}

@Test("times are read with offsets and up to nine digits of fraction")
func readsTimes() {
  let rows: [(String, Int64)] = [
    ("1970-01-01T00:00:00Z", 0),
    ("2026-11-20T20:53:39.123Z", 1_795_208_019_123_000_000),
    ("2026-11-20t20:53:39.123z", 1_795_208_019_123_000_000),
    ("2026-11-20T21:53:39.123456789+01:00", 1_795_208_019_123_456_789),
    ("2026-11-20T15:23:39.1-05:30", 1_795_208_019_100_000_000),
    ("1970-01-01T01:00:00+01:00", 0),
    ("1969-12-31T23:59:59Z", -1),
    ("2000-02-29T00:00:00Z", 951_782_400_000_000_000),
    ("2262-04-11T23:47:16.854775807Z", .max),
  ]
  for (text, time) in rows {
    #expect(parseRFC3339(text) == (time < 0 ? nil : UnixNanoseconds(time)), "\(text)")
  }
}

@Test(
  "what is not a time is nil",
  arguments: [
    "", "2026-11-20", "2026-11-20T20:53:39", "2026-11-20 20:53:39Z", "2026-11-20T20:53:39.Z",
    "2026-11-20T20:53:39.1234567890Z", "2026-11-20T20:53:60Z", "2026-11-20T24:00:00Z",
    "2026-11-20T23:60:00Z", "2026-00-20T20:53:39Z", "2026-13-20T20:53:39Z",
    "2026-11-31T20:53:39Z", "2026-11-00T20:53:39Z", "2026-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01",
    "2262-04-11T23:47:16.854775808Z", "2263-01-01T00:00:00Z", "2026-11-20T20:53:39+1:00",
    "2026-11-20T20:53:39+24:00", "2026-11-20T20:53:39+01:60", "2026-11-20T20:53:39ZZ",
    "2026-11-20T20:53:39,1Z", "+026-11-20T20:53:39Z", "２026-11-20T20:53:39Z",
    " 2026-11-20T20:53:39Z",
  ])
func refusesTimes(_ text: String) { #expect(parseRFC3339(text) == nil) }

@Test("any time of the readable years reads back as written, to the millisecond")
func timesRoundTrip() {
  for seed in UInt64(0)..<2_000 {
    var random = SeededRandom(seed: seed)
    let time = Int64(random.next() >> 1)
    let cut = time - time % 1_000_000
    #expect(parseRFC3339(rfc3339(UnixNanoseconds(time))) == UnixNanoseconds(cut), "seed \(seed)")
  }
}

@Test("every day from 1970 to 2262 is the day that Foundation's calendar says")
func daysAgree() throws {
  var calendar = Calendar(identifier: .gregorian)
  calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
  // Every 13th day meets every day of every month, and every leap day's neighbourhood.
  for day in stride(from: Int64(0), through: 106_750, by: 13) {
    let date = Date(timeIntervalSince1970: Double(day) * 86_400)
    let parts = calendar.dateComponents([.year, .month, .day], from: date)
    func padded(_ value: Int?) -> String { String((value ?? 0) + 100).suffix(2).description }
    let expected =
      "\(parts.year ?? 0)-\(padded(parts.month))-\(padded(parts.day))T00:00:00.000Z"
    let time = UnixNanoseconds(day * 86_400_000_000_000)
    #expect(rfc3339(time) == expected)
    #expect(parseRFC3339(expected) == time)
  }
}

@Test("durations add up their units")
func readsDurations() {
  let rows: [(String, Int64)] = [
    ("90s", 90_000_000_000), ("-15m", -900_000_000_000), ("+15m", 900_000_000_000),
    ("2h30m", 9_000_000_000_000), ("1d", 86_400_000_000_000), ("250ms", 250_000_000),
    ("1d2h3m4s5ms6us7ns", 93_784_005_006_007), ("0s", 0), ("106751d", 9_223_286_400_000_000_000),
    ("9223372036854775807ns", .max),
  ]
  for (text, duration) in rows { #expect(parseDuration(text) == duration, "\(text)") }
}

@Test(
  "what is not a duration is nil",
  arguments: [
    "", "-", "15", "m", "15 m", "1.5h", "-+1s", "1s1m", "1m1m", "1w", "1H", "--1s", "1s-1ms",
    "106752d", "9223372036854775808ns", "١s", "1é", String(repeating: "0", count: 200) + "s",
  ])
func refusesDurations(_ text: String) { #expect(parseDuration(text) == nil) }

@Test("base64 is as Foundation writes it, and only that is read")
func base64AsFoundation() {
  var random = SeededRandom(seed: 64)
  for count in 0..<100 {
    let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    let text = Data(bytes).base64EncodedString()
    #expect(base64Text(bytes) == text)
    #expect(parseBase64(text) == bytes)
  }
  for text in [
    "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "=", "Zg==\n", "Zm9v====", "Zm-v", "é===",
  ] {
    #expect(parseBase64(text) == nil, "\(text)")
  }
}

@Test("what a checkpoint's signature is over has one form")
func checkpointStatement() {
  let fact = GatewayEvent.CheckpointSigned(
    position: 1204, epoch: 3, chain: [UInt8](repeating: 0xAB, count: 32), previous: 1100,
    root: [UInt8](0..<32), publicKey: [], signature: [])
  #expect(
    fact.statement(store: 0x019A_A2D1_5F33_7ABC_8DEF_0123_4567_89AB) == """
      signalbox/checkpoint/v1/019aa2d1-5f33-7abc-8def-0123456789ab
      1204
      q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=
      epoch 3
      previous 1100
      root AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=

      """)
}
