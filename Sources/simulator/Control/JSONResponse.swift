import NIOCore
import NIOHTTP1

/// A whole JSON answer that no scenario bends.
struct JSONResponse {
  var status: HTTPResponseStatus
  var text: String

  func steps() -> [Step] {
    let body = ByteBuffer(string: text)
    let headers: HTTPHeaders = [
      "content-type": "application/json", "content-length": String(body.readableBytes),
    ]
    let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    return [.head(head), .body(body), .end]
  }
}
