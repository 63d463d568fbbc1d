import Domain

// `/api/oauth`.
extension Contract {
  static let listSignIns = read([
    .field(
      "providers",
      .array(
        of: .object([
          .field("kind", .identifier), .field("title", .string),
          .field("flows", .array(of: .choice(OAuthProvider.Flow.allCases.map(\.rawValue)))),
          .field(
            "isRouted",
            Schema.bool.described(
              "Else its accounts are kept and refreshed, and no request goes there.")),
          .field(
            "needsClient",
            Schema.bool.described("A provider of it must be configured with `oauth`.")),
          .field(
            "needsClientSecret", Schema.bool.described("`oauth.clientSecret` must be set.")),
          .field(
            "configured",
            Schema.array(of: .identifier).described("Providers that are signed in to in this way.")),
        ])))
  ])

  private static let account = Parameter(
    name: "account", schema: .text(1...256),
    note: "Whose next credential it is to be; without it, whosever it turns out to be.")

  static let beginAuthorization = Contract(
    query: [
      .init(
        name: "redirect_uri", schema: .text(1...2_048),
        note: "Where the browser comes back; not where `fixedPort` or the service says it."),
      account,
    ],
    answers: [
      .ok(
        .object([
          .field("authUrl", Schema.string.described("To be opened in a browser.")),
          .field("state", .string),
          .field(
            "codeVerifier",
            Schema.string.described("The state again; the verifier itself stays here.")),
          .field("codeChallenge", .string.orNull), .field("redirectUri", .string),
          .field("flowType", .choice(["authorization_code", "authorization_code_pkce"])),
          .field("fixedPort", Schema.integer(1...65_535).orNull),
          .field("callbackPath", .string), .field("expiresAt", .time),
        ]))
    ], errors: [.unknownProvider, .unknownAccount, .signInUnavailable, .gatewayNotRunning])

  static let exchangeCode = Contract(
    body: .object([
      .field("code", Schema.text(1...16_384).described("As it came back; also `CODE#STATE`.")),
      .optional("state", Schema.text(1...256).orNull),
      .optional("redirectUri", Schema.text(1...2_048).orNull),
      .optional("codeVerifier", Schema.text(1...256).orNull),
    ]), answers: [signedIn], errors: ended)

  static let beginDevice = Contract(
    query: [account],
    answers: [
      .ok(
        .object([
          .field(
            "device_code", Schema.string.described("To poll with; the provider's own stays here.")),
          .field("user_code", Schema.string.described("What people type.")),
          .field("verification_uri", Schema.string.described("Where they type it.")),
          .field("verification_uri_complete", .string.orNull), .field("expires_in", .count),
          .field("interval", Schema.count.described("Seconds between two polls.")),
          .field("codeVerifier", .string), .field("expiresAt", .time),
        ]))
    ],
    errors: [
      .unknownProvider, .unknownAccount, .signInUnavailable, .signInRefused, .signInFailed,
      .gatewayNotRunning,
    ])

  static let pollDevice = Contract(
    body: .object([
      .field("deviceCode", .text(1...256)), .optional("codeVerifier", .any),
      .optional("extraData", .any),
    ]),
    answers: [
      .ok(
        .anyOf([
          .object(signedInFields),
          .object([
            .field("success", .constant(false)), .field("pending", .bool),
            .field("error", .string), .field("errorDescription", .string),
          ]),
        ]))
    ], errors: ended)

  static let importAccount = Contract(
    body: .object([
      .optional("accessToken", .token), .optional("refreshToken", .token),
      .optional("idToken", .token), .optional("apiKey", .credential),
      .optional("machineId", .credential), .optional("clientId", .credential),
      .optional("clientSecret", .token),
      .optional("account", Schema.text(1...256).orNull.described("Whose next credential it is.")),
      .optional("expiresAt", Schema.time.orNull),
      .optional("expiresIn", Schema.integer(1...315_360_000).orNull),
    ]), answers: [signedIn], errors: ended + [.sampleKey])

  private static let ended: [ErrorCode] = [
    .unknownProvider, .unknownAccount, .signInState, .signInUnavailable, .signInRefused,
    .signInFailed, .signedInAsAnother, .nameCollision, .gatewayNotRunning,
  ]

  private static let signedIn = Answer.ok(.object(signedInFields), revision: true)

  private static let signedInFields: [Schema.Field] = [
    .field("success", .constant(true)),
    .field(
      "connection",
      .object([
        .field("id", .identifier), .field("provider", .identifier), .field("name", .string),
        .field("email", .string.orNull), .field("displayName", .string),
        .field(
          "subject", Schema.string.orNull.described("Null: the provider does not say who it is.")),
        .field("workspace", .string.orNull), .field("isNew", .bool),
        .field("credentialGeneration", .count), .field("canRefresh", .bool),
        .field("expiresAt", Schema.time.orNull),
        .field("routing", .choice(["routed", "protocol_not_supported"])),
      ])),
  ]
}
