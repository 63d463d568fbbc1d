/// All endpoints of the gateway, and the one way to find the row of a request.
public enum Routes {
  /// Every row; no two share method and path.
  public static let all: [RouteRow] =
    inference + signIn + configuration + sync + health + evidence + state

  private static let inference: [RouteRow] =
    ["/v1", "/api/v1"].flatMap { base in
      [
        infer(
          .chatCompletions, "\(base)/chat/completions", "Answer a chat, whole or as a stream"),
        infer(.completions, "\(base)/completions", "Continue a text, whole or as a stream"),
        infer(.embeddings, "\(base)/embeddings", "Turn texts into vectors"),
        infer(
          .responses, "\(base)/responses", "Answer in OpenAI's Responses, whole or as a stream"),
        infer(
          .messages, "\(base)/messages", "Answer in Anthropic's Messages, whole or as a stream"),
        infer(.countTokens, "\(base)/messages/count_tokens", "Count the tokens of a message"),
        infer(.inference, "\(base)/inference", "Answer one text in the API Router's form"),
      ] + stored(base) + models(base)
    }
    + ["/v1beta", "/api/v1beta"].flatMap(geminiModels)
    + GeminiCall.bases.flatMap { base in
      [
        infer(
          .generateContent, "\(base){model}:generateContent",
          "Answer in Gemini's protocol", takesRest: true),
        infer(
          .streamGenerateContent, "\(base){model}:streamGenerateContent",
          "Answer in Gemini's protocol, as a stream", takesRest: true),
      ]
    }

  private static func stored(_ base: String) -> [RouteRow] {
    let path = "\(base)/responses/{response_id}"
    return [
      RouteRow(
        .getResponse, .get, path, .client, .inference, "Show a stored response", by: .dataPlane),
      RouteRow(
        .removeResponse, .delete, path, .client, .inference, "Remove a stored response",
        by: .dataPlane),
      RouteRow(
        .listInputItems, .get, "\(path)/input_items", .client, .inference,
        "List what a stored response was asked", by: .dataPlane),
      infer(
        .cancelResponse, "\(path)/cancel", "Give up a response that is made in the background"),
    ]
  }

  private static func models(_ base: String) -> [RouteRow] {
    [
      RouteRow(
        .listModels, .get, "\(base)/models", .public, .models, "List the models that can be asked",
        by: .dataPlane),
      RouteRow(
        .getModel, .get, "\(base)/models/{id}", .public, .models, "Show one model",
        by: .dataPlane, takesRest: true),
    ]
  }

  private static func geminiModels(_ base: String) -> [RouteRow] {
    [
      RouteRow(
        .listGeminiModels, .get, "\(base)/models", .public, .models,
        "List the models that can be asked, in Gemini's form", by: .dataPlane),
      RouteRow(
        .getGeminiModel, .get, "\(base)/models/{id}", .public, .models,
        "Show one model in Gemini's form", by: .dataPlane, takesRest: true),
    ]
  }

  private static func infer(
    _ endpoint: Endpoint, _ path: String, _ summary: String, takesRest: Bool = false
  ) -> RouteRow {
    RouteRow(
      endpoint, .post, path, .client, .inference, summary, by: .dataPlane, takesRest: takesRest)
  }

  private static let signIn: [RouteRow] = [
    RouteRow(
      .login, .post, "/api/auth/login", .public, .signIn, "Open an administrator's session",
      by: .controlPlane),
    RouteRow(
      .logout, .post, "/api/auth/logout", .public, .signIn, "Close the session, or all of them",
      by: .controlPlane),
  ]

  private static let sync: [RouteRow] = [
    RouteRow(
      .getSync, .get, "/api/sync/cloud", .admin, .sync,
      "Show with whom the configuration is synced",
      by: .controlPlane),
    RouteRow(
      .actOnSync, .post, "/api/sync/cloud", .admin, .sync, "Begin, make, end or check a sync",
      by: .controlPlane),
    RouteRow(
      .greetSync, .post, "/api/sync/exchange/hello", .peer, .sync,
      "Give a node the number that its message is made for", by: .controlPlane),
    RouteRow(
      .exchangeSync, .post, "/api/sync/exchange", .peer, .sync,
      "Answer a node's sealed message", by: .controlPlane),
  ]

