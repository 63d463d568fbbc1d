/// The schemas that stand once in the document, by the name that refers to them.
public enum Component: String, Sendable, Hashable, CaseIterable {
  case account = "Account"
  case alias = "Alias"
  case build = "Build"
  case key = "Key"
  case model = "Model"
  case provider = "Provider"
  case settings = "Settings"

  /// What the name stands for.
  public var schema: Schema {
    switch self {
    case .account: .account
    case .alias: .alias
    case .build: .build
    case .key: .key
    case .model: .model
    case .provider: .provider
    case .settings: .settings
    }
  }
}
