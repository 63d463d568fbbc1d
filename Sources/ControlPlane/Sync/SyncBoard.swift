public import Domain
import Synchronization

/// What exchanges came to since the start; what must outlive it is in the log.
public final class SyncBoard: Sendable {
  /// The counts at one moment.
  public struct Figures: Sendable, Hashable {
    /// Exchanges that this node began, by what came of them: `same`, `exchanged`, or a fault's code.
    public var exchanges: [String: UInt64] = [:]
    /// Messages of other nodes, by what came of them: `served` or a fault's code.
    public var served: [String: UInt64] = [:]
    /// Fields decided, also for other nodes.
    public var decisions: UInt64 = 0
    /// Of them, those where an edit does not hold although nobody took it back, and credentials that differ.
    public var conflicts: UInt64 = 0
    /// By peer: when an exchange last came to its end, whoever began it.
    public var lastSuccess: [String: UnixNanoseconds] = [:]
  }

  /// Peers remembered beyond the log's.
  private static let peersMost = 256
  private let state = Mutex(Figures())

  /// Of a life in which nothing was exchanged yet.
  public init() {}

  /// The counts at this moment.
  public var figures: Figures { state.withLock { $0 } }

  func began(_ result: Result<SyncOutcome, SyncFault>, at now: UnixNanoseconds) {
    state.withLock { state in
      switch result {
      case .success(let outcome):
        state.exchanges[outcome.exchange == nil ? "same" : "exchanged", default: 0] += 1
        state.decisions += UInt64(outcome.decisions)
        state.conflicts += UInt64(outcome.conflicts)
        Self.note(&state, outcome.peer, now)
      case .failure(let fault): state.exchanges[fault.code, default: 0] += 1
      }
    }
  }

  func served(_ peer: String, at now: UnixNanoseconds) {
    state.withLock { state in
      state.served["served", default: 0] += 1
      Self.note(&state, peer, now)
    }
  }

  func failed(_ code: String) { state.withLock { $0.served[code, default: 0] += 1 } }

  func took(_ taken: ControlPlane.SyncTaken) {
    state.withLock { state in
      state.decisions += UInt64(taken.decisions)
      state.conflicts += UInt64(taken.conflicts)
    }
  }

  private static func note(_ state: inout Figures, _ peer: String, _ now: UnixNanoseconds) {
    guard state.lastSuccess[peer] != nil || state.lastSuccess.count < peersMost else { return }
    state.lastSuccess[peer] = now
  }
}
