import Foundation
import NIOCore
import NIOHTTP1

/// A request to one of the small servers beside the model endpoints, with its parameters read.
struct HTTPCall: Sendable {
  var method: HTTPMethod
  /// Without the query.
  var path: String
  var query: [String: String]
  var headers: HTTPHeaders
  /// How the body says what it is.
  var encoding: Encoding
  /// The form's fields, or the JSON object's texts and numbers.
  var fields: [String: String]
  /// The body if it is JSON.
  var json: JSONValue?

  enum Encoding: String, Sendable {
    case none
    case form
    case json
  }

  init(_ head: HTTPRequestHead, body: ByteBuffer) {
    method = head.method
    let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    path = String(parts[0])
    query = parts.count > 1 ? HTTPCall.pairs(parts[1]) : [:]
    headers = head.headers
    fields = [:]
    let text = String(decoding: body.readableBytesView, as: UTF8.self)
    let type = head.headers.first(name: "content-type")?.lowercased() ?? ""
    if text.isEmpty {
      encoding = .none
    } else if type.hasPrefix("application/x-www-form-urlencoded") {
      encoding = .form
      fields = HTTPCall.pairs(text[...])
    } else {
      encoding = .json
      json = JSONValue(text)
      for (name, value) in json?.object ?? [:] { fields[name] = value.scalarText }
    }
  }

  /// `Authorization: Bearer …`, or GitHub's `token …`.
  var bearer: String? {
    guard let value = headers.first(name: "authorization"),
      let space = value.firstIndex(of: " "),
      ["bearer", "token"].contains(value[..<space].lowercased())
    else { return nil }
    return String(value[value.index(after: space)...])
  }

  /// `Authorization: Basic …`, decoded.
  var basic: (user: String, password: String)? {
    guard let value = headers.first(name: "authorization"),
      value.lowercased().hasPrefix("basic "),
      let data = Data(base64Encoded: String(value.dropFirst(6)))
    else { return nil }
    let text = String(decoding: data, as: UTF8.self)
    guard let colon = text.firstIndex(of: ":") else { return nil }
    return (String(text[..<colon]), String(text[text.index(after: colon)...]))
  }

  private static func pairs(_ text: Substring) -> [String: String] {
    var pairs: [String: String] = [:]
    for pair in text.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      pairs[plain(parts[0])] = parts.count > 1 ? plain(parts[1]) : ""
    }
    return pairs
  }

  private static func plain(_ text: Substring) -> String {
    let spaced = text.replacingOccurrences(of: "+", with: " ")
    return spaced.removingPercentEncoding ?? spaced
  }
}

extension String {
  /// As a value in a query or a form.
  var percentEncoded: String {
    let plain = CharacterSet(
      charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    return addingPercentEncoding(withAllowedCharacters: plain) ?? self
  }
}
