/// What is wrong with one field of an administration body, and what to do about it.
public struct FieldFault: Error, Sendable, Hashable {
  /// `missing_field`, `invalid_field` or `unknown_field`.
  public var code: ErrorCode
  /// Where, as `models[2].name`; empty for the body as a whole.
  public var field: String
  /// One bounded sentence; never the value.
  public var message: String
  /// What would be right.
  public var remedy: String

  /// A fault of one field.
  public init(code: ErrorCode, field: String, message: String, remedy: String) {
    self.code = code
    self.field = field
    self.message = message
    self.remedy = remedy
  }
}
