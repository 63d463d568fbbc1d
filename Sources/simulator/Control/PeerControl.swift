import NIOCore
import NIOHTTP1

/// The controls of the old sync peer.
struct PeerControl {
  let stage: Stage

  /// nil: no such control.
  func respond(_ path: String, _ document: () throws(ScenarioFault) -> Fields) throws(ScenarioFault)
    -> [Step]?
  {
    switch path {
    case "sync/next":
      let entry = try QueuedMishap.read(document())
      guard entry.server == nil else {
        throw ScenarioFault(description: "\(path): the peer has no server")
      }
      stage.peer.withState { state, _ in state.queue.append(entry) }
      return JSONResponse(status: .ok, text: #"{"ok":true}"#).steps()
    case "sync/rules":
      let fields = try document()
      var rules = stage.peer.withState { state, _ in state.rules }
      try rules.change(fields)
      let changed = rules
      stage.peer.withState { state, _ in state.rules = changed }
      return JSONResponse(status: .ok, text: #"{"ok":true}"#).steps()
    case "sync/act": return act(try PeerAct.read(document()))
    default: return nil
    }
  }

  /// Answers when it is written, which a held act is only after its release.
  private func act(_ act: PeerAct) -> [Step] {
    let stage = stage
    guard let data = act.load(stage) else {
      return finish(act, "no data", told: nil)
    }
    guard act.isHeld else {
      let (outcome, told) = act.finish(data, stage)
      return finish(act, outcome, told: told)
    }
    return [
      .hold(stage.holds.take("peer act \(act.isolate)")),
      .later {
        let (outcome, told) = act.finish(data, stage)
        return PeerControl(stage: stage).finish(act, outcome, told: told)
      },
    ]
  }

  private func finish(_ act: PeerAct, _ outcome: String, told: PeerAct.Told?) -> [Step] {
    let callback = stage.peer.withState { state, now in
      let deed = PeerDeed(
        what: "act \(act.deed.rawValue)", machine: act.machine, isolate: act.isolate,
        outcome: outcome)
      state.note(deed, now: now)
      return state.scenario.callback
    }
    if let told, let callback {
      let stage = stage
      PeerCallback.send(told, to: callback) { outcome in
        stage.peer.withState { state, now in
          state.note(
            PeerDeed(what: "callback", machine: act.machine, outcome: outcome), now: now)
        }
      }
    }
    let text = (["outcome": .string(outcome)] as JSONValue).text
    return JSONResponse(status: .ok, text: text).steps()
  }

  // MARK: - What it holds and did

  /// `GET /_control/sync`; secrets as fingerprints.
  func report() -> JSONValue {
    let held = JSONValue.array(stage.holds.labels.map(JSONValue.string))
    return stage.peer.withState { state, now in
      state.purge(now: now)
      return OAuthWords.object([
        "now": .string(UnixTime.text(now)), "held": held,
        "machines": .object(
          state.blobs.mapValues { blob in
            [
              "savedAt": .string(UnixTime.text(blob.savedAt)),
              "data": PeerControl.masked(.object(blob.data)),
            ]
          }),
        "isolates": .object(
          state.caches.mapValues { cache in
            .object(cache.mapValues { .string(UnixTime.text($0.savedAt)) })
          }),
        "deedCount": .integer(Int64(state.deedCount)),
        "deeds": .array(state.deeds.map(PeerControl.row)),
      ])
    }
  }

  private static func row(_ deed: PeerDeed) -> JSONValue {
    OAuthWords.object([
      "ordinal": .integer(Int64(deed.ordinal)), "at": .string(UnixTime.text(deed.at)),
      "what": .string(deed.what), "machine": .string(deed.machine),
      "isolate": deed.isolate.map(JSONValue.string), "outcome": .string(deed.outcome),
      "mishap": deed.mishap.map(JSONValue.string),
      "updated": .array(deed.updated.map(JSONValue.string)),
      "fromWorker": .array(deed.fromWorker.map(JSONValue.string)),
    ])
  }

  private static let secrets = [
    "accessToken", "refreshToken", "idToken", "apiKey", "key", "copilotToken", "clientSecret",
  ]

  private static func masked(_ value: JSONValue) -> JSONValue {
    switch value {
    case .object(let fields):
      .object(
        Dictionary(
          uniqueKeysWithValues: fields.map { name, value in
            guard secrets.contains(name), let text = value.string else {
              return (name, masked(value))
            }
            return (name, .string(TokenMint.fingerprint(text)))
          }))
    case .array(let items): .array(items.map(masked))
    case .null, .boolean, .integer, .number, .string: value
    }
  }
}
