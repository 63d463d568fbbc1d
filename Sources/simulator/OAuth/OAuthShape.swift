/// How one real service speaks OAuth, as data; a server of a scenario takes a shape and may bend its rules.
struct OAuthShape: Sendable {
  /// The shapes that exist, by the names that scenarios use.
  enum Name: String, Sendable, CaseIterable {
    case claude
    case codex
    case gemini
    case qwen
    case iflow
    case github
    case kiro
    case minimax
    case roo
    case oidc
  }

  /// What a client may send to the token endpoint.
  enum Body: Sendable {
    case form
    case json
    case either
  }

  /// How errors are worded.
  enum ErrorForm: Sendable {
    /// RFC 6749: 400 `{"error","error_description"}`.
    case standard
    /// 401 with OpenAI's error object for the refresh token's troubles, else as the RFC.
    case openAI
    /// As the RFC, but under 200.
    case github
    /// `{"status":"error","base_resp":{…}}` under 200.
    case miniMax
    /// Clerk's `{"errors":[{"code"}]}`.
    case clerk
  }

  /// How the model endpoints refuse a dead token.
  enum Dialect: Sendable {
    case openAI
    case codex
    case anthropic
    case google
    case copilot
    case aws
    case qwen
  }

  var name: Name
  var accessPrefix: String
  var refreshPrefix: String
  var body: Body
  /// The client must name itself in `Authorization: Basic` when a code is exchanged or a token refreshed.
  var needsBasic = false
  /// A code challenge must be given and answered.
  var needsPKCE = false
  /// A refresh token comes only if `access_type=offline` was asked for.
  var refreshOnlyOffline = false
  var rotation: OAuthRules.Rotation
  var reuse: OAuthRules.Reuse = .revokeFamily
  /// In seconds; nil: never expires, and no expiry is told.
  var accessLifetime: Int64?
  /// In seconds; nil: never expires.
  var refreshLifetime: Int64?
  var hasIDToken = false
  var accessIsJWT = false
  /// No refresh token is given at all.
  var hasRefresh = true
  var errors: ErrorForm = .standard
  var dialect: Dialect
  var scope: String

  static subscript(_ name: Name) -> OAuthShape {
    switch name {
    case .claude:
      OAuthShape(
        name: name, accessPrefix: "sk-ant-oat01-", refreshPrefix: "sk-ant-ort01-", body: .json,
        needsPKCE: true, rotation: .singleUse, accessLifetime: 28_800, dialect: .anthropic,
        scope: "user:inference user:profile")
    case .codex:
      OAuthShape(
        name: name, accessPrefix: "", refreshPrefix: "rt_", body: .either, needsPKCE: true,
        rotation: .singleUse, accessLifetime: 864_000, hasIDToken: true, accessIsJWT: true,
        errors: .openAI, dialect: .codex, scope: "openid profile email offline_access")
    case .gemini:
      OAuthShape(
        name: name, accessPrefix: "ya29.", refreshPrefix: "1//", body: .form,
        refreshOnlyOffline: true, rotation: .reusable, accessLifetime: 3_599, hasIDToken: true,
        dialect: .google, scope: "https://www.googleapis.com/auth/cloud-platform")
    case .qwen:
      OAuthShape(
        name: name, accessPrefix: "qwen-at-", refreshPrefix: "qwen-rt-", body: .form,
        needsPKCE: true, rotation: .singleUse, accessLifetime: 21_600, dialect: .qwen,
        scope: "openid profile email model.completion")
    case .iflow:
      OAuthShape(
        name: name, accessPrefix: "iflow-at-", refreshPrefix: "iflow-rt-", body: .form,
        needsBasic: true, rotation: .singleUse, accessLifetime: 172_800, dialect: .openAI,
        scope: "phone")
    case .github:
      OAuthShape(
        name: name, accessPrefix: "gho_", refreshPrefix: "ghr_", body: .either,
        rotation: .reusable, hasRefresh: false, errors: .github, dialect: .copilot,
        scope: "read:user")
    case .kiro:
      OAuthShape(
        name: name, accessPrefix: "aoaAAAAA", refreshPrefix: "aorAAAAA", body: .json,
        rotation: .singleUse, reuse: .refuse, accessLifetime: 3_600, refreshLifetime: 7_776_000,
        dialect: .aws, scope: "codewhisperer:completions")
    case .minimax:
      OAuthShape(
        name: name, accessPrefix: "mm-at-", refreshPrefix: "mm-rt-", body: .form,
        needsPKCE: true, rotation: .singleUse, accessLifetime: 86_400, errors: .miniMax,
        dialect: .openAI, scope: "group_id profile model.completion")
    case .roo:
      OAuthShape(
        name: name, accessPrefix: "", refreshPrefix: "roo-client-", body: .form,
        rotation: .reusable, accessLifetime: 60, accessIsJWT: true, errors: .clerk,
        dialect: .openAI, scope: "")
    case .oidc:
      OAuthShape(
        name: name, accessPrefix: "at-", refreshPrefix: "rt-", body: .either, needsPKCE: true,
        rotation: .singleUse, accessLifetime: 3_600, refreshLifetime: 2_592_000,
        hasIDToken: true, dialect: .openAI, scope: "openid email offline_access")
    }
  }
}

/// The rules of one server: the shape's, as the scenario bends them; times in nanoseconds.
struct OAuthRules: Sendable, Equatable {
  /// What a refresh does to the refresh token.
  enum Rotation: String, Sendable, CaseIterable {
    /// A new one; the old one is used up.
    case singleUse = "single-use"
    /// The same for ever.
    case reusable
    /// A new one; the old one stays good.
    case rolling
  }

  /// What a used-up refresh token brings.
  enum Reuse: String, Sendable, CaseIterable {
    case revokeFamily = "revoke-family"
    case refuse
  }

  /// Another family of the same client being issued or refreshed.
  enum Siblings: String, Sendable, CaseIterable {
    case kept
    case invalidated
  }

  /// The access tokens before the one that a refresh brings.
  enum OldAccess: String, Sendable, CaseIterable {
    case kept
    case revoked
  }

  /// What a revoked family loses.
  enum Revocation: String, Sendable, CaseIterable {
    case all
    /// Access tokens live on until they expire.
    case refreshOnly = "refresh-only"
  }

  /// More refreshes than `refreshes` of one client within `within` revoke all its families.
  struct Spacing: Sendable, Equatable {
    var refreshes: Int
    var within: Int64
  }

  var rotation: Rotation
  var reuse: Reuse
  /// For so long a used-up token brings the answer that was given for it.
  var grace: Int64 = 0
  var oldAccess = OldAccess.kept
  var siblings = Siblings.kept
  var revocation = Revocation.all
  var spacing: Spacing?
  /// nil: for ever.
  var accessLifetime: Int64?
  var refreshLifetime: Int64?
  var codeLifetime: Int64 = 600 * 1_000_000_000
  var deviceLifetime: Int64 = 900 * 1_000_000_000
  /// A poll sooner than this after the last gets `slow_down`, and five seconds more.
  var deviceInterval: Int64 = 5 * 1_000_000_000
  /// GitHub's copilot token.
  var shortLifetime: Int64 = 1_500 * 1_000_000_000

  init(_ shape: OAuthShape) {
    rotation = shape.rotation
    reuse = shape.reuse
    accessLifetime = shape.accessLifetime.map { $0 * 1_000_000_000 }
    refreshLifetime = shape.refreshLifetime.map { $0 * 1_000_000_000 }
  }
}
