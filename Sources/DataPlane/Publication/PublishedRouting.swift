public import Domain

/// What the control plane publishes: the routing view, and the secrets that replay never needs.
public struct PublishedRouting: Sendable {
  /// The pure view; recorded decisions name its position.
  public let snapshot: RoutingSnapshot
  /// Of the accounts in the snapshot; an account without one fails its attempts as misconfigured.
  public let secrets: [AccountID: UpstreamSecret]

  /// A view and the secrets that belong to it.
  public init(snapshot: RoutingSnapshot, secrets: [AccountID: UpstreamSecret]) {
    self.snapshot = snapshot
    self.secrets = secrets
  }
}
