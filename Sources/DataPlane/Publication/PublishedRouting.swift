public import Domain

/// What the control plane publishes: the routing view, and the secrets that replay never needs.
public struct PublishedRouting: Sendable {
  public let snapshot: RoutingSnapshot
  public let secrets: [AccountID: UpstreamSecret]

  public init(snapshot: RoutingSnapshot, secrets: [AccountID: UpstreamSecret]) {
    self.snapshot = snapshot
    self.secrets = secrets
  }
}
