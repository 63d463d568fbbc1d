import Domain
import HTTPTypes
import NIOCore

/// One request that the fallback answers, in a task of its own.
final class FallbackCall {
  /// The largest body that the fallback is given.
  static let bodyBytes = 1 << 20

  let head: HTTP1RequestHead
  private unowned let connection: ClientConnection
  private let id: RequestID
  private let clientRequestID: String?
  private var task: Task<Void, Never>?

  init(head: HTTP1RequestHead, connection: ClientConnection) {
    self.head = head
    self.connection = connection
    let context = connection.context
    id = RequestID(context.ids.next(wallNanoseconds: context.plane.clock.wallNanoseconds))
    clientRequestID = Admission.clientRequestID(of: head)
  }

  /// The request is whole: asks the fallback.
  func start(_ body: ByteBuffer) {
    let request = FallbackRequest(
      method: HTTPRequest.Method(rawValue: head.method.text) ?? .get, uri: head.target,
      headers: headers(), body: body, remoteAddress: connection.remoteAddress, requestID: id,
      listener: connection.role)
    let eventLoop = connection.context.eventLoop
    let fallback = connection.context.plane.fallback
    let me = NIOLoopBound(self, eventLoop: eventLoop)
    task = Task {
      let response = await fallback.respond(to: request)
      eventLoop.execute { me.value.answered(response) }
    }
  }

  /// The client went away, or the gateway stops.
  func cancel() {
    task?.cancel()
    isOver = true
  }

  private var isOver = false

  private func answered(_ response: FallbackResponse) {
    guard !isOver else { return }
    isOver = true
    let context = connection.context
    let status = (200...599).contains(response.status.code) ? response.status.code : 500
    let isBodiless = status == 204 || status == 304
    var out = ByteBuffer()
    let keepsAlive = connection.willKeepAlive
    HTTP1Encoder.statusLine(status, to: &out)
    context.date.append(wallNanoseconds: context.plane.clock.wallNanoseconds, to: &out)
    for field in response.headers where !Self.isOurs(field.name) {
      // A field that could split the message is left out; nothing else of the answer changes.
      _ = try? HTTP1Encoder.field(
        checkedName: field.name.rawName.utf8, checked: field.value.utf8, to: &out)
    }
    let idText = uuidText(id.rawValue)
    _ = try? HTTP1Encoder.field("x-request-id", checked: clientRequestID ?? idText, to: &out)
    _ = try? HTTP1Encoder.field("x-signalbox-request-id", checked: idText, to: &out)
    if !isBodiless { HTTP1Encoder.contentLength(response.body.readableBytes, to: &out) }
    AnswerHead.connectionField(keepsAlive: keepsAlive, isHTTP10: head.version == .http10, to: &out)
    HTTP1Encoder.endOfHead(to: &out)
    let hasBody = !isBodiless && head.method != .head
    connection.fallbackAnswered(
      self, hasBody ? [out, response.body] : [out], keepsAlive: keepsAlive)
  }

  private static func isOurs(_ name: HTTPField.Name) -> Bool {
    switch name.canonicalName {
    case "content-length", "transfer-encoding", "connection", "keep-alive", "date", "upgrade",
      "trailer", "x-request-id", "x-signalbox-request-id":
      true
    default: false
    }
  }

  private func headers() -> HTTPFields {
    var headers = HTTPFields()
    head.fields.forEach { field in
      guard let name = HTTPField.Name(String(decoding: field.name, as: UTF8.self)) else { return }
      headers.append(
        HTTPField(name: name, value: String(decoding: field.value, as: UTF8.self)))
    }
    return headers
  }
}

extension HTTP1Method {
  /// The method's token as text.
  var text: String { token.description }
}
