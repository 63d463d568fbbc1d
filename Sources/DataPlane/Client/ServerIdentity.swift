public import Domain
import NIOSSL
import Synchronization

/// What the gateway shows of itself over TLS: a chain of certificates and the key of the first; TLS 1.2 and later.
///
/// Can be replaced while connections are open: those keep what they began with.
public final class ServerIdentity: Sendable {
  /// Why certificates and key cannot be used; names no path and no byte of either.
  public enum Fault: Error, Sendable, Hashable, CustomStringConvertible {
    /// No certificate in PEM form.
    case noCertificate
    /// No private key in PEM form, or one behind a passphrase.
    case noKey
    /// The key is not the first certificate's.
    case mismatch
    /// A certificate of the chain is not valid yet.
    case notYetValid(since: UnixNanoseconds)
    /// A certificate of the chain is not valid any more.
    case expired(at: UnixNanoseconds)

    /// One sentence for a person.
    public var description: String {
      switch self {
      case .noCertificate: "the certificate file holds no certificate in PEM form"
      case .noKey:
        "the key file holds no private key in PEM form; one with a passphrase is not taken:"
          + " openssl pkey -in KEY -out NEW removes it"
      case .mismatch:
        "the private key does not belong to the first certificate; the server's own certificate"
          + " stands first, those of its issuers follow"
      case .notYetValid(let time): "the certificate is valid only from \(rfc3339(time)) on"
      case .expired(let time): "the certificate expired at \(rfc3339(time))"
      }
    }
  }

  private struct Shown {
    var context: NIOSSLContext
    var validUntil: UnixNanoseconds
  }

  private let shown: Mutex<Shown>

  /// - Parameters:
  ///   - certificates: PEM, the server's own first.
  ///   - key: PEM, without a passphrase.
  ///   - now: Against which validity is judged.
  public init(certificates: [UInt8], key: [UInt8], now: UnixNanoseconds) throws(Fault) {
    shown = Mutex(try Self.read(certificates, key, now))
  }

  /// Shows these from the next connection on; what was shown stays where they cannot be used.
  public func replace(
    certificates: [UInt8], key: [UInt8], now: UnixNanoseconds
  ) throws(Fault) {
    let next = try Self.read(certificates, key, now)
    shown.withLock { $0 = next }
  }

  /// When the first certificate of the chain expires.
  public var validUntil: UnixNanoseconds { shown.withLock { $0.validUntil } }

  var context: NIOSSLContext { shown.withLock { $0.context } }

  private static func read(
    _ certificates: [UInt8], _ key: [UInt8], _ now: UnixNanoseconds
  ) throws(Fault) -> Shown {
    guard let chain = try? NIOSSLCertificate.fromPEMBytes(certificates), !chain.isEmpty else {
      throw .noCertificate
    }
    guard let key = try? NIOSSLPrivateKey(bytes: key, format: .pem) else { throw .noKey }
    var until = UnixNanoseconds(.max)
    for certificate in chain {
      let (begin, end) = (time(certificate.notValidBefore), time(certificate.notValidAfter))
      guard begin <= now else { throw .notYetValid(since: begin) }
      guard now < end else { throw .expired(at: end) }
      until = min(until, end)
    }
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    guard let context = try? NIOSSLContext(configuration: configuration) else { throw .mismatch }
    return Shown(context: context, validUntil: until)
  }

  /// Certificates may name years beyond what 64 bits of nanoseconds hold.
  private static func time(_ seconds: Int) -> UnixNanoseconds {
    let (value, isBeyond) = Int64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    return UnixNanoseconds(isBeyond ? (seconds < 0 ? .min : .max) : value)
  }
}
