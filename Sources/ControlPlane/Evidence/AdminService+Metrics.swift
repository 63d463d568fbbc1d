import Domain
import EventStore
import HTTPTypes
import NIOCore
import Surface
import Telemetry

/// `/metrics`: what the log counts, and how the gateway stands.
extension AdminService {
  func metrics() async throws -> AdminAnswer {
    guard let keeper = metricsKeeper else { throw APIFault(.gatewayNotRunning) }
    let service = self
    let bytes = try await scrapes.run { try service.page(keeper).bytes }
    var answer = AdminAnswer(status: .ok, body: ByteBuffer(bytes: bytes))
    answer.headers[.contentType] = Exposition.contentType
    return answer
  }

  /// Blocks on the disk.
  private func page(_ keeper: MetricsKeeper) throws -> Exposition {
    var page = Exposition()
    let state = control.state
    let known =
      state.removedAccounts.values.map { ($0.id, $0.provider) }
      + state.accounts.values.map { ($0.id, $0.provider) }
    let providers = Dictionary(known.map { ($0.rawValue, $1.rawValue) }) { $1 }
    let counted = try keeper.write(to: &page, providers: providers)
    let live = figures?.live ?? LiveFigures()
    writeRecording(to: &page, outcomes: counted.outcomes, live)
    writeTraffic(to: &page, live)
    writeAccounts(to: &page, state)
    writeSync(to: &page, state)
    writeBudgets(to: &page, state)
    writeLog(to: &page)
    writeViews(to: &page, state)
    page.write(.metricsLag, .whole(counted.behind))
    page.write(
      .spans,
      [
        ["exported"]: .whole(live.spans.exported), ["failed"]: .whole(live.spans.failed),
        ["dropped"]: .whole(live.spans.dropped),
      ])
    writeProcess(to: &page)
    return page
  }

  /// What is acknowledged and not yet safe: the API Router's buffer.
  private func writeRecording(to page: inout Exposition, outcomes: UInt64, _ live: LiveFigures) {
    let store = control.store
    page.write(
      .published, [["success"]: .whole(outcomes), ["error"]: .whole(live.recordingFailures)])
    page.write(
      .buffered, [["awaiting_sync"]: .whole(options.recording == .strict ? 0 : outcomes)])
    let figures = store.figures
    page.write(
      .publishDuration,
      [[]: Histogram(.short, counts: figures.syncs, sum: figures.syncMicroseconds)])
    page.write(
      .bufferRetries,
      [
        ["success"]: .whole(figures.resumptions), ["error"]: .whole(figures.failedResumptions),
      ])
    // In this order, so that what happens in between makes it larger.
    let durable = store.lastDurable
    let written = store.lastWritten
    page.write(
      .bufferSize, .whole(written > durable ? written.rawValue - durable.rawValue : 0))
    var age: UInt64 = 0
    if written > durable, let oldest = try? store.reader.event(at: durable.next) {
      age = UInt64(max(0, edge.now().rawValue - oldest.time)) / 1000
    }
    page.write(.bufferAge, .millionths(age))
    page.write(
      .logPosition,
      [["written"]: .whole(written.rawValue), ["durable"]: .whole(durable.rawValue)])
  }

  private func writeTraffic(to page: inout Exposition, _ live: LiveFigures) {
    page.write(.inFlight, .whole(live.requestsInFlight))
    page.write(.oldestInFlight, .millionths(live.oldestRequestMicroseconds))
    page.write(.clientConnections, .whole(live.connectionsOpen))
    page.write(
      .clientConnectionsTotal,
      [
        ["accepted"]: .whole(live.connectionsAccepted),
        ["refused"]: .whole(live.connectionsRefused),
      ])
    page.write(.malformedHeads, .whole(live.malformedHeads))
    page.write(.upstreamConnects, .whole(live.upstreamConnects))
    page.write(.heldBodyBytes, .whole(live.heldBodyBytes))
    page.write(.retryBudget, .whole(live.retriesSaved))
    page.write(.retriesRefused, .whole(live.retriesRefused))
  }