  private static let configuration: [RouteRow] = [
    configure(.listProviders, .get, "/api/provider-nodes", "List the providers"),
    configure(.addProvider, .post, "/api/provider-nodes", "Add a provider"),
    configure(.getProvider, .get, "/api/provider-nodes/{id}", "Show a provider"),
    configure(.changeProvider, .put, "/api/provider-nodes/{id}", "Change a provider"),
    configure(.removeProvider, .delete, "/api/provider-nodes/{id}", "Remove a provider"),
    configure(.listAccounts, .get, "/api/providers", "List the accounts"),
    configure(.addAccount, .post, "/api/providers", "Add an account"),
    configure(.getAccount, .get, "/api/providers/{id}", "Show an account"),
    configure(.changeAccount, .put, "/api/providers/{id}", "Change an account"),
    configure(
      .issueCredential, .put, "/api/providers/{id}/credential",
      "Put another access token in force for an account"),
    configure(
      .refreshCredential, .post, "/api/providers/{id}/credential/refresh",
      "Refresh an account's credential now"),
    configure(
      .releaseCredential, .post, "/api/providers/{id}/credential/release",
      "Let an uncertain or refused credential be refreshed again"),
    configure(
      .moveCredential, .post, "/api/providers/{id}/credential/home",
      "Make another node the one that refreshes a credential"),
    configure(.listSignIns, .get, "/api/oauth", "List the ways in which accounts are signed in"),
    configure(
      .beginAuthorization, .get, "/api/oauth/{provider}/authorize",
      "Begin a sign-in in a browser"),
    configure(
      .exchangeCode, .post, "/api/oauth/{provider}/exchange",
      "End a browser's sign-in with the code that came back"),
    configure(
      .beginDevice, .get, "/api/oauth/{provider}/device-code",
      "Begin a sign-in with a code that people type elsewhere"),
    configure(
      .pollDevice, .post, "/api/oauth/{provider}/poll", "Ask whether somebody typed the code"),
    configure(
      .importAccount, .post, "/api/oauth/{provider}/import",
      "Take tokens or a key that another program got"),
    configure(.removeAccount, .delete, "/api/providers/{id}", "Remove an account"),
    configure(.listProviderModels, .get, "/api/models", "List the providers' models"),
    configure(
      .getProviderModel, .get, "/api/models/{id}", "Show a provider's model", takesRest: true),
    configure(
      .changeProviderModel, .put, "/api/models/{id}", "Take a model out, or put it back",
      takesRest: true),
    configure(.listAliases, .get, "/api/models/alias", "List the aliases"),
    configure(.setAlias, .put, "/api/models/alias", "Set an alias"),
    configure(.removeAlias, .delete, "/api/models/alias", "Remove an alias"),
    configure(.listCombos, .get, "/api/combos", "List the combos"),
    configure(.addCombo, .post, "/api/combos", "Add a combo"),
    configure(.getCombo, .get, "/api/combos/{name}", "Show a combo"),
    configure(.changeCombo, .put, "/api/combos/{name}", "Change a combo"),
    configure(.removeCombo, .delete, "/api/combos/{name}", "Remove a combo"),
    configure(.listOrganisations, .get, "/api/organisations", "List the organisations"),
    configure(.addOrganisation, .post, "/api/organisations", "Add an organisation"),
    configure(.getOrganisation, .get, "/api/organisations/{id}", "Show an organisation"),
    configure(
      .changeOrganisation, .put, "/api/organisations/{id}",
      "Change, pause or resume an organisation"),
    configure(.removeOrganisation, .delete, "/api/organisations/{id}", "Remove an organisation"),
    configure(.listKeys, .get, "/api/keys", "List the keys"),
    configure(.createKey, .post, "/api/keys", "Create a key"),
    configure(.getKey, .get, "/api/keys/{id}", "Show a key"),
    configure(.changeKey, .put, "/api/keys/{id}", "Change, pause or resume a key"),
    configure(.revokeKey, .delete, "/api/keys/{id}", "Revoke a key"),
    configure(.listPolicies, .get, "/v1/admin/routing/policies", "List the policies"),
    configure(.setPolicy, .post, "/v1/admin/routing/policies", "Set a policy"),
    configurePolicy(.getPolicy, .get, "Show a policy"),
    configurePolicy(.changePolicy, .put, "Change a policy"),
    configurePolicy(.removePolicy, .delete, "Remove a policy"),
    configure(.getPricing, .get, "/api/pricing", "List what tokens cost"),
    configure(.changePricing, .patch, "/api/pricing", "Set prices, field by field"),
    configure(.removePricing, .delete, "/api/pricing", "Remove prices"),
    configure(.getSettings, .get, "/api/settings", "Show the settings"),
    configure(.changeSettings, .patch, "/api/settings", "Change settings"),
    configure(.listSyncTokens, .get, "/api/sync/tokens", "List the tokens of other nodes"),
    configure(.issueSyncToken, .post, "/api/sync/tokens", "Issue a token for another node"),
    configure(
      .revokeSyncToken, .delete, "/api/sync/tokens/{id}", "Revoke the token of another node"),
    configure(
      .forgetSyncPeer, .delete, "/api/sync/peers/{peer}",
      "Remember nothing of another node, and revoke its tokens"),
    RouteRow(
      .resetPassword, .post, "/api/settings/reset-password", .local, .configuration,
      "Set the administrator's password without the current one", by: .controlPlane),
    RouteRow(
      .applyConfiguration, .post, "/api/config/apply", .local, .configuration,
      "Make the configuration what a file says, or show what would change", by: .controlPlane),
    configure(
      .authzInventory, .get, "/api/settings/authz-inventory",
      "List who may call what, and the checks in force"),
    configure(
      .revertStream, .post, "/api/config/revert", "Set one resource back to an earlier revision"),
    configure(
      .restoreConfiguration, .post, "/api/config/restore",
      "Set the whole configuration back to what it was at a moment"),
    configure(
      .configurationDrift, .get, "/api/config/drift",
      "Compare the gateway's configuration file, as it is now, with the log"),
  ]

