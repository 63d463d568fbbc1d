import ArgumentParser
import Inquiry

/// A range of the log; shared by the verbs that look at one.
struct RangeOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Where the range begins; default: the log's beginning.", valueName: "selector"))
  var from: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Where the range ends, inclusive; default: the log's end.", valueName: "selector"))
  var to: String?

  func selectors() throws -> (from: Selector?, to: Selector?) {
    (try from.map { try Selector($0) }, try to.map { try Selector($0) })
  }
}
