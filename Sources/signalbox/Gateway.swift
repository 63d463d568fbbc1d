import ArgumentParser
import ConfigFile
import ControlPlane
import DataPlane
import Domain
import EventStore
import Glibc
import Logging
import NIOCore

import enum Inquiry.Shown

/// One life of the gateway, from opening the log to closing it.
struct Gateway {
  /// What is said where a directory turns out to be one.
  static let copyNotice =
    "the data directory is a copy or a backup: refresh tokens in it are uncertain, and not presented before an operator releases them"

  /// What the command line asked for.
  struct Options {
    var directory: String
    var data: DataOptions
    var address: ListenAddress
    var adminAddress: ListenAddress?
    var tls: TLSFiles?
    var config: String?
    var recording: RecordingMode
    var segmentBytes: Int
    var allowedHosts: [String]
    var trustedProxies: [AddressBlock]
    var upstreamCA: String?
    var drainSeconds: Int64
  }

  /// Bounds of the files named on the command line.
  private static let certificateBytes = 1 << 20

  let options: Options
  let logger: Logger
  private let provenance = Provenance(actor: "local:\(getuid())", source: .file)

  init(options: Options) {
    self.options = options
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    logger = Logger(label: "signalbox")
  }

  /// Runs until a signal asks it to stop.
  func run() async throws {
    let signals = Signals.listen()
    logger.info("starting API router service", metadata: ["version": "\(Build.version)"])
    let descriptors = DescriptorLimit.raise()
    if let descriptors, descriptors < 4096 {
      let clients = DescriptorLimit.connections(of: descriptors)
      logger.warning(
        "only \(descriptors) file descriptors are allowed: beyond \(clients) connections are refused"
      )
    }
    // Files of the command line first: a typing error must not leave a trace in the log.
    let (file, certificates) = try readFiles()
    let collector = try Self.collector()
    let identity = try options.tls?.identity()
    let password = try firstPassword()
    warnOfUnbuilt()

    try options.data.checkMasterKey(in: options.directory)
    let notes = StateNotes(
      directory: options.directory, recording: options.recording, logger: logger)
    let store = try EventStore.open(
      directory: options.directory,
      options: StoreOptions(
        segmentBytes: options.segmentBytes, dictionary: compressionDictionary(),
        gapEvents: .gateway(), stateChanged: { notes.note($0, $1) },
        sealingChanged: { notes.note($0) }))
    let telling = Task { await notes.run() }
    do {
      report(store.report)
      if let error = store.report.reserveFailure { notes.tell(reserveFailure: error) }
      try await serve(store, file, certificates, identity, password, collector, signals)
    } catch {
      // The error that is on its way says more than one of closing would.
      try? store.close()
      notes.finish()
      await telling.value
      throw error
    }
    // Closing may have something to tell, and its error comes after that.
    let closing = Result { try store.close() }
    notes.finish()
    await telling.value
    try closing.get()
    logger.info("API router service stopped")
  }

  /// What the command line names; a function of its own and never inlined, because these throwing
  /// closures inside an async function crash the optimiser (Swift 6.3.1, splitting the coroutine).
  @inline(never)
  private func readFiles() throws -> (ConfigurationPlan?, [UInt8]?) {
    let file = try options.config.map(FileText.configuration)
    let certificates = try options.upstreamCA.map { path in
      try FileText.bytes(path, limit: Self.certificateBytes)
    }
    return (file, certificates)
  }

  private typealias NamedCollector = (collector: SpanCollector, service: String)

  /// Where spans go; nil: nobody wants any.
  private static func collector() throws -> NamedCollector? {
    do {
      return try SpanCollector.named(by: Environment.value)
    } catch let fault as SpanCollector.Fault {
      throw ValidationError(fault.description)
    }
  }

  private var givenPassword: Secret? {
    Environment.value("SIGNALBOX_ADMIN_PASSWORD").map { Secret($0) }
  }

  /// The first password, if the log is yet to be made: not with one that would be refused, and hashed beside that.
  private func firstPassword() throws -> FirstPassword? {
    // Where that cannot be told, opening says why.
    guard (try? LogReader.isLog(options.directory)) == false else { return nil }
    do throws(WeakPassword) {
      return try FirstPassword.begin(givenPassword)
    } catch {
      throw Self.refused(error)
    }
  }

  private static func refused(_ flaw: WeakPassword) -> ValidationError {
    ValidationError("SIGNALBOX_ADMIN_PASSWORD \(flaw.sentence). \(WeakPassword.remedy)")
  }

