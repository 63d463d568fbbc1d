import Domain
import Surface

/// `/api/sync/peers/{peer}`: whom this node remembers.
extension AdminService {
  /// Nothing is remembered of a peer any more, and its tokens are accepted no more.
  func forgetSyncPeer(_ call: AdminCall) async throws -> AdminAnswer {
    let name = try call.parameter("peer")
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      guard let peer = state.sync.peers[name] else { throw APIFault(.unknownSyncPeer) }
      // Else the next exchange would remember it again.
      guard !peer.isEnabled || peer.url.isEmpty else { throw APIFault(.syncPeerInUse) }
      let tokens = state.syncTokens.values
        .filter { $0.node?.rawValue == name && $0.revokedAt == nil }.map(\.id)
        .sorted { $0.rawValue < $1.rawValue }
      return [Change(.sync(.note(.forgotten(.init(peer: name)))))]
        + tokens.map { Change(.syncToken(.revoke($0))) }
    }
    let revoked = outcome.events.compactMap { event -> JSONValue? in
      if case .syncToken(.revoked(let id)) = event { JSONValue(id.rawValue) } else { nil }
    }
    return .json(["peer": JSONValue(name), "revokedTokens": .array(revoked)])
  }
}
