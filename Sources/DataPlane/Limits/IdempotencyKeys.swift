import Domain
import Synchronization

/// Which requests the `Idempotency-Key`s of the last 24 hours stand for, for all loops.
///
/// Remembers those of this life as far as there is room; the log knows them all.
final class IdempotencyKeys: Sendable {
  enum Claim: Sendable, Hashable {
    /// The key is this request's until `release`.
    case claimed
    case underWay
    case used(RequestID)
    /// It belongs to a request with another body.
    case otherBody
  }

  private struct Entry {
    var request: IdempotentRequest
    var isUnderWay: Bool
  }

  private struct State {
    var entries: [UInt128: Entry] = [:]
    /// Keys of ended requests in the order of their ends, from `first` on.
    var ended: [UInt128] = []
    var first = 0
  }

  /// Ended requests that are remembered.
  static let endedMax = 65_536

  private let state = Mutex(State())

  /// Asks for a key; what is remembered of it decides.
  func claim(_ mark: IdempotencyMark, _ id: RequestID, at now: UnixNanoseconds) -> Claim {
    state.withLock { state in
      if let entry = state.entries[mark.key], entry.isUnderWay || Self.lives(entry.request, now) {
        if entry.request.body != mark.body { return .otherBody }
        return entry.isUnderWay ? .underWay : .used(entry.request.id)
      }
      state.entries[mark.key] = Entry(
        request: IdempotentRequest(id: id, body: mark.body, receivedAt: now), isUnderWay: true)
      return .claimed
    }
  }

  /// The log told that another request has the key.
  func found(_ request: IdempotentRequest, for key: UInt128) { end(key, request) }

  /// The request that claimed the key has ended; `isUsed`: the key stands for it from now on.
  func release(_ key: UInt128, isUsed: Bool) {
    guard isUsed else {
      state.withLock { $0.entries[key] = nil }
      return
    }
    end(key, nil)
  }

  private func end(_ key: UInt128, _ other: IdempotentRequest?) {
    state.withLock { state in
      guard let request = other ?? state.entries[key]?.request else { return }
      state.entries[key] = Entry(request: request, isUnderWay: false)
      state.ended.append(key)
      while state.ended.count - state.first > Self.endedMax {
        let oldest = state.ended[state.first]
        state.first += 1
        if state.entries[oldest]?.isUnderWay == false { state.entries[oldest] = nil }
      }
      if state.first > Self.endedMax {
        state.ended.removeFirst(state.first)
        state.first = 0
      }
    }
  }

  private static func lives(_ request: IdempotentRequest, _ now: UnixNanoseconds) -> Bool {
    let (age, isOver) = now.rawValue.subtractingReportingOverflow(request.receivedAt.rawValue)
    return !isOver && age < IdempotencyMark.lifetimeNanoseconds
  }
}
