import Crypto
import Domain
import Logging
import Synchronization

/// Answers nodes that sync with this one: says a number first, then takes one sealed message that was made for it.
final class SyncDesk: Sendable {
  /// Numbers that wait for their message.
  static let openMost = 64
  /// Of one address among them.
  static let openOfOne = 8
  /// How long one waits, in nanoseconds: 60 s.
  static let life: Int64 = 60_000_000_000

  private struct Opened {
    var token: String
    var client: NodeID
    var nonce: [UInt8]
    var address: String
    var at: Int64
  }

  private let control: ControlPlane
  private let board: SyncBoard
  private let logger: Logger
  private let limiter = LoginLimiter()
  private let opened = Mutex<[[UInt8]: Opened]>([:])
  /// One node's document at a time: each takes memory, and the log takes one edit after the other anyway.
  private let turnstile = Turnstile(limit: 16)

  init(control: ControlPlane, board: SyncBoard, logger: Logger) {
    self.control = control
    self.board = board
    self.logger = logger
  }

  /// Draws the number that a message is to be made for; whether the token is known is not told yet.
  func hello(token: String, client: NodeID, nonce: [UInt8], address: String) -> [UInt8] {
    let challenge = control.edge.drawn(SyncCipher.drawnBytes)
    let now = control.edge.now().rawValue
    opened.withLock { opened in
      opened = opened.filter { now - $0.value.at < Self.life && $0.value.at <= now }
      let own = opened.filter { $0.value.address == address }
      let full = own.count >= Self.openOfOne ? own : opened.count >= Self.openMost ? opened : [:]
      if let oldest = full.min(by: { $0.value.at < $1.value.at }) { opened[oldest.key] = nil }
      opened[challenge] = Opened(
        token: token, client: client, nonce: nonce, address: address, at: now)
    }
    return challenge
  }

  /// Answers a sealed message.
  ///
  /// - Throws: `SyncFault`, or `LoginLimiter`'s wait as `SyncDesk.Wait`.
  func answer(
    token: String, client: NodeID, challenge: [UInt8], sealed: [UInt8], address: String
  ) async throws -> [UInt8] {
    let now = control.edge.now()
    if case .refused(let seconds, _) = limiter.admit(address, now: now) {
      throw Wait(seconds: seconds)
    }
    let id = SyncTokenID(token)
    let key = control.syncKey(of: id).map { SymmetricKey(data: $0.bytes) }
    let opened = opened.withLock { opened -> Opened? in
      guard let it = opened[challenge], it.token == token, it.client == client,
        now.rawValue - it.at < Self.life, it.at <= now.rawValue
      else { return nil }
      // Used up, whatever becomes of it.
      opened[challenge] = nil
      return it
    }
    guard let opened else {
      await refuse(client, key, "sync_challenge_over")
      throw SyncFault("sync_challenge_over")
    }
    guard let key, let node = control.state.node,
      case let cipher = SyncCipher(
        key: key, token: token, client: client, server: node, nonce: opened.nonce,
        challenge: challenge),
      let plain = cipher.open(sealed, .toServer)
    else {
      await refuse(client, key, "sync_unauthorized")
      throw SyncFault("sync_unauthorized")
    }
    limiter.succeeded(address, now: now)
    try await admit(client, id)
    control.noteUse(of: id)
    do {
      let reply = try await turnstile.pass {
        try await serve(plain, Sender(node: client, token: id), key)
      }
      board.served(client.rawValue, at: control.edge.now())
      return try cipher.seal(reply.encoded, .toClient)
    } catch {
      let fault = SyncFault(whileTaking: error)
      board.failed(fault.code)
      await control.noteSyncFailure(fault, of: client.rawValue, action: "serve")
      // What it is about is for whoever has the token alone.
      let about = fault.about.flatMap { try? cipher.seal(SyncMessage.bytes($0), .toClient) }
      throw Refused(code: fault.code, about: about ?? [])
    }
  }

