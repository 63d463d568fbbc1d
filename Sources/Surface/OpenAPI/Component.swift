/// The schemas that stand once in the document, by the name that refers to them.
public enum Component: String, Sendable, Hashable, CaseIterable {
  case account = "Account"
  case accountTest = "AccountTest"
  case alias = "Alias"
  case backend = "Backend"
  case build = "Build"
  case combo = "Combo"
  case key = "Key"
  case model = "Model"
  case organisation = "Organisation"
  case policy = "Policy"
  case provider = "Provider"
  case providerModel = "ProviderModel"
  case settings = "Settings"

  /// What the name stands for.
  public var schema: Schema {
    switch self {
    case .account: .account
    case .accountTest: .accountTest
    case .alias: .alias
    case .backend: .backend
    case .build: .build
    case .combo: .combo
    case .key: .key
    case .model: .model
    case .organisation: .organisation
    case .policy: .policy
    case .provider: .provider
    case .providerModel: .providerModel
    case .settings: .settings
    }
  }
}
