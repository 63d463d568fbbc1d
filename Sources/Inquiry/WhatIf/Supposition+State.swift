import Domain

extension ControlState {
  /// The configuration with all that is supposed.
  ///
  /// - Returns: nil if something that is changed or removed is not there (yet, or any more).
  /// - Throws: `.usage` for a field that there is not, a value that it cannot have, or what the rules refuse.
  func supposing(_ suppositions: [Supposition]) throws(InquiryFault) -> ControlState? {
    var state = self
    for supposition in suppositions {
      let commands: [Command]
      var caveats: [Reversal.Caveat] = []
      switch supposition {
      case .file(let file):
        guard let found = try file.commands(on: state) else { return nil }
        commands = found
      case .remove(.key(let id)):
        guard let key = state.keys[id] else { return nil }
        // A key is never forgotten: it is gone when it is revoked.
        commands = key.status == .revoked ? [] : [.key(.revoke(id))]
      case .remove(let subject):
        guard state.image(of: subject) != nil else { return nil }
        let reversal = state.reversal(toward: [(subject, nil)], allowUnresolved: true)
        (commands, caveats) = (reversal.commands, reversal.caveats)
      case .set(let subject, let field, let text):
        guard let image = state.image(of: subject) else { return nil }
        let wanted = try image.supposing(field, text, supposition)
        let reversal = state.reversal(toward: [(subject, wanted)])
        (commands, caveats) = (reversal.commands, reversal.caveats)
      }
      let before = state
      do throws(Refusal) { state = try state.after(commands) } catch {
        throw supposition.refused(
          "at \(error.field) `\(Shown.text(error.value))`: \(Shown.text(error.message))",
          error.remedy)
      }
      try supposition.check(before, state, caveats)
    }
    return state
  }
}

extension Supposition {
  fileprivate func refused(_ why: String, _ remedy: String) -> InquiryFault {
    let end = remedy.isEmpty ? "" : " \(Shown.text(remedy))"
    return InquiryFault(
      .usage, "`\(Shown.text(text))` is refused, \(why).\(end)", parameter: parameter)
  }

  /// What no command could bring about must not count as supposed.
  fileprivate func check(
    _ before: ControlState, _ after: ControlState, _ caveats: [Reversal.Caveat]
  ) throws(InquiryFault) {
    func stays(_ subject: Subject) -> InquiryFault {
      let caveat = caveats.first { $0.stream == subject.stream }
      return refused(
        caveat.map { Shown.text($0.message) } ?? "\(Shown.text(subject.stream)) cannot be so",
        caveat?.remedy ?? "")
    }
    switch self {
    case .file, .remove(.key): return
    case .remove(let subject):
      guard after.image(of: subject) != nil else { return }
      throw stays(subject)
    case .set(let subject, let field, let text):
      guard let old = before.image(of: subject), let new = after.image(of: subject),
        old[field] == new[field], try old.supposing(field, text, self)[field] != old[field]
      else { return }
      throw stays(subject)
    }
  }
}

extension Image {
  /// The words that a field may have, where they are few.
  private func choices(_ field: String) -> [String]? {
    switch (subject, field) {
    case (.settings, "fallbackStrategy"): Strategy.allCases.map(\.name)
    case (.key, "status"): Key.Status.allCases.map(\.rawValue)
    case (.provider, "protocol"): UpstreamProtocol.allCases.map(\.name)
    default: nil
    }
  }

  fileprivate func supposing(
    _ name: String, _ text: String, _ supposition: Supposition
  ) throws(InquiryFault) -> Image {
    guard let field = fields.first(where: { $0.name == name && $0.isSettable }) else {
      let names = fields.filter(\.isSettable).map(\.name).joined(separator: ", ")
      throw InquiryFault(
        .usage,
        "`\(Shown.text(subject.stream))` has no field `\(Shown.text(name))` that can be set. It has "
          + "\(names).", parameter: "set")
    }
    func wrong(_ what: String) -> InquiryFault {
      InquiryFault(
        .usage,
        "`\(Shown.text(supposition.text))`: \(name) is \(what); it is \(field.value.shown) now.",
        parameter: "set")
    }
    // As `blame` shows nothing.
    let isNothing = text.isEmpty || text == "–"
    switch (subject, name) {
    case (.account, "degraded"):
      if isNothing || ["false", "none"].contains(text) { return replacing(name, with: .none) }
      if text == "true" { throw wrong("the reason, for example `\(name)=slow`, or `false`") }
      return replacing(name, with: .text(text))
    case (.key, "expiresAt"):
      if isNothing || text == "never" { return replacing(name, with: .none) }
      guard let time = parseRFC3339(text) else {
        throw wrong("an RFC 3339 time such as `2026-11-20T14:00:00Z`, or `never`")
      }
      return replacing(name, with: .time(time))
    case (.provider, "healthCheckSeconds"):
      if isNothing { return replacing(name, with: .none) }
      guard let number = UInt64(text) else { throw wrong("a whole number, or nothing") }
      return replacing(name, with: .number(number))
    case (.key, "budgets"), (.organisation, "budgets"), (.policy, "accounts"),
      (.provider, "models"):
      throw wrong("a list of records, which is written in a file: --config")
    default: break
    }
    if let choices = choices(name), !choices.contains(text) {
      throw wrong("one of \(choices.map { "`\($0)`" }.joined(separator: ", "))")
    }
    switch field.value {
    case .flag:
      guard let flag = ["true": true, "false": false][text] else {
        throw wrong("`true` or `false`")
      }
      return replacing(name, with: .flag(flag))
    case .number:
      guard let number = UInt64(text) else { throw wrong("a whole number") }
      return replacing(name, with: .number(number))
    case .list:
      let words = isNothing ? [] : text.split(separator: ",").map { Value.text(String($0)) }
      return replacing(name, with: .list(words))
    case .text, .none: return replacing(name, with: isNothing ? .none : .text(text))
    case .time, .record: throw wrong("a record, which is written in a file: --config")
    }
  }
}
