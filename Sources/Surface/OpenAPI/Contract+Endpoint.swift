extension Endpoint {
  /// What the endpoint takes and answers; a new endpoint does not compile without.
  public var contract: Contract {
    switch self {
    case .chatCompletions: .chatCompletions
    case .listModels: .listModels
    case .getModel: .getModel
    case .login: .login
    case .logout: .logout
    case .listProviders: .listProviders
    case .addProvider: .addProvider
    case .getProvider: .getProvider
    case .changeProvider: .changeProvider
    case .removeProvider: .removeProvider
    case .listAccounts: .listAccounts
    case .addAccount: .addAccount
    case .getAccount: .getAccount
    case .changeAccount: .changeAccount
    case .removeAccount: .removeAccount
    case .testAccount: .testAccount
    case .endCooldown: .endCooldown
    case .discoverModels: .discoverModels
    case .listBackends: .listBackends
    case .getBackendHealth: .getBackendHealth
    case .degradeBackend: .degradeBackend
    case .restoreBackend: .restoreBackend
    case .listProviderModels: .listProviderModels
    case .getProviderModel: .getProviderModel
    case .changeProviderModel: .changeProviderModel
    case .listAliases: .listAliases
    case .setAlias: .setAlias
    case .removeAlias: .removeAlias
    case .listKeys: .listKeys
    case .createKey: .createKey
    case .getKey: .getKey
    case .changeKey: .changeKey
    case .revokeKey: .revokeKey
    case .getSettings: .getSettings
    case .changeSettings: .changeSettings
    case .resetPassword: .resetPassword
    case .applyConfiguration: .applyConfiguration
    case .authzInventory: .authzInventory
    case .auditRequest: .auditRequest
    case .usageLogs: .usageLogs
    case .streamHistory: .streamHistory
    case .revertStream: .revertStream
    case .restoreConfiguration: .restoreConfiguration
    case .configurationDrift: .configurationDrift
    case .health: .health
    case .ping: .ping
    case .healthz: .healthz
    case .readyz: .readyz
    case .openAPI: .openAPI
    }
  }
}
