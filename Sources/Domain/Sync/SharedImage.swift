extension Subject {
  /// Whether nodes that are synced have it in common; health and credentials' lives are each node's own.
  public var isShared: Bool { isIntent }

  /// Whether it is there without anybody's edit, so that it can be changed but neither added nor removed.
  var isAlwaysThere: Bool {
    switch self {
    case .settings, .pricing, .model, .organisation(.standard): true
    case .provider, .account, .alias, .key, .combo, .policy, .organisation, .credential, .health:
      false
    }
  }

  /// Whose shared fields an event may change; nil: none.
  init?(edited event: Event) {
    switch event {
    case .provider, .account, .model, .alias, .combo, .policy, .organisation, .key, .settings,
      .pricing:
      self.init(stream: event.stream)
    case .credential, .health, .access, .sync, .syncToken, .request, .gateway: return nil
    }
  }

  /// In which order resources are told, so that what others refer to comes first.
  var rank: Int {
    switch self {
    case .settings, .pricing: 0
    case .organisation: 1
    case .provider: 2
    case .model: 3
    case .account: 4
    case .key: 5
    case .alias, .combo, .policy: 6
    case .credential, .health: 7
    }
  }

  /// Fields that are settled where the gateway runs, and not for all nodes: neither told nor taken.
  var ownFields: Set<String> {
    guard self == .settings else { return [] }
    return [
      "trustedProxies", "cloudUrl", "cloudProtocol", "machineId", "syncSecrets",
      "syncIntervalSeconds",
    ]
  }
}

/// What a shared image says of a key beside what every image does: the whole fingerprint.
let keyFingerprintField = "keyFingerprint"
private let keyFields = ["organisation", "maskedKey", keyFingerprintField]

extension ControlState {
  /// What nodes have in common of a resource, by field; nil: it is not there.
  func sharedFields(of subject: Subject, secretsKey: String = "") -> [String: Image.Value]? {
    guard let image = sharedImage(of: subject) else { return nil }
    var fields: [String: Image.Value] = [:]
    for field in image.fields where field.isSettable { fields[field.name] = field.value }
    for name in subject.ownFields { fields[name] = nil }
    if case .key(let id) = subject, let key = keys[id] {
      fields["organisation"] = .text(key.organisation.rawValue)
      fields["maskedKey"] = .text(key.masked)
      fields[keyFingerprintField] = .text("\(secretsKey):" + base64Text(key.fingerprint.rawValue))
    }
    return fields
  }

  private func sharedImage(of subject: Subject) -> Image? {
    switch subject {
    // A model that nobody offers is not switched off.
    case .model(let id):
      image(of: subject) ?? Image(.model(id)).setting("isActive", .flag(true))
    case _: image(of: subject)
    }
  }
}

extension Image {
  /// An image of shared fields, to be turned into commands; nil: there shall be no such resource.
  ///
  /// - Parameter own: of the node itself, where it has fields of its own.
  init(shared fields: [String: Image.Value], of subject: Subject, own: Image?) {
    self.init(subject)
    var image = Image(subject)
    for (name, value) in fields.sorted(by: { $0.key < $1.key })
    where value != .none && !subject.ownFields.contains(name) {
      image.add(name, value, isSettable: !keyFields.contains(name))
    }
    for name in subject.ownFields.sorted() {
      if let own { image.add(name, own[name]) }
    }
    self = image
  }
}
