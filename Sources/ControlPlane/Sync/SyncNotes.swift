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
        SyncEvent.disabled(.init(peer: $0, copyRemoved: false))
      }
      if known[peer]?.isEnabled != true || known[peer]?.url != url {
        events.append(.enabled(.init(peer: peer, url: url)))
      }
      return events.map { Change(.sync(.note($0))) }
    }
  }

  func disable(at url: String, copyRemoved: Bool, _ provenance: Provenance) async throws {
    try await execute(provenance: provenance) { state in
      state.sync.peers.sorted { $0.key < $1.key }
        .filter {
          $0.value.url == url && ($0.value.isEnabled || $0.value.owesRemoval && copyRemoved)
        }
        .map {
          Change(.sync(.note(.disabled(.init(peer: $0.key, copyRemoved: copyRemoved)))))
        }
    }
  }

  /// A node that is known asks from one of its directories: which one is remembered over restarts.
  ///
  /// - Parameter life: the directory's incarnation.
  /// - Throws: `SyncRefusal` where it has our name, or another directory took its place.
  func meet(peer: NodeID, life: UInt64) async throws {
    guard peer != state.node else { throw SyncRefusal.sameNode }
    guard state.sync.peers[peer.rawValue] != nil,
      try state.sync.meeting(peer.rawValue, life: life) != nil
    else { return }
    try await execute(provenance: Self.provenance(peer)) { state in
      try state.sync.meeting(peer.rawValue, life: life).map {
        [Change(.sync(.note(.lifeBegan($0))))]
      } ?? []
    }
  }

  /// A node comes to us for the first time, or again.
  func admit(peer: NodeID) async throws {
    guard state.sync.peers[peer.rawValue]?.isEnabled != true else { return }
    try await execute(provenance: Self.provenance(peer)) { state in
      state.sync.peers[peer.rawValue]?.isEnabled == true
        ? [] : [Change(.sync(.note(.enabled(.init(peer: peer.rawValue, url: "")))))]
    }
  }

  /// A node that came to us comes no more.
  func forget(peer: NodeID) async throws {
    try await execute(provenance: Self.provenance(peer)) { state in
      guard let known = state.sync.peers[peer.rawValue], known.isEnabled, known.url.isEmpty else {
        return []
      }
      return [Change(.sync(.note(.disabled(.init(peer: peer.rawValue, copyRemoved: true)))))]
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
  func noteSyncFailure(_ peer: String, action: String, code: String) async {
    _ = try? await execute(provenance: .system) { state in
      if let known = state.sync.peers[peer]?.failure, known.action == action, known.code == code {
        return []
      }
      return [Change(.sync(.note(.failed(.init(peer: peer, action: action, code: code)))))]
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

  private static func provenance(_ peer: NodeID) -> Provenance {
    Provenance(actor: "peer:\(peer.rawValue)", source: .peer)
  }
}
