import DataPlane
import Domain
import Glibc
import Logging

/// The certificate and key that the command line names.
struct TLSFiles: Sendable {
  var certificate: String
  var key: String

  private static let bytesMax = 1 << 20
  /// A certificate that ends within this time is told of, in nanoseconds: 14 days.
  private static let warning: Int64 = 14 * 24 * 3_600 * 1_000_000_000

  /// What cannot be used, by the file's name.
  struct Unusable: Error, CustomStringConvertible {
    var description: String
  }

  /// Reads both.
  func identity() throws -> ServerIdentity {
    try named { now in
      try ServerIdentity(certificates: try read(certificate), key: try read(key), now: now)
    }
  }

  /// Shows what the files hold by now; what cannot be used changes nothing.
  func reload(_ identity: ServerIdentity, _ logger: Logger) {
    do {
      try named { now in
        try identity.replace(certificates: try read(certificate), key: try read(key), now: now)
      }
      logger.notice(
        "the certificate was read again", metadata: ["until": "\(rfc3339(identity.validUntil))"])
    } catch {
      logger.error("the certificate was not replaced", metadata: ["cause": "\(error)"])
    }
    warn(of: identity, logger)
  }

  /// Says that the certificate ends soon.
  func warn(of identity: ServerIdentity, _ logger: Logger) {
    guard identity.validUntil.rawValue - Self.now().rawValue < Self.warning else { return }
    logger.warning(
      "the certificate expires soon; renew it and send SIGHUP",
      metadata: ["file": "\(certificate)", "until": "\(rfc3339(identity.validUntil))"])
  }

  private func read(_ path: String) throws -> [UInt8] {
    try FileText.bytes(path, limit: Self.bytesMax)
  }

  private func named<Result>(_ body: (UnixNanoseconds) throws -> Result) throws -> Result {
    do {
      return try body(Self.now())
    } catch let fault as ServerIdentity.Fault {
      throw Unusable(description: "TLS: \(fault) [\(fault == .noKey ? key : certificate)]")
    }
  }

  private static func now() -> UnixNanoseconds {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UnixNanoseconds(Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }
}
