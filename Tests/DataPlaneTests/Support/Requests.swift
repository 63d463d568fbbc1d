@testable import DataPlane

/// A chat request on the wire.
func chat(
  _ body: String, key: String? = Gateway.key, headers: String = "",
  path: String = "/v1/chat/completions"
) -> String {
  let credential = key.map { "Authorization: Bearer \($0)\r\n" } ?? ""
  return "POST \(path) HTTP/1.1\r\nHost: gateway\r\n\(credential)\(headers)"
    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

let plainBody = #"{"model":"p/m","messages":[{"role":"user","content":"hi"}]}"#
/// The same as upstream must see it.
let plainBodyUpstream = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#
let streamBody = #"{"model":"p/m","stream":true,"messages":[]}"#

let plainAnswer =
  #"{"id":"c1","choices":[{"index":0}],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}}"#
