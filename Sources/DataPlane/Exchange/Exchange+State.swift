import Domain
import NIOCore
import Surface

/// What is stored at one account and referred to by its id: such a request goes there and nowhere else.
extension Exchange {
  /// What is known of a request's state.
  struct StateLinks {
    /// What it refers to.
    var named: StoredState
    /// Who has that; nil: nobody is known to.
    var owner: AccountID?
  }

  /// Finds out who has what the request refers to, and goes on.
  ///
  /// An id that this gateway never saw changes nothing: what a provider says of it is the truth.
  func findState(_ scan: RequestScan) {
    guard let state = scan.state,
      let id = body.withUnsafeReadableBytes({ StoredIDs.text($0, state.id) })
    else { return claimIdempotencyKey() }
    let named = stored(id)
    links = StateLinks(named: named)
    if let owner = context.plane.stateOwners.owner(of: named) { return found(owner, state.field) }
    guard context.recorder.mode != .off else { return claimIdempotencyKey() }
    lookUp(named.lookupKey, newest: 1) { events in
      StateOwner(in: events)
    } then: { [self] result in
      switch result {
      case .failure: deny(.logUnreadable)
      case .success(nil): claimIdempotencyKey()
      case .success(let owner?):
        context.plane.stateOwners.note(named, owner)
        found(owner, state.field)
      }
    }
  }

  private func found(_ owner: StateOwner, _ field: String) {
    guard owner.organisation == key?.organisation else {
      return deny(.notFound, message: "There is nothing of this id.", param: field)
    }
    links?.owner = owner.account
    claimIdempotencyKey()
  }

  /// Notes who has what the request's answer made, and what it referred to; the keys under which the log is to tell
  /// so.
  func noteState(_ finished: RequestEvent.Finished) -> [[UInt8]] {
    // An answer in another protocol is stored nowhere.
    guard let account = attempts.last?.account, !answerIsTranslated else { return [] }
    let made =
      stream?.stored ?? relay?.kept?.withUnsafeReadableBytes { StoredIDs.ids(in: $0) } ?? []
    var all = made.map(stored)
    // What it referred to is there, since the account answered.
    if let named = links?.named, links?.owner == nil, finished.ending == .completed {
      all.append(named)
    }
    let owner = StateOwner(account: account, organisation: key?.organisation)
    for state in all { context.plane.stateOwners.note(state, owner) }
    return all.suffix(Self.stateKeysMax).map(\.lookupKey)
  }

  /// An event has room for eight keys, and three are taken.
  private static let stateKeysMax = 5

  /// Under the vault's key, so that the log does not tell the id.
  private func stored(_ id: String) -> StoredState {
    StoredState(keyedHash(Array("state".utf8) + [0] + Array(id.utf8)))
  }
}
