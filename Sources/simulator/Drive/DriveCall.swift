import NIOCore
import NIOHTTP1

/// A planned request as it is sent: its shape and size are the recorded ones, its words are none that anybody wrote.
struct DriveCall: Sendable {
  var method: HTTPMethod
  var path: String
  var body: String

  /// Bodies are padded to no more than this.
  private static let bytesMax: Int64 = 16 << 20

  /// What can be made up: other operations live on what was stored before, or are of a later build.
  enum Operation: String {
    case chat = "chat.completions"
    case completions
    case embeddings
    case responses
    case messages
    case countTokens = "messages.count_tokens"
    case generateContent = "generate_content"
    case listModels = "models.list"
    case getModel = "models.get"
  }

  init(_ it: DrivePlan.Request, _ operation: Operation) {
    let model = JSONValue.string(it.model)
    let limit = JSONValue.integer(max(1, min(it.outputTokens ?? 64, 1_000_000)))
    let stream = JSONValue.boolean(it.isStream)
    let message: @Sendable (String) -> JSONValue = {
      .array([.object(["role": .string("user"), "content": .string($0)])])
    }
    func call(_ path: String, _ fields: (String) -> [String: JSONValue]) -> DriveCall {
      let bare = JSONValue.object(fields("")).text
      let room = min(it.requestBytes, Self.bytesMax) - Int64(bare.utf8.count)
      let words = String(repeating: "load ", count: Int(max(1, room / 5)))
      return DriveCall(.POST, path, JSONValue.object(fields(words)).text)
    }
    switch operation {
    case .chat:
      self = call("/v1/chat/completions") {
        ["model": model, "messages": message($0), "stream": stream, "max_tokens": limit]
      }
    case .completions:
      self = call("/v1/completions") {
        ["model": model, "prompt": .string($0), "stream": stream, "max_tokens": limit]
      }
    case .embeddings: self = call("/v1/embeddings") { ["model": model, "input": .string($0)] }
    case .responses:
      self = call("/v1/responses") {
        ["model": model, "input": .string($0), "stream": stream, "max_output_tokens": limit]
      }
    case .messages:
      self = call("/v1/messages") {
        ["model": model, "messages": message($0), "stream": stream, "max_tokens": limit]
      }
    case .countTokens:
      self = call("/v1/messages/count_tokens") { ["model": model, "messages": message($0)] }
    case .generateContent:
      let verb = it.isStream ? "streamGenerateContent?alt=sse" : "generateContent"
      self = call("/v1beta/models/\(Self.escaped(it.model)):\(verb)") {
        [
          "contents": .array([
            .object(["role": .string("user"), "parts": .array([.object(["text": .string($0)])])])
          ])
        ]
      }
    case .listModels: self = DriveCall(.GET, "/v1/models", "")
    case .getModel: self = DriveCall(.GET, "/v1/models/\(Self.escaped(it.model))", "")
    }
  }

  private init(_ method: HTTPMethod, _ path: String, _ body: String) {
    self.method = method
    self.path = path
    self.body = body
  }

  /// What a name may have in a path; a slash stays.
  private static func escaped(_ name: String) -> String {
    name.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
        String(UnicodeScalar(byte))
      case _:
        "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }.joined()
  }

  func head(host: String, key: String?) -> HTTPRequestHead {
    var headers: HTTPHeaders = ["host": host, "user-agent": "signalbox-simulator-drive"]
    if let key { headers.add(name: "authorization", value: "Bearer \(key)") }
    if method == .POST {
      headers.add(name: "content-type", value: "application/json")
      headers.add(name: "content-length", value: String(body.utf8.count))
      headers.add(name: "anthropic-version", value: "2023-06-01")
    }
    return HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
  }
}
