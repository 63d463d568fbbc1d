public import Domain

extension ErrorCode {
  /// The code by which a refused command is answered: the refusal's own word.
  public init(_ code: Refusal.Code) {
    switch code {
    case .invalidField: self = .invalidField
    case .unknownProvider: self = .unknownProvider
    case .unknownAccount: self = .unknownAccount
    case .unknownKey: self = .unknownKey
    case .unknownSyncToken: self = .unknownSyncToken
    case .unknownAlias: self = .unknownAlias
    case .unknownModel: self = .unknownModel
    case .unknownCombo: self = .unknownCombo
    case .unknownPolicy: self = .unknownPolicy
    case .unknownOrganisation: self = .unknownOrganisation
    case .alreadyExists: self = .alreadyExists
    case .nameCollision: self = .nameCollision
    case .unknownTarget: self = .unknownTarget
    case .ambiguousTarget: self = .ambiguousTarget
    case .aliasOfAlias: self = .aliasOfAlias
    case .revisionMismatch: self = .revisionMismatch
    case .keyExists: self = .keyExists
    case .notActive: self = .notActive
    case .providerInUse: self = .providerInUse
    case .organisationInUse: self = .organisationInUse
    case .notRefreshable: self = .notRefreshable
    case .refreshInProgress: self = .refreshInProgress
    case .notHome: self = .notHome
    case .signedInAsAnother: self = .signedInAsAnother
    }
  }
}
