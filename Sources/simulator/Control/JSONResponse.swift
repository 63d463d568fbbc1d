import NIOCore
import NIOHTTP1

/// A whole JSON answer that no scenario bends.
struct JSONResponse: Sendable {
  var status: HTTPResponseStatus
  var text: String
  /// Beside content type and length.
  var headers: HTTPHeaders = [:]

  func steps() -> [Step] {
    let body = ByteBuffer(string: text)
    var all: HTTPHeaders = [
      "content-type": "application/json", "content-length": String(body.readableBytes),
    ]
    all.add(contentsOf: headers)
    let head = HTTPResponseHead(version: .http1_1, status: status, headers: all)
    return [.head(head)] + (text.isEmpty ? [] : [.body(body)]) + [.end]
  }
}
