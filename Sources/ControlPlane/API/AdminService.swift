import Domain
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Surface

/// The handlers, with what they share; one method an endpoint, in files by resource.
struct AdminService: Sendable {
  let control: ControlPlane
  let options: AdminOptions
  let probe: (any AccountProbe)?
  /// nil: no gateway runs here, and nothing is refreshed.
  let credentials: CredentialKeeper?
  /// nil: no gateway runs here, and nothing is exchanged with other nodes.
  let sync: SyncKeeper?
  /// nil: no gateway runs here.
  let usage: (any UsageSource)?
  /// nil: no gateway runs here.
  let keeper: ViewKeeper?
  /// nil: no gateway runs here, and nothing is signed.
  let signer: CheckpointSigner?
  /// nil: no gateway runs here.
  let metricsKeeper: MetricsKeeper?
  /// nil: no gateway runs here.
  let figures: (any GatewayFigures)?
  /// When this life began, by both clocks.
  let started: UnixNanoseconds
  let began = ContinuousClock.now
  let sessions: Sessions
  let logger: Logger
  let limiter = LoginLimiter()
  /// Of accounts at providers, until somebody came back from there.
  let signIns = SignIns()
  /// Reads of the log, one at a time: they share the disk with the writer.
  let reads = Sideline(label: "signalbox.evidence", limit: 64)
  /// Looks at a day of requests, which take seconds: beside the reads, not before them.
  let effects = Sideline(label: "signalbox.effect", limit: 8)
  /// Questions of `/api/replay`, which read up to a quarter of a million events each: beside the reads too.
  let inquiries = Sideline(label: "signalbox.inquiry", limit: 8)
  /// Who follows the log, and their reads of it: beside the others, however many follow.
  let followers = Followers()
  /// Anybody's pings: beside all other reads.
  let pings: PingDesk
  /// Pages for monitors, which must not wait behind lists.
  let scrapes = Sideline(label: "signalbox.metrics", limit: 8)
  let hosts: HostGuard
  /// Of the address that is for administration alone; nil: there is none.
  let administrationHosts: HostGuard?

  init(
    control: ControlPlane, options: AdminOptions, probe: (any AccountProbe)?,
    credentials: CredentialKeeper?, sync: SyncKeeper?, usage: (any UsageSource)?,
    keeper: ViewKeeper?,
    signer: CheckpointSigner?,
    metricsKeeper: MetricsKeeper?, figures: (any GatewayFigures)?, sessions: Sessions,
    logger: Logger
  ) {
    self.control = control
    self.options = options
    self.probe = probe
    self.credentials = credentials
    self.sync = sync
    self.usage = usage
    self.keeper = keeper
    pings = PingDesk(store: control.store, keeper: keeper)
    self.signer = signer
    self.metricsKeeper = metricsKeeper
    self.figures = figures
    self.sessions = sessions
    started = control.edge.now()
    self.logger = logger
    hosts = HostGuard(listenHost: options.listenHost, allowed: options.allowedHosts)
    administrationHosts = options.administrationHost.map {
      HostGuard(listenHost: $0, allowed: options.allowedHosts)
    }
  }

  var edge: Edge { control.edge }

  /// Those of the command line and those of the settings.
  var proxies: TrustedProxies {
    TrustedProxies(
      options.trustedProxies
        + control.state.settings.trustedProxies.compactMap { AddressBlock($0) })
  }

  /// Admits a request and runs its handler.
  func answer(
    _ request: Request, _ context: AdminContext, _ row: RouteRow
  ) async throws -> AdminAnswer {
    guard
      case .found(_, let found) = Routes.match(
        method: row.method.rawValue, path: request.head.path ?? "")
    else { throw APIFault(.notFound) }
    let parameters = Dictionary(uniqueKeysWithValues: found.map { ($0.name, $0.value) })
    let body = try await request.body.collect(upTo: row.endpoint.administrationBodyBytes)
    let client = proxies.client(peer: context.remoteAddress, headers: request.headers)
    var call = AdminCall(
      row: row, parameters: parameters, query: Query(),
      headers: request.headers, body: Array(body.readableBytesView),
      remoteAddress: client.address, requestID: context.requestID)
    call.isForwardedSecurely = client.isSecure
    call.isOnAdministrationListener = context.isOnAdministrationListener
    call.takesStream = context.takesStream
    if let user = context.localUser { call.caller = .local(uid: user) }
    try await admit(&call)
    // Behind the admission: who may not ask is not told what may be asked.
    call.query = try Query(
      target: request.head.path ?? "",
      [.public, .peer].contains(row.tier) ? nil : row.endpoint.contract)
    return try await handle(call)
  }

