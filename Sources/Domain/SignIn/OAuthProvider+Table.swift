extension OAuthProvider {
  /// Every service that is known, in the order in which they are shown.
  ///
  /// Client ids are public: they are in the programs that the services hand out. Secrets are not, even where
  /// such a program has one in it.
  public static let all: [OAuthProvider] = [
    claude, codex, geminiCLI, qwen, iflow, github, kiro, kiroSocial, cursor, minimax, roo, generic,
  ]

  private static let claude = OAuthProvider(
    kind: "claude", title: "Claude", flows: [.authorizationCode, .imported],
    client: OAuthClient(
      kind: "claude", tokenURL: "https://console.anthropic.com/v1/oauth/token",
      authorizeURL: "https://claude.ai/oauth/authorize",
      clientID: "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
      scopes: ["org:create_api_key", "user:profile", "user:inference"], encoding: .json,
      leadSeconds: 1_800),
    redirectURI: "https://console.anthropic.com/oauth/code/callback",
    authorizeParameters: [.init(name: "code", value: "true")], sendsState: true,
    identity: Identity(
      place: .answer, subject: ["account", "uuid"], workspace: ["organization", "uuid"],
      email: ["account", "email_address"]),
    service: Service(dialect: .anthropic, baseURL: "https://api.anthropic.com/v1"))

  /// Its models answer only to the program's own instructions and headers, which are not imitated here.
  private static let codex = OAuthProvider(
    kind: "codex", title: "Codex", flows: [.authorizationCode, .imported],
    client: OAuthClient(
      kind: "codex", tokenURL: "https://auth.openai.com/oauth/token",
      authorizeURL: "https://auth.openai.com/oauth/authorize",
      clientID: "app_EMoamEEZ73f0CkXaXp7hrann",
      scopes: ["openid", "profile", "email", "offline_access"], leadSeconds: 432_000),
    redirectURI: "http://localhost:1455/auth/callback",
    authorizeParameters: [
      .init(name: "id_token_add_organizations", value: "true"),
      .init(name: "codex_cli_simplified_flow", value: "true"),
    ],
    identity: Identity(
      place: .idToken, subject: ["sub"],
      workspace: ["https://api.openai.com/auth", "chatgpt_account_id"], email: ["email"]),
    service: Service(
      dialect: .openai, baseURL: "https://chatgpt.com/backend-api/codex", isSpoken: false))

  /// Its models are asked in an envelope of their own (Code Assist), which is not spoken here.
  private static let geminiCLI = OAuthProvider(
    kind: "gemini-cli", title: "Gemini CLI", flows: [.authorizationCode, .imported],
    client: OAuthClient(
      kind: "gemini-cli", tokenURL: "https://oauth2.googleapis.com/token",
      authorizeURL: "https://accounts.google.com/o/oauth2/v2/auth",
      revokeURL: "https://oauth2.googleapis.com/revoke",
      clientID: "681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com",
      scopes: [
        "openid", "https://www.googleapis.com/auth/cloud-platform",
        "https://www.googleapis.com/auth/userinfo.email",
        "https://www.googleapis.com/auth/userinfo.profile",
      ], leadSeconds: 600),
    needsSecret: true,
    authorizeParameters: [
      .init(name: "access_type", value: "offline"), .init(name: "prompt", value: "consent"),
    ],
    identity: Identity(place: .idToken, subject: ["sub"], email: ["email"]),
    service: Service(
      dialect: .gemini, baseURL: "https://cloudcode-pa.googleapis.com", isSpoken: false))

  private static let qwen = OAuthProvider(
    kind: "qwen", title: "Qwen", flows: [.deviceCode, .imported],
    client: OAuthClient(
      kind: "qwen", tokenURL: "https://chat.qwen.ai/api/v1/oauth2/token",
      deviceURL: "https://chat.qwen.ai/api/v1/oauth2/device/code",
      clientID: "f0304373b74a44d2b584a3fb70ca9e56",
      scopes: ["openid", "profile", "email", "model.completion"], leadSeconds: 1_200),
    kept: ["resource_url"],
    service: Service(dialect: .openai, baseURL: "https://portal.qwen.ai/v1"))

  /// The access token only fetches an API key, which does not end.
  private static let iflow = OAuthProvider(
    kind: "iflow", title: "iFlow", flows: [.authorizationCode, .imported],
    client: OAuthClient(
      kind: "iflow", tokenURL: "https://iflow.cn/oauth/token",
      authorizeURL: "https://iflow.cn/oauth",
      userInfoURL: "https://iflow.cn/api/oauth/getUserInfo", clientID: "10009311001"),
    needsSecret: true,
    authorizeParameters: [
      .init(name: "loginMethod", value: "phone"), .init(name: "type", value: "phone"),
    ],
    redirectName: "redirect", usesPKCE: false, proof: .basic,
    // The address stands for the person: the service names nothing else, and a phone number where there is none.
    identity: Identity(place: .userInfo, subject: ["data", "email"], email: ["data", "email"]),
    expiry: .never, key: ["data", "apiKey"], userInfoParameter: "accessToken",
    service: Service(dialect: .openai, baseURL: "https://apis.iflow.cn/v1"))

  /// Its models take a token of half an hour, which GitHub's own brings, and an editor's headers, which are not imitated
  /// here.
  private static let github = OAuthProvider(
    kind: "github", title: "GitHub Copilot", flows: [.deviceCode, .imported],
    client: OAuthClient(
      kind: "github", tokenURL: "https://github.com/login/oauth/access_token",
      deviceURL: "https://github.com/login/device/code", userInfoURL: "https://api.github.com/user",
      clientID: "Iv1.b507a08c87ecfe98", scopes: ["read:user"]),
    usesPKCE: false,
    identity: Identity(place: .userInfo, subject: ["id"], email: ["email"]), expiry: .never,
    lease: Lease(
      path: "copilot_internal/v2/token", token: "token", end: "expires_at",
      endpoint: ["endpoints", "api"]),
    service: Service(
      dialect: .openai, baseURL: "https://api.githubcopilot.com", isSpoken: false))

  /// AWS Builder ID and IAM Identity Center.
  private static let kiro = OAuthProvider(
    kind: "kiro", title: "Kiro", flows: [.deviceCode, .imported],
    client: OAuthClient(
      kind: "kiro", tokenURL: "https://oidc.us-east-1.amazonaws.com/token",
      deviceURL: "https://oidc.us-east-1.amazonaws.com/device_authorization", clientID: "signalbox",
      scopes: [
        "codewhisperer:completions", "codewhisperer:analysis", "codewhisperer:conversations",
      ], encoding: .json, leadSeconds: 600),
    usesPKCE: false, words: .camel, proof: .registered,
    device: .registered(startURL: "https://view.awsapps.com/start"),
    expiry: .seconds("expiresIn"), kept: ["profileArn"],
    service: Service(
      dialect: .anthropic, baseURL: "https://q.us-east-1.amazonaws.com", isSpoken: false))

  /// Google's and GitHub's accounts at Kiro, which its own program signs in.
  private static let kiroSocial = OAuthProvider(
    kind: "kiro-social", title: "Kiro with Google or GitHub", flows: [.imported],
    client: OAuthClient(
      kind: "kiro-social", tokenURL: "https://prod.us-east-1.auth.desktop.kiro.dev/refreshToken",
      clientID: "signalbox", encoding: .json, leadSeconds: 600),
    usesPKCE: false, words: .camel, proof: .registered, expiry: .seconds("expiresIn"),
    kept: ["profileArn"],
    service: Service(
      dialect: .anthropic, baseURL: "https://q.us-east-1.amazonaws.com", isSpoken: false))

  private static let cursor = OAuthProvider(
    kind: "cursor", title: "Cursor", flows: [.imported],
    identity: Identity(place: .accessToken, subject: ["sub"]), expiry: .claim, kept: ["machineId"],
    service: Service(
      dialect: .openai, baseURL: "https://api2.cursor.sh", isSpoken: false))

  private static let minimax = OAuthProvider(
    kind: "minimax", title: "MiniMax", flows: [.deviceCode, .imported],
    client: OAuthClient(
      kind: "minimax", tokenURL: "https://api.minimax.io/oauth/token",
      deviceURL: "https://api.minimax.io/oauth/code",
      clientID: "78257093-7e40-4613-99e0-527b14b39113",
      scopes: ["group_id", "profile", "model.completion"], leadSeconds: 1_800),
    device: .byUserCode, expiry: .moment("expired_in"), kept: ["resource_url"],
    service: Service(dialect: .anthropic, baseURL: "https://api.minimax.io/anthropic/v1"))

  /// Its sessions last a minute and are had by cookies of its own; a token is brought.
  private static let roo = OAuthProvider(
    kind: "roo", title: "Roo Code", flows: [.imported],
    identity: Identity(place: .accessToken, subject: ["sub"]), expiry: .claim,
    service: Service(dialect: .openai, baseURL: "https://api.roocode.com/proxy/v1"))

  /// Any service by the standards, described by the provider's `oauth`.
  static let generic = OAuthProvider(
    kind: "generic", title: "OpenID Connect", flows: Flow.allCases,
    identity: Identity(place: .idToken, subject: ["sub"], email: ["email"]))
}
