import Domain

// `/api/settings/authz-inventory`.
extension Contract {
  static let authzInventory = read([
    .field(
      "tiers",
      .array(
        of: .object([
          .field("name", .choice(RouteTier.allCases.map(\.rawValue))),
          .field("description", .string), .field("bypassable", .constant(false)),
          .field("prefixes", .array(of: .string)),
          .field(
            "routes",
            .array(
              of: .object([
                .field("method", .choice(RouteMethod.allCases.map(\.rawValue))),
                .field("path", .string),
                .field("group", .choice(RouteGroup.allCases.map(\.rawValue))),
                .field("summary", .string),
                .field("plane", .choice(RoutePlane.allCases.map(\.rawValue))),
                .field("admitsKeys", .bool), .field("checks", .array(of: .string)),
              ]))),
        ]))),
    .field(
      "policies_active",
      .array(
        of: .object([
          .field("name", .string), .field("description", .string), .field("routes", .count),
        ])
      ).described("The checks in force; never empty.")),
    .field("bypassEnabled", .constant(false)),
  ])
}
