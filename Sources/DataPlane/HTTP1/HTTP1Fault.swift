/// Why bytes on a connection are not an HTTP/1.1 message that this gateway takes.
///
/// After a fault the connection's framing is lost: answer `status` if nothing was answered yet, then
/// close. The text is fixed per code and never holds bytes of the message.
public struct HTTP1Fault: Error, Sendable, Hashable {
  /// The rule that was broken; the raw value is stable and fit for metric labels.
  public enum Code: String, Sendable, CaseIterable {
    // Lines
    case bareLF = "bare_lf"
    case bareCR = "bare_cr"
    case obsoleteFolding = "obs_fold"
    case headTooLarge = "head_too_large"
    case tooManyFields = "too_many_fields"
    // Request line
    case invalidRequestLine = "invalid_request_line"
    case unknownMethod = "unknown_method"
    case targetTooLong = "target_too_long"
    case invalidTarget = "invalid_target"
    case unsupportedVersion = "unsupported_version"
    // Status line
    case invalidStatusLine = "invalid_status_line"
    case unexpectedUpgrade = "unexpected_upgrade"
    case tooManyInformational = "too_many_informational"
    case unsolicitedResponse = "unsolicited_response"
    // Fields
    case invalidFieldName = "invalid_field_name"
    case whitespaceBeforeColon = "whitespace_before_colon"
    case invalidFieldValue = "invalid_field_value"
    case repeatedField = "repeated_field"
    case missingHost = "missing_host"
    case invalidHost = "invalid_host"
    case invalidConnection = "invalid_connection"
    case unsupportedExpectation = "unsupported_expectation"
    // Framing
    case invalidContentLength = "invalid_content_length"
    case contentLengthTooLarge = "content_length_too_large"
    case lengthAndTransferCoding = "length_and_transfer_coding"
    case unsupportedTransferCoding = "unsupported_transfer_coding"
    case transferCodingInOldVersion = "transfer_coding_in_http_1_0"
    case invalidChunkSize = "invalid_chunk_size"
    case chunkSizeTooLarge = "chunk_size_too_large"
    case invalidChunkExtension = "invalid_chunk_extension"
    case chunkExtensionsTooLarge = "chunk_extensions_too_large"
    case invalidChunkEnd = "invalid_chunk_end"
    case forbiddenTrailer = "forbidden_trailer"
    case trailersTooLarge = "trailers_too_large"
    case bodyTooLarge = "body_too_large"
    case truncated = "truncated"
  }

  /// Who sent the faulty bytes; decides the status.
  public enum Source: Sendable, Hashable { case client, upstream }

  /// The broken rule.
  public let code: Code
  /// Who broke it.
  public let source: Source

  /// A fault of `source` against `code`.
  public init(_ code: Code, source: Source = .client) {
    self.code = code
    self.source = source
  }

  /// The status to answer our client with: 502 for any fault of an upstream, else 400, 413, 414,
  /// 417, 431, 501 or 505.
  public var status: Int {
    guard source == .client else { return 502 }
    switch code {
    case .headTooLarge, .tooManyFields: return 431
    case .targetTooLong: return 414
    case .unsupportedExpectation: return 417
    case .unknownMethod, .unsupportedTransferCoding: return 501
    case .unsupportedVersion: return 505
    case .bodyTooLarge, .contentLengthTooLarge, .chunkSizeTooLarge: return 413
    default: return 400
    }
  }

  /// One sentence for the error body and the log; at most 120 bytes, without bytes of the message.
  public var reason: String {
    switch code {
    case .bareLF: "A line ends with LF alone; lines end with CRLF."
    case .bareCR: "A CR is not followed by LF."
    case .obsoleteFolding: "A header line starts with white space; folded lines are obsolete."
    case .headTooLarge: "The message head is larger than this gateway takes."
    case .tooManyFields: "The message has more header fields than this gateway takes."
    case .invalidRequestLine: "The request line is not 'METHOD target HTTP/1.1'."
    case .unknownMethod: "The method is not one this gateway implements."
    case .targetTooLong: "The request target is longer than this gateway takes."
    case .invalidTarget: "The request target is not a path, an http(s) URL, or '*' for OPTIONS."
    case .unsupportedVersion: "The HTTP version is not 1.0 or 1.1."
    case .invalidStatusLine: "The status line is not 'HTTP/1.1 status reason'."
    case .unexpectedUpgrade: "The upstream switched protocols without being asked to."
    case .tooManyInformational: "The upstream sent too many informational responses."
    case .unsolicitedResponse: "The upstream sent bytes that answer no request."
    case .invalidFieldName: "A header field has no name, or its name holds a forbidden character."
    case .whitespaceBeforeColon: "White space stands between a header field's name and its colon."
    case .invalidFieldValue: "A header field's value holds a control character."
    case .repeatedField: "A header field that may occur once is repeated."
    case .missingHost: "The Host header field is missing."
    case .invalidHost: "The Host header field or the target's authority is not host[:port]."
    case .invalidConnection: "The Connection header field is not a list of tokens."
    case .unsupportedExpectation: "The Expect header field is not '100-continue'."
    case .invalidContentLength: "Content-Length is not one decimal number."
    case .contentLengthTooLarge: "Content-Length is not a number this gateway can count."
    case .lengthAndTransferCoding: "Both Content-Length and Transfer-Encoding are present."
    case .unsupportedTransferCoding: "Transfer-Encoding is something else than 'chunked'."
    case .transferCodingInOldVersion: "Transfer-Encoding is not defined for HTTP/1.0."
    case .invalidChunkSize: "A chunk does not start with its size in hexadecimal digits."
    case .chunkSizeTooLarge: "A chunk's size is not a number this gateway can count."
    case .invalidChunkExtension: "A chunk extension is not ';name' or ';name=value'."
    case .chunkExtensionsTooLarge: "The chunk extensions are longer than this gateway takes."
    case .invalidChunkEnd: "A chunk is not followed by CRLF."
    case .forbiddenTrailer: "A trailer holds a field that frames or addresses the message."
    case .trailersTooLarge: "The trailer section is larger than this gateway takes."
    case .bodyTooLarge: "The body is larger than this gateway takes."
    case .truncated: "The connection ended in the middle of a message."
    }
  }
}
