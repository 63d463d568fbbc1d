/// Tells this gateway's own names from others, against DNS rebinding.
///
/// A page on `evil.example` can point its own name at 127.0.0.1 and then speak to the gateway with
/// the operator's browser; the `Host` header still names `evil.example`. A literal address cannot be
/// rebound, so that behind a wildcard listen any literal address is ours.
struct HostGuard: Sendable {
  private let names: Set<String>
  private let allowed: Set<String>
  private let acceptsAddresses: Bool

  /// - Parameters:
  ///   - listenHost: The host part of `--listen`.
  ///   - allowed: The names of `--allowed-host`.
  init(listenHost: String, allowed: [String]) {
    let own = ["localhost", "127.0.0.1", "::1", Self.bare(listenHost)]
    self.allowed = Set(allowed.map { Self.bare($0).lowercased() })
    names = self.allowed.union(own.map { $0.lowercased() })
    acceptsAddresses = ["0.0.0.0", "::", ""].contains(Self.bare(listenHost))
  }

  /// Whether a `Host` header names this gateway, whatever the port.
  func accepts(_ authority: String?) -> Bool {
    guard let authority, !authority.isEmpty, authority.utf8.count <= 300 else { return false }
    let name = Self.name(authority).lowercased()
    if names.contains(name) { return true }
    return acceptsAddresses && Self.isAddress(name)
  }

  /// Whether a page of this origin may write: it has the very name and port that the request came
  /// to, or a name of `--allowed-host`, whatever a proxy made of the port.
  ///
  /// Neither cookies nor `SameSite` tell ports apart: a page of another program on this machine, at
  /// `localhost:3000`, is sent along the session too.
  func accepts(origin: String, host: String?) -> Bool {
    let parts = origin.split(separator: "/", omittingEmptySubsequences: true)
    guard parts.count == 2, parts[0].hasSuffix(":") else { return false }
    let authority = parts[1].lowercased()
    return authority == host?.lowercased() || allowed.contains(Self.name(authority))
  }

  /// `[::1]:8080` → `::1`, `localhost:8080` → `localhost`, `localhost.` → `localhost`.
  private static func name(_ authority: String) -> String {
    if authority.hasPrefix("[") {
      return String(authority.dropFirst().prefix { $0 != "]" })
    }
    var name = String(authority.prefix { $0 != ":" })
    if name.hasSuffix(".") { name.removeLast() }
    return name
  }

  private static func bare(_ host: String) -> String {
    host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
  }

  private static func isAddress(_ name: String) -> Bool {
    if name.contains(":") {
      return name.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || byte == 0x3A
          || byte == 0x2E
      }
    }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
  }
}
