import Crypto
import Domain
import Surface

/// Another node like this one, reached by its address and a token of its making.
struct NodePartner: SyncPartner {
  let control: ControlPlane
  let endpoint: any TokenEndpoint
  /// Without a slash at its end.
  let url: String
  let token: SyncTokenText

  private var key: SymmetricKey { token.sealingKey }

  /// From the first byte to the last of an answer.
  static let patience = Duration.seconds(12)

  func exchange(expected: String?) async throws(SyncFault) -> SyncOutcome {
    let own = control.told(under: key, exchange: control.edge.mintID())
    let standing = own.standing(under: key)
    let (reply, peer) = try await ask(.probe(standing), expected)
    guard control.state.sync.hasRoom(for: peer.rawValue) else {
      throw SyncFault("sync_too_many_peers", peer: peer.rawValue)
    }
    switch reply {
    case .same:
      await control.noteSyncRecovery(peer.rawValue)
      return SyncOutcome(peer: peer.rawValue)
    case .differs: break
    case .told, .done: throw SyncFault("sync_malformed", peer: peer.rawValue)
    }
    let (answer, _) = try await ask(.tell(own), peer.rawValue)
    guard case .told(let told, let updated) = answer, told.document.node == peer,
      told.exchange == own.exchange
    else { throw SyncFault("sync_malformed", peer: peer.rawValue) }
    do {
      if !updated.isEmpty {
        try await control.notePushed(
          .init(
            peer: peer.rawValue, exchange: own.exchange,
            streams: UInt64(own.document.streams.count),
            credentials: UInt64(own.document.credentials.count), clock: own.document.clock))
      }
      let taken = try await control.take(told, from: Sender(node: peer), under: key)
      var outcome = SyncOutcome(peer: peer.rawValue, exchange: own.exchange)
      outcome.updated = updated
      outcome.fromPeer = taken.streams.sorted()
      outcome.decisions = taken.decisions
      outcome.conflicts = taken.conflicts
      let state = control.state.sync
      outcome.withheld = state.withheld.count
      outcome.waiting = state.peers[peer.rawValue]?.waiting.count ?? 0
      return outcome
    } catch {
      var fault = SyncFault(whileTaking: error)
      fault.peer = peer.rawValue
      throw fault
    }
  }

  /// A first exchange was made under the token by both sides: there is nothing else to verify.
  func verify() async throws(SyncFault) {}

  func leave() async throws(SyncFault) -> SyncEvent.Farewell {
    let (reply, peer) = try await ask(.forget, nil)
    guard case .done = reply else { throw SyncFault("sync_malformed", peer: peer.rawValue) }
    // It is a node of its own, and no copy of this one.
    return .told
  }

  func check() async throws(SyncFault) -> String {
    let (reply, peer) = try await ask(.check, nil)
    guard case .done = reply else { throw SyncFault("sync_malformed", peer: peer.rawValue) }
    return peer.rawValue
  }

  // MARK: One question

