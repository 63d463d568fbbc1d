import NIOCore
import Synchronization

/// The scenario in force and everything that was counted since the last reset; shared by all connections.
final class Stage: Sendable {
  let clock = SimulatorClock()
  let holds = Holds()
  let oauth: OAuthServers
  let peer: OldPeer
  private let state: Mutex<State>

  init(_ scenario: Scenario) {
    state = Mutex(State(scenario: scenario))
    oauth = OAuthServers(scenario.oauth, clock: clock)
    peer = OldPeer(scenario.sync, clock: clock)
  }

  /// What was decided about one request when its last byte had been read.
  struct Cue: Sendable {
    var ordinal: UInt64
    /// nil: no account has the request's key.
    var account: String?
    var verdict: Verdict

    static func dead(_ ordinal: UInt64, _ answer: JSONResponse) -> Cue {
      Cue(ordinal: ordinal, account: nil, verdict: .deadToken(answer))
    }
  }

  /// Answer, or refuse as a provider would.
  enum Verdict: Sendable {
    case act(Act)
    case unknownKey
    case unknownModel
    /// An OAuth token that was good once.
    case deadToken(JSONResponse)
  }

  /// How a response came to its end.
  enum Ending {
    /// As the act demands, be it an answer or a fault.
    case played
    /// The client went away first.
    case abortedByClient
  }

  /// Counts a request, keeps its body and settles how it is answered.
  func begin(key: String?, path: String, request: ChatRequest?, body: ByteBuffer) -> Cue {
    let model = request?.model
    let standing = oauth.standing(of: key)
    return state.withLock { state in
      state.begin(key: key, standing: standing, path: path, model: model, body: body)
    }
  }

  /// Counts the end of a request that `begin` counted; `status` is what was answered, nil without a head.
  func end(_ ending: Ending, status: Int?, account: String?) {
    state.withLock { state in
      state.inFlight -= 1
      if let account { state.inFlightByAccount[account, default: 1] -= 1 }
      if let status { state.byStatus[status, default: 0] += 1 }
      switch ending {
      case .played: state.played += 1
      case .abortedByClient: state.aborted += 1
      }
    }
  }

  func connectionOpened() {
    state.withLock { state in
      state.connectionsOpen += 1
      state.connectionsAccepted += 1
    }
  }

  func connectionClosed() {
    state.withLock { $0.connectionsOpen -= 1 }
  }

  /// Another scenario from now on; counters, sequences and the queue start afresh, open connections stay.
  func replace(_ scenario: Scenario) {
    state.withLock { $0.restart(with: scenario) }
    restartServers(scenario)
  }

  /// The same scenario from its beginning.
  func reset() {
    let scenario = state.withLock { state in
      state.restart(with: state.scenario)
      return state.scenario
    }
    restartServers(scenario)
  }

  private func restartServers(_ scenario: Scenario) {
    clock.reset()
    _ = holds.release(.max, part: "")
    oauth.restart(with: scenario.oauth)
    peer.restart(with: scenario.sync)
  }

  /// Appends entries that win over every other layer; false if more than 10,000 would wait.
  func queue(_ entries: [QueuedBehaviour]) -> Bool {
    state.withLock { state in
      guard state.queue.count + entries.count <= 10_000 else { return false }
      state.queue += entries
      return true
    }
  }

  /// The models on offer.
  var models: [String] {
    state.withLock { $0.scenario.models.map(\.name) }
  }

  /// How the list of the models is answered; its trouble strikes always, for no request is counted here.
  var modelListAct: Act {
    state.withLock { Act($0.scenario.modelList, dice: 0) }
  }

  /// True if the key is good, or every key is.
  func knows(key: String?) -> Bool {
    let standing = oauth.standing(of: key)
    return state.withLock { $0.account(of: key, standing) != nil }
  }

  /// A consistent look at all counters.
  func report() -> Report {
    state.withLock(\.report)
  }

  /// The newest kept requests, oldest first.
  func kept(last count: Int) -> [KeptRequest] {
    state.withLock { Array($0.kept.suffix(count)) }
  }
}

/// A request as it arrived.
struct KeptRequest: Sendable {
  var ordinal: UInt64
  var account: String?
  var path: String
  var model: String?
  var body: ByteBuffer
}

/// All counters at one instant.
struct Report: Sendable {
  var total: UInt64
  var byAccount: [String: UInt64]
  var byModel: [String: UInt64]
  var byAccountAndModel: [String: [String: UInt64]]
  var byStatus: [Int: UInt64]
  var unknownKeys: UInt64
  var inFlight: Int
  /// How many requests an account had at once, at most.
  var peakByAccount: [String: Int]
  var played: UInt64
  var aborted: UInt64
  var queued: Int
  var connectionsOpen: Int
  var connectionsAccepted: UInt64
}

private struct State {
  /// Of bodies kept for `/_control/requests`.
  static let keptBytesLimit = 64 << 20

  var scenario: Scenario
  var queue: [QueuedBehaviour] = []
  /// Stays across resets, so that no request id is given twice.
  var ordinal: UInt64 = 0
  var firstOrdinal: UInt64 = 0
  var byAccount: [String: UInt64] = [:]
  var byModel: [String: UInt64] = [:]
  var byAccountAndModel: [String: [String: UInt64]] = [:]
  var byStatus: [Int: UInt64] = [:]
  var unknownKeys: UInt64 = 0
  var inFlight = 0
  var inFlightByAccount: [String: Int] = [:]
  var peakByAccount: [String: Int] = [:]
  var played: UInt64 = 0
  var aborted: UInt64 = 0
  var connectionsOpen = 0
  var connectionsAccepted: UInt64 = 0
  var kept: [KeptRequest] = []
  var keptBytes = 0

