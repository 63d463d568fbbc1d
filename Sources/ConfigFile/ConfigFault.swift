/// Why a configuration file was not taken; nothing of it was applied.
///
/// Names the field by its path, the line it stands on and what to do. Never holds a secret's value.
public struct ConfigFault: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong, as a stable name.
  public enum Code: String, Sendable, CaseIterable {
    /// Not YAML, not one document, or YAML that is deliberately not taken (anchors, tags, merge keys).
    case syntax
    /// A bound of the file itself: size or nesting.
    case tooLarge = "too_large"
    /// A field that no version of the format has.
    case unknownField = "unknown_field"
    /// A part of the format that this build does not have yet.
    case notBuilt = "not_built"
    /// The field holds another kind of value than it should.
    case wrongType = "wrong_type"
    /// The value has the right kind and breaks a bound or a rule.
    case invalidValue = "invalid_value"
    /// A required field is absent or empty.
    case missingField = "missing_field"
    /// The same name, id or secret stands in the file twice.
    case duplicate
    /// `${NAME}` names a variable that is not set.
    case missingVariable = "missing_variable"
    /// The log has something that the file cannot change, for example a key's secret.
    case conflict
    /// The field names an account or a provider that there is not.
    case unknownName = "unknown_name"
    /// The rules of the configuration refuse it, in their own words.
    case refused
  }

  /// What is wrong.
  public var code: Code
  /// From 1; nil where no single line is to blame.
  public var line: Int?
  /// For example `providers[0].accounts[1].api-key`; empty for the file as a whole.
  public var path: String
  /// One sentence.
  public var message: String
  /// What to write instead; may be empty.
  public var remedy: String

  /// A fault at a line and path.
  public init(
    _ code: Code, line: Int?, path: String, _ message: String, remedy: String = ""
  ) {
    self.code = code
    self.line = line
    self.path = path
    self.message = message
    self.remedy = remedy
  }

  /// `line 12: providers[0].id: …`, ready to print.
  public var description: String {
    var text = ""
    if let line { text += "line \(line): " }
    if !path.isEmpty { text += "\(path): " }
    text += message
    if !remedy.isEmpty { text += " \(remedy)" }
    return text
  }
}
