/// Any fact of the gateway's history.
public enum Event: Sendable, Hashable {
  case provider(ProviderEvent)
  case account(AccountEvent)
  case credential(CredentialEvent)
  case health(HealthEvent)
  case model(ModelEvent)
  case alias(AliasEvent)
  case combo(ComboEvent)
  case policy(PolicyEvent)
  case organisation(OrganisationEvent)
  case key(KeyEvent)
  case settings(SettingsEvent)
  case pricing(PricingEvent)
  case access(AccessEvent)
  case sync(SyncEvent)
  case request(RequestEvent)
  case gateway(GatewayEvent)
}
