import Support

/// Random messages within the rules, as bytes.
enum GeneratedMessage {
  static func requests(_ random: inout SeededRandom) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<random.int(1...4) { bytes += request(&random) }
    return bytes
  }

  static func request(_ random: inout SeededRandom) -> [UInt8] {
    let method = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"].randomElement(
      using: &random)
    var bytes = Array("\(method ?? "GET") \(target(&random)) HTTP/1.1\r\n".utf8)
    var lines = [Array("Host: example.test:8080".utf8)]
    for _ in 0..<random.int(0...8) { lines.append(field(&random)) }
    let isGet = method == "GET" || method == "HEAD"
    let body = framedBody(&random, allowed: !isGet)
    if let framing = body.field { lines.append(Array(framing.utf8)) }
    lines.shuffle(using: &random)
    for line in lines { bytes += line + [0x0D, 0x0A] }
    return bytes + [0x0D, 0x0A] + body.bytes
  }

  static func response(_ random: inout SeededRandom) -> [UInt8] {
    let status = [200, 201, 400, 404, 429, 500, 503].randomElement(using: &random) ?? 200
    var bytes = Array("HTTP/1.1 \(status) Some Reason\r\n".utf8)
    var lines: [[UInt8]] = []
    for _ in 0..<random.int(0...8) { lines.append(field(&random)) }
    var body = framedBody(&random, allowed: true)
    if body.field == nil { body = ("Content-Length: 0", []) }
    lines.append(Array((body.field ?? "").utf8))
    lines.shuffle(using: &random)
    for line in lines { bytes += line + [0x0D, 0x0A] }
    return bytes + [0x0D, 0x0A] + body.bytes
  }

  private static func target(_ random: inout SeededRandom) -> String {
    let characters = Array("abzAZ09-._~!$&'()*+,;=:@/")
    var target = "/"
    for _ in 0..<random.int(0...30) {
      target += random.oneIn(8) ? "%2f" : String(characters.randomElement(using: &random) ?? "a")
    }
    return random.oneIn(3) ? target + "?q=" + target : target
  }

  private static func field(_ random: inout SeededRandom) -> [UInt8] {
    let nameBytes = Array("abcxyzABCXYZ019!#$%&'*+-.^_`|~".utf8)
    var line = Array("x".utf8)
    for _ in 0..<random.int(0...20) { line.append(nameBytes.randomElement(using: &random) ?? 0x61) }
    if random.oneIn(3) {
      line = Array(
        ["Accept", "user-agent", "AUTHORIZATION", "Traceparent", "Cookie", "x-request-id"]
          .randomElement(using: &random)?.utf8 ?? "Accept".utf8)
      // Once a head at most: a repeated one is against our rules.
      if line.first == UInt8(ascii: "A"), line.count > 6 { line = Array("Authorizatioo".utf8) }
    }
    line.append(UInt8(ascii: ":"))
    for _ in 0..<random.int(0...2) { line.append(random.oneIn(2) ? 0x20 : 0x09) }
    let count = random.int(0...40)
    for index in 0..<count {
      let isEdge = index == 0 || index == count - 1
      line.append(
        !isEdge && random.oneIn(10)
          ? [0x20, 0x09].randomElement(using: &random) ?? 0x20 : UInt8(random.int(0x21...0x7E)))
    }
    for _ in 0..<random.int(0...2) { line.append(0x20) }
    return line
  }

  private static func framedBody(
    _ random: inout SeededRandom, allowed: Bool
  ) -> (field: String?, bytes: [UInt8]) {
    guard allowed else { return (nil, []) }
    switch random.int(0...2) {
    case 0: return (nil, [])
    case 1:
      let body = random.bytes(random.int(0...300))
      return ("Content-Length: \(body.count)", body)
    default:
      var bytes: [UInt8] = []
      for _ in 0..<random.int(0...5) {
        let chunk = random.bytes(random.int(1...70))
        let size = String(chunk.count, radix: 16, uppercase: random.oneIn(2))
        let zeros = String(repeating: "0", count: random.int(0...3))
        let extensions = random.oneIn(4) ? ";name=\"value\"" : ""
        bytes += Array("\(zeros)\(size)\(extensions)\r\n".utf8) + chunk + [0x0D, 0x0A]
      }
      bytes += Array("0\r\n".utf8)
      if random.oneIn(3) { bytes += Array("X-Checksum: abc\r\nX-Other:\r\n".utf8) }
      return ("Transfer-Encoding: chunked", bytes + [0x0D, 0x0A])
    }
  }

  /// Changes a few bytes in the ways that confuse parsers.
  static func mutated(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    var bytes = bytes
    let spice: [String] = [
      "\r", "\n", "\r\n", " ", "\t", "\0", ":", ",", ";", "\r\n ", "\r\n\r\n", "\u{7f}", "0", "1",
      "-", "+", "0x", "f", "%", "#", "*", "\r\nContent-Length: 3", "\r\nContent-Length: 0",
      "\r\nTransfer-Encoding: chunked", "\r\nTransfer-Encoding: gzip", "\r\nHost: b",
      "\r\nConnection: close", "\r\nConnection: upgrade\r\nUpgrade: x", "HTTP/1.0", "HTTP/1.1",
      "http://a", "\r\nExpect: 100-continue", "chunked", "\u{b}", "\r\nX : y", "\r\nX\r\n",
    ]
    for _ in 0..<random.int(1...3) {
      guard !bytes.isEmpty else { return bytes }
      // Mostly in the first head, where it matters.
      let place = random.oneIn(3) ? random.int(0...bytes.count - 1) : spot(bytes, &random)
      switch random.int(0...4) {
      case 0: bytes[place] = UInt8(random.int(0...255))
      case 1: bytes[place] ^= 1 << UInt8(random.int(0...7))
      case 2: bytes.remove(at: place)
      case 3:
        let end = min(bytes.count, place + random.int(1...12))
        bytes.insert(contentsOf: bytes[place..<end], at: place)
      default:
        bytes.insert(
          contentsOf: Array((spice.randomElement(using: &random) ?? "\n").utf8), at: place)
      }
    }
    return bytes
  }

  /// A place at or next to a separator.
  private static func spot(_ bytes: [UInt8], _ random: inout SeededRandom) -> Int {
    // An empty line ends the head, whatever comes before it.
    let head = zip(bytes.indices, bytes.indices.dropFirst(2))
      .first { bytes[$0] == 0x0A && bytes[$1] == 0x0A }?.1
    let start = random.int(0...(head ?? bytes.count - 1))
    let separators = Array("\r\n: ;".utf8)
    let found = bytes[start...].firstIndex { separators.contains($0) } ?? start
    return min(bytes.count - 1, max(0, found + random.int(-1...1)))
  }
}