  private func handle(_ call: AdminCall) async throws -> AdminAnswer {
    switch call.row.endpoint {
    case .login: try await login(call)
    case .logout: try await logout(call)
    case .resetPassword: try await resetPassword(call)
    case .listProviders: try listProviders(call)
    case .addProvider: try await addProvider(call)
    case .getProvider: try getProvider(call)
    case .changeProvider: try await changeProvider(call)
    case .removeProvider: try await removeProvider(call)
    case .listAccounts: try listAccounts(call)
    case .addAccount: try await addAccount(call)
    case .getAccount: try getAccount(call)
    case .changeAccount: try await changeAccount(call)
    case .issueCredential: try await issueCredential(call)
    case .refreshCredential: try await refreshCredential(call)
    case .releaseCredential: try await releaseCredential(call)
    case .moveCredential: try await moveCredential(call)
    case .removeAccount: try await removeAccount(call)
    case .listSignIns: listSignIns()
    case .beginAuthorization: try beginAuthorization(call)
    case .exchangeCode: try await exchangeCode(call)
    case .beginDevice: try await beginDevice(call)
    case .pollDevice: try await pollDevice(call)
    case .importAccount: try await importAccount(call)
    case .testAccount: try await testAccount(call)
    case .endCooldown: try await endCooldown(call)
    case .discoverModels: try await discoverModels(call)
    case .listBackends: try listBackends(call)
    case .getBackendHealth: try getBackendHealth(call)
    case .degradeBackend: try await degradeBackend(call)
    case .restoreBackend: try await restoreBackend(call)
    case .listProviderModels: try listProviderModels(call)
    case .getProviderModel: try getProviderModel(call)
    case .changeProviderModel: try await changeProviderModel(call)
    case .listAliases: try listAliases(call)
    case .setAlias: try await setAlias(call)
    case .removeAlias: try await removeAlias(call)
    case .listCombos: try listCombos(call)
    case .addCombo: try await addCombo(call)
    case .getCombo: try getCombo(call)
    case .changeCombo: try await changeCombo(call)
    case .removeCombo: try await removeCombo(call)
    case .listOrganisations: try listOrganisations(call)
    case .addOrganisation: try await addOrganisation(call)
    case .getOrganisation: try getOrganisation(call)
    case .changeOrganisation: try await changeOrganisation(call)
    case .removeOrganisation: try await removeOrganisation(call)
    case .listKeys: try listKeys(call)
    case .createKey: try await createKey(call)
    case .getKey: try getKey(call)
    case .changeKey: try await changeKey(call)
    case .revokeKey: try await revokeKey(call)
    case .listPolicies: try listPolicies(call)
    case .setPolicy: try await setPolicy(call)
    case .getPolicy: try getPolicy(call)
    case .changePolicy: try await changePolicy(call)
    case .removePolicy: try await removePolicy(call)
    case .getPricing: getPricing()
    case .changePricing: try await changePricing(call)
    case .removePricing: try await removePricing(call)
    case .getSettings: getSettings()
    case .changeSettings: try await changeSettings(call)
    case .getSync: try await getSync()
    case .actOnSync: try await actOnSync(call)
    case .greetSync: try greetSync(call)
    case .exchangeSync: try await exchangeSync(call)
    case .listSyncTokens: try listSyncTokens(call)
    case .issueSyncToken: try await issueSyncToken(call)
    case .revokeSyncToken: try await revokeSyncToken(call)
    case .forgetSyncPeer: try await forgetSyncPeer(call)
    case .applyConfiguration: try await applyConfiguration(call)
    case .authzInventory: authzInventory()
    case .auditRequest: try await auditRequest(call)
    case .usageLogs: try await usageLogs(call)
    case .usageHistory: try await usageHistory(call)
    case .providerMetrics: try await providerMetrics(call)
    case .routingDecisions: try await routingDecisions(call)
    case .streamHistory: try await streamHistory(call)
    case .events: try await events(call)
    case .replayWindow: try await replayWindow(call)
    case .replayShow: try await replayShow(call)
    case .replayExplain: try await replayExplain(call)
    case .replayState: try await replayState(call)
    case .replayDiff: try await replayDiff(call)
    case .replayDrift: try await replayDrift(call)
    case .replayBlame: try await replayBlame(call)
    case .replayBisect: try await replayBisect(call)
    case .replayWhatIf: try await replayWhatIf(call)
    case .replayReport: try await replayReport(call)
    case .revertStream: try await revertStream(call)
    case .restoreConfiguration: try await restoreConfiguration(call)
    case .configurationDrift: try await configurationDrift()
    case .health: health()
    case .ping: await ping()
    case .healthz: healthz()
    case .readyz: readyz()
    case .metrics: try await metrics()
    case .systemVersion: systemVersion()
    case .openAPI: openAPI()
    case .chatCompletions, .completions, .embeddings, .responses, .messages, .countTokens,
      .generateContent, .streamGenerateContent, .inference, .getResponse, .listInputItems,
      .removeResponse, .cancelResponse, .listModels, .getModel, .listGeminiModels, .getGeminiModel:
      // The data plane's: its listener answers them before they come here.
      throw APIFault(.notFound)
    }
  }
}
