import ArgumentParser
import Domain

/// `signalbox serve`: the gateway.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Run the gateway.",
    discussion: """
      The first start prints a client key and the administrator's password, once. SIGTERM and SIGINT
      let what is in flight end; a second signal ends at once.

      Examples:
        signalbox serve --data ./data
        signalbox serve --data ./data --config gateway.yaml --listen 127.0.0.1:8080
        SIGNALBOX_ADMIN_PASSWORD=… signalbox serve --data /var/lib/signalbox --recording strict

      Environment: SIGNALBOX_DATA, SIGNALBOX_LISTEN, SIGNALBOX_ADMIN_PASSWORD, SIGNALBOX_MASTER_KEY,
      JWT_SECRET.

      Exit codes: 0 stopped on request; 1 could not start, or failed; 2 wrong usage; 3 the log is damaged;
      5 another process has the directory open; 130 ended at once by a second signal.
      """)

  @OptionGroup var data: DataOptions

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Where to listen; port 0 takes a free one. Else SIGNALBOX_LISTEN, else 127.0.0.1:8080.",
      valueName: "host:port"))
  var listen: ListenAddress?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A second address for administration, which is then refused on the first one.",
      valueName: "host:port"))
  var adminListen: ListenAddress?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Speak TLS with this certificate: PEM, the server's own first, then its issuers'. Read again at SIGHUP.",
      valueName: "file"))
  var tlsCert: String?

  @Option(
    name: .long,
    help: ArgumentHelp("The private key of the certificate: PEM, no passphrase.", valueName: "file")
  )
  var tlsKey: String?

  @Option(
    name: .long,
    help: ArgumentHelp("A YAML file, applied at the start as events.", valueName: "file")
  )
  var config: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "When a client gets the end of its answer: strict (its record is on disk), standard (handed to"
        + " the kernel), relaxed (queued), off (never recorded; for measuring).",
      valueName: "mode"))
  var recording: RecordingChoice = .standard

  @Option(
    name: .long,
    help: ArgumentHelp("Size of a segment of the log, at least 65536.", valueName: "bytes"))
  var segmentBytes = 64 << 20

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A further host name by which administration may be called; may be repeated.",
      valueName: "name"))
  var allowedHost: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A proxy whose X-Forwarded-For and X-Forwarded-Proto are believed: an address, or a block such as"
        + " 10.0.0.0/8; may be repeated. Without one they are not read.",
      valueName: "cidr"), transform: ServeCommand.block)
  var trustedProxy: [AddressBlock] = []

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Trust only these certificates (PEM) of providers, instead of the machine's.",
      valueName: "file"))
  var upstreamCa: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "How long requests in flight may take to end after the first signal.", valueName: "seconds"))
  var drainSeconds: Int64 = 10

  @Flag(
    name: .long,
    help: "Listen without TLS where other machines can reach it: keys and prompts pass in clear.")
  var insecureHttp = false

  private static func block(_ text: String) throws -> AddressBlock {
    guard let block = AddressBlock(text) else {
      throw ValidationError(
        "\(text) is neither an address nor a block such as 10.0.0.0/8 without bits behind its prefix."
      )
    }
    return block
  }

  func validate() throws {
    guard (tlsCert == nil) == (tlsKey == nil) else {
      throw ValidationError(
        "--tls-cert and --tls-key belong together; \(tlsCert == nil ? "--tls-cert" : "--tls-key") is missing."
      )
    }
    guard tlsCert == nil || !insecureHttp else {
      throw ValidationError("--insecure-http contradicts --tls-cert: leave one of them out.")
    }
    guard segmentBytes >= 65_536 else {
      throw ValidationError("--segment-bytes must be at least 65536.")
    }
    guard (0...86_400).contains(drainSeconds) else {
      throw ValidationError("--drain-seconds must be from 0 to 86400.")
    }
  }

  func run() async throws {
    do {
      let address = try listenAddress()
      for one in [address, adminListen].compactMap({ $0 }) {
        guard one.isLoopback || insecureHttp || tlsCert != nil else {
          throw ValidationError(
            "\(one) can be reached by other machines, and keys and prompts would pass in clear."
              + " Give --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy that speaks TLS,"
              + " or accept it with --insecure-http.")
        }
      }
      var tls: TLSFiles?
      if let tlsCert, let tlsKey { tls = TLSFiles(certificate: tlsCert, key: tlsKey) }
      try await Gateway(
        options: Gateway.Options(
          directory: try data.directory(), data: data, address: address, adminAddress: adminListen,
          tls: tls, config: config,
          recording: recording.mode, segmentBytes: segmentBytes, allowedHosts: allowedHost,
          trustedProxies: trustedProxy, upstreamCA: upstreamCa, drainSeconds: drainSeconds)
      ).run()
    } catch {
      throw Console.explain(error)
    }
  }

  private func listenAddress() throws -> ListenAddress {
    if let listen { return listen }
    guard let text = Environment.value("SIGNALBOX_LISTEN") else { return .standard }
    guard let address = ListenAddress(argument: text) else {
      throw ValidationError("SIGNALBOX_LISTEN is not HOST:PORT.")
    }
    return address
  }
}

/// The recording modes by their names on the command line.
enum RecordingChoice: String, ExpressibleByArgument, CaseIterable {
  case strict
  case standard
  case relaxed
  case off

  var mode: RecordingMode {
    switch self {
    case .strict: .strict
    case .standard: .standard
    case .relaxed: .relaxed
    case .off: .off
    }
  }
}
