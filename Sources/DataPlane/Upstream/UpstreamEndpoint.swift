/// Where a provider listens: scheme, host and port name the connections, the path goes into requests.
struct UpstreamEndpoint: Sendable, Hashable {
  var origin: Origin
  /// Of the base URL, without a trailing slash; may be empty.
  var path: String

  /// What connections are shared by.
  struct Origin: Sendable, Hashable {
    var isTLS: Bool
    /// A name or an address, lower case, without brackets.
    var host: String
    var port: Int

    /// The value of `host`.
    var hostField: String {
      let name = host.contains(":") ? "[\(host)]" : host
      return port == (isTLS ? 443 : 80) ? name : "\(name):\(port)"
    }
  }

  /// Reads `http[s]://host[:port][/path]`; nil for anything else (user info, query and fragment included).
  init?(baseURL: String) {
    let isTLS: Bool
    var rest: Substring
    if baseURL.hasPrefix("https://") {
      isTLS = true
      rest = baseURL.dropFirst(8)
    } else if baseURL.hasPrefix("http://") {
      isTLS = false
      rest = baseURL.dropFirst(7)
    } else {
      return nil
    }
    guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
      !rest.contains(where: { "@?#\\\"<>".contains($0) })
    else { return nil }
    let authority = rest.prefix { $0 != "/" }
    rest = rest.dropFirst(authority.count)
    while rest.last == "/" { rest.removeLast() }
    var host: Substring
    var portText: Substring?
    if authority.first == "[" {
      guard let close = authority.firstIndex(of: "]") else { return nil }
      host = authority[authority.index(after: authority.startIndex)..<close]
      let after = authority[authority.index(after: close)...]
      if !after.isEmpty {
        guard after.first == ":" else { return nil }
        portText = after.dropFirst()
      }
    } else {
      let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count <= 2 else { return nil }
      host = parts[0]
      if parts.count == 2 { portText = parts[1] }
    }
    guard !host.isEmpty else { return nil }
    var port = isTLS ? 443 : 80
    if let portText {
      guard let number = UInt16(portText), number > 0 else { return nil }
      port = Int(number)
    }
    origin = Origin(isTLS: isTLS, host: host.lowercased(), port: port)
    path = String(rest)
  }
}
