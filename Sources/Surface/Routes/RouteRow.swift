/// A request method that some route answers; HEAD is answered wherever GET is.
public enum RouteMethod: String, Sendable, Hashable, CaseIterable {
  case get = "GET"
  case post = "POST"
  case put = "PUT"
  case patch = "PATCH"
  case delete = "DELETE"
}

/// Who may call a route; each route is in exactly one tier.
public enum RouteTier: String, Sendable, Hashable, CaseIterable {
  /// A client's API key.
  case client
  /// An administrator: session cookie or admin token.
  case admin
  /// Anyone who reaches the listener; a key given all the same must be valid, and narrows the answer.
  case `public`
  /// Another node, by what it seals under a sync token.
  case peer
  /// The control socket in the data directory only.
  case local
}

/// Which part of the gateway answers a route.
public enum RoutePlane: String, Sendable, Hashable, CaseIterable {
  case dataPlane = "data"
  case controlPlane = "control"
}

/// What the routes of one resource have in common, as shown in the inventory.
public enum RouteGroup: String, Sendable, Hashable, CaseIterable {
  case inference
  case models
  case signIn = "sign-in"
  case configuration
  /// What is exchanged with other nodes.
  case sync
  /// What is known of accounts' state, and what operators say about it.
  case health
  case evidence
  case state
}

/// One endpoint: everything about it that is not its handler.
public struct RouteRow: Sendable, Hashable {
  /// What the route does.
  public var endpoint: Endpoint
  /// The method it answers; GET answers HEAD as well.
  public var method: RouteMethod
  /// The path, with parameters as whole segments in braces: `/api/keys/{id}`; the last may have an end:
  /// `{model}:generateContent`.
  public var path: String
  /// Who may call it.
  public var tier: RouteTier
  /// Where the inventory lists it.
  public var group: RouteGroup
  /// One line, imperative, without a full stop.
  public var summary: String
  /// Which part of the gateway answers it.
  public var plane: RoutePlane
  /// A client's key is let in beside the tier's credential, and sees its own organisation only.
  public var admitsKeys: Bool
  /// The last parameter takes the rest of the path, slashes included.
  public var takesRest: Bool

  /// A row with all its columns.
  public init(
    _ endpoint: Endpoint, _ method: RouteMethod, _ path: String, _ tier: RouteTier,
    _ group: RouteGroup, _ summary: String, by plane: RoutePlane, admitsKeys: Bool = false,
    takesRest: Bool = false
  ) {
    self.endpoint = endpoint
    self.method = method
    self.path = path
    self.tier = tier
    self.group = group
    self.summary = summary
    self.plane = plane
    self.admitsKeys = admitsKeys
    self.takesRest = takesRest
  }
}
