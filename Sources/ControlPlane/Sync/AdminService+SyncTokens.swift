import Domain
import HTTPTypes
import Surface
import Synchronization

/// `/api/sync/tokens`: what lets other nodes in. A token is in the answer that issues it and nowhere else.
extension AdminService {
  func listSyncTokens(_ call: AdminCall) throws -> AdminAnswer {
    let isActive = try call.query.bool("isActive")
    let tokens = control.state.syncTokens.values.filter {
      (isActive ?? ($0.revokedAt == nil)) == ($0.revokedAt == nil)
    }
    return try Page(call.query).answer(
      "tokens", tokens, by: { Page.Key(.number($0.createdAt.rawValue), .text($0.id.rawValue)) }
    ) { .object(members($0)) }
  }

  func issueSyncToken(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let name = try fields.string("name")
    let node = try fields.optionalString("node")
    try fields.finish()
    let token = SyncTokenText(edge)
    let key = token.key
    let issued = SyncTokenEvent.Issued(
      id: token.id, name: name, fingerprint: control.vault.fingerprint(key))
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      _ in
      let bound = node.map {
        SyncTokenEvent.Bound(id: issued.id, node: NodeID($0), isProven: false)
      }
      return [Change(.syncToken(.issue(issued)), secret: key)]
        + (bound.map { [Change(.syncToken(.bind($0)))] } ?? [])
    }
    let made = try Self.token(token.id, outcome.state)
    let text = JSONValue.Member(
      "token", JSONValue(String(decoding: token.text.bytes, as: UTF8.self)))
    return .json(.object([text] + members(made)), status: .created, revision: made.revision)
  }

  func revokeSyncToken(_ call: AdminCall) async throws -> AdminAnswer {
    let id = SyncTokenID(try call.parameter("id"))
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      _ in [Change(.syncToken(.revoke(id)))]
    }
    let token = try Self.token(id, outcome.state)
    return .json(["token": .object(members(token))], revision: token.revision)
  }

  private static func token(_ id: SyncTokenID, _ state: ControlState) throws -> SyncToken {
    guard let token = state.syncTokens[id] else { throw APIFault(.unknownSyncToken) }
    return token
  }

  private func members(_ token: SyncToken) -> [JSONValue.Member] {
    [
      JSONValue.Member("id", JSONValue(token.id.rawValue)),
      JSONValue.Member("name", JSONValue(token.name)),
      JSONValue.Member("node", JSONValue(token.node?.rawValue)),
      JSONValue.Member("isActive", JSONValue(token.revokedAt == nil)),
      JSONValue.Member("lastUsedAt", JSONValue(control.lastUse(of: token))),
      JSONValue.Member(
        "lastRefusal",
        token.refusal.map {
          [
            "node": JSONValue($0.node.rawValue), "code": JSONValue($0.code),
            "at": JSONValue($0.at),
          ]
        } ?? .null),
      JSONValue.Member("revokedAt", JSONValue(token.revokedAt)),
      JSONValue.Member("createdAt", JSONValue(token.createdAt)),
      JSONValue.Member("updatedAt", JSONValue(token.updatedAt)),
      JSONValue.Member("revision", JSONValue(token.revision)),
    ]
  }
}