  private func writeAccounts(to page: inout Exposition, _ state: ControlState) {
    let now = edge.now()
    var statuses: [[String]: UInt64] = [:]
    var infos: [[String]: Exposition.Value] = [:]
    var states: [[String]: UInt64] = [:]
    var standings: [[String]: UInt64] = [:]
    var ends: [[String]: Exposition.Value] = [:]
    for provider in state.providers.keys {
      for name in AccountState.allCases { states[[provider.rawValue, name.rawValue]] = 0 }
    }
    // Those with the first ids have series of their own, at each scrape the same ones.
    for (number, account) in state.accounts.values.sorted(by: { $0.id < $1.id }).enumerated() {
      states[
        [account.provider.rawValue, AccountState(account, state, at: now).rawValue], default: 0] +=
        1
      if account.credential.canRefresh {
        for standing in ["usable", "uncertain", "reauth_required"] {
          standings[[account.provider.rawValue, standing], default: 0] +=
            account.credential.standing.name == standing ? 1 : 0
        }
      }
      let isOther = number >= RequestMetrics.Bounds.accounts
      let name = isOther ? "other" : account.id.rawValue
      let status = Self.backendStatus(account, state, at: now)
      for each in BackendStatus.allCases.map(\.rawValue) + [Self.disabled] {
        statuses[[name, each], default: 0] += each == status ? 1 : 0
      }
      if isOther { continue }
      if let end = account.credential.expiresAt, end.rawValue > 0 {
        ends[[account.id.rawValue]] = .millionths(UInt64(end.rawValue / 1000))
      }
      infos[[account.id.rawValue, account.provider.rawValue, account.name]] = .whole(1)
    }
    page.write(.backendHealth, statuses.mapValues { .whole($0) })
    page.write(.accountInfo, infos)
    page.write(.credentials, standings.mapValues { .whole($0) })
    page.write(.credentialExpiry, ends)
    page.write(.accounts, states.mapValues { .whole($0) })
  }

  private static let disabled = "disabled"

  /// As the API has it, but that nobody is to be woken for an account that an operator took out.
  private static func backendStatus(
    _ account: Account, _ state: ControlState, at now: UnixNanoseconds
  ) -> String {
    let isEnabled = account.isEnabled && state.providers[account.provider]?.isEnabled == true
    let status = BackendStatus(account, state, at: now)
    return status == .unhealthy && !isEnabled ? disabled : status.rawValue
  }

  /// Peers by name, the first ones.
  private func writeSync(to page: inout Exposition, _ state: ControlState) {
    let board = sync?.board.figures ?? SyncBoard.Figures()
    page.write(
      .syncExchanges,
      Dictionary(uniqueKeysWithValues: board.exchanges.map { ([$0.key], .whole($0.value)) }))
    page.write(
      .syncServed,
      Dictionary(uniqueKeysWithValues: board.served.map { ([$0.key], .whole($0.value)) }))
    page.write(.syncConflicts, .whole(board.conflicts))
    var last: [[String]: Exposition.Value] = [:]
    var drift: [[String]: Exposition.Value] = [:]
    let enabled = state.sync.peers.filter(\.value.isEnabled).sorted { $0.key < $1.key }
    for (name, peer) in enabled.prefix(Self.peersMost) {
      last[[name]] = .millionths(UInt64(max(0, board.lastSuccess[name]?.rawValue ?? 0) / 1_000))
      drift[[name]] = .whole(UInt64(SyncDrift.count(peer, state)))
    }
    page.write(.syncLastSuccess, last)
    page.write(.syncDrift, drift)
    page.write(.syncWithheld, .whole(UInt64(SyncDrift.withheldCount(state))))
    page.write(
      .syncAwaited, .whole(UInt64(SyncDrift.awaited(state, now: control.edge.now()).count)))
  }

  private static let peersMost = 64

