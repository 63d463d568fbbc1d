extension Provider {
  /// As it stands, field by field.
  var image: Image {
    Image(.provider(id))
      .setting("name", .text(name))
      .setting("protocol", .text(dialect.name))
      .setting("baseUrl", .text(baseURL))
      .setting("prefix", .text(prefix))
      .setting("models", .list(models.map(\.imageValue)))
      .setting("excludedModels", Image.Value(excludedModels))
      .setting("isActive", .flag(isEnabled))
      .setting("healthCheckSeconds", Image.Value(healthCheckSeconds))
      .showing("oauth", oauth?.imageValue ?? .none)
      .showing("discoveredModels", Image.Value(discoveredModels))
  }

  /// Whether one of its models is used.
  func image(of model: ModelID) -> Image {
    Image(.model(model)).setting("isActive", .flag(!disabledModels.contains(model.name)))
  }

  /// What makes the provider be as the image says.
  static func commands(_ id: ProviderID, _ before: Image?, _ after: Image) -> [Command] {
    let dialect = UpstreamProtocol.allCases.first { $0.name == after["protocol"].text }
    let models = after["models"].list?.compactMap(ProviderModel.init(imageValue:))
    let excluded = after["excludedModels"].list?.compactMap(\.text)
    var commands: [Command] = []
    if before == nil {
      commands.append(
        .provider(
          .add(
            .init(
              id: id, name: after["name"].text ?? id.rawValue, dialect: dialect ?? .openai,
              baseURL: after["baseUrl"].text ?? "", prefix: after["prefix"].text ?? id.rawValue,
              models: models ?? [], excludedModels: excluded ?? []))))
    } else {
      commands.append(
        .provider(
          .change(
            .init(
              id: id, name: after["name"].text, dialect: dialect, baseURL: after["baseUrl"].text,
              prefix: after["prefix"].text, models: models, excludedModels: excluded))))
    }
    let isActive = after["isActive"].flag ?? true
    if isActive != before?["isActive"].flag ?? true {
      commands.append(.provider(isActive ? .enable(id) : .disable(id)))
    }
    let seconds = after["healthCheckSeconds"].number(as: UInt32.self)
    if after["healthCheckSeconds"] != before?["healthCheckSeconds"] ?? .none {
      commands.append(.provider(.setHealthCheck(id, seconds: seconds)))
    }
    return commands
  }
}

extension OAuthClient {
  /// Field by field; of the client's secret only its fingerprint.
  public var imageValue: Image.Value {
    .record([
      .init("kind", .text(kind)), .init("tokenUrl", .text(tokenURL)),
      .init("authorizeUrl", Image.Value(authorizeURL)), .init("deviceUrl", Image.Value(deviceURL)),
      .init("revokeUrl", Image.Value(revokeURL)), .init("userInfoUrl", Image.Value(userInfoURL)),
      .init("clientId", .text(clientID)),
      .init("clientSecret", Image.Value(secret?.short)), .init("scopes", Image.Value(scopes)),
      .init("encoding", .text(encoding.name)), .init("leadSeconds", Image.Value(leadSeconds)),
      .init("family", .text(isSharedFamily ? "per-client" : "per-account")),
      .init("spacingSeconds", Image.Value(spacingSeconds)),
    ])
  }
}

extension ProviderModel {
  /// `{name, alias}`.
  public var imageValue: Image.Value {
    .record([.init("name", .text(name)), .init("alias", Image.Value(alias))])
  }

  init?(imageValue: Image.Value) {
    guard let name = imageValue["name"].text else { return nil }
    self.init(name: name, alias: imageValue["alias"].text)
  }
}
