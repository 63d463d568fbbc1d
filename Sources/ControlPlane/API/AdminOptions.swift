public import ConfigFile
public import Domain

/// What the administration must know of how it is reached.
public struct AdminOptions: Sendable {
  /// The host part of the listen address.
  public var listenHost: String
  /// The host part of a second address, where alone administration answers then; nil: there is none.
  public var administrationHost: String?
  /// Further host names by which this gateway is called.
  public var allowedHosts: [String]
  /// Only this machine can reach the listener of administration, and it speaks no TLS: cookies do without
  /// `Secure`.
  public var isLoopback: Bool
  /// Whose forwarded headers are believed; empty: nobody's.
  public var trustedProxies: [AddressBlock]
  /// `JWT_SECRET`, mixed into the key of sessions; nil: that is the vault's alone.
  public var sessionSecret: Secret?
  /// When clients get the end of their answers: decides whether a full disk stops requests.
  public var recording: RecordingMode
  /// How long an upstream may take to begin its answer, in milliseconds.
  public var upstreamTimeoutMilliseconds: Int64
  /// The file that the gateway was started with; nil: there is none.
  public var configuration: ConfigurationSource?
  /// How long a follower of the log hears nothing before it is told that all is well.
  public var followHeartbeat = Duration.seconds(15)
  /// How many events a call of `/api/replay` may read: half a second or so of reading and deciding.
  public var inquiryEvents: UInt64 = 1 << 18
  /// Which build answers.
  public var build: BuildInfo

  /// How administration is reached; the defaults are those of a gateway on this machine only.
  public init(
    listenHost: String = "127.0.0.1", administrationHost: String? = nil,
    allowedHosts: [String] = [], isLoopback: Bool = true,
    trustedProxies: [AddressBlock] = [], sessionSecret: Secret? = nil,
    recording: RecordingMode = .standard, upstreamTimeoutMilliseconds: Int64 = 300_000,
    configuration: ConfigurationSource? = nil,
    build: BuildInfo
  ) {
    self.listenHost = listenHost
    self.administrationHost = administrationHost
    self.allowedHosts = allowedHosts
    self.isLoopback = isLoopback
    self.trustedProxies = trustedProxies
    self.sessionSecret = sessionSecret
    self.recording = recording
    self.upstreamTimeoutMilliseconds = upstreamTimeoutMilliseconds
    self.configuration = configuration
    self.build = build
  }
}

/// A configuration file that can be read again.
public struct ConfigurationSource: Sendable {
  /// As the command line named it.
  public var path: String
  /// Reads and checks it as it is now; blocks on the disk.
  public var read: @Sendable () throws -> ConfigurationPlan

  /// A file and how it is read.
  public init(path: String, read: @escaping @Sendable () throws -> ConfigurationPlan) {
    self.path = path
    self.read = read
  }
}