  /// What became of `SIGNALBOX_ADMIN_PASSWORD`, where it could have been expected to do more.
  private func tellOfPassword(_ control: ControlPlane) async {
    guard let text = Environment.value("SIGNALBOX_ADMIN_PASSWORD"),
      let isInForce = try? await control.isAdminPassword(Secret(text))
    else { return }
    if !isInForce {
      logger.warning(
        "SIGNALBOX_ADMIN_PASSWORD is not the administrator's password and is ignored: it sets the first one only; to set another: PATCH /api/settings, or signalbox admin reset-password"
      )
    } else if let flaw = WeakPassword(of: text) {
      logger.warning("the administrator's password \(flaw.sentence): change it")
    }
  }

  private func serve(
    _ store: EventStore, _ file: ConfigurationPlan?, _ certificates: [UInt8]?,
    _ identity: ServerIdentity?, _ password: FirstPassword?, _ collector: NamedCollector?,
    _ signals: Signals
  ) async throws {
    let board = SnapshotBoard.empty()
    let key = try options.data.masterKey(in: options.directory, for: store)
    if let warning = key.warning { logger.warning("\(warning)") }
    let vault = try Vault(directory: options.directory, masterKey: key)
    let control = try ControlPlane.open(store: store, vault: vault) { state, secrets in
      board.publish(state, secrets)
    }
    report(control.restoration)
    for account in control.lostCredentials {
      logger.error(
        "an account's credential was erased; issue a new one",
        metadata: ["account": "\(account.rawValue)"])
    }
    let start = try await control.noteStart(
      GatewayLife(
        version: Build.version, recording: options.recording, listen: "\(options.address)"))
    if try await control.identify(directory: options.directory) {
      logger.warning("\(Self.copyNotice)")
    }
    if start.interrupted > 0 {
      logger.warning(
        "requests of an earlier life were interrupted",
        metadata: ["requests": "\(start.interrupted)"])
    }
    let limiter = Limiter(start.ledger)
    let signer = CheckpointSigner(control: control, logger: logger)
    let signing = Task { await signer.run() }
    let metrics = MetricsKeeper(store: store, logger: logger)
    let views = ViewKeeper(
      store: store, directory: options.directory, metrics: metrics, logger: logger)
    try views.start()
    defer { views.stop() }
    let keeper = SnapshotKeeper(control: control, logger: logger)
    let keeping = Task { await keeper.run() }
    let health = HealthKeeper(control: control, logger: logger)
    let judging = Task { await health.run() }
    let credentials = CredentialKeeper(
      control: control, endpoint: try TokenClient(trust: certificates), logger: logger)
    try await credentials.recover()
    let probe = PlaneProbe()
    let sync = SyncKeeper(
      control: control, endpoint: try TokenClient(trust: certificates), probe: probe,
      logger: logger)
    let spans = collector.map { named in
      SpanExporter(
        control: control, service: named.service, version: Build.version,
        receiver: named.collector, logger: logger)
    }
    let exporting = Task { await spans?.run() }
    let figures = PlaneFigures(spans: spans)
    let monitor = HealthMonitor(control: control, probe: probe, logger: logger)
    let cut: Int
    let reason: String
    do {
      let first = try await configure(control, file, password)
      let responder = await responder(
        control, probe, credentials, sync, limiter, views, signer, metrics, figures)
      let door = await openDoor(responder)
      do {
        let plane = try await listen(
          control, board, health, credentials, sync, responder, limiter, certificates, identity,
          tellsSpans: spans != nil)
        probe.serve(plane)
        figures.serve(plane)
        // Beside the listener: comparing takes as long as a sign-in. What was just set need not be compared.
        let telling = Task { if !first.setsPassword { await tellOfPassword(control) } }
        let reloading = Task { await reload(identity) }
        let testing = Task { await monitor.run() }
        let refreshing = Task { await credentials.run() }
        let syncing = Task { await sync.run() }
        let trimming = Task { await FreedMemory.keepLittle() }
        defer {
          telling.cancel()
          reloading.cancel()
          testing.cancel()
          refreshing.cancel()
          syncing.cancel()
          trimming.cancel()
        }
        (reason, cut) = try await wait(plane, signals)
      } catch {
        await door?.close()
        throw error
      }
      await door?.close()
    } catch {
      signing.cancel()
      keeping.cancel()
      judging.cancel()
      exporting.cancel()
      await exporting.value
      await judging.value
      try? await control.noteStop(reason: "start failed", cutRequests: 0)
      await signing.value
      await keeping.value
      throw error
    }
    await sync.finish()
    // A refresh under way is worth waiting for: what it brings would else be lost.
    await credentials.finish()
    signing.cancel()
    keeping.cancel()
    judging.cancel()
    // What was reported before the stop belongs before it.
    await judging.value
    // Before the log is closed: only its one writer makes snapshots.
    await keeping.value
    exporting.cancel()
    await exporting.value
    await spans?.finish()
    try await control.noteStop(reason: reason, cutRequests: cut)
    await signing.value
    await signer.finish()
  }

