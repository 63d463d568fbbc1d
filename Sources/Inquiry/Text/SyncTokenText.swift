import Domain

extension EventLine {
  static func syncToken(_ event: SyncTokenEvent, _ state: ControlState) -> String {
    switch event {
    case .issued(let it):
      return "sync token \(Shown.text(it.id.rawValue)) issued: \(Shown.text(it.name))"
    case .revoked(let id):
      let name = state.syncTokens[id].map { ": \(Shown.text($0.name))" } ?? ""
      return "sync token \(Shown.text(id.rawValue)) revoked\(name)"
    }
  }
}

extension EventFields {
  static func syncToken(_ event: SyncTokenEvent) -> Members {
    switch event {
    case .issued(let it):
      [
        .init("id", .text(it.id.rawValue)), .init("name", .text(it.name)),
        .init("fingerprint", .text(it.fingerprint.short)),
      ]
    case .revoked(let id): [.init("id", .text(id.rawValue))]
    }
  }
}