  private static let health: [RouteRow] = [
    account(
      .testAccount, .post, "/api/providers/{id}/test", "Make a real call with an account"),
    account(
      .endCooldown, .post, "/api/providers/{id}/cooldown/end", "End an account's cooldown"),
    account(
      .discoverModels, .post, "/api/providers/{id}/models/refresh",
      "Ask an account which models its provider offers"),
    account(
      .listBackends, .get, "/v1/admin/routing/backends", "List the accounts and their health"),
    account(
      .getBackendHealth, .get, "/v1/admin/routing/backends/{id}/health",
      "Show an account's health"),
    account(
      .degradeBackend, .post, "/v1/admin/routing/backends/{id}/degrade",
      "Take an account out of routing until it is restored"),
    account(
      .restoreBackend, .post, "/v1/admin/routing/backends/{id}/healthy",
      "Put an account back into routing, and test it"),
  ]

  private static let evidence: [RouteRow] = [
    RouteRow(
      .auditRequest, .get, "/v1/audit/requests/{id}", .admin, .evidence,
      "Show what happened to a request", by: .controlPlane, admitsKeys: true),
    evident(.usageLogs, "/api/usage/logs", "List the last requests, or those with some mark"),
    evident(.usageLogs, "/api/usage/request-logs", "The same list under its other name"),
    evident(.usageHistory, "/api/usage/history", "Sum up what was used, by whom and of what"),
    evident(.providerMetrics, "/v1/metrics/providers", "Sum up the last calls to each provider"),
    evident(
      .routingDecisions, "/v1/admin/routing/decisions",
      "List which account was chosen for which request, and why"),
    RouteRow(
      .streamHistory, .get, "/api/history/{stream}", .admin, .evidence,
      "Show who set what in a stream, when and from where, before and after", by: .controlPlane,
      takesRest: true),
    evident(.events, "/api/events", "List the log's events, or follow them as they come"),
    inquiry(.replayWindow, "window", "Sum up and list what happened between two moments"),
    inquiry(.replayShow, "show", "Tell the whole story of a request, or every field of an event"),
    inquiry(.replayExplain, "explain", "Tell why a request went where it went"),
    inquiry(.replayState, "state", "Show the configuration at a moment"),
    inquiry(.replayDiff, "diff", "Show what differs between two moments, and who did it"),
    inquiry(.replayDrift, "drift", "Find edits that undid, overwrote or fought others"),
    inquiry(.replayBlame, "blame", "Tell who set a value, when, from where, instead of what"),
    inquiry(.replayBisect, "bisect", "Find the event at which something became true"),
    inquiry(
      .replayWhatIf, "what-if", "Decide requests of the past on a configuration with changes"),
    inquiry(.replayReport, "report", "Draft the postmortem of the worst incident of a range"),
  ]

  private static let state: [RouteRow] = [
    look(.health, "/health", "Tell whether the gateway runs"),
    look(.ping, "/api/health/ping", "Answer a ping"),
    look(.healthz, "/v1/status/healthz", "Tell whether the process lives"),
    look(.readyz, "/v1/status/readyz", "Tell whether the gateway can serve, by component"),
    look(.metrics, "/metrics", "Show all metrics, as Prometheus reads them"),
    RouteRow(
      .systemVersion, .get, "/api/system/version", .admin, .state,
      "Tell which build runs, since when, on which log", by: .controlPlane),
    RouteRow(
      .openAPI, .get, "/openapi.json", .admin, .state, "Describe every endpoint, as OpenAPI 3.1",
      by: .controlPlane),
  ]

  private static func configure(
    _ endpoint: Endpoint, _ method: RouteMethod, _ path: String, _ summary: String,
    takesRest: Bool = false
  ) -> RouteRow {
    RouteRow(
      endpoint, method, path, .admin, .configuration, summary, by: .controlPlane,
      takesRest: takesRest)
  }

  private static func account(
    _ endpoint: Endpoint, _ method: RouteMethod, _ path: String, _ summary: String
  ) -> RouteRow {
    RouteRow(endpoint, method, path, .admin, .health, summary, by: .controlPlane)
  }

  private static func configurePolicy(
    _ endpoint: Endpoint, _ method: RouteMethod, _ summary: String
  ) -> RouteRow {
    RouteRow(
      endpoint, method, "/v1/admin/routing/policies/{organization_id}/{model}", .admin,
      .configuration, summary, by: .controlPlane, takesRest: true)
  }

  private static func evident(
    _ endpoint: Endpoint, _ path: String, _ summary: String
  ) -> RouteRow {
    RouteRow(endpoint, .get, path, .admin, .evidence, summary, by: .controlPlane)
  }

  private static func inquiry(
    _ endpoint: Endpoint, _ verb: String, _ summary: String
  ) -> RouteRow {
    evident(endpoint, "/api/replay/\(verb)", summary)
  }

  private static func look(_ endpoint: Endpoint, _ path: String, _ summary: String) -> RouteRow {
    RouteRow(endpoint, .get, path, .public, .state, summary, by: .controlPlane)
  }
}
