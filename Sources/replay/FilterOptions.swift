import ArgumentParser
import Inquiry

/// Which events are shown; shared by the verbs that list them.
struct FilterOptions: ParsableArguments {
  @Option(
    name: [.customLong("kind"), .customLong("type")],
    help: "Only this kind of event, or its beginning: request, request.finished, alias.")
  var kind: String?

  @Option(help: "Only this account: its id, its name, or provider/name.")
  var account: String?

  @Option(help: "Only this key: its id or name.")
  var key: String?

  @Option(help: "Only this organisation, by id.")
  var org: String?

  @Option(help: "Only this model: as asked, as sent upstream, or an alias's name.")
  var model: String?

  @Option(help: "Only this provider, by id.")
  var provider: String?

  @Option(help: "Only requests answered so: 429, 5xx.")
  var status: String?

  /// - Parameter isNoted: Whether a kind that this build does not know is told of on standard error: nothing else would.
  func filter(isNoted: Bool = false) throws -> WindowFilter {
    let filter = WindowFilter(
      kind: kind, account: account, key: key, organisation: org, model: model, provider: provider,
      status: try status.map { try WindowFilter.StatusRange($0) })
    if isNoted, !filter.isKnownKind {
      Terminal.error(
        "replay: --kind: this build knows no such kind of event; only events of another build can match\n"
      )
    }
    return filter
  }
}
