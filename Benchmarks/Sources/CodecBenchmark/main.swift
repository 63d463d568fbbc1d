// The codec's request decoder beside NIO's stock one, on the same bytes, in alternating rounds of one run.
//
// NIO's figure includes EmbeddedChannel's pipeline, as it would include a channel's in a server; the ratio is that of
// the two ways to get a head, not of two parsers alone.
import DataPlane
import NIOCore
import NIOEmbedded
import NIOHTTP1

let request = ByteBuffer(
  string: [
    "POST /v1/chat/completions HTTP/1.1", "Host: gateway.example.test:8080",
    "Accept: application/json", "Accept-Encoding: gzip, deflate", "Connection: keep-alive",
    "User-Agent: OpenAI/Python 1.99.1", "X-Stainless-Lang: python",
    "X-Stainless-Package-Version: 1.99.1", "X-Stainless-OS: Linux", "X-Stainless-Arch: x64",
    "Authorization: Bearer sk-0123456789abcdef0123456789abcdef", "Content-Type: application/json",
    "Content-Length: 0", "", "",
  ].joined(separator: "\r\n"))

/// Nanoseconds for one of `count` calls.
func cost(_ count: Int, _ body: () throws -> Void) rethrows -> Double {
  let took = try ContinuousClock().measure { for _ in 0..<count { try body() } }
  let (seconds, attoseconds) = took.components
  return (Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / Double(count)
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// Ours: one head and its end.
func decode(_ decoder: inout RequestDecoder) throws -> Int {
  var buffer = request
  var fields = 0
  while true {
    switch try decoder.next(&buffer) {
    case .head(let head): fields = head.fields.count
    case .end: return fields
    default: break
    }
  }
}

/// NIO's stock way to the same head.
func decode(_ channel: EmbeddedChannel) throws -> Int {
  try channel.writeInbound(request)
  var fields = 0
  while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
    if case .head(let head) = part { fields = head.headers.count }
  }
  return fields
}

func compare() throws {
  var decoder = RequestDecoder()
  let channel = EmbeddedChannel()
  try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
  let rounds = 7
  var seen = 0
  var pairs: [(ours: Double, stock: Double)] = []
  // The first round warms both up and does not count.
  for _ in 0...rounds {
    let ours = try cost(100_000) { seen &+= try decode(&decoder) }
    let stock = try cost(100_000) { seen &+= try decode(channel) }
    pairs.append((ours, stock))
  }
  pairs.removeFirst()
  let ratio = median(pairs.map { $0.ours / $0.stock })
  print("request head of \(request.readableBytes) bytes, \(rounds) alternating rounds, medians")
  print("  ours        \(Int(median(pairs.map(\.ours)))) ns")
  print("  NIO         \(Int(median(pairs.map(\.stock)))) ns")
  print("  ours ÷ NIO  \((ratio * 1000).rounded() / 1000)   (\(seen) fields seen)")
}

try compare()
