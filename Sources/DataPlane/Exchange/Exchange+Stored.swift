import Domain
import NIOCore
import Surface

/// What Responses have stored: shown, removed or given up by the account that has it, with its answer as it comes.
extension Exchange {
  /// Finds the account that has what the path names, of the key's own organisation; nobody else is asked.
  func askOwner(_ body: ByteBuffer) {
    guard let call = StoredCall(path: head.path) else { return deny(.notFound) }
    self.body = body
    let link = Link(field: "response_id", state: stored(call.id), isKnownByUse: false)
    find([link]) { [self] in
      guard links?.owner != nil else {
        return deny(.notFound, message: "There is nothing of this id.", param: link.field)
      }
      letIn()
    }
  }

  /// The request as it goes upstream: our own head, the client's path, query and body.
  func storedRequest() -> (method: HTTP1Method, pieces: [ByteBuffer]) {
    guard let route = attempt?.route, let call = StoredCall(path: head.path) else {
      return (head.method, [])
    }
    let query = head.query.map { StoredCall.query($0[...]) } ?? ""
    var out = ByteBuffer()
    route.begin(head.method, stored: call.rest + (query.isEmpty ? "" : "?" + query), to: &out)
    HTTP1Encoder.field("accept", "application/json", to: &out)
    passFields(to: &out)
    guard head.method == .post else {
      HTTP1Encoder.endOfHead(to: &out)
      return (head.method, [out])
    }
    if body.readableBytes > 0 { HTTP1Encoder.field("content-type", "application/json", to: &out) }
    HTTP1Encoder.contentLength(body.readableBytes, to: &out)
    HTTP1Encoder.endOfHead(to: &out)
    return (head.method, body.readableBytes > 0 ? [out, body] : [out])
  }
}
