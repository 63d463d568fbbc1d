public import Domain
public import NIOCore

/// How the data plane listens, waits and records.
///
/// Every wait and buffer has its bound here.
public struct DataPlaneOptions: Sendable {
  /// An address or a name to listen on.
  public var host: String
  /// 0: any free port.
  public var port: Int
  /// A second address on which nothing but the fallback answers; nil: there is none.
  public var administration: ListenerAddress?
  /// What is shown over TLS on both addresses; nil: plain HTTP.
  public var identity: ServerIdentity?
  /// Event loops; at least 1.
  public var loops: Int
  /// Length of the kernel's queue of connections not yet accepted.
  public var backlog: Int32
  /// Client connections at a time, over all loops; one more is answered 503 and closed.
  public var maxConnections: Int
  /// Chat requests at a time, over all loops, from their head to the end of their answer; one more is answered 503
  /// before its body is read.
  public var maxRequestsInFlight: Int
  /// Connections to one origin that are being opened at a time, for each loop; a request that needs one more goes
  /// to another account or is answered 503.
  public var maxConnectsWaiting: Int
  /// Requests with an `Idempotency-Key` at a time whose key is being looked for in the log, over all loops; one more
  /// is answered 503.
  public var maxLookupsWaiting: Int
  /// Request line and header fields of one request; at most 65,535.
  public var maxHeadBytes: Int
  /// Bytes of requests' bodies held in memory at a time, over all loops, and of each answer what is beyond a mebibyte
  /// of what waits for the rest of it; what would exceed it is answered 503.
  public var maxHeldBodyBytes: Int

  /// From the first byte of a head (or the connection's start) to its last.
  public var headTimeout: TimeAmount
  /// Between two bytes of a request body.
  public var bodyTimeout: TimeAmount
  /// From a request's head to the last byte of its body, however steadily it comes.
  public var bodyTotalTimeout: TimeAmount
  /// Between two requests on one connection.
  public var idleTimeout: TimeAmount
  /// How long a client may accept none of the answer's bytes.
  public var clientStallTimeout: TimeAmount

  /// To an established connection, TLS included.
  public var upstreamConnectTimeout: TimeAmount
  /// From the request's last byte to the answer's head, and to the first frame of a stream.
  public var upstreamHeadTimeout: TimeAmount
  /// Between two bytes of an answer.
  public var upstreamIdleTimeout: TimeAmount
  /// How long nothing may go to the client of a stream before it is told that the stream goes on.
  public var streamKeepAlive: TimeAmount
  /// How long an unused upstream connection is kept.
  public var upstreamKeepAlive: TimeAmount
  /// Unused connections kept for each upstream host and loop.
  public var upstreamIdleConnections: Int
  /// Whose certificates an `https` upstream may show.
  public var upstreamTrust: UpstreamTrust
  /// Unspecified, link-local and metadata addresses (`IPAddress.isForbiddenUpstream`) are refused after
  /// resolution; loopback and private networks are allowed.
  public var refusesForbiddenUpstreams: Bool

  /// When a client gets the end of its answer.
  public var recording: RecordingMode
  /// Whether requests are told to a collector as spans: then each call carries the id of its own; else it carries the
  /// client's.
  public var tellsSpans: Bool
  /// Sent upstream as `user-agent: signalbox/<version>`; visible ASCII.
  public var version: String

  /// The defaults of `signalbox serve`.
  public init(host: String = "127.0.0.1", port: Int = 8080) {
    self.host = host
    self.port = port
    administration = nil
    identity = nil
    loops = System.coreCount
    backlog = 1024
    maxConnections = 16_384
    maxRequestsInFlight = 8_192
    maxConnectsWaiting = 2_048
    maxLookupsWaiting = 1_024
    maxHeadBytes = 32 << 10
    maxHeldBodyBytes = 512 << 20
    headTimeout = .seconds(15)
    bodyTimeout = .seconds(30)
    bodyTotalTimeout = .minutes(10)
    idleTimeout = .seconds(75)
    clientStallTimeout = .seconds(60)
    upstreamConnectTimeout = .seconds(5)
    upstreamHeadTimeout = .seconds(300)
    upstreamIdleTimeout = .seconds(120)
    streamKeepAlive = .seconds(15)
    upstreamKeepAlive = .seconds(55)
    upstreamIdleConnections = 256
    upstreamTrust = .system
    refusesForbiddenUpstreams = true
    recording = .standard
    tellsSpans = false
    version = "0"
  }
}

extension DataPlaneOptions {
  /// Connections beyond the limit that are told so at a time; more are closed without a word.
  var refusedConnectionsMax: Int { max(1, min(256, maxConnections / 8)) }
}

/// Whose certificates an `https` upstream may show.
///
/// Host names are always verified.
public enum UpstreamTrust: Sendable, Hashable {
  /// The machine's certificate authorities.
  case system
  /// Only these certificates (PEM), for private authorities and tests.
  case pem([UInt8])
}

/// Where a listener is bound.
public struct ListenerAddress: Sendable, Hashable {
  /// An address or a name.
  public var host: String
  /// 0: any free port.
  public var port: Int

  /// An address of these parts.
  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }
}

/// By which of the gateway's addresses a connection came.
public enum ListenerRole: Sendable, Hashable {
  /// The one where clients ask.
  case main
  /// The one for administration alone.
  case administration
}
