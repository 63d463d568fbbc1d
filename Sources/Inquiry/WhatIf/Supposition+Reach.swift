import Domain
import EventStore

extension Supposition {
  /// Whether a request hung on the resource, as far as its record tells.
  func isAbout(_ fact: RequestEvent.Finished, _ state: ControlState) -> Bool {
    switch self {
    case .file: return true
    case .set(let subject, _, _), .remove(let subject):
      switch subject {
      case .settings, .pricing: return true
      case .alias(let name), .combo(let name): return fact.modelAsked == name
      case .account(let id), .credential(let id), .health(let id):
        return fact.attempts.contains { $0.account == id }
      case .provider(let id):
        return fact.attempts.contains {
          (state.accounts[$0.account] ?? state.removedAccounts[$0.account])?.provider == id
        }
      case .model(let id): return fact.modelResolved == "\(id.provider.rawValue)/\(id.name)"
      case .key(let id): return fact.key == id
      case .organisation(let id): return fact.organisation == id
      case .policy(let id):
        let isOf = id.organisation == PolicyID.everyone || fact.organisation == id.organisation
        return isOf && fact.modelAsked == id.model
      }
    }
  }
}

extension Replay {
  /// So many events before and behind a window are looked at.
  private static let outsideMax: UInt64 = 1 << 16

  /// The nearest request before a window and the nearest behind it that what is supposed is about.
  static func nearestTouched(
    _ suppositions: [Supposition], _ log: LogReader, _ first: Position, _ last: Position
  ) throws(InquiryFault) -> [LogCoverage.Moment] {
    // Accounts keep their provider; the configuration at the window's end knows all until then.
    let state = try ConfigurationFold.through(last, of: log, progress: nil).state
    func isTouched(_ stored: StoredEvent) -> Bool {
      guard stored.kind.hasPrefix("request.finished."),
        case .request(.finished(let fact)) = Entry(stored).event
      else { return false }
      return suppositions.contains { $0.isAbout(fact, state) }
    }
    func moment(_ stored: StoredEvent) -> LogCoverage.Moment {
      LogCoverage.Moment(
        place: "\(stored.epoch):\(stored.position)", time: UnixNanoseconds(stored.time))
    }
    var (before, after): (LogCoverage.Moment?, LogCoverage.Moment?)
    let from = max(log.first.rawValue, first.rawValue - min(first.rawValue, outsideMax))
    if first > log.first {
      try log.read(from: Position(from), through: Position(first.rawValue - 1), progress: nil) {
        if case .event(let stored) = $0, isTouched(stored) { before = moment(stored) }
      }
    }
    if last < log.last {
      let end = min(log.last, Position(last.rawValue + outsideMax))
      try log.read(from: last.next, through: end, progress: nil) {
        if after == nil, case .event(let stored) = $0, isTouched(stored) { after = moment(stored) }
      }
    }
    return [before, after].compactMap(\.self)
  }
}