  /// - Throws: a fault of the file with its name in front.
  private func apply(
    _ file: ConfigurationPlan, _ control: ControlPlane
  ) async throws -> AppliedConfiguration {
    do {
      return try await control.apply(file, provenance: provenance)
    } catch let fault as ConfigFault {
      throw FileText.Faulty(path: options.config ?? "", fault: fault)
    }
  }

  /// The file, then what the first start makes where the file left a gap.
  private func configure(
    _ control: ControlPlane, _ file: ConfigurationPlan?, _ password: FirstPassword?
  ) async throws -> FirstStart {
    if let file {
      let applied = try await apply(file, control)
      for line in applied.changeLines { logger.info("configuration: \(Shown.text(line))") }
      for line in applied.keptLines { logger.warning("configuration: \(Shown.text(line))") }
      for row in applied.unmanaged { logger.notice("configuration: \(row.text)") }
    }
    let first: FirstStart
    do {
      first = try await control.firstStart(adminPassword: givenPassword, begun: password) { made in
        if let key = made.clientKey {
          try Console.say("client key (shown once): \(String(decoding: key.bytes, as: UTF8.self))")
        }
        if let password = made.adminPassword {
          try Console.say(
            "admin password (shown once): \(String(decoding: password.bytes, as: UTF8.self))")
        }
      }
    } catch let flaw as WeakPassword {
      throw Self.refused(flaw)
    }
    let state = control.state
    logger.info(
      "backend registry initialized",
      metadata: [
        "providers": "\(state.providers.count)", "accounts": "\(state.accounts.count)",
        "snapshot": "\(state.position)",
      ])
    return first
  }

  /// The file of the command line, to be read again; standard input is over when it was read.
  private var configuration: ConfigurationSource? {
    guard let path = options.config, path != "-" else { return nil }
    return ConfigurationSource(path: path) {
      try ConfigurationFile.parse(
        FileText.text(path, limit: ConfigurationFile.bytesMax), environment: Environment.all)
    }
  }

  private func responder(
    _ control: ControlPlane, _ probe: PlaneProbe, _ credentials: CredentialKeeper,
    _ sync: SyncKeeper, _ limiter: Limiter, _ views: ViewKeeper, _ signer: CheckpointSigner,
    _ metrics: MetricsKeeper,
    _ figures: PlaneFigures
  ) async -> AdminResponder {
    let secret = Environment.value("JWT_SECRET").map { Secret($0) }
    return await AdminResponder(
      control: control,
      options: AdminOptions(
        listenHost: options.address.host, administrationHost: options.adminAddress?.host,
        allowedHosts: options.allowedHosts,
        isLoopback: options.tls == nil && (options.adminAddress ?? options.address).isLoopback,
        trustedProxies: options.trustedProxies, sessionSecret: secret,
        recording: options.recording,
        upstreamTimeoutMilliseconds: DataPlaneOptions().upstreamHeadTimeout.nanoseconds / 1_000_000,
        configuration: configuration,
        build: Build.info), probe: probe, credentials: credentials,
      sync: sync, usage: LimiterUsage(limiter: limiter), views: views, signer: signer,
      metrics: metrics,
      figures: figures, logger: logger)
  }

  /// The control socket; without it the gateway still serves, and only the command line has to wait.
  private func openDoor(_ responder: AdminResponder) async -> ControlSocket? {
    do {
      return try await ControlSocket.open(directory: options.directory, responder: responder)
    } catch {
      logger.error(
        "there is no control socket: the command line cannot administrate this gateway while it runs",
        metadata: ["cause": "\(error)"])
      return nil
    }
  }

