import Support
import Surface
import Testing

@Suite("JSON trees")
struct JSONValueTests {
  @Test("a tree keeps the order of members and the text of numbers")
  func parses() throws {
    let value = try JSONValue.parse(
      Array(
        #" {"b":[1,-0.50,1e9],"a":"\u00fc\ud83d\ude00\/","c":{"d":null,"e":[true,false]}} "#.utf8))
    #expect(
      value == [
        "b": [1, .number("-0.50"), .number("1e9")], "a": "ü😀/",
        "c": ["d": nil, "e": [true, false]],
      ])
    #expect(text(value.bytes) == #"{"b":[1,-0.50,1e9],"a":"ü😀/","c":{"d":null,"e":[true,false]}}"#)
    #expect(value["c"]?["e"]?[1]?.bool == false)
    #expect(value["b"]?[0]?.int == 1)
    #expect(value["b"]?[1]?.int == nil)
    #expect(value["b"]?[3] == nil)
  }

  @Test("a repeated name is refused at any depth, however it is written")
  func duplicates() {
    for (body, offset) in [
      (#"{"a":1,"a":2}"#, 7), (#"[{"x":{"a":1,"\u0061":2}}]"#, 13), (#"{"":1,"":1}"#, 6),
    ] {
      let fault = Result { () throws(JSONFault) in try JSONValue.parse(Array(body.utf8)) }.failure
      #expect(fault?.kind == .duplicateField)
      #expect(fault?.offset == offset)
    }
  }

  @Test("half a surrogate pair is no text")
  func halfSurrogates() {
    for body in [#""\ud800""#, #""\udc00\ud800""#, #"{"\ud800":1}"#, #""\ud800\u0041""#] {
      let fault = Result { () throws(JSONFault) in try JSONValue.parse(Array(body.utf8)) }.failure
      #expect(fault?.kind == .syntax)
    }
  }

  @Test("what was parsed is written and parsed to the same", arguments: UInt64(0)..<100)
  func roundTrip(_ seed: UInt64) {
    var generator = JSONGenerator(seed: seed)
    for _ in 0..<5 {
      // Duplicates and half surrogates are refused: those documents say nothing here.
      guard let value = try? JSONValue.parse(Array(generator.document().utf8)) else { continue }
      let bytes = value.bytes
      #expect(ReferenceJSON.isValid(bytes), "seed \(seed)")
      #expect((try? JSONValue.parse(bytes)) == value, "seed \(seed)")
    }
  }

  @Test("the writer escapes controls, quotes and backslashes and nothing else")
  func escapes() throws {
    let all = String(String.UnicodeScalarView((0...0x7F).compactMap { UnicodeScalar(UInt8($0)) }))
    var writer = JSONWriter()
    writer.value(all + "ü\u{2028}\u{2029}😀")
    let written = text(writer.bytes)
    #expect(written.contains(#"\u0000"#) && written.contains(#"\b\t\n\u000b\f\r"#))
    #expect(written.contains(#"\u007f"#) && written.contains(#"[\\]"#))
    #expect(written.hasSuffix("ü\u{2028}\u{2029}😀\""))
    #expect(try JSONValue.parse(writer.bytes).string == all + "ü\u{2028}\u{2029}😀")
  }

  @Test("the writer sets commas in nested containers")
  func commas() {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("a", 1)
      writer.member("none", nil as String?)
      writer.name("b")
      writer.array { writer in
        writer.object { _ in }
        writer.array { _ in }
        writer.value(UInt64.max)
        writer.value(Int64.min)
        writer.value(nil as Int?)
        writer.value("x")
      }
      writer.member("c", true)
      writer.member("d", ["e": []])
    }
    #expect(
      text(writer.bytes)
        == #"{"a":1,"none":null,"b":[{},[],18446744073709551615,-9223372036854775808,null,"x"],"c":true,"d":{"e":[]}}"#
    )
  }
}

@Suite("Reading fields")
struct ObjectReaderTests {
  private func fault(
    _ value: JSONValue, _ read: (inout ObjectReader) throws(FieldFault) -> Void
  ) -> FieldFault? {
    Result { () throws(FieldFault) in
      var reader = try ObjectReader(value)
      try read(&reader)
      try reader.finish()
    }.failure
  }

  @Test("fields are read by type")
  func reads() throws {
    var reader = try ObjectReader([
      "name": "n", "priority": 3, "isActive": false, "models": ["a", "b"], "gone": nil,
      "nodes": [["id": "x"], ["id": "y"]], "inner": ["k": 1],
    ])
    #expect(try reader.string("name") == "n")
    #expect(try reader.int("priority", in: 1...100) == 3)
    #expect(try reader.bool("isActive") == false)
    #expect(try reader.optionalStrings("models") == ["a", "b"])
    #expect(try reader.optionalString("absent") == nil)
    if case .null = try reader.givenString("gone") {} else { Issue.record("null became absent") }
    if case .absent = try reader.givenInt("lost") {} else { Issue.record("absent became null") }
    var ids: [String] = []
    for var node in try reader.optionalObjects("nodes") ?? [] {
      ids.append(try node.string("id"))
      try node.finish()
    }
    #expect(ids == ["x", "y"])
    var inner = try #require(try reader.optionalObject("inner"))
    #expect(try inner.optionalInt("k") == 1)
    try inner.finish()
    try reader.finish()
  }

