import Domain
import EventStore
import HTTPTypes
import Surface

/// `/api/sync/cloud`: with whom this node syncs; and what other nodes ask it.
extension AdminService {
  func actOnSync(_ call: AdminCall) async throws -> AdminAnswer {
    let action = try Self.action(call)
    guard let sync else { throw APIFault(.gatewayNotRunning) }
    do {
      switch try await sync.perform(action, call.provenance) {
      case .exchanged(let outcome):
        var members: [JSONValue.Member] = [
          .init("success", true),
          .init(
            "message", action == .enable ? "Sync enabled" : "Synced successfully"),
          .init(
            "changes",
            [
              "updated": .array(outcome.updated.map { JSONValue($0) }),
              "fromWorker": .array(outcome.fromPeer.map { JSONValue($0) }),
            ]),
          .init("peer", JSONValue(outcome.peer)),
          .init("exchange", JSONValue(outcome.exchange.map { uuidText($0) })),
          .init("decisions", JSONValue(outcome.decisions)),
          .init("conflicts", JSONValue(outcome.conflicts)),
          .init("withheld", JSONValue(outcome.withheld)),
          .init("waiting", JSONValue(outcome.waiting)),
        ]
        if action == .enable { members.append(.init("verified", true)) }
        return .json(.object(members))
      case .disabled(let farewell, let untold):
        return .json(Self.disabled(farewell, untold))
      case .there(let peer):
        return .json([
          "success": true, "message": "The other side is there", "peer": JSONValue(peer),
        ])
      }
    } catch let fault as SyncFault {
      throw Self.told(fault)
    }
  }

  private static func action(_ call: AdminCall) throws -> SyncKeeper.Action {
    var fields = try call.fields()
    let name = try fields.string("action")
    // Sent by clients of the older systems; which machine this is, this machine knows.
    _ = fields.raw("machineId")
    try fields.finish()
    guard let action = SyncKeeper.Action(rawValue: name) else {
      let names = SyncKeeper.Action.allCases.map(\.rawValue).joined(separator: ", ")
      throw fields.fault("action", "there is no such action", remedy: "Choose one of \(names).")
    }
    return action
  }

  private static func disabled(
    _ farewell: SyncEvent.Farewell, _ untold: [String: String]
  ) -> JSONValue {
    var message =
      switch farewell {
      case .removed: "Sync disabled"
      case .told: "Sync disabled: the other node knows, and keeps what it has"
      case .owed where untold.isEmpty:
        "Sync disabled: the other side did not confirm that, and is asked again"
      case .owed: "Sync disabled"
      }
    if !untold.isEmpty {
      let urls = Set(untold.values).sorted().joined(separator: ", ")
      message +=
        "; \(urls) was not told, for cloudUrl leads elsewhere by now: set it again, or forget the peer"
    }
    return [
      "success": true, "message": JSONValue(message),
      "copyRemoved": JSONValue(farewell == .removed),
      "told": JSONValue(farewell != .owed),
      "untold": .array(
        untold.sorted { $0.key < $1.key }.map {
          ["peer": JSONValue($0.key), "url": JSONValue($0.value)]
        }),
    ]
  }

  private static func told(_ fault: SyncFault) -> APIFault {
    if fault.code == "sync_not_configured" { return APIFault(.syncNotConfigured) }
    if fault.code == "sync_overloaded" { return APIFault(.overloaded) }
    let about = fault.about.map { ": \($0.shown)" } ?? ""
    return APIFault(
      .syncFailed, "The exchange with the other side came to nothing (\(fault.code))\(about).",
      remedy: fault.remedy,
      details: [
        .init("reason", JSONValue(fault.code)), .init("peer", JSONValue(fault.peer)),
      ] + (fault.about?.members ?? []))
  }

  func getSync() async throws -> AdminAnswer {
    let state = control.state
    let board = sync?.board.figures ?? .init()
    let reader = control.store.reader
    let now = control.edge.now()
    let (read, withheld) = try await reads.run {
      (try SyncDrift.all(state, reader), SyncDrift.withheld(state).map(\.json))
    }
    let target = control.syncTarget
    let peers = state.sync.peers.sorted { $0.key < $1.key }.map { name, peer in
      Self.json(name, peer, read[name] ?? [], board.lastSuccess[name])
    }
    let own = state.sync.peers.filter { $0.value.isEnabled && $0.value.url == target?.url }
    let last = own.compactMap { Self.last($0.value, board.lastSuccess[$0.key]) }.max()
    return .json([
      "enabled": JSONValue(!own.isEmpty),
      "connected": JSONValue(
        !own.isEmpty && last != nil && own.values.allSatisfy { $0.failure == nil }),
      "configured": JSONValue(target != nil),
      "cloudUrl": JSONValue(target?.url), "cloudProtocol": JSONValue(target?.kind.name),
      "credentials": JSONValue(target?.credentials),
      "node": JSONValue(state.node?.rawValue), "lastSync": JSONValue(last),
      "withheld": .array(withheld),
      "awaited": .array(SyncDrift.awaited(state, now: now).map(\.json)),
      "peers": .array(peers),
    ])
  }

