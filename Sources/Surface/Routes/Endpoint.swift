/// What a route does, so that handlers can switch over all of them; several paths may share one.
public enum Endpoint: String, Sendable, Hashable, CaseIterable {
  case chatCompletions
  case listModels
  case getModel
  case login
  case logout
  case listProviders
  case addProvider
  case getProvider
  case changeProvider
  case removeProvider
  case listAccounts
  case addAccount
  case getAccount
  case changeAccount
  case removeAccount
  case listAliases
  case setAlias
  case removeAlias
  case listKeys
  case createKey
  case getKey
  case changeKey
  case revokeKey
  case getSettings
  case changeSettings
  case authzInventory
  case auditRequest
  case usageLogs
  case streamHistory
  case health
  case ping
  case healthz
  case readyz
  case openAPI
}
