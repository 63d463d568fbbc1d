import ControlPlane
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Surface

/// An OpenTelemetry collector, reached by OTLP over HTTP in its JSON form.
struct SpanCollector: SpanReceiver {
  /// Of one call, connecting included.
  private static let patience = Duration.seconds(10)
  /// What is read of an answer.
  private static let answerBytes = 1 << 20

  private let host: String
  private let port: Int
  private let path: String
  private let tls: NIOSSLContext?
  private let headers: HTTPHeaders

  /// Why there is none although the environment asks for one.
  struct Fault: Error, CustomStringConvertible {
    var description: String
  }

  /// The one that the environment names, and the service's name there; nil: it names none.
  ///
  /// - Throws: `Fault` for an address that is none, or headers that are none; values are not told.
  static func named(
    by value: (String) -> String?
  ) throws -> (collector: SpanCollector, service: String)? {
    guard value("OTEL_SDK_DISABLED")?.lowercased() != "true",
      value("OTEL_TRACES_EXPORTER")?.lowercased() != "none"
    else { return nil }
    let name: String
    let address: String
    if let own = value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
      (name, address) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own)
    } else if let base = value("OTEL_EXPORTER_OTLP_ENDPOINT") {
      let trimmed = base.hasSuffix("/") ? String(base.dropLast()) : base
      (name, address) = ("OTEL_EXPORTER_OTLP_ENDPOINT", trimmed + "/v1/traces")
    } else {
      return nil
    }
    let given =
      value("OTEL_EXPORTER_OTLP_TRACES_HEADERS") ?? value("OTEL_EXPORTER_OTLP_HEADERS") ?? ""
    let collector = try SpanCollector(address, of: name, headers: given)
    return (collector, value("OTEL_SERVICE_NAME") ?? "signalbox")
  }

  private init(_ address: String, of name: String, headers given: String) throws {
    guard let url = URLComponents(string: address), let host = url.host, !host.isEmpty,
      let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme), url.user == nil
    else {
      throw Fault(
        description: "\(name) is no address: write http://HOST:4318 or https://HOST[:PORT]")
    }
    self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    port = url.port ?? (scheme == "https" ? 443 : 80)
    path = url.percentEncodedPath.isEmpty ? "/" : url.percentEncodedPath
    tls =
      scheme == "https" ? try NIOSSLContext(configuration: .makeClientConfiguration()) : nil
    var headers: HTTPHeaders = [
      "host": url.port.map { "\(host):\($0)" } ?? host, "connection": "close",
      "content-type": "application/json",
    ]
    for pair in given.split(separator: ",") {
      let parts = pair.split(separator: "=", maxSplits: 1).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      guard parts.count == 2, let text = parts[1].removingPercentEncoding,
        text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }),
        parts[0].utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ":") })
      else {
        throw Fault(
          description:
            "OTEL_EXPORTER_OTLP_HEADERS has a part that is no NAME=VALUE in visible ASCII")
      }
      headers.add(name: parts[0].lowercased(), value: text)
    }
    self.headers = headers
  }

  func take(_ body: [UInt8]) async -> SpanDelivery {
    do {
      return try await withThrowingTaskGroup(of: SpanDelivery.self) { group in
        group.addTask { try await post(body) }
        group.addTask {
          // The bound of the wait: cancelled as soon as the answer is there.
          try await Task.sleep(for: Self.patience)
          return .later("timeout")
        }
        defer { group.cancelAll() }
        return try await group.next() ?? .later("timeout")
      }
    } catch {
      return .later("unreachable")
    }
  }

  private func post(_ body: [UInt8]) async throws -> SpanDelivery {
    let (tls, host) = (tls, host)
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connectTimeout(.seconds(5))
      .connect(host: host, port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let tls { try pipeline.addHandler(Self.client(tls, host)) }
          try pipeline.addHTTPClientHandlers()
          return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
            wrappingChannelSynchronously: channel)
        }
      }
    var headers = headers
    headers.add(name: "content-length", value: "\(body.count)")
    let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: path, headers: headers)
    return try await channel.executeThenClose { inbound, outbound in
      try await outbound.write(contentsOf: [
        .head(head), .body(.byteBuffer(ByteBuffer(bytes: body))), .end(nil),
      ])
      var status = 0
      var read = ByteBuffer()
      for try await part in inbound {
        switch part {
        case .head(let head): status = Int(head.status.code)
        case .body(let piece):
          read.writeImmutableBuffer(piece)
          if read.readableBytes > Self.answerBytes { return Self.delivery(status, ByteBuffer()) }
        case .end: return Self.delivery(status, read)
        }
      }
      return status == 0 ? .later("unreachable") : Self.delivery(status, read)
    }
  }

  /// As OTLP has it: what a collector may take later, and what never.
  private static func delivery(_ status: Int, _ answer: ByteBuffer) -> SpanDelivery {
    switch status {
    case 200..<300: .taken(rejected: rejected(answer))
    case 429, 502, 503, 504: .later("status_\(status)")
    case _: .refused("status_\(status)")
    }
  }

  /// How many spans a collector that took the others says that it rejects: `partialSuccess`.
  private static func rejected(_ answer: ByteBuffer) -> UInt64 {
    let document = try? JSONValue.parse(Array(answer.readableBytesView))
    // 64-bit numbers are texts in OTLP's JSON; some collectors write them as numbers.
    let count = document?["partialSuccess"]?["rejectedSpans"]
    return count?.string.flatMap { UInt64($0) } ?? count?.uint ?? 0
  }

  /// An address has no name to be checked by SNI.
  private static func client(_ tls: NIOSSLContext, _ host: String) throws -> NIOSSLClientHandler {
    let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
    return try NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : host)
  }
}
