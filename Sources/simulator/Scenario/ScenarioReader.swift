import Yams

/// Why a scenario was refused: the field, where it stands, and what was expected.
struct ScenarioFault: Error, Sendable, CustomStringConvertible {
  var description: String
}

/// Reads scenarios and queued behaviours from YAML, of which JSON is a part; unknown fields are refused by name.
enum ScenarioReader {
  /// A document for `--scenario` and `POST /_control/scenario`.
  static func scenario(_ text: String) throws(ScenarioFault) -> Scenario {
    var fields = try document(text)
    var scenario = Scenario()
    if let seed = try fields.integer("seed", 0...Int.max) { scenario.seed = UInt64(seed) }
    if let keep = try fields.integer("keep-requests", 0...4096) { scenario.keepRequests = keep }
    if let inner = try fields.object("behaviour") { scenario.behaviour = try behaviour(inner) }
    if let inner = try fields.object("model-list") { scenario.modelList = try behaviour(inner) }
    if let nodes = try fields.list("models") {
      scenario.models = []
      for (index, node) in nodes.enumerated() {
        scenario.models.append(try model(node, "models[\(index)]"))
      }
    }
    if let nodes = try fields.list("accounts") {
      for (index, node) in nodes.enumerated() {
        scenario.accounts.append(try account(node, "accounts[\(index)]"))
      }
    }
    if let inner = try fields.object("oauth") { scenario.oauth = try OAuthScenario.read(inner) }
    if let inner = try fields.object("sync") { scenario.sync = try PeerScenario.read(inner) }
    try fields.refuseRest()
    let names = scenario.accounts.map(\.name)
    let keys = scenario.accounts.map(\.key)
    guard Set(names).count == names.count, Set(keys).count == keys.count else {
      throw ScenarioFault(description: "accounts: a name or a key stands there twice")
    }
    return scenario
  }

  /// A document for `POST /_control/next`: one entry, or a list of them.
  static func queued(_ text: String) throws(ScenarioFault) -> [QueuedBehaviour] {
    guard let root = try compose(text) else {
      throw ScenarioFault(description: "an entry or a list of entries is expected")
    }
    guard case .sequence(let nodes) = root else { return [try entry(root, "entry")] }
    var entries: [QueuedBehaviour] = []
    for (index, node) in nodes.enumerated() {
      entries.append(try entry(node, "[\(index)]"))
    }
    return entries
  }

  private static func entry(_ node: Node, _ path: String) throws(ScenarioFault) -> QueuedBehaviour {
    var fields = try Fields(node, path)
    guard let inner = try fields.object("behaviour") else {
      throw ScenarioFault(description: "\(path): behaviour is missing")
    }
    var entry = QueuedBehaviour(behaviour: try behaviour(inner))
    entry.account = try fields.string("account")
    entry.model = try fields.string("model")
    if let times = try fields.integer("times", 1...1_000_000) { entry.times = times }
    try fields.refuseRest()
    return entry
  }

  private static func model(_ node: Node, _ path: String) throws(ScenarioFault) -> Scenario.Model {
    if let name = node.scalar?.string { return Scenario.Model(name: name) }
    var fields = try Fields(node, path)
    var model = Scenario.Model(name: try fields.required("name"))
    if let inner = try fields.object("behaviour") { model.behaviour = try behaviour(inner) }
    try fields.refuseRest()
    return model
  }

  private static func account(
    _ node: Node, _ path: String
  ) throws(ScenarioFault) -> Scenario.Account {
    var fields = try Fields(node, path)
    var account = Scenario.Account(
      name: try fields.required("name"), key: try fields.required("key"))
    if let inner = try fields.object("behaviour") { account.behaviour = try behaviour(inner) }
    if let repeats = try fields.boolean("repeat") { account.repeats = repeats }
    if let nodes = try fields.list("sequence") {
      for (index, node) in nodes.enumerated() {
        var step = try Fields(node, "\(path).sequence[\(index)]")
        guard let inner = try step.object("behaviour") else {
          throw ScenarioFault(description: "\(step.path): behaviour is missing")
        }
        var read = Scenario.Step(behaviour: try behaviour(inner))
        if let times = try step.integer("times", 1...1_000_000) { read.times = times }
        try step.refuseRest()
        account.sequence.append(read)
      }
    }
    try fields.refuseRest()
    return account
  }

