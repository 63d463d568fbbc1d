public import Domain

/// A change of the configuration that is supposed, to see what it would have done.
public enum Supposition: Sendable, Hashable {
  /// A field of a resource is another one.
  case set(Subject, field: String, text: String)
  /// A resource is not there.
  case remove(Subject)
  /// A declarative file is applied, also over what was edited elsewhere.
  case file(SupposedFile)

  /// Reads `STREAM.FIELD=VALUE`, for example `account/mock-a1.priority=5`.
  ///
  /// - Throws: `.usage` with what is wrong and how it is written.
  public static func set(_ text: String) throws(InquiryFault) -> Supposition {
    guard let equals = text.firstIndex(of: "="),
      let dot = text[..<equals].lastIndex(of: "."),
      let subject = Subject(stream: String(text[..<dot])), subject.isIntent,
      text.index(after: dot) < equals
    else {
      throw InquiryFault(
        .usage,
        "`\(shown(text))` is not STREAM.FIELD=VALUE. Write for example `account/<id>.priority=5`, "
          + "`provider/<id>.isActive=false`, `alias/fast.model=mock/gpt-4o`, `combo/smart.models=mock/a,mock/b`, "
          + "`settings.fallbackStrategy=round-robin`. `replay blame STREAM` lists a resource's fields.",
        parameter: "set")
    }
    return .set(
      subject, field: String(text[text.index(after: dot)..<equals]),
      text: String(text[text.index(after: equals)...]))
  }

  /// Reads a stream, for example `account/mock-a1`.
  ///
  /// - Throws: `.usage` with what is wrong and how it is written.
  public static func remove(_ text: String) throws(InquiryFault) -> Supposition {
    guard let subject = Subject(stream: text), subject.isIntent,
      ![.settings, .pricing].contains(subject)
    else {
      throw InquiryFault(
        .usage,
        "`\(shown(text))` is nothing that can be removed. Write a stream, for example `account/<id>`, "
          + "`provider/<id>`, `alias/fast`, `combo/smart`, `policy/acme/gpt-4o`.",
        parameter: "remove")
    }
    return .remove(subject)
  }

  private static func shown(_ text: String) -> String { Shown.text(String(text.prefix(128))) }

  /// What must be there for it, in words.
  var needed: String {
    switch self {
    case .set(let subject, _, _), .remove(let subject): "`\(Shown.text(subject.stream))`"
    case .file(let file): "all that \(file.name) names"
    }
  }

  /// By which option or parameter it is written.
  var parameter: String {
    switch self {
    case .set: "set"
    case .remove: "remove"
    case .file: "config"
    }
  }

  /// As it was written.
  public var text: String {
    switch self {
    case .set(let subject, let field, let text): "\(subject.stream).\(field)=\(text)"
    case .remove(let subject): "without \(subject.stream)"
    case .file(let file): file.name
    }
  }
}

extension ControlState {
  /// The configuration with all that is supposed.
  ///
  /// - Returns: nil if something that is changed or removed is not there (yet, or any more).
  /// - Throws: `.usage` for a field that there is not, a value that it cannot have, or what the rules refuse.
  func supposing(_ suppositions: [Supposition]) throws(InquiryFault) -> ControlState? {
    var state = self
    for supposition in suppositions {
      let commands: [Command]
      switch supposition {
      case .file(let file):
        guard let found = try file.commands(on: state) else { return nil }
        commands = found
      case .remove(let subject):
        guard state.image(of: subject) != nil else { return nil }
        commands = state.reversal(toward: [(subject, nil)], allowUnresolved: true).commands
      case .set(let subject, let field, let text):
        guard let image = state.image(of: subject) else { return nil }
        let wanted = try image.supposing(field, text, supposition)
        commands = state.reversal(toward: [(subject, wanted)], allowUnresolved: true).commands
      }
      do throws(Refusal) { state = try state.after(commands) } catch {
        throw InquiryFault(
          .usage,
          "`\(Shown.text(supposition.text))` is refused, at \(error.field) `\(Shown.text(error.value))`: "
            + "\(Shown.text(error.message)). \(Shown.text(error.remedy))",
          parameter: supposition.parameter)
      }
    }
    return state
  }
}

extension Image {
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
    switch field.value {
    case .flag:
      guard let flag = ["true": true, "false": false][text] else {
        throw wrong("`true` or `false`")
      }
      return replacing(name, with: .flag(flag))
    case .number:
      guard let number = UInt64(text) else { throw wrong("a whole number") }
      return replacing(name, with: .number(number))
    case .list(let old):
      guard old.allSatisfy({ $0.text != nil }) else {
        throw wrong("a list of records, which cannot be written so")
      }
      let words = text.split(separator: ",").map { Value.text(String($0)) }
      return replacing(name, with: .list(words))
    case .text, .none: return replacing(name, with: text.isEmpty ? .none : .text(text))
    case .time, .record: throw wrong("a value that cannot be written so")
    }
  }
}