  /// A token is one node's: what others say under it is no business of the node that they name.
  private func admit(_ client: NodeID, _ token: SyncTokenID) async throws(SyncFault) {
    do {
      try await control.claim(token, by: client)
    } catch let refusal as SyncRefusal {
      board.failed(refusal.code)
      logger.warning(
        "a sync token was used by a node that may not have it",
        metadata: [
          "token": "\(token.rawValue)", "node": "\(client.rawValue)", "cause": "\(refusal.code)",
        ])
      await control.noteRefused(.init(id: token, node: client, code: refusal.code))
      throw SyncFault(refusal.code)
    } catch {
      let fault = SyncFault(whileTaking: error)
      board.failed(fault.code)
      throw fault
    }
  }

  /// A message that opened and was not taken.
  struct Refused: Error {
    /// Why, as a stable word.
    var code: String
    /// What it is about, sealed for the sender; empty: nothing.
    var about: [UInt8]
  }

  /// Too many messages that did not open.
  struct Wait: Error {
    var seconds: Int64
  }

  private func serve(
    _ plain: [UInt8], _ sender: Sender, _ key: SymmetricKey
  ) async throws -> SyncMessage.Reply {
    let client = sender.node
    guard let ask = SyncMessage.Ask(plain) else { throw SyncFault("sync_malformed") }
    switch ask {
    case .check: return .done
    case .forget:
      try await control.leave(sender)
      return .done
    case .probe(let standing):
      try await control.meet(sender, life: standing.incarnation)
      let told = control.told(under: key, exchange: 0)
      let own = try await control.syncing.run { told.standing(under: key) }
      // Whoever is not known, or left, tells all that it has once, so that it is remembered.
      guard own.digest == standing.digest,
        control.state.sync.peers[client.rawValue]?.isEnabled == true
      else { return .differs }
      await control.noteSyncRecovery(client.rawValue)
      return .same
    case .tell(let told):
      guard told.document.node == client else { throw SyncFault("sync_malformed") }
      let taken = try await control.take(told, from: sender, under: key)
      try await control.admit(sender)
      var own = control.told(under: key, exchange: told.exchange)
      own.format = told.format
      if !taken.streams.isEmpty { board.took(taken) }
      return .told(own, taken: taken.streams.sorted())
    }
  }

  /// What did not open is told of where it says to come from somebody we know: anybody could fill the log otherwise.
  private func refuse(_ client: NodeID, _ key: SymmetricKey?, _ code: String) async {
    board.failed(code)
    logger.warning(
      "a node's message was refused", metadata: ["cause": "\(code)"])
    guard key != nil, control.state.sync.peers[client.rawValue] != nil else { return }
    await control.noteSyncFailure(SyncFault(code), of: client.rawValue, action: "serve")
  }
}

/// From whom a document comes.
struct Sender: Sendable {
  var node: NodeID
  /// The token of ours under which it came; nil: it answers us.
  var token: SyncTokenID?

  /// What is written because of it.
  func provenance(_ exchange: UInt128? = nil) -> Provenance {
    let under = token.map { " token:\($0.rawValue)" } ?? ""
    return Provenance(
      actor: "peer:\(node.rawValue)\(under)", source: .peer, correlation: exchange)
  }
}

extension Edge {
  /// Random bytes.
  func drawn(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      withUnsafeBytes(of: random()) { bytes.append(contentsOf: $0) }
    }
    return Array(bytes.prefix(count))
  }
}

extension SyncFault {
  /// Of whatever kept a document from being taken in.
  init(whileTaking error: any Error) {
    switch error {
    case let fault as SyncFault: self = fault
    case let refusal as SyncRefusal:
      self.init(refusal.code)
      about = refusal.about
    case ControlError.tooManyEvents: self.init("sync_too_large")
    case is ControlError: self.init("sync_log_unavailable")
    case is Turnstile.Full, is Sideline.Full: self.init("sync_overloaded")
    case is Refusal: self.init("sync_not_allowed")
    case _: self.init("sync_internal")
    }
  }
}
