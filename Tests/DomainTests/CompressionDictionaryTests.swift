import Domain
import Testing

@Test("the dictionary is bounded, the same every time, and ends with the commonest record")
func makesDictionary() throws {
  let dictionary = compressionDictionary()
  #expect(dictionary.count <= 8_192)
  #expect(dictionary.count > 1_024)
  #expect(dictionary == compressionDictionary())
  let last = dictionary.suffix(400)
  #expect(contains(last, Array("requestrequest.finished.v1".utf8)))
  #expect(contains(last, Array("mock/gpt-4o-mini".utf8)))
}

@Test("the newest version of every kind stands in the dictionary")
func holdsEveryKind() {
  let dictionary = compressionDictionary()
  var newest: [Substring: Int] = [:]
  for kind in WireKind.all {
    let name = kind[..<(kind.lastIndex(of: ".") ?? kind.endIndex)]
    newest[name] = max(newest[name, default: 1], Int(kind.dropFirst(name.count + 2)) ?? 0)
  }
  for (name, version) in newest {
    #expect(contains(dictionary, Array("\(name).v\(version)".utf8)), "\(name)")
  }
}

private func contains(_ bytes: some Collection<UInt8>, _ part: [UInt8]) -> Bool {
  let bytes = Array(bytes)
  return bytes.indices.dropLast(part.count - 1).contains {
    bytes[$0..<$0 + part.count].elementsEqual(part)
  }
}
