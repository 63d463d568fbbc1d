/// The kinds of record this build writes and reads.
///
/// Rows are added, never edited or removed: old logs stay readable.
public enum WireKind: String, CaseIterable, Sendable {
  case providerAdded = "provider.added.v1"
  case providerChanged = "provider.changed.v1"
  case providerEnabled = "provider.enabled.v1"
  case providerDisabled = "provider.disabled.v1"
  case providerRemoved = "provider.removed.v1"
  case accountAdded = "account.added.v1"
  case accountChanged = "account.changed.v1"
  case accountEnabled = "account.enabled.v1"
  case accountDisabled = "account.disabled.v1"
  case accountRemoved = "account.removed.v1"
  case credentialIssued = "credential.issued.v1"
  case credentialRevoked = "credential.revoked.v1"
  case aliasSet = "alias.set.v1"
  case aliasRemoved = "alias.removed.v1"
  case keyCreated = "key.created.v1"
  case keyChanged = "key.changed.v1"
  case keyPaused = "key.paused.v1"
  case keyResumed = "key.resumed.v1"
  case keyRevoked = "key.revoked.v1"
  case settingsChanged = "settings.changed.v1"
  case settingsAdminPasswordSet = "settings.admin_password_set.v1"
  case requestDispatched = "request.dispatched.v1"
  case requestFinished = "request.finished.v1"
  case requestInterrupted = "request.interrupted.v1"
  case requestDeliveryFailed = "request.delivery_failed.v1"
  case requestDeniedSummary = "request.denied_summary.v1"
  case gatewayStarted = "gateway.started.v1"
  case gatewayStopped = "gateway.stopped.v1"
  case gatewayTailTruncated = "gateway.tail_truncated.v1"
  case gatewayGap = "gateway.gap.v1"
  case gatewayGapOpened = "gateway.gap_opened.v1"
  case gatewayGapClosed = "gateway.gap_closed.v1"
  case gatewayLossAccepted = "gateway.loss_accepted.v1"
  case gatewayCheckpointSigned = "gateway.checkpoint_signed.v1"

  /// Every wire literal, in the order of declaration.
  public static let all: [String] = allCases.map(\.rawValue)

  /// A typical event of the kind, with every optional field present; nil if this build does not know it.
  public static func sample(_ kind: String) -> Event? { named(kind)?.sample }

  /// The row of a literal; nil if this build does not know it.
  static func named(_ literal: String) -> WireKind? { byLiteral[literal] }

  /// Decoding asks once a record; comparing the literals one by one would be most of its time.
  private static let byLiteral = [String: WireKind](
    uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })
}

extension Event {
  /// The wire literal with its version, for example `provider.added.v1`.
  public var kind: String { wireKind.rawValue }

  /// The row of the event's wire literal.
  public var wireKind: WireKind {
    switch self {
    case .provider(.added): .providerAdded
    case .provider(.changed): .providerChanged
    case .provider(.enabled): .providerEnabled
    case .provider(.disabled): .providerDisabled
    case .provider(.removed): .providerRemoved
    case .account(.added): .accountAdded
    case .account(.changed): .accountChanged
    case .account(.enabled): .accountEnabled
    case .account(.disabled): .accountDisabled
    case .account(.removed): .accountRemoved
    case .credential(.issued): .credentialIssued
    case .credential(.revoked): .credentialRevoked
    case .alias(.set): .aliasSet
    case .alias(.removed): .aliasRemoved
    case .key(.created): .keyCreated
    case .key(.changed): .keyChanged
    case .key(.paused): .keyPaused
    case .key(.resumed): .keyResumed
    case .key(.revoked): .keyRevoked
    case .settings(.changed): .settingsChanged
    case .settings(.adminPasswordSet): .settingsAdminPasswordSet
    case .request(.dispatched): .requestDispatched
    case .request(.finished): .requestFinished
    case .request(.interrupted): .requestInterrupted
    case .request(.deliveryFailed): .requestDeliveryFailed
    case .request(.deniedSummary): .requestDeniedSummary
    case .gateway(.started): .gatewayStarted
    case .gateway(.stopped): .gatewayStopped
    case .gateway(.tailTruncated): .gatewayTailTruncated
    case .gateway(.gap): .gatewayGap
    case .gateway(.gapOpened): .gatewayGapOpened
    case .gateway(.gapClosed): .gatewayGapClosed
    case .gateway(.lossAccepted): .gatewayLossAccepted
    case .gateway(.checkpointSigned): .gatewayCheckpointSigned
    }
  }
}