  private func writeBudgets(to page: inout Exposition, _ state: ControlState) {
    var limits: [[String]: UInt64] = [:]
    var used: [[String]: UInt64] = [:]
    var reserved: [[String]: UInt64] = [:]
    let now = edge.now()
    var named = 0
    for organisation in state.organisations.values.sorted(by: { $0.id < $1.id }) {
      let budgets = organisation.budgets.filter { $0.microUSD != nil }
      guard !budgets.isEmpty,
        let found = usage?.usage(
          of: .organisation(organisation.id), budgets: organisation.budgets, at: now)
      else { continue }
      named += 1
      let name =
        named > RequestMetrics.Bounds.organisations ? "other" : organisation.id.rawValue
      for budget in budgets {
        let labels = [name, budget.period.name]
        let sums = budget.period == .day ? found.day : found.month
        limits[labels, default: 0] &+= budget.microUSD ?? 0
        used[labels, default: 0] &+= sums.used.microUSD
        reserved[labels, default: 0] &+= sums.reserved.microUSD
      }
    }
    for (metric, sums) in [
      (Metric.budgetLimit, limits), (.budgetUsed, used), (.budgetReserved, reserved),
    ] {
      page.write(metric, sums.mapValues { .millionths($0) })
    }
  }

  private func writeLog(to page: inout Exposition) {
    let store = control.store
    let segments = store.reader.segments
    page.write(.logBytes, .whole(segments.reduce(0) { $0 + $1.bytes }))
    page.write(.logSegments, .whole(UInt64(segments.count)))
    page.write(.logUnsealed, .whole(UInt64(max(0, store.sealing.pending))))
    let name: String
    var shed: UInt64 = 0
    var isExhausted = false
    switch store.state {
    case .working: name = "working"
    case .shedding(let shortage):
      name = "shedding"
      shed = shortage.shed
      isExhausted = shortage.isExhausted
    case .poisoned: name = "poisoned"
    }
    page.write(
      .logState,
      Dictionary(
        uniqueKeysWithValues: ["working", "shedding", "poisoned"].map { ([$0], .flag($0 == name)) })
    )
    page.write(.logShed, .whole(shed))
    page.write(.logExhausted, .flag(isExhausted))
  }

  private func writeViews(to page: inout Exposition, _ state: ControlState) {
    let written = control.store.lastWritten.rawValue
    let views = keeper?.current ?? ViewKeeper.Status()
    page.write(.viewsPosition, .whole(views.position))
    page.write(.viewsLag, .whole(written - min(written, views.position)))
    page.write(.viewsRebuilds, .whole(UInt64(views.rebuilds)))
    page.write(.snapshotPosition, .whole(state.position))
    page.write(
      .componentHealthy,
      [
        ["log"]: .flag(logHealth == .healthy), ["views"]: .flag(views.failure == nil),
        // There is one from the moment the control plane is open, and this code runs only then.
        ["snapshot"]: .flag(true), ["backend_registry"]: .flag(!state.accounts.isEmpty),
      ])
  }

  private func writeProcess(to page: inout Exposition) {
    let process = ProcessFigures()
    page.write(
      .buildInfo,
      [[options.build.version, options.build.commit, options.recording.name]: .whole(1)])
    page.write(.cpu, .millionths(process.cpuMicroseconds))
    func write(_ metric: Metric, _ value: Exposition.Value?) {
      page.write(metric, value.map { [[]: $0] } ?? [:])
    }
    write(.startTime, process.startMicroseconds.map { .millionths($0) })
    write(.residentMemory, process.residentBytes.map { .whole($0) })
    write(.virtualMemory, process.virtualBytes.map { .whole($0) })
    write(.openDescriptors, process.openDescriptors.map { .whole($0) })
    write(.maximumDescriptors, process.maximumDescriptors.map { .whole($0) })
  }
}

/// Whether requests can go to an account, told by what keeps them away.
private enum AccountState: String, CaseIterable {
  case ready, cooling, degraded, disabled

  init(_ account: Account, _ state: ControlState, at now: UnixNanoseconds) {
    let isExpired = account.credential.expiresAt.map { now >= $0 } ?? false
    if account.degradation != nil {
      self = .degraded
    } else if !account.isEnabled || account.credential.fingerprint == nil || isExpired
      || state.providers[account.provider]?.isEnabled != true
    {
      self = .disabled
    } else {
      self = state.health[account.id]?.isCooling(at: now) == true ? .cooling : .ready
    }
  }
}
