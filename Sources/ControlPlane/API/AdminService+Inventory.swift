import Surface

/// `/api/settings/authz-inventory`: who may call what, made from the very rows and checks that the admission uses.
extension AdminService {
  func authzInventory() -> AdminAnswer {
    let posture = posture
    let tiers = RouteTier.allCases.map { tier in
      let rows = Routes.all.filter { $0.tier == tier }
      return JSONValue.object([
        .init("name", JSONValue(tier.rawValue)), .init("description", JSONValue(tier.summary)),
        .init("bypassable", false),
        .init("prefixes", .array(Self.prefixes(of: rows).map { JSONValue($0) })),
        .init("routes", .array(rows.map { Self.json($0, posture) })),
      ])
    }
    let inForce = Routes.all.flatMap { AccessCheck.checks(of: $0, posture) }
    let policies = AccessCheck.allCases.compactMap { check -> JSONValue? in
      let routes = inForce.count { $0 == check }
      guard routes > 0 else { return nil }
      return [
        "name": JSONValue(check.rawValue), "description": JSONValue(check.summary),
        "routes": JSONValue(routes),
      ]
    }
    return .json([
      "tiers": .array(tiers), "policies_active": .array(policies), "bypassEnabled": false,
    ])
  }

  private static func json(_ row: RouteRow, _ posture: AccessCheck.Posture) -> JSONValue {
    [
      "method": JSONValue(row.method.rawValue), "path": JSONValue(row.path),
      "group": JSONValue(row.group.rawValue), "summary": JSONValue(row.summary),
      "plane": JSONValue(row.plane.rawValue), "admitsKeys": JSONValue(row.admitsKeys),
      "checks": .array(
        AccessCheck.checks(of: row, posture).map { JSONValue($0.rawValue) }),
    ]
  }

  /// The rows' paths up to their first parameter, each once, in the order of the table.
  private static func prefixes(of rows: [RouteRow]) -> [String] {
    var prefixes: [String] = []
    for row in rows {
      let prefix = String(row.path.prefix { $0 != "{" })
      if !prefixes.contains(prefix) { prefixes.append(prefix) }
    }
    return prefixes
  }
}
