import Domain
import HTTPTypes

/// Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
///
/// Only these two are read. A proxy adds to those it knows and hands every other on as the client wrote it, so
/// that one more name believed (`Forwarded`, `X-Real-IP`) would be one more way to lie.
struct TrustedProxies: Sendable {
  private let blocks: [AddressBlock]
  /// Addresses read from the header's end at most.
  private static let hopsMax = 32

  init(_ blocks: [AddressBlock]) { self.blocks = blocks }

  var isEmpty: Bool { blocks.isEmpty }

  /// Who a request comes from, and how it reached the outermost of our proxies.
  struct Client: Sendable, Hashable {
    /// Without port; the connection's own where no proxy of ours sent it.
    var address: String
    /// Encrypted on its way, as far as our proxies know; nil: none of them said.
    var isSecure: Bool?
  }

  /// The right-most address that is none of our proxies: what stands left of it, the client wrote.
  ///
  /// An entry that is no address ends the reading: the last one understood counts.
  func client(peer: String, headers: HTTPFields) -> Client {
    guard trusts(peer) else { return Client(address: peer) }
    var client = peer
    let hops = headers[values: .xForwardedFor].flatMap { $0.split(separator: ",") }
    for hop in hops.reversed().prefix(Self.hopsMax) {
      guard let address = Self.address(hop) else { break }
      client = address
      guard trusts(address) else { break }
    }
    let schemes = headers[values: .xForwardedProto].flatMap { $0.split(separator: ",") }
    // The last proxy's word: it alone spoke to us.
    let scheme = schemes.last.map { String($0).trimmedOfSpaces.lowercased() }
    return Client(address: client, isSecure: scheme.map { $0 == "https" })
  }

  private func trusts(_ text: String) -> Bool {
    guard let address = IPAddress(text) else { return false }
    return blocks.contains { $0.contains(address) }
  }

  /// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`, in canonical form.
  private static func address(_ hop: Substring) -> String? {
    var text = String(hop).trimmedOfSpaces[...]
    if text.first == "[", let end = text.firstIndex(of: "]") {
      text = text[text.index(after: text.startIndex)..<end]
    } else if text.split(separator: ":", omittingEmptySubsequences: false).count == 2 {
      text = text.prefix { $0 != ":" }
    }
    return IPAddress(text)?.description
  }
}

extension HTTPField.Name {
  /// Where proxies note whom they speak for.
  static let xForwardedFor = HTTPField.Name(parsed: "x-forwarded-for") ?? .authorization
  /// Where proxies note how they were spoken to.
  static let xForwardedProto = HTTPField.Name(parsed: "x-forwarded-proto") ?? .authorization
}
