import NIOCore
import NIOHTTP1
import Synchronization

/// The old whole-record sync peer of a stage, safe to ask from every connection.
final class OldPeer: Sendable {
  private let state: Mutex<PeerState>
  private let clock: SimulatorClock

  init(_ scenario: PeerScenario, clock: SimulatorClock) {
    self.clock = clock
    state = Mutex(PeerState(scenario: scenario))
  }

  func restart(with scenario: PeerScenario) {
    state.withLock { $0 = PeerState(scenario: scenario) }
  }

  /// With the peer's own time, Unix nanoseconds.
  func withState<Result: Sendable>(_ body: (inout PeerState, Int64) -> Result) -> Result {
    state.withLock { state in body(&state, clock.now + state.rules.skew) }
  }
}

/// The paths `/sync/{machine}`, `/{machine}/v1/verify` and `/health`.
struct PeerEndpoint {
  let stage: Stage

  /// What a path asks of the peer; nil: nothing of the peer's.
  enum Place {
    case sync(machine: String)
    case verify(machine: String)
    case health

    init?(_ path: String) {
      let parts = path.split(separator: "/").map(String.init)
      if path == "/health" {
        self = .health
      } else if parts.first == "sync", parts.count <= 2 {
        self = .sync(machine: parts.count == 2 ? parts[1] : "")
      } else if parts.count == 3, parts[1] == "v1", parts[2] == "verify" {
        self = .verify(machine: parts[0])
      } else {
        return nil
      }
    }
  }

  func steps(_ call: HTTPCall, _ place: Place) -> [Step] {
    let (name, machine) = names(call, place)
    let mishap =
      stage.peer.withState { state, _ in
        QueuedMishap.take(&state.queue, server: nil, endpoint: name, subject: machine)
      } ?? Mishap()
    var steps: [Step] = mishap.before > 0 ? [.wait(.nanoseconds(mishap.before))] : []
    if mishap.hold == .before { steps.append(.hold(stage.holds.take("peer \(name) before"))) }
    let stage = stage
    steps.append(
      .later {
        var deed = PeerDeed(
          what: name, machine: machine, outcome: "not committed", mishap: mishap.name)
        let answer = stage.peer.withState { state, now in
          var answer = JSONResponse(status: .ok, text: "{}")
          if mishap.letsCommit {
            answer = PeerEndpoint.answer(call, place, &state, now: now, deed: &deed)
          }
          state.note(deed, now: now)
          return answer
        }
        let held: [Step] =
          mishap.hold == .after ? [.hold(stage.holds.take("peer \(name) after"))] : []
        return held
          + mishap.play(answer) { PeerEndpoint.refusal(.badRequest, $0).steps() }
      })
    return steps
  }

  private func names(_ call: HTTPCall, _ place: Place) -> (name: String, machine: String) {
    switch place {
    case .health: ("health", "")
    case .verify(let machine): ("verify", machine)
    case .sync(let machine):
      switch call.method {
      case .GET: ("read", machine)
      case .DELETE: ("delete", machine)
      default: ("sync", machine)
      }
    }
  }

  private static func answer(
    _ call: HTTPCall, _ place: Place, _ state: inout PeerState, now: Int64, deed: inout PeerDeed
  ) -> JSONResponse {
    let isolate = call.headers.first(name: "x-isolate") ?? "http"
    deed.isolate = isolate
    let answer: JSONResponse
    switch place {
    case .health: answer = JSONResponse(status: .ok, text: #"{"status":"ok"}"#)
    case .verify(let machine):
      answer = verify(call, state.load(machine, isolate: isolate, now: now), machine, state.rules)
    case .sync(let machine):
      if machine.isEmpty {
        answer = refusal(.badRequest, "Missing machineId")
      } else if let token = state.scenario.token, call.bearer != token {
        answer = refusal(.unauthorized, "Unauthorized")
      } else {
        answer = sync(call, machine, isolate, &state, now: now, deed: &deed)
      }
    }
    deed.outcome = answer.status.code == 200 ? "answered" : "refused \(answer.status.code)"
    return answer
  }

  private static func sync(
    _ call: HTTPCall, _ machine: String, _ isolate: String, _ state: inout PeerState, now: Int64,
    deed: inout PeerDeed
  ) -> JSONResponse {
    switch call.method {
    case .GET:
      guard let data = state.load(machine, isolate: isolate, now: now) else {
        return refusal(.notFound, "No data found")
      }
      return good(["success": true, "data": .object(data)])
    case .DELETE:
      state.forget(machine, isolate: isolate)
      return good(["success": true, "message": "Data deleted successfully"])
    case .POST:
      guard let push = call.json?.object else { return refusal(.badRequest, "Invalid JSON body") }
      guard let providers = push["providers"]?.array else {
        return refusal(.badRequest, "Missing providers array")
      }
      let held = state.load(machine, isolate: isolate, now: now) ?? [:]
      let (data, changes) = PeerMerge(rules: state.rules, now: UnixTime.text(now)).merge(
        push: push, providers: providers, into: held)
      state.save(data, machine, isolate: isolate, now: now)
      deed.updated = changes.updated
      deed.fromWorker = changes.fromWorker
      return good([
        "success": true, "data": .object(data),
        "changes": [
          "updated": .array(changes.updated.map(JSONValue.string)),
          "fromWorker": .array(changes.fromWorker.map(JSONValue.string)),
        ],
      ])
    default: return refusal(.methodNotAllowed, "Method not allowed")
    }
  }

  private static func verify(
    _ call: HTTPCall, _ data: [String: JSONValue]?, _ machine: String, _ rules: PeerRules
  ) -> JSONResponse {
    guard let key = call.bearer else { return refusal(.unauthorized, "Missing API key") }
    guard let data else { return refusal(.notFound, "Machine not found") }
    let isGood = (data["apiKeys"]?.array ?? []).contains { row in
      row.object?["key"]?.string == key
        && (rules.pausedKeysWork || row.object?["isActive"] != .boolean(false))
    }
    guard isGood else { return refusal(.unauthorized, "Invalid API key") }
    return good([
      "valid": true, "machineId": .string(machine),
      "providersCount": .integer(Int64(data["providers"]?.object?.count ?? 0)),
    ])
  }

  private static func good(_ value: JSONValue) -> JSONResponse {
    JSONResponse(status: .ok, text: value.text)
  }

  private static func refusal(_ status: HTTPResponseStatus, _ message: String) -> JSONResponse {
    JSONResponse(status: status, text: (["error": .string(message)] as JSONValue).text)
  }
}
