import NIOCore

extension SocketAddress {
  /// 169.254.0.0/16 (also inside ::ffff:0:0/96), fe80::/10 and fd00:ec2::/32: where machines keep secrets
  /// for whoever can make them ask.
  ///
  /// Judged by the canonical text of the address, as `inet_ntop` writes it.
  var isLinkLocal: Bool {
    guard var text = ipAddress?.lowercased()[...] else { return false }
    if text.hasPrefix("::ffff:"), text.contains(".") { text = text.dropFirst(7) }
    if text.hasPrefix("169.254.") || text.hasPrefix("fd00:ec2:") { return true }
    let first = text.prefix { $0 != ":" }
    guard text.contains(":"), let group = UInt16(first, radix: 16) else { return false }
    return group & 0xFFC0 == 0xFE80
  }
}