  private static func last(_ peer: SyncPeer, _ seen: UnixNanoseconds?) -> UnixNanoseconds? {
    [peer.reconciledAt, seen].compactMap(\.self).max()
  }

  private static func json(
    _ name: String, _ peer: SyncPeer, _ drift: [SyncDrift], _ seen: UnixNanoseconds?
  ) -> JSONValue {
    [
      "peer": JSONValue(name), "url": JSONValue(peer.url.isEmpty ? nil : peer.url),
      "enabled": JSONValue(peer.isEnabled), "owesRemoval": JSONValue(peer.owesRemoval),
      "lastSync": JSONValue(last(peer, seen)), "receivedAt": JSONValue(peer.receivedAt),
      "pushedAt": JSONValue(peer.pushedAt),
      "drift": .array(drift.map(\.json)),
      "conflicts": JSONValue(drift.count(where: \.isConflict)),
      "waiting": JSONValue(peer.waiting.count),
      "failure": peer.failure.map {
        .object(
          [
            .init("action", JSONValue($0.action)), .init("code", JSONValue($0.code)),
            .init("since", JSONValue($0.at)),
          ] + ($0.about?.members ?? []))
      } ?? .null,
    ]
  }

  // MARK: Other nodes

  func greetSync(_ call: AdminCall) throws -> AdminAnswer {
    var fields = try call.fields()
    let client = try Self.author(&fields)
    let nonce = try Self.drawn(&fields, "nonce")
    try fields.finish()
    guard let sync, let node = control.state.node else { throw APIFault(.gatewayNotRunning) }
    let challenge = sync.desk.hello(
      token: client.token, client: client.node, nonce: nonce, address: call.remoteAddress)
    return .json([
      "version": JSONValue(SyncMessage.version), "node": JSONValue(node.rawValue),
      "challenge": JSONValue(Base64URL.text(challenge)),
      "documents": JSONValue(SyncDocument.Format.latest.rawValue),
    ])
  }

  func exchangeSync(_ call: AdminCall) async throws -> AdminAnswer {
    let asked = try Self.asked(call)
    guard let sync else { throw APIFault(.gatewayNotRunning) }
    do {
      let sealed = try await sync.desk.answer(
        token: asked.token, client: asked.node, challenge: asked.challenge, sealed: asked.sealed,
        address: call.remoteAddress)
      return .json(["sealed": JSONValue(Base64URL.text(sealed))])
    } catch let wait as SyncDesk.Wait {
      throw APIFault(.tooManyAttempts, headers: [.retryAfter: String(wait.seconds)])
    } catch let refused as SyncDesk.Refused {
      throw Self.refused(
        refused.code,
        refused.about.isEmpty
          ? [] : [.init("sealed", JSONValue(Base64URL.text(refused.about)))])
    } catch let fault as SyncFault {
      switch fault.code {
      case "sync_unauthorized": throw APIFault(.syncUnauthorized)
      case "sync_challenge_over": throw APIFault(.syncChallengeOver)
      case _: throw Self.refused(fault.code, [])
      }
    }
  }

  private static func refused(_ code: String, _ more: [JSONValue.Member]) -> APIFault {
    APIFault(
      .syncRefused, "What the other node told was not taken in (\(code)).",
      details: [.init("reason", JSONValue(code))] + more)
  }

  private struct Asked {
    var token: String
    var node: NodeID
    var challenge: [UInt8]
    var sealed: [UInt8]
  }

  private static func asked(_ call: AdminCall) throws -> Asked {
    var fields = try call.fields()
    let client = try author(&fields)
    let challenge = try drawn(&fields, "challenge")
    let text = try fields.string("sealed")
    try fields.finish()
    // What is no base64url opens as little as what was not made with the token, and is told the same.
    let sealed = Base64URL.bytes(text) ?? []
    guard sealed.count <= SyncMessage.mostBytes + 64 else {
      throw fields.fault(
        "sealed", "sealed has more than \(SyncMessage.mostBytes + 64) bytes",
        remedy: "Send it as it was sealed.")
    }
    return Asked(token: client.token, node: client.node, challenge: challenge, sealed: sealed)
  }

  private static func author(
    _ fields: inout ObjectReader
  ) throws -> (token: String, node: NodeID) {
    let version = Int64(SyncMessage.version)
    _ = try fields.int("version", in: version...version)
    let token = try name(&fields, "token", "Send the public part of the sync token.")
    return (token, NodeID(try name(&fields, "node", "Send the node's name.")))
  }

  private static func name(
    _ fields: inout ObjectReader, _ name: String, _ remedy: String
  ) throws -> String {
    let text = try fields.string(name)
    guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else {
      throw fields.fault(
        name, "\(name) is not 1 to 64 visible ASCII characters", remedy: remedy)
    }
    return text
  }

  private static func drawn(_ fields: inout ObjectReader, _ name: String) throws -> [UInt8] {
    let text = try fields.string(name)
    guard let bytes = Base64URL.bytes(text), bytes.count == SyncCipher.drawnBytes else {
      throw fields.fault(
        name, "\(name) is not base64url of \(SyncCipher.drawnBytes) bytes",
        remedy: "Send what was drawn for this exchange.")
    }
    return bytes
  }
}
