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
