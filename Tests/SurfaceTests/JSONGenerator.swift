import Support

/// Makes valid JSON documents of every shape: escapes of all kinds, all planes, all number forms,
/// white space wherever it may stand.
struct JSONGenerator {
  var random: SeededRandom

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  mutating func document(depth: Int = 5) -> String { space() + value(depth: depth) + space() }

  /// A chat request: `model` is there once, the rest is chance.
  mutating func chatRequest() -> String {
    var members = [space() + key("model") + space() + ":" + space() + modelToken()]
    if random.oneIn(2) { members.append(member("stream", oneOf(["true", "false", "null"]))) }
    switch random.int(0...4) {
    case 0: members.append(member("stream_options", "null"))
    case 1: members.append(member("stream_options", "{" + space() + "}"))
    case 2:
      members.append(
        member(
          "stream_options",
          "{" + space() + key("include_usage") + ":" + oneOf(["true", "false"]) + "}"))
    case 3:
      members.append(member("stream_options", "{\"include_obfuscation\":" + value(depth: 2) + "}"))
    default: break
    }
    for index in 0..<random.int(0...4) { members.append(member("x\(index)", value(depth: 4))) }
    members.append(member("messages", "[{\"role\":\"user\",\"content\":" + string() + "}]"))
    members.shuffle(using: &random)
    return space() + "{" + members.joined(separator: ",") + space() + "}" + space()
  }

  private mutating func member(_ name: String, _ value: String) -> String {
    space() + key(name) + space() + ":" + space() + value + space()
  }

  /// A name, now and then with some of its letters escaped.
  private mutating func key(_ name: String) -> String {
    var text = "\""
    for byte in name.utf8 {
      text += random.oneIn(20) ? escape(UInt16(byte)) : String(UnicodeScalar(byte))
    }
    return text + "\""
  }

  private mutating func modelToken() -> String {
    oneOf(["\"mock/gpt-4o\"", "\"gpt-\\u0034o\"", "\"größe\"", "\"\\ud83d\\ude00\"", "\"a\\/b\""])
  }

  mutating func value(depth: Int) -> String {
    switch random.int(0...(depth == 0 ? 4 : 7)) {
    case 0: oneOf(["true", "false", "null"])
    case 1, 2: string()
    case 3, 4: number()
    case 5: "[" + list(depth: depth) { $0.value(depth: depth - 1) } + "]"
    default:
      "{"
        + list(depth: depth) {
          $0.string() + $0.space() + ":" + $0.space() + $0.value(depth: depth - 1)
        } + "}"
    }
  }

  private mutating func list(depth: Int, _ item: (inout Self) -> String) -> String {
    let count = random.int(0...4)
    var text = space()
    for index in 0..<count {
      text += (index == 0 ? "" : ",") + space() + item(&self) + space()
    }
    return text
  }

  mutating func number() -> String {
    var text = random.oneIn(3) ? "-" : ""
    text += random.oneIn(4) ? "0" : String(random.int(1...1_000_000))
    if random.oneIn(3) { text += "." + String(random.int(0...9999)) }
    if random.oneIn(3) {
      text += oneOf(["e", "E", "e+", "E-", "e-0"]) + String(random.int(0...400))
    }
    return text
  }

  mutating func string() -> String {
    var text = "\""
    for _ in 0..<random.int(0...30) {
      switch random.int(0...15) {
      case 0: text += oneOf(["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"])
      case 1: text += escape(UInt16.random(in: 0...0xFFFF, using: &random))
      case 2: text += String(scalar(in: 0x80...0x7FF))
      case 3: text += String(scalar(in: 0x800...0xFFFF))
      case 4: text += String(scalar(in: 0x10000...0x10FFFF))
      case 5: text += "\u{7F}"
      default:
        let byte = UInt8(random.int(0x20...0x7E))
        text += byte == 0x22 || byte == 0x5C ? "usage" : String(UnicodeScalar(byte))
      }
    }
    return text + "\""
  }

  private mutating func scalar(in range: ClosedRange<UInt32>) -> UnicodeScalar {
    UnicodeScalar(UInt32.random(in: range, using: &random)) ?? "\u{FFFD}"
  }

  private mutating func escape(_ unit: UInt16) -> String {
    let digits = String(unit, radix: 16, uppercase: random.oneIn(2))
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }

  mutating func space() -> String {
    random.oneIn(4) ? oneOf([" ", "\n", "\t", "\r", "\r\n", "  "]) : ""
  }

  mutating func oneOf(_ texts: [String]) -> String { texts[random.int(0...texts.count - 1)] }
}
