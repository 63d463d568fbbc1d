extension Policy {
  /// As it stands, field by field.
  var image: Image {
    Image(.policy(id))
      .setting("accounts", .list(accounts.map(\.imageValue)))
      .setting("failoverThreshold", Image.Value(failoverThreshold))
      .showing("isUnresolved", .flag(isUnresolved))
  }

  /// What makes the policy be as the image says; as for aliases.
  static func commands(_ id: PolicyID, _ after: Image, allowUnresolved: Bool) -> [Command] {
    [
      .policy(
        .set(
          id, accounts: (after["accounts"].list ?? []).compactMap(PolicyAccount.init(imageValue:)),
          failoverThreshold: after["failoverThreshold"].number(as: UInt32.self) ?? 1,
          allowUnresolved: allowUnresolved || after["isUnresolved"].flag ?? false))
    ]
  }
}

extension PolicyAccount {
  /// `{account, weight}`.
  public var imageValue: Image.Value {
    .record([
      .init("account", .text(account.rawValue)), .init("weight", Image.Value(weight)),
    ])
  }

  init?(imageValue: Image.Value) {
    guard let account = imageValue["account"].text else { return nil }
    self.init(
      account: AccountID(account), weight: imageValue["weight"].number(as: UInt32.self) ?? 0)
  }
}
