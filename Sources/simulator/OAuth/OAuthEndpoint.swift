import NIOCore
import NIOHTTP1
import Synchronization

/// The OAuth servers of a stage, safe to ask from every connection.
final class OAuthServers: Sendable {
  private let ledger: Mutex<OAuthLedger>
  private let clock: SimulatorClock

  init(_ scenario: OAuthScenario, clock: SimulatorClock) {
    self.clock = clock
    ledger = Mutex(OAuthLedger(scenario: scenario, now: clock.now))
  }

  func restart(with scenario: OAuthScenario) {
    ledger.withLock {
      $0 = OAuthLedger(scenario: scenario, now: clock.now, minted: $0.minted)
    }
  }

  func withLedger<Result: Sendable>(
    _ body: (inout OAuthLedger, Int64) -> Result
  ) -> Result {
    ledger.withLock { body(&$0, clock.now) }
  }

  /// How the model endpoints see a key.
  func standing(of key: String?) -> OAuthLedger.Standing {
    guard let key else { return .unknown }
    return withLedger { ledger, now in ledger.standing(of: key, now: now) }
  }

  /// The refusal of a token that was good once; nil for every other key.
  func deadAnswer(to key: String?) -> JSONResponse? {
    switch standing(of: key) {
    case .unknown, .live: nil
    case .expired(let dialect): dialect.refusal(isRevoked: false)
    case .revoked(let dialect): dialect.refusal(isRevoked: true)
    }
  }
}

/// The paths under `/oauth/{server}/`.
struct OAuthEndpoint {
  let stage: Stage

  func steps(_ call: HTTPCall) -> [Step] {
    let parts = call.path.split(separator: "/", maxSplits: 2).dropFirst()
    let name = parts.first.map(String.init) ?? ""
    let rest = parts.dropFirst().first ?? ""
    guard let server = stage.oauth.withLedger({ ledger, _ in ledger.scenario.server(name) }) else {
      return refuse(.notFound, "no OAuth server has this name")
    }
    guard let place = OAuthPlace(rest, server.shape) else {
      return refuse(.notFound, "this OAuth server has no such path")
    }
    guard call.method == place.method else {
      return refuse(.methodNotAllowed, "\(place.method.rawValue) is expected here")
    }
    let token = call.fields["refresh_token"] ?? call.fields["refreshToken"] ?? call.bearer
    let mishap =
      stage.oauth.withLedger { ledger, _ in
        let known = token.flatMap { ledger.refreshTokens[$0]?.family }
        let subject = known.map { ledger.families[$0 - 1].subject }
        return QueuedMishap.take(
          &ledger.queue, server: name, endpoint: place.rawValue, subject: subject)
      } ?? Mishap()

    var steps: [Step] = mishap.before > 0 ? [.wait(.nanoseconds(mishap.before))] : []
    if mishap.hold == .before {
      steps.append(.hold(stage.holds.take("\(name) \(place.rawValue) before")))
    }
    let stage = stage
    steps.append(
      .later {
        OAuthEndpoint(stage: stage).perform(call, place, server, mishap)
      })
    return steps
  }

  /// The server looks at the call, and the mishap at the answer.
  private func perform(
    _ call: HTTPCall, _ place: OAuthPlace, _ server: OAuthScenario.Server, _ mishap: Mishap
  ) -> [Step] {
    let host = call.headers.first(name: "host") ?? "127.0.0.1"
    let base = "http://\(host)/oauth/\(server.name)"
    let answer = stage.oauth.withLedger { ledger, now in
      var row = OAuthCall(
        server: server.name, endpoint: place.rawValue, mishap: mishap.name)
      var answer = JSONResponse(status: .ok, text: "{}")
      if mishap.letsCommit {
        answer = ledger.answer(call, at: place, of: server, base: base, now: now, row: &row)
        row.status = Int(answer.status.code)
      } else {
        row.outcome = "not committed"
      }
      ledger.record(row, now: now)
      return answer
    }
    var steps: [Step] = []
    if mishap.hold == .after {
      steps.append(.hold(stage.holds.take("\(server.name) \(place.rawValue) after")))
    }
    return steps
      + mishap.play(answer) { code in
        OAuthWords(server: server, base: base).refusal(OAuthRefusal(named: code)).steps()
      }
  }

  private func refuse(_ status: HTTPResponseStatus, _ message: String) -> [Step] {
    JSONResponse(status: status, text: (["error": .string(message)] as JSONValue).text).steps()
  }
}

extension OAuthRefusal {
  /// By the word of the standards, and by codex' own.
  init(named code: String) {
    self =
      switch code {
      case "invalid_client": .invalidClient
      case "unsupported_grant_type": .unsupportedGrant
      case "invalid_grant", "refresh_token_invalidated": .revokedToken
      case "refresh_token_reused": .usedToken
      case "refresh_token_expired": .expiredToken
      case "authorization_pending": .pending
      case "slow_down": .slowDown
      case "access_denied": .denied
      case "expired_token": .deviceExpired
      default: .invalidRequest(code)
      }
  }
}
