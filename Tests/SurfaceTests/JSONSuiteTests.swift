import Support
import Surface
import Testing

/// One document: accepted, or refused at an offset (nil: wherever).
struct JSONCase: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  let refusedAt: Int?
  let isValid: Bool
  var testDescription: String { name }

  static func valid(_ name: String, _ text: String) -> Self {
    Self(name: name, bytes: Array(text.utf8), refusedAt: nil, isValid: true)
  }
  static func valid(_ name: String, bytes: [UInt8]) -> Self {
    Self(name: name, bytes: bytes, refusedAt: nil, isValid: true)
  }
  static func refused(_ name: String, _ text: String, at offset: Int) -> Self {
    Self(name: name, bytes: Array(text.utf8), refusedAt: offset, isValid: false)
  }
  /// The bytes stand inside a string: `["` before and `"]` behind.
  static func badString(_ name: String, _ bytes: [UInt8], at offset: Int) -> Self {
    Self(
      name: name, bytes: Array("[\"".utf8) + bytes + Array("\"]".utf8), refusedAt: offset + 2,
      isValid: false)
  }
  static func goodString(_ name: String, _ bytes: [UInt8]) -> Self {
    valid(name, bytes: Array("[\"".utf8) + bytes + Array("\"]".utf8))
  }
}

