/// Makes the calls in which tokens are had and refreshed.
public protocol TokenEndpoint: Sendable {
  /// Makes one call and returns within its patience; follows no redirect and reads a bounded answer.
  func send(_ request: TokenRequest) async -> TokenAnswer
}

/// One call to a provider's token endpoint, to another of the places by which people sign in, or to another node.
public struct TokenRequest: Sendable {
  /// How it is made.
  public var method: Method
  /// `https://…`, or `http://…` to this machine; a query may hold secrets: never logged.
  public var url: String
  /// Beside what the transport needs; names in lower case.
  public var headers: [(name: String, value: String)]
  /// Holds secrets: never logged.
  public var body: [UInt8]
  /// From the first byte to the last of the answer.
  public var patience: Duration
  /// What is read of an answer; one that is longer is none.
  public var answerBytes: Int

  /// How a call is made.
  public enum Method: String, Sendable {
    case get = "GET"
    case post = "POST"
    case delete = "DELETE"
  }

  /// Made of its parts.
  public init(
    method: Method = .post, url: String, headers: [(name: String, value: String)], body: [UInt8],
    patience: Duration = .seconds(30), answerBytes: Int = 256 << 10
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.patience = patience
    self.answerBytes = answerBytes
  }
}

/// What came of a call to a token endpoint.
public enum TokenAnswer: Sendable {
  /// The request never went out; a stable short word says why.
  case notSent(String)
  /// It went out, at least in part, and no whole answer came.
  case noAnswer(String)
  /// Holds secrets: never logged.
  case answered(status: UInt16, retryAfterSeconds: UInt32?, body: [UInt8])
}
