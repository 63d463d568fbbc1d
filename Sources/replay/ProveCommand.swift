import ArgumentParser
import Inquiry

struct ProveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prove",
    abstract: "Proves one event to somebody who has only the gateway's public key.",
    discussion: """
      Prints a small JSON document with the event's public part and the hashes that
      lead from it to a signed checkpoint. `replay check-proof` checks it without the
      log. Of a request it proves the end, `request.finished`.

      The document shows what the log shows of the event: ids, model names, addresses
      and figures; never a prompt, an answer or a secret, for these are not in it.

      EXAMPLES
        replay prove 01932d5e-7c4b-7a01-8f6e-5d2c1b0a9f8e -o proof.json
        replay prove request:my-own-id --all
        replay prove 2:4711
      """)

  @OptionGroup var options: LogOptions

  @Argument(help: ArgumentHelp("A request id, an event id, or a position.", valueName: "id"))
  var target: String

  @Flag(help: "Of a request: every event, not its end alone.")
  var all = false

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Write the document here instead of printing it.", valueName: "file"))
  var output: String?

  func run() throws {
    let proof = try Replay.prove(options.open(), target, all: all)
    guard let output else { return try options.answer(proof) }
    let text = proof.text
    try OutputFile.write(text, to: output)
    let positions = proof.events.map { String($0.position) }
    guard options.json else {
      Terminal.output(
        "\(output): \(text.utf8.count) bytes, positions \(positions.joined(separator: ", "))\n")
      return
    }
    let said = JSONTree.object([
      .init("replay", .text("prove")), .init("file", .text(output)),
      .init("bytes", .number(Int64(text.utf8.count))),
      .init("positions", .array(positions.map { .text($0) })),
    ])
    Terminal.output(said.rendered)
  }
}
