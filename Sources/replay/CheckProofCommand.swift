import ArgumentParser
import Inquiry

struct CheckProofCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-proof",
    abstract: "Checks a proof that `replay prove` made: without the log, with the key alone.",
    discussion: """
      Ends with 0 and says what is proven, or with 1 and the check that fails:
      document, key, signature, leaf, inclusion, record or rendering. Any changed byte
      fails one of them.

      EXAMPLES
        replay check-proof proof.json --public-key signalbox.pub
      """)

  @Argument(help: ArgumentHelp("The proof; - for standard input.", valueName: "file"))
  var file: String

  @Option(help: KeyArgument.help)
  var publicKey: KeyArgument

  @Flag(help: "Answer as JSON, with every field, instead of text.")
  var json = false

  func run() throws {
    let key = try publicKey.key()
    let report = Replay.checkProof(try InputFile.bytes(file, limit: Proof.bytesMax), key: key)
    Terminal.output(json ? report.json.rendered : report.text)
    guard report.exitCode == .same else { throw ArgumentParser.ExitCode(report.exitCode.rawValue) }
  }
}
