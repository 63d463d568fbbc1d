import ControlPlane
import Domain
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Calls providers' token endpoints: one connection a call, certificates checked, no redirects.
struct TokenClient: TokenEndpoint {
  private let tls: NIOSSLContext

  /// - Parameter trust: certificates in PEM to trust in place of the system's; nil: the system's.
  init(trust: [UInt8]?) throws {
    var configuration = TLSConfiguration.makeClientConfiguration()
    if let trust {
      configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(trust))
    }
    tls = try NIOSSLContext(configuration: configuration)
  }

  /// Why a request did not go out.
  private struct Unsent: Error {
    var code: String
  }

  func send(_ request: TokenRequest) async -> TokenAnswer {
    // Raised before the first byte goes out: from then on the provider may have taken it.
    let isSent = Flag()
    do {
      return try await withThrowingTaskGroup(of: TokenAnswer?.self) { group in
        group.addTask { try await call(request, isSent) }
        group.addTask {
          // The bound of the wait: cancelled as soon as the answer is there.
          try await Task.sleep(for: request.patience)
          return nil
        }
        defer { group.cancelAll() }
        if let answer = try await group.next() ?? nil { return answer }
        return isSent.isRaised ? .noAnswer("timeout") : .notSent("connect_timeout")
      }
    } catch let error as Unsent {
      return .notSent(error.code)
    } catch {
      return isSent.isRaised ? .noAnswer("connection_lost") : .notSent("unreachable")
    }
  }

  private func call(_ request: TokenRequest, _ isSent: Flag) async throws -> TokenAnswer {
    guard let url = URLComponents(string: request.url), let named = url.host, !named.isEmpty,
      let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme)
    else { throw Unsent(code: "misconfigured") }
    let host = named.hasPrefix("[") ? String(named.dropFirst().dropLast()) : named
    let isTLS = scheme == "https"
    let tls = tls
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connectTimeout(.seconds(10))
      .connect(host: host, port: url.port ?? (isTLS ? 443 : 80)) { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if isTLS { try pipeline.addHandler(Self.client(tls, host)) }
          try pipeline.addHTTPClientHandlers()
          return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
            wrappingChannelSynchronously: channel)
        }
      }
    let address = channel.channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
    var headers: HTTPHeaders = [
      "host": url.port.map { "\(named):\($0)" } ?? named, "connection": "close",
      "user-agent": "signalbox/\(Build.version)",
    ]
    for (name, value) in request.headers { headers.add(name: name, value: value) }
    if request.method == .post {
      headers.add(name: "content-length", value: "\(request.body.count)")
    }
    let path = url.percentEncodedPath.isEmpty ? "/" : url.percentEncodedPath
    let head = HTTPRequestHead(
      version: .http1_1, method: HTTPMethod(rawValue: request.method.rawValue),
      uri: path + (url.percentEncodedQuery.map { "?" + $0 } ?? ""), headers: headers)
    let body = request.body.isEmpty ? [] : [ByteBuffer(bytes: request.body)]
    return try await channel.executeThenClose { inbound, outbound in
      // Where a name leads is known only now; without an address there is no connection any more.
      guard let address else { throw Unsent(code: "connection_lost") }
      guard !address.isForbiddenUpstream, isTLS || address.isLoopback else {
        throw Unsent(code: "forbidden_address")
      }
      isSent.raise()
      try await outbound.write(
        contentsOf: [.head(head)] + body.map { .body(.byteBuffer($0)) } + [.end(nil)])
      var answer: HTTPResponseHead?
      var read = ByteBuffer()
      for try await part in inbound {
        switch part {
        case .head(let head): answer = head
        case .body(let piece):
          read.writeImmutableBuffer(piece)
          if read.readableBytes > request.answerBytes { return .noAnswer("answer_too_large") }
        case .end:
          guard let answer else { return .noAnswer("connection_lost") }
          return .answered(
            status: UInt16(clamping: Int(answer.status.code)),
            retryAfterSeconds: Self.wait(answer.headers),
            body: Array(read.readableBytesView))
        }
      }
      return .noAnswer("connection_lost")
    }
  }

  /// How long the provider wants to be left alone; a date counts from its own clock, so that ours does not matter.
  static func wait(_ headers: HTTPHeaders) -> UInt32? {
    guard let text = headers.first(name: "retry-after")?.trimmingCharacters(in: .whitespaces) else {
      return nil
    }
    if let seconds = UInt32(text) { return seconds }
    guard let end = parseHTTPDate(text),
      let now = headers.first(name: "date").flatMap(parseHTTPDate)
    else { return nil }
    return UInt32(clamping: (end.rawValue - now.rawValue) / 1_000_000_000)
  }

  /// An address has no name to be checked by SNI.
  private static func client(_ tls: NIOSSLContext, _ host: String) throws -> NIOSSLClientHandler {
    let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
    return try NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : host)
  }

  private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isRaised: Bool { value.load(ordering: .acquiring) }
    func raise() { value.store(true, ordering: .releasing) }
  }
}