  @Test("a missing field is named")
  func missing() {
    let fault = fault([:]) { (reader) throws(FieldFault) in _ = try reader.string("apiKey") }
    #expect(fault?.code == .missingField)
    #expect(fault?.field == "apiKey")
    #expect(fault?.remedy == "Add the field apiKey.")
  }

  @Test("a wrong type or bound is named, its value is not")
  func wrong() {
    let secret: JSONValue = ["apiKey": ["sk-secret"], "priority": 101, "n": .number("1.5")]
    for (name, found) in [
      ("apiKey", fault(secret) { (r) throws(FieldFault) in _ = try r.string("apiKey") }),
      (
        "priority",
        fault(secret) { (r) throws(FieldFault) in _ = try r.int("priority", in: 1...100) }
      ),
      ("n", fault(secret) { (r) throws(FieldFault) in _ = try r.int("n") }),
      ("apiKey", fault(secret) { (r) throws(FieldFault) in _ = try r.optionalBool("apiKey") }),
      ("apiKey", fault(secret) { (r) throws(FieldFault) in _ = try r.optionalObjects("apiKey") }),
    ] {
      #expect(found?.code == .invalidField)
      #expect(found?.field.hasPrefix(name) == true)
      #expect(found.map { "\($0.message)\($0.remedy)".contains("secret") } == false)
    }
    #expect(
      fault(["a": nil]) { (r) throws(FieldFault) in _ = try r.string("a") }?.message == "a is null")
  }

  @Test("an unknown field is refused with the nearest known ones")
  func unknown() {
    let near = fault(["isActiv": true]) { (reader) throws(FieldFault) in
      _ = try reader.optionalBool("isActive")
      _ = try reader.optionalString("name")
    }
    #expect(near?.code == .unknownField)
    #expect(near?.field == "isActiv")
    #expect(near?.remedy == "Did you mean isActive?")
    let far = fault(["zzzzzz": true]) { (reader) throws(FieldFault) in
      _ = try reader.optionalBool("isActive")
      _ = try reader.optionalString("name")
    }
    #expect(far?.remedy == "Known fields: isActive, name.")
    let hostile = fault([String(repeating: "a\n", count: 1000): true] as JSONValue) {
      (_) throws(FieldFault) in
    }
    #expect(hostile.map { $0.field.unicodeScalars.count <= 64 && !$0.field.contains("\n") } == true)
  }

  @Test("faults inside arrays tell the index, and a body that is no object is refused")
  func paths() throws {
    var reader = try ObjectReader(["models": [["name": "a"], ["nme": "b"]]])
    var models = try reader.optionalObjects("models") ?? []
    #expect(
      Result { () throws(FieldFault) in try models[1].string("name") }.failure?.field
        == "models[1].name")
    #expect(
      Result { () throws(FieldFault) in try ObjectReader([1]) }.failure?.message
        == "The body is an array")
  }
}

@Suite("Long texts")
struct LongTextTests {
  @Test(
    "a text is escaped and unescaped alike wherever in it something stands", arguments: [1, 2, 3])
  func escapes(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<300 {
      var text = ""
      for _ in 0..<random.int(0...40) {
        text.unicodeScalars.append(
          random.oneIn(3)
            ? Unicode.Scalar(UInt8(random.int(0...127)))
            : (["a", "é", "\u{2028}", "🙂"] as [Unicode.Scalar])[random.int(0...3)])
      }
      var bytes: [UInt8] = []
      appendJSONString(text, to: &bytes)
      #expect(!bytes.contains { $0 < 0x20 || $0 == 0x7F }, "seed \(seed)")
      let back = try JSONValue.parse(bytes).string ?? ""
      #expect(back.unicodeScalars.elementsEqual(text.unicodeScalars), "seed \(seed)")
      #expect(JSONValidator.valueCount(in: bytes) == 1, "seed \(seed)")
    }
  }

  @Test(
    "values are counted before anything is made of them",
    arguments: [
      ("1", 1), ("\"a,[{b\"", 1), ("[1, 2,3]", 4), ("[[0],[0]]", 5), ("[]", 2), ("", 0),
      ("{\"a\":{\"b\":null},\"c\":\"\\\"{,\"}", 4),
    ])
  func count(_ text: String, _ count: Int) {
    #expect(JSONValidator.valueCount(in: Array(text.utf8)) == count)
  }

  @Test("what was written is not moved with each text that follows")
  func moves() {
    var bytes: [UInt8] = []
    var moves = 0
    for _ in 0..<10_000 {
      let room = bytes.capacity
      appendJSONString("some words of a text", to: &bytes)
      if bytes.capacity != room { moves += 1 }
    }
    #expect(moves < 64)
  }
}

extension JSONValidator {
  fileprivate static func valueCount(in bytes: [UInt8]) -> Int {
    bytes.withUnsafeBytes(valueCount)
  }
}
