import ArgumentParser

/// What a secret is called on the command line.
protocol SecretName {
  /// As in `--api-key-stdin`.
  static var option: String { get }
  /// As in `The provider's API key`.
  static var description: String { get }
}

/// Where a secret is read from: never the command line, which every user of the machine can list.
struct SecretOptions<Name: SecretName>: ParsableArguments {
  @Flag(
    name: .customLong("\(Name.option)-stdin"),
    help: ArgumentHelp(stringLiteral: "\(Name.description), from standard input."))
  var fromStandardInput = false

  @Option(
    name: .customLong("\(Name.option)-env"),
    help: ArgumentHelp("\(Name.description), from this environment variable.", valueName: "name"))
  var variable: String?

  @Option(
    name: .customLong("\(Name.option)-file"),
    help: ArgumentHelp("\(Name.description), from this file.", valueName: "file"))
  var file: String?

  /// Longer than any secret that the API takes.
  private static var limit: Int { 64 << 10 }

  func validate() throws {
    let given = (fromStandardInput ? 1 : 0) + (variable == nil ? 0 : 1) + (file == nil ? 0 : 1)
    guard given <= 1 else {
      throw ValidationError(
        "Give one of --\(Name.option)-stdin, --\(Name.option)-env and --\(Name.option)-file.")
    }
  }

  /// Without the line break at its end; nil: none was given.
  func secret() throws -> String? {
    if let variable {
      guard let value = Environment.value(variable) else {
        throw ValidationError("The environment variable \(variable) is not set, or empty.")
      }
      return value
    }
    guard let path = fromStandardInput ? "-" : file else { return nil }
    var text = try FileText.text(path, limit: Self.limit)
    if text.hasSuffix("\r\n") || text.hasSuffix("\n") { text.removeLast() }
    guard !text.isEmpty else {
      throw ValidationError("\(path == "-" ? "Standard input" : path) is empty.")
    }
    return text
  }
}