  init(scenario: Scenario) {
    self.scenario = scenario
  }

  mutating func restart(with scenario: Scenario) {
    self.scenario = scenario
    queue = []
    firstOrdinal = ordinal
    byAccount = [:]
    byModel = [:]
    byAccountAndModel = [:]
    byStatus = [:]
    peakByAccount = inFlightByAccount.filter { $0.value > 0 }
    unknownKeys = 0
    played = 0
    aborted = 0
    kept = []
    keptBytes = 0
  }

  /// The account's name and row; nil if the key is not good.
  func account(
    of key: String?, _ standing: OAuthLedger.Standing
  ) -> (name: String, row: Scenario.Account?)? {
    if case .live(let subject) = standing {
      return (subject, scenario.accounts.first { $0.name == subject })
    }
    guard !scenario.accounts.isEmpty else {
      return scenario.oauth.isStrict ? nil : ("any", nil)
    }
    guard let key, let row = scenario.accounts.first(where: { $0.key == key }) else { return nil }
    return (row.name, row)
  }

  mutating func begin(
    key: String?, standing: OAuthLedger.Standing, path: String, model: String?, body: ByteBuffer
  ) -> Stage.Cue {
    ordinal += 1
    inFlight += 1
    let account = account(of: key, standing)
    keep(
      KeptRequest(ordinal: ordinal, account: account?.name, path: path, model: model, body: body))
    if let model, byModel[model] != nil || byModel.count < 1024 {
      byModel[model, default: 0] += 1
    }
    switch standing {
    case .unknown, .live: break
    case .expired(let dialect):
      unknownKeys += 1
      return .dead(ordinal, dialect.refusal(isRevoked: false))
    case .revoked(let dialect):
      unknownKeys += 1
      return .dead(ordinal, dialect.refusal(isRevoked: true))
    }
    guard let account else {
      unknownKeys += 1
      return Stage.Cue(ordinal: ordinal, account: nil, verdict: .unknownKey)
    }
    let accountOrdinal = byAccount[account.name, default: 0]
    byAccount[account.name] = accountOrdinal + 1
    if let model, byModel[model] != nil {
      byAccountAndModel[account.name, default: [:]][model, default: 0] += 1
    }
    let atOnce = inFlightByAccount[account.name, default: 0] + 1
    inFlightByAccount[account.name] = atOnce
    peakByAccount[account.name] = max(peakByAccount[account.name] ?? 0, atOnce)

    let offered = scenario.models.first { $0.name == model }
    var behaviour = scenario.behaviour.overlaid(with: offered?.behaviour ?? Behaviour())
    if let row = account.row {
      behaviour = behaviour.overlaid(with: row.behaviour)
      if let step = row.step(at: Int(clamping: accountOrdinal)) {
        behaviour = behaviour.overlaid(with: step)
      }
    }
    if let queued = takeQueued(account: account.name, model: model) {
      behaviour = behaviour.overlaid(with: queued)
    }
    let act = Act(behaviour, dice: dice(account: account.name, ordinal: accountOrdinal))
    if model != nil, offered == nil, act.trouble == .none {
      return Stage.Cue(ordinal: ordinal, account: account.name, verdict: .unknownModel)
    }
    return Stage.Cue(ordinal: ordinal, account: account.name, verdict: .act(act))
  }

  private mutating func takeQueued(account: String, model: String?) -> Behaviour? {
    let index = queue.firstIndex { entry in
      (entry.account == nil || entry.account == account)
        && (entry.model == nil || entry.model == model)
    }
    guard let index else { return nil }
    let behaviour = queue[index].behaviour
    if queue[index].times > 1 {
      queue[index].times -= 1
    } else {
      queue.remove(at: index)
    }
    return behaviour
  }

  /// 0..<1 from the seed, the account and its request count: the same scenario fails the same requests.
  private func dice(account: String, ordinal: UInt64) -> Double {
    var mixed = scenario.seed
    for byte in account.utf8 { mixed = (mixed ^ UInt64(byte)) &* 0x100_0000_01b3 }
    // SplitMix64's output function over the position in the sequence.
    mixed = mixed &+ (ordinal &+ 1) &* 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    mixed ^= mixed >> 31
    return Double(mixed >> 11) * 0x1p-53
  }

  private mutating func keep(_ request: KeptRequest) {
    guard scenario.keepRequests > 0 else { return }
    kept.append(request)
    keptBytes += request.body.readableBytes
    while kept.count > scenario.keepRequests || keptBytes > State.keptBytesLimit {
      keptBytes -= kept.removeFirst().body.readableBytes
    }
  }

  var report: Report {
    Report(
      total: ordinal - firstOrdinal, byAccount: byAccount, byModel: byModel,
      byAccountAndModel: byAccountAndModel, byStatus: byStatus, unknownKeys: unknownKeys,
      inFlight: inFlight, peakByAccount: peakByAccount, played: played, aborted: aborted,
      queued: queue.reduce(0) { $0 + $1.times }, connectionsOpen: connectionsOpen,
      connectionsAccepted: connectionsAccepted)
  }
}