  private func ask(
    _ message: SyncMessage.Ask, _ expected: String?
  ) async throws(SyncFault) -> (SyncMessage.Reply, NodeID) {
    guard let client = control.state.node else { throw SyncFault("sync_no_identity") }
    let nonce = control.edge.drawn(SyncCipher.drawnBytes)
    let hello: JSONValue
    do throws(Unanswered) {
      hello = try await post(
        "/api/sync/exchange/hello",
        [
          "version": JSONValue(SyncMessage.version), "token": .string(token.id.rawValue),
          "node": .string(client.rawValue), "nonce": .string(Base64URL.text(nonce)),
        ])
    } catch {
      throw SyncFault(error.code)
    }
    guard hello["version"]?.uint == UInt64(SyncMessage.version) else {
      throw SyncFault("sync_version")
    }
    guard let name = hello["node"]?.string, (1...64).contains(name.utf8.count),
      name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
      let challenge = hello["challenge"]?.string.flatMap({ Base64URL.bytes($0) }),
      challenge.count == SyncCipher.drawnBytes
    else { throw SyncFault("sync_not_a_node") }
    let server = NodeID(name)
    guard server != client else { throw SyncFault("sync_same_node", peer: name) }
    guard expected ?? name == name else { throw SyncFault("sync_other_peer", peer: expected) }
    let cipher = SyncCipher(
      key: key, token: token.id.rawValue, client: client, server: server, nonce: nonce,
      challenge: challenge)
    let format = hello["documents"]?.uint.flatMap { UInt8(exactly: $0) } ?? 1
    let plain = message.readable(by: format).encoded
    guard plain.count <= SyncMessage.mostBytes else {
      throw SyncFault("sync_too_large", peer: name)
    }
    let sealedPlain = try cipher.seal(plain, .toServer)
    let answer: JSONValue
    do throws(Unanswered) {
      answer = try await post(
        "/api/sync/exchange",
        [
          "version": JSONValue(SyncMessage.version), "token": .string(token.id.rawValue),
          "node": .string(client.rawValue), "challenge": .string(Base64URL.text(challenge)),
          "sealed": .string(Base64URL.text(sealedPlain)),
        ])
    } catch {
      var fault = SyncFault(error.code, peer: name)
      fault.about = error.sealedAbout.flatMap { cipher.open($0, .toClient) }
        .flatMap { SyncMessage.about($0) }
      throw fault
    }
    guard let sealed = answer["sealed"]?.string.flatMap({ Base64URL.bytes($0) }),
      let opened = cipher.open(sealed, .toClient)
    else { throw SyncFault("sync_not_authentic", peer: name) }
    guard let reply = SyncMessage.Reply(opened) else {
      throw SyncFault("sync_malformed", peer: name)
    }
    return (reply, server)
  }

  /// Why a question was not answered.
  private struct Unanswered: Error {
    var code: String
    var sealedAbout: [UInt8]?
  }

  private func post(_ path: String, _ body: JSONValue) async throws(Unanswered) -> JSONValue {
    let answer = await endpoint.send(
      TokenRequest(
        url: url + path, headers: [("content-type", "application/json")], body: body.bytes,
        patience: Self.patience, answerBytes: Endpoint.exchangeSync.administrationBodyBytes))
    let status: UInt16
    let bytes: [UInt8]
    do throws(SyncFault) {
      (status, bytes) = try answer.whole()
    } catch {
      throw Unanswered(code: error.code)
    }
    let document = try? JSONValue.parse(bytes)
    if status == 200, let document { return document }
    throw Unanswered(
      code: SyncFault(status: status, document).code,
      sealedAbout: document?["error"]?["sealed"]?.string.flatMap { Base64URL.bytes($0) })
  }
}

extension TokenAnswer {
  /// What the other side of a sync answered.
  ///
  /// - Throws: where there is no whole answer.
  func whole() throws(SyncFault) -> (status: UInt16, body: [UInt8]) {
    switch self {
    case .notSent("forbidden_address"), .notSent("misconfigured"):
      throw SyncFault("sync_forbidden_address")
    case .notSent("connection_lost"): throw SyncFault("sync_connection_lost")
    case .notSent: throw SyncFault("sync_unreachable")
    case .noAnswer("timeout"): throw SyncFault("sync_timeout")
    case .noAnswer("answer_too_large"): throw SyncFault("sync_too_large")
    case .noAnswer: throw SyncFault("sync_connection_lost")
    case .answered(let status, _, let body): return (status, body)
    }
  }
}

extension SyncFault {
  /// What another node may say of why it refused; other words are not repeated.
  static let tellable: Set<String> = [
    "sync_same_node", "sync_unknown_own_edit", "sync_ambiguous_edit", "sync_shrunken",
    "sync_malformed", "sync_copied_node", "sync_too_large", "sync_log_unavailable",
    "sync_overloaded", "sync_not_allowed", "sync_internal", "sync_token_of_another",
    "sync_name_taken", "sync_too_many_peers",
  ]

  fileprivate init(status: UInt16, _ document: JSONValue?) {
    let error = document?["error"]
    switch error?["code"]?.string {
    case "sync_unauthorized": self.init("sync_unauthorized")
    case "sync_challenge_over": self.init("sync_challenge_over")
    case "too_many_attempts": self.init("sync_too_many_attempts")
    case "sync_refused":
      let reason = error?["reason"]?.string ?? ""
      self.init(Self.tellable.contains(reason) ? reason : "sync_refused")
    case _: self.init(status < 500 ? "sync_not_a_node" : "sync_peer_failed")
    }
  }
}
