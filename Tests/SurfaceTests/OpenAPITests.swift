import Surface
import Testing

private let document = openAPIDocument(version: "1.2.3")

/// The part of the document that describes a row.
private func described(_ row: RouteRow) -> JSONValue? {
  document["paths"]?[row.path]?[row.method.rawValue.lowercased()]
}

@Suite("OpenAPI")
struct OpenAPITests {
  @Test("every row is described, and nothing else is")
  func bothWays() {
    let described = (document["paths"]?.members ?? []).flatMap { path in
      (path.value.members ?? []).map { "\($0.name.uppercased()) \(path.name)" }
    }
    #expect(described.sorted() == Routes.all.map { "\($0.method.rawValue) \($0.path)" }.sorted())
    #expect(document["openapi"]?.string == "3.1.0")
    #expect(document["info"]?["version"]?.string == "1.2.3")
  }

  @Test("a row's description says what the row and its contract say", arguments: Routes.all)
  func row(_ row: RouteRow) throws {
    let contract = row.endpoint.contract
    let operation = try #require(described(row))
    #expect(operation["summary"]?.string == row.summary)
    #expect(operation["tags"]?.array == [.string(row.group.rawValue)])

    let parameters = operation["parameters"]?.array ?? []
    func names(_ place: String) -> [String] {
      parameters.filter { $0["in"]?.string == place }.compactMap { $0["name"]?.string }
    }
    let inPath = row.path.split(separator: "/").filter { $0.hasPrefix("{") }
      .map { String($0.dropFirst().prefix { $0 != "}" }) }
    #expect(names("path") == inPath)
    #expect(names("query") == contract.query.map(\.name))
    #expect(Set(names("query")).count == names("query").count)
    #expect(names("header") == (contract.honoursIfMatch ? ["If-Match"] : []))
    #expect((operation["requestBody"] != nil) == (contract.body != nil))

    let responses = try #require(operation["responses"]?.members)
    #expect(!contract.answers.isEmpty)
    for answer in contract.answers {
      let response = try #require(
        operation["responses"]?[answer.status.map { "\($0)" } ?? "default"])
      #expect(response["content"]?[answer.mediaType] != nil)
      for header in answer.headers { #expect(response["headers"]?[header.rawValue] != nil) }
    }
    for code in contract.errors + [.internalError] {
      let text = operation["responses"]?["\(code.status)"]?["description"]?.string ?? ""
      #expect(text.contains("`\(code.rawValue)`"), "\(code.rawValue)")
    }
    for response in responses {
      #expect(response.value["headers"]?["x-request-id"] != nil)
      #expect(response.value["description"]?.string?.isEmpty == false)
    }
  }

  @Test("the credentials are those of the tier", arguments: Routes.all)
  func security(_ row: RouteRow) throws {
    let schemes = try #require(described(row)?["security"]?.array).map {
      ($0.members ?? []).map(\.name)
    }
    let admin = [["adminSession"], ["adminToken"]]
    let client =
      [["clientKey"], ["clientKeyHeader"]]
      + (row.plane == .dataPlane ? [["clientKeyGoogleHeader"]] : [])
      + (row.path.hasSuffix("enerateContent") ? [["clientKeyGoogleQuery"]] : [])
    let expected: [[String]] =
      switch row.tier {
      case .admin: row.admitsKeys ? admin + client : admin
      case .client: client
      case .public:
        row.endpoint == .metrics
          ? [[]] + admin + client : row.group == .models ? [[]] + client : []
      case .peer, .local: []
      }
    #expect(schemes == expected)
    let unauthorized = described(row)?["responses"]?["401"] != nil
    let errors = row.endpoint.contract.errors
    let mayRefuse =
      errors.contains(.invalidPassword) || errors.contains(.unauthorized)
      || errors.contains(.syncUnauthorized)
    #expect(unauthorized == (!expected.isEmpty || mayRefuse))
  }

  @Test("a write of a revisioned resource takes If-Match and may be refused by it")
  func revisions() {
    for row in Routes.all where row.group == .configuration || row.group == .health {
      let contract = row.endpoint.contract
      // Health has no revision that anybody could base a change on, and what a sign-in brings is of the provider's making.
      if row.group == .configuration, !row.path.hasPrefix("/api/oauth") {
        #expect(contract.honoursIfMatch == (row.method != .get), "\(row.method) \(row.path)")
      }
      #expect((described(row)?["responses"]?["412"] != nil) == contract.honoursIfMatch)
    }
  }

  @Test("a body refuses fields that it does not name, at every depth")
  func closed() throws {
    func look(_ value: JSONValue, _ place: String) {
      if value["type"] == "object", value["properties"] != nil {
        #expect(value["additionalProperties"] != nil, "\(place)")
      }
      for member in value.members ?? [] { look(member.value, place) }
      for element in value.array ?? [] { look(element, place) }
    }
    for row in Routes.all {
      guard let body = described(row)?["requestBody"] else { continue }
      look(body, "\(row.method) \(row.path)")
    }
    let odd = Schema.object([.field("properties", .object([.field("type", .string)]))]).closedJSON
    #expect(odd["additionalProperties"] == false)
    #expect(odd["properties"]?["properties"]?["additionalProperties"] == false)
    #expect(odd["properties"]?["additionalProperties"] == nil)
    #expect(Schema.open([.field("a", .string)]).closedJSON["additionalProperties"] == true)
  }

  @Test("every reference leads somewhere, every component is referred to, names are unique")
  func references() {
    var found: Set<String> = []
    func look(_ value: JSONValue) {
      for member in value.members ?? [] {
        if member.name == "$ref", let text = member.value.string { found.insert(text) }
        look(member.value)
      }
      for element in value.array ?? [] { look(element) }
    }
    look(document)
    var known: Set<String> = []
    for kind in ["schemas", "headers"] {
      for member in document["components"]?[kind]?.members ?? [] {
        #expect(known.insert("#/components/\(kind)/\(member.name)").inserted)
      }
    }
    #expect(found == known)
    let names = Routes.all.compactMap { described($0)?["operationId"]?.string }
    #expect(names.count == Routes.all.count && Set(names).count == names.count)
  }

  @Test("null is let in where it is said, and only there")
  func null() {
    #expect(Schema.bool.orNull.json["type"] == ["boolean", "null"])
    #expect(Schema.choice(["a"]).orNull.json["enum"] == ["a", .null])
    #expect(Schema.named(.key).orNull.json["anyOf"]?[1] == ["type": "null"])
  }
}
