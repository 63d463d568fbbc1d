import Domain

extension WindowFilter {
  /// Refuses a name that nobody has, so that a slip of the pen is not taken for silence.
  ///
  /// - Parameter states: where the window begins and where it ends; what was removed before still has its name.
  /// - Throws: `.notFound` with names that come near, or those that there are.
  func requireNames(in states: [ControlState]) throws(InquiryFault) {
    func require(
      _ what: String, _ parameter: String, _ wanted: String?,
      _ names: (ControlState) -> [String], stream: (String) -> String?
    ) throws(InquiryFault) {
      guard let wanted else { return }
      let known = Set(states.flatMap(names))
      let isKnown =
        known.contains(wanted)
        || stream(wanted).map { stream in states.contains { $0.revision(ofStream: stream) > 0 } }
          ?? false
      if isKnown { return }
      let near = nearNames(to: wanted, among: known)
      let shown = near.isEmpty ? Array(known.sorted().prefix(10)) : near
      throw InquiryFault(
        .notFound,
        "There was no \(what) `\(Shown.text(String(wanted.prefix(128))))`, neither where the window begins nor where "
          + "it ends. "
          + (known.isEmpty
            ? "There was none at all."
            : "\(near.isEmpty ? "There were" : "Names like it"): \(Shown.list(shown))"
              + (near.isEmpty && known.count > shown.count ? ", …" : ".")),
        parameter: parameter)
    }
    try require(
      "account", "account", account,
      { state in
        (Array(state.accounts.values) + Array(state.removedAccounts.values)).flatMap {
          [$0.id.rawValue, $0.name, "\($0.provider.rawValue)/\($0.name)"]
        }
      }, stream: { AccountID($0).stream })
    try require(
      "key", "key", key, { $0.keys.values.flatMap { [$0.id.rawValue, $0.name] } },
      stream: { KeyID($0).stream })
    try require(
      "organisation", "org", organisation, { $0.organisations.keys.map(\.rawValue) },
      stream: { OrganisationID($0).stream })
    try require(
      "provider", "provider", provider, { $0.providers.keys.map(\.rawValue) },
      stream: { ProviderID($0).stream })
    if let kind, !isKnownKind {
      throw InquiryFault(
        .notFound,
        "This build knows no kind of event `\(Shown.text(String(kind.prefix(128))))`, and the window has none. Kinds begin with "
          + Shown.list(
            Set(WireKind.all.compactMap { $0.split(separator: ".").first.map(String.init) })
              .sorted())
          + "; `replay window` shows which events there are.",
        parameter: "kind")
    }
  }

  /// Whether this build knows of events that the kind names; of a later build's there may be others.
  public var isKnownKind: Bool {
    guard let kind else { return true }
    return WireKind.all.contains { $0 == kind || $0.hasPrefix(kind + ".") }
  }
}
