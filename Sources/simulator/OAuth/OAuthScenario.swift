/// The OAuth servers of a scenario: without any, one of each shape, named after it.
struct OAuthScenario: Sendable, Equatable {
  var servers: [Server] = OAuthShape.Name.allCases.map { Server(name: $0.rawValue, shape: $0) }
  var sessions: [Session] = []
  /// A key that is neither an account's nor a live token is refused at the model endpoints.
  var isStrict = false

  struct Server: Sendable, Equatable {
    var name: String
    var shape: OAuthShape.Name
    var rules: OAuthRules
    /// nil: any client.
    var clientID: String?
    /// nil: not asked for.
    var clientSecret: String?
    /// Approves every authorization and device at once.
    var autoApprove: String?
    var resourceURL = "portal.qwen.ai"
    var subjects: [Subject] = []
    /// One after the other, by the server's token calls; the queue of a test comes first.
    var calls: [QueuedMishap] = []

    init(name: String, shape: OAuthShape.Name) {
      self.name = name
      self.shape = shape
      rules = OAuthRules(OAuthShape[shape])
    }

    func subject(_ name: String) -> Subject {
      subjects.first { $0.name == name }
        ?? Subject(name: name, email: "\(name)@example.test", workspace: "ws-\(name)")
    }
  }

  /// Who signs in.
  struct Subject: Sendable, Equatable {
    var name: String
    var email: String
    /// Account or organisation id.
    var workspace: String
  }

  /// A family that exists from the start.
  struct Session: Sendable, Equatable {
    var server: String
    var subject: String
    var client: String
    /// nil: made as usual.
    var accessToken: String?
    var refreshToken: String?
    /// From the start, in nanoseconds; nil: the server's lifetime.
    var expiresIn: Int64?
  }

  func server(_ name: String) -> Server? { servers.first { $0.name == name } }

  // MARK: - Reading

  static func read(_ given: Fields) throws(ScenarioFault) -> OAuthScenario {
    var fields = given
    var read = OAuthScenario()
    read.isStrict = true
    if let strict = try fields.boolean("strict") { read.isStrict = strict }
    if let nodes = try fields.list("servers") {
      read.servers = []
      for (index, node) in nodes.enumerated() {
        read.servers.append(try server(try Fields(node, "\(given.path).servers[\(index)]")))
      }
    }
    let names = read.servers.map(\.name)
    guard Set(names).count == names.count else {
      throw ScenarioFault(description: "\(given.path).servers: a name stands there twice")
    }
    for (index, node) in (try fields.list("sessions") ?? []).enumerated() {
      let session = try session(try Fields(node, "\(given.path).sessions[\(index)]"))
      guard names.contains(session.server) else {
        throw ScenarioFault(
          description:
            "\(given.path).sessions[\(index)].server: one of \(names.joined(separator: ", ")) is expected"
        )
      }
      read.sessions.append(session)
    }
    try fields.refuseRest()
    return read
  }

  /// A session, also by `POST /_control/oauth/session`.
  static func session(_ given: Fields) throws(ScenarioFault) -> Session {
    var fields = given
    let read = Session(
      server: try fields.required("server"), subject: try fields.required("subject"),
      client: try fields.string("client") ?? "client",
      accessToken: try fields.string("access-token"),
      refreshToken: try fields.string("refresh-token"), expiresIn: try fields.span("expires-in"))
    try fields.refuseRest()
    return read
  }

  private static func server(_ given: Fields) throws(ScenarioFault) -> Server {
    var fields = given
    guard let shape = try fields.choice("shape", OAuthShape.Name.self) else {
      throw ScenarioFault(description: "\(given.path): shape is missing")
    }
    var server = Server(name: try fields.string("name") ?? shape.rawValue, shape: shape)
    server.clientID = try fields.string("client-id")
    server.clientSecret = try fields.string("client-secret")
    server.autoApprove = try fields.string("auto-approve")
    if let url = try fields.string("resource-url") { server.resourceURL = url }
    try rules(&fields, &server.rules)
    for (index, node) in (try fields.list("subjects") ?? []).enumerated() {
      var row = try Fields(node, "\(given.path).subjects[\(index)]")
      let name = try row.required("name")
      let email = try row.string("email") ?? "\(name)@example.test"
      let workspace = try row.string("workspace") ?? "ws-\(name)"
      try row.refuseRest()
      server.subjects.append(Subject(name: name, email: email, workspace: workspace))
    }
    for (index, node) in (try fields.list("calls") ?? []).enumerated() {
      let row = try Fields(node, "\(given.path).calls[\(index)]")
      server.calls.append(try QueuedMishap.read(row, server: server.name))
    }
    try fields.refuseRest()
    return server
  }

  private static func rules(
    _ fields: inout Fields, _ rules: inout OAuthRules
  ) throws(ScenarioFault) {
    if let rotation = try fields.choice("rotation", OAuthRules.Rotation.self) {
      rules.rotation = rotation
    }
    if let reuse = try fields.choice("reuse", OAuthRules.Reuse.self) { rules.reuse = reuse }
    if let grace = try fields.span("grace") { rules.grace = grace }
    if let old = try fields.choice("old-access", OAuthRules.OldAccess.self) {
      rules.oldAccess = old
    }
    if let siblings = try fields.choice("siblings", OAuthRules.Siblings.self) {
      rules.siblings = siblings
    }
    if let revocation = try fields.choice("revocation", OAuthRules.Revocation.self) {
      rules.revocation = revocation
    }
    if let lifetime = try fields.span("access-lifetime") { rules.accessLifetime = lifetime }
    if let lifetime = try fields.span("refresh-lifetime") { rules.refreshLifetime = lifetime }
    if let lifetime = try fields.span("code-lifetime") { rules.codeLifetime = lifetime }
    if let lifetime = try fields.span("device-lifetime") { rules.deviceLifetime = lifetime }
    if let interval = try fields.span("device-interval") { rules.deviceInterval = interval }
    if let lifetime = try fields.span("short-lifetime") { rules.shortLifetime = lifetime }
    guard var spacing = try fields.object("spacing") else { return }
    guard let refreshes = try spacing.integer("refreshes", 0...1_000),
      let within = try spacing.span("within")
    else {
      throw ScenarioFault(description: "\(spacing.path): refreshes and within are expected")
    }
    try spacing.refuseRest()
    rules.spacing = OAuthRules.Spacing(refreshes: refreshes, within: within)
  }
}
