import Domain

// What is noted of exchanges beside what they decide.

extension ControlPlane {
  /// With whom an operator wants to sync; nil: nobody, or not everything is set.
  var syncTarget: SyncTarget? {
    let sync = state.settings.sync
    guard !sync.cloudURL.isEmpty, let token = cloudToken else { return nil }
    var url = sync.cloudURL[...]
    while url.hasSuffix("/") { url = url.dropLast() }
    return SyncTarget(
      url: String(url), token: token, kind: sync.cloudProtocol, machineID: sync.machineID,
      withSecrets: sync.syncSecrets, intervalSeconds: Int64(sync.intervalSeconds))
  }

  /// A first exchange came to its end; whoever was synced with at another address is left.
  func enable(_ peer: String, at url: String, _ provenance: Provenance) async throws {
    try await execute(provenance: provenance) { state in
      let known = state.sync.peers
      let left = known.filter { $0.key != peer && $0.value.isEnabled && !$0.value.url.isEmpty }
      var events = left.keys.sorted().map {
        SyncEvent.disabled(.init(peer: $0, farewell: .owed))
      }
      if known[peer]?.isEnabled != true || known[peer]?.url != url {
        events.append(.enabled(.init(peer: peer, url: url)))
      }
      return events.map { Change(.sync(.note($0))) }
    }
  }

  /// Nothing goes on by itself any more, with whomever that was.
  ///
  /// - Parameters:
  ///   - url: of the other side that was asked to forget us; nil: nobody was.
  ///   - farewell: what it said.
  /// - Returns: those that are left without having been told, by where they are.
  @discardableResult
  func disable(
    at url: String?, _ farewell: SyncEvent.Farewell, _ provenance: Provenance
  ) async throws -> [String: String] {
    let left = state.sync.peers.filter {
      $0.value.isEnabled && !$0.value.url.isEmpty && $0.value.url != url
    }
    try await execute(provenance: provenance) { state in
      state.sync.peers.sorted { $0.key < $1.key }
        .filter { !$0.value.url.isEmpty }
        .compactMap { name, peer -> SyncEvent? in
          if peer.url != url {
            return peer.isEnabled ? .disabled(.init(peer: name, farewell: .owed)) : nil
          }
          guard peer.isEnabled || peer.owesRemoval && farewell != .owed else { return nil }
          return .disabled(.init(peer: name, farewell: farewell))
        }
        .map { Change(.sync(.note($0))) }
    }
    return left.mapValues(\.url)
  }

  /// The other side that was left confirmed that it knows.
  func noteFarewell(at url: String, _ farewell: SyncEvent.Farewell) async throws {
    try await execute(provenance: .system) { state in
      state.sync.peers.sorted { $0.key < $1.key }
        .filter { $0.value.url == url && $0.value.owesRemoval }
        .map { Change(.sync(.note(.disabled(.init(peer: $0.key, farewell: farewell))))) }
    }
  }

  /// Who proved to hold a token may come with it.
  ///
  /// - Throws: `SyncRefusal` where it may not, with nothing noted.
  func claim(_ token: SyncTokenID, by node: NodeID) async throws {
    guard try state.claim(token, by: node) != nil else { return }
    try await execute(provenance: Sender(node: node, token: token).provenance()) { state in
      try state.claim(token, by: node).map { [Change(.syncToken(.bind($0)))] } ?? []
    }
  }

  /// Somebody was not let in with a token that it holds.
  func noteRefused(_ refused: SyncTokenEvent.Refused) async {
    let now = edge.now()
    guard state.refusing(refused, now: now) != nil else { return }
    _ = try? await execute(provenance: .system) { state in
      state.refusing(refused, now: now).map { [Change(.syncToken(.refuse($0)))] } ?? []
    }
  }

  /// A node that is known asks from one of its directories: which one is remembered over restarts.
  ///
  /// - Parameter life: the directory's incarnation.
  /// - Throws: `SyncRefusal` where another directory took its place.
  func meet(_ sender: Sender, life: UInt64) async throws {
    let name = sender.node.rawValue
    guard state.sync.peers[name] != nil, try state.sync.meeting(name, life: life) != nil else {
      return
    }
    try await execute(provenance: sender.provenance()) { state in
      try state.sync.meeting(name, life: life).map {
        [Change(.sync(.note(.lifeBegan($0))))]
      } ?? []
    }
  }

  /// A node comes to us for the first time, or again.
  func admit(_ sender: Sender) async throws {
    let name = sender.node.rawValue
    guard state.sync.peers[name]?.isEnabled != true else { return }
    try await execute(provenance: sender.provenance()) { state in
      state.sync.peers[name]?.isEnabled == true
        ? [] : [Change(.sync(.note(.enabled(.init(peer: name, url: "")))))]
    }
  }

  /// A node that came to us comes no more; each of the two keeps what it has.
  func leave(_ sender: Sender) async throws {
    let name = sender.node.rawValue
    try await execute(provenance: sender.provenance()) { state in
      guard let known = state.sync.peers[name], known.isEnabled, known.url.isEmpty else {
        return []
      }
      return [Change(.sync(.note(.disabled(.init(peer: name, farewell: .told)))))]
    }
  }

  /// Something new went to a peer.
  func notePushed(_ event: SyncEvent.Exchanged) async throws(SyncFault) {
    do {
      try await execute(
        provenance: Provenance(
          actor: Provenance.system.actor, source: .system, correlation: event.exchange)
      ) { _ in [Change(.sync(.note(.pushed(event))))] }
    } catch {
      throw SyncFault(whileTaking: error)
    }
  }

  /// An exchange came to nothing; the same again is not told again.
  func noteSyncFailure(_ fault: SyncFault, of peer: String, action: String) async {
    let about = fault.about
    _ = try? await execute(provenance: .system) { state in
      if let known = state.sync.peers[peer]?.failure, known.action == action,
        known.code == fault.code, known.about == about
      {
        return []
      }
      guard state.sync.hasRoom(for: peer) else { return [] }
      let failed = SyncEvent.Failed(peer: peer, action: action, code: fault.code, about: about)
      return [Change(.sync(.note(.failed(failed))))]
    }
  }

  /// It works again, and nothing is new.
  func noteSyncRecovery(_ peer: String) async {
    guard state.sync.peers[peer]?.failure != nil else { return }
    let exchange = edge.mintID()
    _ = try? await execute(provenance: .system) { state in
      guard state.sync.peers[peer]?.failure != nil else { return [] }
      let event = state.nothingNew(of: peer, exchange)
      return [Change(.sync(.note(.reconciled(event))))]
    }
  }
}