  private func listen(
    _ control: ControlPlane, _ board: SnapshotBoard, _ health: HealthKeeper,
    _ credentials: CredentialKeeper, _ sync: SyncKeeper, _ responder: AdminResponder,
    _ limiter: Limiter, _ certificates: [UInt8]?, _ identity: ServerIdentity?, tellsSpans: Bool
  ) async throws -> DataPlane {
    var plane = DataPlaneOptions(host: options.address.host, port: options.address.port)
    plane.version = Build.version
    plane.recording = options.recording
    plane.tellsSpans = tellsSpans
    plane.identity = identity
    plane.administration = options.adminAddress.map {
      ListenerAddress(host: $0.host, port: $0.port)
    }
    if let certificates { plane.upstreamTrust = .pem(certificates) }
    if let descriptors = DescriptorLimit.raise() {
      plane.maxConnections = min(
        plane.maxConnections, DescriptorLimit.connections(of: descriptors))
    }
    logger.info("HTTP server starting", metadata: ["listen": "\(options.address)"])
    let started = try await DataPlane.start(
      options: plane, board: board, store: control.store,
      fingerprinter: VaultFingerprinter(vault: control.vault),
      fallback: AdminFallback(responder: responder), limiter: limiter,
      health: PlaneHealth(keeper: health),
      credentials: PlaneCredentials(keeper: credentials, sync: sync), logger: logger)
    let scheme = identity == nil ? "http" : "https"
    let address = ListenAddress(host: options.address.host, port: started.port)
    var lines = ["listening on \(scheme)://\(address)"]
    if let admin = options.adminAddress, let port = started.administrationPort {
      let address = ListenAddress(host: admin.host, port: port)
      lines.append("administration on \(scheme)://\(address)")
    }
    do {
      for line in lines { try Console.say(line) }
    } catch {
      // Whoever reads it went away; clients did not.
      logger.warning("\(error)", metadata: ["listen": "\(address)"])
    }
    return started
  }

  /// Reads the certificate again at each SIGHUP, so that renewing it cuts no connection.
  private func reload(_ identity: ServerIdentity?) async {
    guard let identity, let files = options.tls else { return }
    files.warn(of: identity, logger)
    for await _ in Signals.hangUps() { files.reload(identity, logger) }
  }

  /// Until the first signal, and then until what is in flight ended or the time is over.
  private func wait(
    _ plane: DataPlane, _ signals: Signals
  ) async throws -> (reason: String, cut: Int) {
    var names = signals.names.makeAsyncIterator()
    let reason = await names.next() ?? "closed"
    logger.info("shutting down gracefully", metadata: ["signal": "\(reason)"])
    // Lives until the program ends: also the last sync may take longer than anybody wants to wait.
    Task {
      for await name in signals.names {
        logger.warning("ended at once by a second signal", metadata: ["signal": "\(name)"])
        _exit(ExitStatus.interrupted)
      }
    }
    let cut = await plane.shutdown(drain: .seconds(options.drainSeconds))
    let unrecorded = plane.counts.recordingFailures
    if unrecorded > 0 {
      // After a failure of the disk this is the only place that tells.
      logger.error(
        "not all that happened is in the log", metadata: ["records missing": "\(unrecorded)"])
    }
    return (reason, cut)
  }

  private func report(_ restoration: Restoration) {
    for snapshot in restoration.ignored.prefix(3) {
      logger.notice("a snapshot was not used", metadata: ["snapshot": "\(snapshot)"])
    }
    if restoration.ignored.count > 3 {
      logger.notice("\(restoration.ignored.count - 3) more snapshots were not used")
    }
    logger.info(
      "log folded",
      metadata: [
        "snapshot": "\(restoration.snapshot ?? .origin)", "last": "\(restoration.last)",
        "microseconds": "\(restoration.microseconds)",
      ])
  }

  private func report(_ report: RecoveryReport) {
    logger.info(
      report.createdStore ? "log created" : "log opened",
      metadata: [
        "epoch": "\(report.epoch)", "last": "\(report.last)",
        "events": "\(report.eventsScanned)", "segments": "\(report.segments)",
        "clean": "\(report.previousStopWasClean)", "microseconds": "\(report.microseconds)",
      ])
    for tail in report.pendingTails {
      logger.warning(
        "unacknowledged bytes at the log's end were set aside",
        metadata: [
          "segment": "\(tail.segment)", "offset": "\(tail.offset)", "bytes": "\(tail.bytes)",
          "rule": "\(tail.rule)", "kept": "\(tail.quarantinePath)",
        ])
    }
    if report.possibleGap != nil {
      logger.warning(
        "the machine stopped while the log was open: requests of its last moments may be missing")
    }
  }

  /// Variables of the older systems that this build does not read yet: said, not passed over.
  private func warnOfUnbuilt() {
    for name in ["BACKEND_ENDPOINTS", "RATE_LIMIT_DEFAULT_RPS", "RATE_LIMIT_BURST_SIZE"]
    where Environment.value(name) != nil {
      logger.warning(
        "an environment variable is not read by this build", metadata: ["name": "\(name)"])
    }
  }
}
