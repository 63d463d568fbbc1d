import Domain
import NIOCore
import Surface

/// What is stored at one account and referred to by its id: such a request goes there and nowhere else.
extension Exchange {
  /// What is known of a request's state.
  struct StateLinks {
    /// What it refers to, what tells most first.
    var references: [Link]
    /// Who has the first of them of which that is known; nil: nobody is known to.
    var owner: AccountID?
    /// The field that names it.
    var field: String
  }

  /// One thing that a request refers to.
  struct Link {
    var field: String
    var state: StoredState
    /// No answer tells of it: who has it is known by who could use it, and to those who did only.
    var isKnownByUse: Bool
    var finding = StateFinding.unknown
  }

  /// Finds out who has what the request refers to, and goes on.
  ///
  /// An id that this gateway never saw changes nothing: what a provider says of it is the truth.
  func findState(_ scan: RequestScan) {
    guard !scan.references.isEmpty else { return claimIdempotencyKey() }
    find(links(scan)) { [self] in claimIdempotencyKey() }
  }

  /// Finds out who has one of `found`, the first that is known, and goes on with `then` unless another organisation has
  /// any of them.
  func find(_ found: [Link], then: @escaping () -> Void) {
    var found = found
    for index in found.indices {
      found[index].finding = StateFinding(
        context.plane.stateOwners.owners(of: found[index].state), for: key?.organisation)
    }
    // Where a lookup tells of nobody, what is remembered stands: the newest records may not be written.
    let unsettled = found.indices.filter {
      if case .own = found[$0].finding { false } else { true }
    }
    guard !unsettled.isEmpty, context.recorder.mode != .off else { return settle(found, then) }
    lookUp(unsettled.map { found[$0].state.lookupKey }, newest: Self.ownersMax) { events in
      events.map(StateOwner.all(in:))
    } then: { [self] result in
      switch result {
      case .failure: deny(.logUnreadable)
      case .success(let owners):
        for (index, owners) in zip(unsettled, owners ?? []) where !owners.isEmpty {
          found[index].finding = StateFinding(owners, for: key?.organisation)
          for owner in owners.reversed() {
            context.plane.stateOwners.note(found[index].state, owner)
          }
        }
        settle(found, then)
      }
    }
  }

  private func settle(_ found: [Link], _ then: () -> Void) {
    if let foreign = found.first(where: { $0.finding == .others }) {
      return deny(.notFound, message: "There is nothing of this id.", param: foreign.field)
    }
    var links = StateLinks(references: found, owner: nil, field: found.first?.field ?? "")
    for link in found where links.owner == nil {
      guard case .own(let owner) = link.finding else { continue }
      (links.owner, links.field) = (owner, link.field)
    }
    self.links = links
    then()
  }

  private func links(_ scan: RequestScan) -> [Link] {
    body.withUnsafeReadableBytes { bytes in
      scan.references.compactMap { reference in
        guard let id = StoredIDs.text(bytes, reference.id) else { return nil }
        switch reference.kind {
        case .response, .item:
          return Link(field: reference.field, state: stored(id), isKnownByUse: false)
        case .conversation, .file:
          return Link(field: reference.field, state: used(id), isKnownByUse: true)
        }
      }
    }
  }

  /// Notes who has what the request's answer made, and what it could use; the keys under which the log is to tell so.
  func noteState(_ finished: RequestEvent.Finished) -> [[UInt8]] {
    // An answer in another protocol is stored nowhere.
    guard let account = attempts.last?.account, !answerIsTranslated else { return [] }
    var made: [StoredState] = []
    if operation == .responses {
      let ids =
        stream?.stored ?? relay?.kept?.withUnsafeReadableBytes { StoredIDs.ids(in: $0) }
        ?? (relay?.ownID).map { [$0] }
      made = (ids ?? []).map(stored)
    }
    // What it named was there, since the account answered.
    let used =
      finished.ending == .completed
      ? links?.references.filter { $0.isKnownByUse && $0.finding == .unknown }.map(\.state) ?? []
      : []
    let owner = StateOwner(account: account, organisation: key?.organisation)
    for state in made + used { context.plane.stateOwners.note(state, owner) }
    let first = made.prefix(1) + used.prefix(Self.usedKeysMax)
    return (first + made.dropFirst()).prefix(Self.stateKeysMax).map(\.lookupKey)
  }

  /// An event has room for eight keys, and three are taken.
  private static let stateKeysMax = 5
  private static let usedKeysMax = 3
  /// Records of one id that are looked at: the newest.
  private static let ownersMax = 16

  /// Under the vault's key, so that the log does not tell the id.
  func stored(_ id: String) -> StoredState {
    StoredState(keyedHash(Array("state".utf8) + [0] + Array(id.utf8)))
  }

  /// Known to the request's organisation only: another one's use of the same id says nothing to it.
  private func used(_ id: String) -> StoredState {
    let organisation = Array((key?.organisation.rawValue ?? "").utf8)
    return StoredState(keyedHash(Array("used".utf8) + [0] + organisation + [0] + Array(id.utf8)))
  }
}
