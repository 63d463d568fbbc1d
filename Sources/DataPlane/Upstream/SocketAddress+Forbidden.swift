import Domain
import NIOCore

extension SocketAddress {
  /// Whether nothing may be asked there, whatever name led to it; see `IPAddress.isForbiddenUpstream`.
  var isForbiddenUpstream: Bool {
    ipAddress.flatMap { IPAddress($0) }?.isForbiddenUpstream ?? false
  }
}
