/// Rules for where a provider is reached.
///
/// An address is judged here, in every form that a resolver takes; what a name resolves to, when it is.
enum BaseURL {
  /// The URL without trailing slashes: `http` or `https`, a host, perhaps a port and a path, nothing else.
  static func checked(_ text: String) throws(Refusal) -> String {
    func refuse(_ why: String) -> Refusal {
      // The URL is not echoed: what was put before an @ or behind a ? may well be a secret.
      .invalid(
        "base_url", "", "base_url \(why)", remedy: "Write it like https://api.example.com/v1.")
    }

    var bytes = text.utf8[...]
    guard bytes.count <= Bounds.baseURLBytes else {
      throw refuse("must be at most \(Bounds.baseURLBytes) bytes")
    }
    guard bytes.allSatisfy({ 0x21...0x7E ~= $0 && !isForbidden($0) }) else {
      throw refuse("must be visible ASCII without quotes, brackets and backslashes")
    }
    while bytes.last == Bounds.slash { bytes.removeLast() }
    let url = String(Substring(bytes))
    let rest: Substring
    if url.hasPrefix("https://") {
      rest = url.dropFirst(8)
    } else if url.hasPrefix("http://") {
      rest = url.dropFirst(7)
    } else {
      throw refuse("must begin with http:// or https://")
    }
    guard !rest.utf8.contains(UInt8(ascii: "?")), !rest.utf8.contains(UInt8(ascii: "#")) else {
      throw refuse("must have no query and no fragment")
    }
    let authority = rest.prefix { $0 != "/" }
    guard !authority.utf8.contains(UInt8(ascii: "@")) else {
      throw refuse("must have no user or password")
    }
    let path = rest.dropFirst(authority.count)
    guard !path.split(separator: "/").contains(where: { $0 == "." || $0 == ".." }) else {
      throw refuse("must have no . or .. in its path")
    }
    try check(authority: authority, refuse)
    return url
  }

  private static func check(
    authority: Substring, _ refuse: (String) -> Refusal
  ) throws(Refusal) {
    var port: Substring?
    if authority.first == "[" {
      guard let close = authority.firstIndex(of: "]") else { throw refuse("has an open [") }
      let address = authority[authority.index(after: authority.startIndex)..<close]
      let isAddress =
        2...45 ~= address.utf8.count && address.contains(":")
        && address.utf8.allSatisfy { isHexadecimal($0) || $0 == UInt8(ascii: ":") || $0 == dot }
      guard isAddress else { throw refuse("has no IPv6 address between [ and ]") }
      try check(IPAddress(address), refuse)
      let behind = authority[authority.index(after: close)...]
      guard behind.isEmpty || behind.first == ":" else { throw refuse("has text behind ]") }
      if !behind.isEmpty { port = behind.dropFirst() }
    } else {
      let host = authority.prefix { $0 != ":" }
      guard 1...253 ~= host.utf8.count, host.utf8.allSatisfy(isHostByte) else {
        throw refuse("must have a host of letters, digits, dots and hyphens")
      }
      try check(IPAddress(anyFormOf: host.last == "." ? host.dropLast() : host), refuse)
      if host.endIndex < authority.endIndex { port = authority[host.endIndex...].dropFirst() }
    }
    if let port {
      let isPort =
        1...5 ~= port.utf8.count && port.utf8.allSatisfy { 0x30...0x39 ~= $0 }
        && 1...65_535 ~= (UInt32(port) ?? 0)
      guard isPort else { throw refuse("must have a port of 1 to 65535") }
    }
  }

  private static func check(
    _ address: IPAddress?, _ refuse: (String) -> Refusal
  ) throws(Refusal) {
    guard address?.isForbiddenUpstream == true else { return }
    throw refuse(
      "must not lead to the unspecified address, a link-local one or a cloud's metadata")
  }

  private static let dot = UInt8(ascii: ".")

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    0x30...0x39 ~= byte || 0x41...0x46 ~= byte || 0x61...0x66 ~= byte
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    0x30...0x39 ~= byte || 0x41...0x5A ~= byte || 0x61...0x7A ~= byte || byte == 0x2D
      || byte == dot || byte == 0x5F
  }

  private static func isForbidden(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\\"),
      UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{"), UInt8(ascii: "|"),
      UInt8(ascii: "}"):
      true
    case _: false
    }
  }
}

extension BaseURL {
  /// Whether a checked URL leads to this machine: `localhost`, 127.0.0.0/8 or ::1.
  static func isLoopback(_ url: String) -> Bool {
    guard let scheme = url.firstRange(of: "://") else { return false }
    let authority = url[scheme.upperBound...].prefix { $0 != "/" }
    if authority.first == "[" {
      return authority.dropFirst().prefix { $0 != "]" } == "::1"
    }
    let host = authority.prefix { $0 != ":" }
    if host.lowercased() == "localhost" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
