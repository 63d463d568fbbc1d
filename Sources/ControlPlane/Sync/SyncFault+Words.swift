import Domain
import Surface

// What an exchange that came to nothing is told as.

extension SyncFault {
  /// What ends it, where that depends on what it is about; nil: see docs/sync.md.
  var remedy: String? {
    switch code {
    case "sync_ambiguous_edit": "Edit that field anew on either node."
    case "sync_unknown_own_edit":
      "Stop the node whose log was taken back, take away `node` in its directory, and start it."
    case "sync_shrunken":
      "If it was restored or copied, take away `node` in its directory and start it: that begins another life."
    case "sync_malformed" where about != nil:
      "Edit or remove that resource at the node that tells of it; run the same build on both."
    case "sync_token_of_another", "sync_name_taken":
      "Have a token issued for this node (`signalbox sync tokens issue NAME --node NODE`), and set it as `cloudToken`."
    case "sync_too_many_peers":
      "Remove peers that come no more at the node that says so: `signalbox sync forget PEER`."
    case _: nil
    }
  }
}

extension SyncEvent.Failed.About {
  /// For people.
  var shown: String {
    var parts: [String] = []
    if !stream.isEmpty { parts.append(stream) }
    if !field.isEmpty { parts.append("field \(field)") }
    if let counts { parts.append("\(counts.told) resources told of, \(counts.before) before") }
    return parts.joined(separator: ", ")
  }

  /// As members of an answer: only those that say something.
  var members: [JSONValue.Member] {
    var members: [JSONValue.Member] = []
    if !stream.isEmpty { members.append(.init("stream", JSONValue(stream))) }
    if !field.isEmpty { members.append(.init("field", JSONValue(field))) }
    if let counts {
      members.append(.init("told", JSONValue(counts.told)))
      members.append(.init("before", JSONValue(counts.before)))
    }
    return members
  }
}

extension SyncDrift {
  /// Where in the configuration the last exchange came to nothing: nothing else is taken until that is settled.
  static func failure(of name: String, _ peer: SyncPeer) -> SyncDrift? {
    // A worker that forgot something is told again, and all else is taken as ever.
    guard let failure = peer.failure, let about = failure.about, peer.told.isEmpty else {
      return nil
    }
    let remedy = SyncFault(failure.code, about: about).remedy ?? "see docs/sync.md"
    return SyncDrift(
      stream: about.stream.isEmpty ? syncStream(name) : about.stream,
      field: about.stream.isEmpty ? "streams" : about.field,
      ours: JSONValue(about.counts?.before), theirs: JSONValue(about.counts?.told),
      rule: failure.code,
      why: "no exchange comes to its end (\(about.shown)): \(remedy)", since: failure.at,
      isConflict: true)
  }
}