private let cases: [JSONCase] = [
  .valid("empty object", "{}"),
  .valid("empty array", "[]"),
  .valid("empty array with spaces", " [ \t\r\n ] "),
  .valid("lonely string", "\"a\""),
  .valid("lonely empty string", "\"\""),
  .valid("lonely number", "42"),
  .valid("lonely negative zero", "-0"),
  .valid("lonely true", "true"),
  .valid("lonely null", "null"),
  .valid("number with a huge exponent", "[1e999999]"),
  .valid("number 1E+2", "[1E+2]"),
  .valid("number 0e1", "[0e1]"),
  .valid("number -0.0", "[-0.0]"),
  .valid("number 123.456e-789", "[123.456e-789]"),
  .valid("number with a thousand digits", "[" + String(repeating: "9", count: 1000) + "]"),
  .valid("all short escapes", #"["\"\\\/\b\f\n\r\t"]"#),
  .valid("escape \\u0000", #"["\u0000"]"#),
  .valid("surrogate pair", #"["\uD801\udc37"]"#),
  .valid("lone high surrogate escape", #"["\uDADA"]"#),
  .valid("lone low surrogate escape", #"["\udc37"]"#),
  .valid("inverted surrogate escapes", #"["\uDd1e\uD834"]"#),
  .valid("escaped noncharacter", #"["\uFFFF"]"#),
  .valid("DEL unescaped", "[\"\u{7F}\"]"),
  .valid("U+2028 unescaped", "[\"\u{2028}\u{2029}\"]"),
  .valid("duplicate names", #"{"a":1,"a":1}"#),
  .valid("empty name", #"{"":0}"#),
  .valid("escaped NUL in a name", #"{"foo\u0000bar":42}"#),
  .valid("nested", #"{"a":[{"b":{}},[]],"c":[[[]]]}"#),
  .valid("string of exactly eight bytes", "\"12345678\""),
  .valid("depth 128", nested(128)),
  .goodString("two-byte limits", [0xC2, 0x80, 0xDF, 0xBF]),
  .goodString("three-byte limits", [0xE0, 0xA0, 0x80, 0xEF, 0xBF, 0xBF]),
  .goodString("around the surrogates", [0xED, 0x9F, 0xBF, 0xEE, 0x80, 0x80]),
  .goodString("four-byte limits", [0xF0, 0x90, 0x80, 0x80, 0xF4, 0x8F, 0xBF, 0xBF]),

  .refused("nothing", "", at: 0),
  .refused("a space", " ", at: 1),
  .refused("byte order mark", "\u{FEFF}{}", at: 0),
  .refused("depth 129", nested(129), at: 128),
  .refused("depth 129 of objects", nestedObjects(129), at: 128 * 5),
  .refused("a hundred thousand open brackets", String(repeating: "[", count: 100_000), at: 128),
  .refused("comma before the first element", "[,1]", at: 1),
  .refused("trailing comma in an array", "[1,]", at: 3),
  .refused("trailing comma in an object", #"{"a":0,}"#, at: 7),
  .refused("two commas", "[1,,2]", at: 3),
  .refused("no comma", "[1 2]", at: 3),
  .refused("colon in an array", #"["a":1]"#, at: 4),
  .refused("comma instead of a colon", #"{"a",1}"#, at: 4),
  .refused("name without quotes", "{a:1}", at: 1),
  .refused("name in single quotes", "{'a':1}", at: 1),
  .refused("number as name", "{1:1}", at: 1),
  .refused("member without value", #"{"a":}"#, at: 5),
  .refused("array closed by a brace", "[1}", at: 2),
  .refused("object closed by a bracket", #"{"a":1]"#, at: 6),
  .refused("unclosed array", "[1", at: 2),
  .refused("unclosed object", #"{"a":1"#, at: 6),
  .refused("unclosed string", "\"abc", at: 4),
  .refused("string that ends in a backslash", "\"\\", at: 2),
  .refused("closing bracket alone", "]", at: 0),
  .refused("second document", "{}{}", at: 2),
  .refused("second bracket", "[]]", at: 2),
  .refused("comment", "[1]/* c */", at: 3),
  .refused("trailing NUL", "[]\u{0}", at: 2),
  .refused("trailing form feed", "[]\u{C}", at: 2),
  .refused("no-break space", "[\u{A0}]", at: 1),
  .refused("number +1", "[+1]", at: 1),
  .refused("number .5", "[.5]", at: 1),
  .refused("number 01", "[01]", at: 1),
  .refused("number -01", "[-01]", at: 1),
  .refused("number -", "[-]", at: 1),
  .refused("number 1.", "[1.]", at: 1),
  .refused("number 1.e1", "[1.e1]", at: 1),
  .refused("number 1e", "[1e]", at: 1),
  .refused("number 1e+", "[1e+]", at: 1),
  .refused("number 1.2.3", "[1.2.3]", at: 1),
  .refused("number 0x1F", "[0x1F]", at: 1),
  .refused("number 1_000", "[1_000]", at: 2),
  .refused("number at the end: 1.", "1.", at: 2),
  .refused("number at the end: 2e", "2e", at: 2),
  .refused("NaN", "[NaN]", at: 1),
  .refused("Infinity", "[-Infinity]", at: 1),
  .refused("fullwidth digit", "[\u{FF11}]", at: 1),
  .refused("True", "[True]", at: 1),
  .refused("nul", "[nul]", at: 1),
  .refused("tru at the end", "tru", at: 3),
  .refused("truth", "[truth]", at: 1),
  .refused("nulls", "[nulls]", at: 5),
  .refused("string in single quotes", "['a']", at: 1),
  .refused("escape \\x", #"["\x00"]"#, at: 2),
  .refused("escape \\a", #"["\a"]"#, at: 2),
  .refused("escape \\U", #"["\U0041"]"#, at: 2),
  .refused("escape \\u00A", #"["\u00A"]"#, at: 2),
  .refused("escape \\u00G0", #"["\u00G0"]"#, at: 2),
  .refused("escaped newline", "[\"\\\n\"]", at: 2),
  .badString("NUL", [0x00], at: 0),
  .badString("newline", [0x0A], at: 0),
  .badString("tab", [0x61, 0x09], at: 1),
  .badString("0x1F after eight", Array("12345678".utf8) + [0x1F], at: 8),
  .badString("lone continuation", [0x80], at: 0),
  .badString("0xFF", [0xFF], at: 0),
  .badString("0xFE", [0xFE], at: 0),
  .badString("Latin-1", [0xE9], at: 0),
  .badString("overlong slash, two bytes", [0xC0, 0xAF], at: 0),
  .badString("overlong 0xC1", [0xC1, 0xBF], at: 0),
  .badString("overlong, three bytes", [0xE0, 0x9F, 0xBF], at: 0),
  .badString("overlong, four bytes", [0xF0, 0x8F, 0xBF, 0xBF], at: 0),
  .badString("surrogate D800", [0xED, 0xA0, 0x80], at: 0),
  .badString("surrogate DFFF", [0xED, 0xBF, 0xBF], at: 0),
  .badString("above U+10FFFF", [0xF4, 0x90, 0x80, 0x80], at: 0),
  .badString("five-byte form", [0xF8, 0x88, 0x80, 0x80, 0x80], at: 0),
  .badString("cut two-byte character", [0x61, 0xC3], at: 1),
  .badString("cut three-byte character", [0xE2, 0x82], at: 0),
  .badString("cut four-byte character", [0xF0, 0x9F, 0x98], at: 0),
  .badString("bad character behind a good one", [0xC3, 0xA9, 0xC3, 0x28], at: 2),
]

private func nested(_ depth: Int) -> String {
  String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
}

private func nestedObjects(_ depth: Int) -> String {
  String(repeating: "{\"a\":", count: depth) + "0" + String(repeating: "}", count: depth)
}

@Suite("JSON documents")
struct JSONSuiteTests {
  @Test("a document is accepted or refused at the place that is wrong", arguments: cases)
  func verdict(_ example: JSONCase) {
    let fault = withBytes(example.bytes) { JSONValidator.fault(in: $0) }
    #expect((fault == nil) == example.isValid)
    #expect(fault?.offset == example.refusedAt)
    #expect(fault?.kind ?? .syntax == .syntax)
    #expect(ReferenceJSON.isValid(example.bytes) == example.isValid, "the reference disagrees")
  }

  @Test("the tree parser refuses what the validator refuses", arguments: cases)
  func treeVerdict(_ example: JSONCase) {
    let fault = Result { () throws(JSONFault) in try JSONValue.parse(example.bytes) }.failure
    if !example.isValid {
      #expect(fault?.offset == example.refusedAt)
    } else if let fault {
      // Stricter than the RFC in these two ways only.
      let isStricter = fault.kind == .duplicateField || fault.reason.contains("surrogate pair")
      #expect(isStricter)
    }
  }

  @Test("documents of the generator are valid", arguments: UInt64(0)..<200)
  func generated(_ seed: UInt64) {
    var generator = JSONGenerator(seed: seed)
    for _ in 0..<10 {
      let document = Array(generator.document().utf8)
      let fault = withBytes(document) { JSONValidator.fault(in: $0) }
      #expect(fault == nil, "seed \(seed): \(text(document))")
      #expect(ReferenceJSON.isValid(document), "seed \(seed)")
    }
  }

  @Test(
    "after a change of one byte the verdict is that of the plain reference",
    arguments: UInt64(0)..<60)
  func mutated(_ seed: UInt64) {
    var generator = JSONGenerator(seed: seed)
    let document = Array(generator.document().utf8)
    guard !document.isEmpty else { return }
    let spice = Array("\"\\{}[]:,0e.-tu \n".utf8) + [0x00, 0x1F, 0x80, 0xC0, 0xED, 0xF4, 0xFF]
    for _ in 0..<60 {
      var mutant = document
      let place = generator.random.int(0...mutant.count - 1)
      switch generator.random.int(0...3) {
      case 0: mutant[place] = UInt8.random(in: 0...255, using: &generator.random)
      case 1: mutant[place] = spice[generator.random.int(0...spice.count - 1)]
      case 2: mutant.remove(at: place)
      default: mutant.insert(spice[generator.random.int(0...spice.count - 1)], at: place)
      }
      let isValid = withBytes(mutant) { JSONValidator.fault(in: $0) == nil }
      #expect(isValid == ReferenceJSON.isValid(mutant), "seed \(seed): \(mutant)")
    }
  }

  @Test("a document cut anywhere is refused at its end or before", arguments: UInt64(0)..<40)
  func truncated(_ seed: UInt64) {
    var generator = JSONGenerator(seed: seed)
    let document = Array(generator.chatRequest().utf8)
    let end = document.lastIndex(of: UInt8(ascii: "}")) ?? 0
    for length in 0...end {
      let fault = withBytes(Array(document[..<length])) { JSONValidator.fault(in: $0) }
      #expect(fault.map { $0.offset <= length } == true, "seed \(seed), length \(length)")
    }
  }

  @Test("arbitrary bytes never trap", arguments: UInt64(0)..<20)
  func arbitrary(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for _ in 0..<200 {
      var bytes = random.bytes(random.int(0...40))
      if random.oneIn(2) { bytes.insert(UInt8(ascii: "\""), at: 0) }
      let isValid = withBytes(bytes) { JSONValidator.fault(in: $0) == nil }
      #expect(isValid == ReferenceJSON.isValid(bytes), "seed \(seed): \(bytes)")
      _ = scan(bytes)
      _ = withBytes(bytes) { UsageScan.scan($0) }
    }
  }

  @Test("a fault tells line and column by LF, CR and CRLF")
  func places() {
    let fault = Result { () throws(JSONFault) in
      try JSONValue.parse(Array("{\n\"a\": 1,\r\n\"b\": 2,\r\t\"c\" 3}".utf8))
    }.failure
    #expect(fault?.line == 4)
    #expect(fault?.column == 6)
    #expect(fault?.offset == 24)
    #expect(fault?.message == "a colon is expected here (line 4, column 6, byte 24)")
  }

  @Test("each string is plain bytes at every place of the eight-byte step", arguments: 0..<24)
  func alignment(_ length: Int) {
    let padding = [UInt8](repeating: UInt8(ascii: "x"), count: length)
    for bad in [[0x00], [0x1F], [0x80], [0xC0, 0x80]] as [[UInt8]] {
      let document = [UInt8(ascii: "\"")] + padding + bad + padding + [UInt8(ascii: "\"")]
      #expect(withBytes(document) { JSONValidator.fault(in: $0) }?.offset == length + 1)
    }
    for good in ["\\n", "é", "\\u12aF", "\u{7F}", "\u{1F600}"] {
      let document = [UInt8(ascii: "\"")] + padding + Array(good.utf8) + padding + [0x22]
      #expect(withBytes(document) { JSONValidator.fault(in: $0) } == nil)
    }
  }
}
