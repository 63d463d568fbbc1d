import Domain

extension EventLine {
  static func syncToken(_ event: SyncTokenEvent, _ state: ControlState) -> String {
    switch event {
    case .issued(let it):
      return "sync token \(Shown.text(it.id.rawValue)) issued: \(Shown.text(it.name))"
    case .revoked(let id):
      let name = state.syncTokens[id].map { ": \(Shown.text($0.name))" } ?? ""
      return "sync token \(Shown.text(id.rawValue)) revoked\(name)"
    case .bound(let it):
      let why = it.isProven ? "who first came with it" : "for whom it was made"
      return "sync token \(Shown.text(it.id.rawValue)) is \(Shown.text(it.node.rawValue))'s, \(why)"
    case .refused(let it):
      return "sync token \(Shown.text(it.id.rawValue)) refused to one who came as "
        + "\(Shown.text(it.node.rawValue)): \(Shown.text(it.code))"
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
    case .bound(let it):
      [
        .init("id", .text(it.id.rawValue)), .init("node", .text(it.node.rawValue)),
        .init("isProven", .bool(it.isProven)),
      ]
    case .refused(let it):
      [
        .init("id", .text(it.id.rawValue)), .init("node", .text(it.node.rawValue)),
        .init("code", .text(it.code)),
      ]
    }
  }
}
