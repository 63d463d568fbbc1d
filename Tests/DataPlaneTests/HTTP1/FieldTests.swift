import DataPlane
import NIOCore
import Testing

@Suite("Header fields")
struct FieldTests {
  private func head(_ lines: String, target: String = "/") throws -> HTTP1RequestHead {
    var decoder = RequestDecoder()
    var buffer = ByteBuffer(string: "POST \(target) HTTP/1.1\r\nHost: a\r\n\(lines)\r\n")
    guard case .head(let head) = try decoder.next(&buffer) else {
      throw HTTP1Fault(.truncated)
    }
    return head
  }

  @Test("Every name the codec knows is found in any case", arguments: HTTP1Name.allCases)
  func known(_ name: HTTP1Name) throws {
    let lower = "\(name.text)"
    let values: [HTTP1Name: String] = [
      .host: "a", .contentLength: "7", .transferEncoding: "chunked", .expect: "100-continue",
    ]
    let value = values[name] ?? "Some Value"
    for spelling in [lower, lower.uppercased(), lower.prefix(1).uppercased() + lower.dropFirst()] {
      let connection = name == .connection ? "x" : value
      let fields = try head(name == .host ? "" : "\(spelling):  \(connection) \r\n").fields
      #expect(fields.contains(name))
      #expect(fields.string(name) == connection)
      #expect(fields.value(name).map { String(buffer: $0) } == connection)
      #expect(fields.value(name, equals: "some value") == (connection == "Some Value"))
      #expect(fields.first(named: spelling) == connection)
      #expect(!fields.isRepeated(name))
      // One letter off is another field.
      #expect(try !head("\(lower.dropLast())_: 1\r\n").fields.contains(name) || name == .host)
    }
  }

  @Test("Absent and unknown fields are not found; empty ones are")
  func absent() throws {
    let fields = try head("Content-Type:\r\nX-Other: 1\r\n").fields
    #expect(!fields.contains(.authorization))
    #expect(fields.string(.authorization) == nil)
    #expect(fields.string(.contentType) == "")
    #expect(fields.first(named: "x-other") == "1")
    #expect(fields.first(named: "x-othes") == nil)
    #expect(fields.count == 3)
  }

  @Test("A repeated field answers its first value and says that there are more")
  func repeated() throws {
    let fields = try head("Accept: a\r\nAccept: b\r\n").fields
    #expect(fields.string(.accept) == "a")
    #expect(fields.isRepeated(.accept))
  }

  @Test("Forwarding drops hop-by-hop fields and those that Connection nominates, and nothing else")
  func forwardable() throws {
    let fields = try head(
      "X-A: 1\r\nConnection: X-Drop, close\r\nX-B:  2 \r\nx-drop: 3\r\nTE: trailers\r\n"
        + "Content-Length: 0\r\nAuthorization: k\r\nconnection: x-too\r\nX-Too: 4\r\nX-C: 5\r\n"
    ).fields
    var out = ByteBuffer()
    fields.appendForwardable(
      to: &out, dropping: HTTP1NameSet.hopByHop.union([.authorization, .host]))
    #expect(String(buffer: out) == "X-A: 1\r\nX-B:  2 \r\nX-C: 5\r\n")
    var all = ByteBuffer()
    try head("X-A: 1\r\n").fields.appendForwardable(to: &all)
    #expect(String(buffer: all) == "Host: a\r\nX-A: 1\r\n")
  }

  @Test(
    "Path, query and authority are found in every form of target",
    arguments: [
      ("/", "/", nil, nil), ("/a/b?c=d?e", "/a/b", "c=d?e", nil), ("/a?", "/a", "", nil),
      ("http://h:1/a?b", "/a", "b", "h:1"), ("http://h", "/", nil, "h"),
      ("http://h?b", "/", "b", "h"),
    ] as [(String, String, String?, String?)])
  func targets(_ target: String, _ path: String, _ query: String?, _ authority: String?) throws {
    let head = try head("", target: target)
    #expect(head.path == path)
    #expect(head.query == query)
    #expect(head.authority == authority)
    #expect(head.target == target)
    #expect(head.pathEquals("/") == (path == "/"))
    #expect(head.pathHasPrefix("/a") == path.hasPrefix("/a"))
  }
}
