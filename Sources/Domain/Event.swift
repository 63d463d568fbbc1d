/// Any fact of the gateway's history.
public enum Event: Sendable, Hashable {
  case provider(ProviderEvent)
  case account(AccountEvent)
  case credential(CredentialEvent)
  case alias(AliasEvent)
  case key(KeyEvent)
  case settings(SettingsEvent)
  case request(RequestEvent)
  case gateway(GatewayEvent)
}