  private static func behaviour(_ given: Fields) throws(ScenarioFault) -> Behaviour {
    var fields = given
    var read = Behaviour()
    read.headLatency = try fields.duration("head-latency")
    read.chunkPace = try fields.duration("chunk-pace")
    read.chunks = try fields.integer("chunks", 0...1_000_000)
    read.bodyBytes = try fields.integer("body-bytes", 0...(1 << 30))
    read.promptTokens = try fields.integer("prompt-tokens", 0...1_000_000_000)
    read.completionTokens = try fields.integer("completion-tokens", 0...1_000_000_000)
    read.cachedTokens = try fields.integer("cached-tokens", 0...1_000_000_000)
    read.reasoningTokens = try fields.integer("reasoning-tokens", 0...1_000_000_000)
    read.usage = try usage(&fields)
    read.rejectsStreamOptions = try fields.boolean("rejects-stream-options")
    read.sendsDone = try fields.boolean("done")
    read.splitBytes = try fields.integer("split-bytes", 1...(1 << 20))
    read.splitPace = try fields.duration("split-pace")
    read.contentLength = try fields.choice("content-length", ContentLength.self)
    read.trouble = try trouble(&fields)
    try fields.refuseRest()
    return read
  }

  private static func usage(_ fields: inout Fields) throws(ScenarioFault) -> UsageForm? {
    guard let text = try fields.string("usage") else { return nil }
    switch text {
    case "true": return .last
    case "false": return UsageForm.none
    default:
      guard let form = UsageForm(rawValue: text) else {
        let names = UsageForm.allCases.map(\.rawValue).joined(separator: ", ")
        throw ScenarioFault(description: "\(fields.path).usage: one of \(names) is expected")
      }
      return form
    }
  }

  private static func trouble(_ fields: inout Fields) throws(ScenarioFault) -> Trouble? {
    let status = try fields.integer("status", 200...599)
    let shape = try fields.choice("error", ErrorShape.self)
    let retryAfter = try fields.string("retry-after")
    let reset = try reset(&fields, of: shape)
    let fault = try fields.choice("fault", Fault.self)
    let chunk = try fields.integer("at-chunk", 0...1_000_000)
    let probability = try fields.fraction("probability")
    if fault != nil, status != nil {
      throw ScenarioFault(description: "\(fields.path): status and fault exclude each other")
    }
    if let status, status < 400, status != 200 || shape != nil {
      throw ScenarioFault(
        description:
          "\(fields.path).status: 400…599 is expected, or 200 alone; fault error-in-200 hides errors"
      )
    }
    let refusal = Refusal(
      givenStatus: status, shape: shape ?? .openAI, retryAfter: retryAfter, reset: reset)
    if let fault {
      return Trouble(
        kind: .fault(fault, atChunk: chunk ?? 1, error: refusal), probability: probability ?? 1)
    }
    if status == 200 { return Trouble(kind: .none, probability: 1) }
    if status != nil || shape != nil {
      return Trouble(kind: .refusal(refusal), probability: probability ?? 1)
    }
    guard retryAfter == nil, reset == nil, chunk == nil, probability == nil else {
      throw ScenarioFault(
        description:
          "\(fields.path): retry-after, reset, at-chunk and probability need status, error or fault"
      )
    }
    return nil
  }

  private static func reset(
    _ fields: inout Fields, of shape: ErrorShape?
  ) throws(ScenarioFault) -> Refusal.Reset? {
    guard var inner = try fields.object("reset") else { return nil }
    let form = try inner.choice("form", ResetForm.self)
    let after = try inner.duration("in")
    try inner.refuseRest()
    guard let form, let after else {
      throw ScenarioFault(description: "\(inner.path): form and in are expected")
    }
    guard form.shape == nil || form.shape == shape else {
      let name = form.shape?.rawValue ?? ""
      throw ScenarioFault(description: "\(inner.path).form: \(form.rawValue) needs error \(name)")
    }
    return Refusal.Reset(form: form, after: after)
  }

  /// One mapping; an empty text is one without fields.
  static func document(
    _ text: String, _ path: String = "scenario"
  ) throws(ScenarioFault) -> Fields {
    guard let root = try compose(text) else { return Fields(empty: path) }
    return try Fields(root, path)
  }

  private static func compose(_ text: String) throws(ScenarioFault) -> Node? {
    do {
      return try Yams.compose(yaml: text)
    } catch {
      throw ScenarioFault(description: "not YAML: \(error)")
    }
  }
}
