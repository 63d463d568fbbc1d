import EventStore

/// A question that cannot be answered as asked.
public struct InquiryFault: Error, Sendable, Hashable, CustomStringConvertible {
  /// What stands in the way.
  public enum Code: String, Sendable, CaseIterable {
    /// A selector or filter that is not one of the allowed forms.
    case usage
    /// The selector is well formed and names nothing in this log.
    case notFound = "not_found"
    /// The log could not be opened or read.
    case log
    /// The log could be opened and is damaged where the answer lies.
    case damaged
    /// What the log says of itself does not agree with what it holds.
    case differs
    /// No checkpoint covers what was asked for, yet, or the bundle does not hold it.
    case notCovered = "not_covered"
  }

  /// What stands in the way.
  public var code: Code
  /// One or more sentences for a person, with what to do instead.
  public var message: String
  /// The option or parameter whose value is meant, by its name in both; nil: none, or the asker knows.
  public var parameter: String?

  /// A fault.
  public init(_ code: Code, _ message: String, parameter: String? = nil) {
    self.code = code
    self.message = message
    self.parameter = parameter
  }

  init(_ error: StoreError) {
    self.init(error.code == .damaged ? .damaged : .log, error.description)
  }

  /// For a command line: the message, behind the option that is meant.
  public var description: String { parameter.map { "--\($0): \(message)" } ?? message }

  /// How `replay` ends with this fault.
  public var exitCode: ExitCode {
    switch code {
    case .usage, .notFound, .log: .usage
    case .damaged: .damaged
    case .differs: .differs
    case .notCovered: .notReproducible
    }
  }
}

/// Runs a read of the log, turning its errors into faults.
func reading<Answer>(
  _ body: () throws(StoreError) -> Answer
) throws(InquiryFault) -> Answer {
  do throws(StoreError) {
    return try body()
  } catch {
    throw InquiryFault(error)
  }
}
