import Surface

/// Google's `Schema`, an older dialect of OpenAPI, as the JSON schema that all others speak.
///
/// Types are in capitals, null is a mark of its own, some numbers are texts. A client that wrote a JSON schema into
/// the old field gets it back unchanged.
func jsonSchema(ofGoogle schema: JSONValue) -> JSONValue {
  guard case .object(let members) = schema else { return schema }
  let isNullable =
    members.contains { $0.name == "nullable" && $0.value.bool == true }
  let order =
    members.first { $0.name == "propertyOrdering" || $0.name == "property_ordering" }?
    .value.array?.compactMap(\.string)
  var result: [JSONValue.Member] = []
  for member in members {
    switch camelCase(member.name) {
    case "type": result.append(.init("type", type(member.value, isNullable: isNullable)))
    case "nullable", "propertyOrdering": continue
    case "properties":
      result.append(.init("properties", properties(member.value, order: order)))
    case "items", "additionalProperties":
      result.append(.init(camelCase(member.name), jsonSchema(ofGoogle: member.value)))
    case "anyOf":
      var options = (member.value.array ?? []).map(jsonSchema(ofGoogle:))
      // Beside a type, that one tells of null.
      if isNullable, !members.contains(where: { $0.name == "type" }) {
        options.append(["type": "null"])
      }
      result.append(.init("anyOf", .array(options)))
    case "enum":
      var values = member.value.array ?? []
      if isNullable { values.append(.null) }
      result.append(.init("enum", .array(values)))
    // No format of JSON schema, only a remark beside `enum`.
    case "format" where member.value.string == "enum": continue
    case "example": result.append(.init("examples", [member.value]))
    case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
      result.append(.init(camelCase(member.name), whole(member.value)))
    case "defs": result.append(.init("$defs", properties(member.value, order: nil)))
    case "ref": result.append(.init("$ref", reference(member.value)))
    case _: result.append(member)
    }
  }
  return .object(result)
}

private func type(_ value: JSONValue, isNullable: Bool) -> JSONValue {
  guard let name = value.string else { return value }
  let type = JSONValue.string(name.lowercased())
  return isNullable ? [type, "null"] : type
}

private func properties(_ value: JSONValue, order: [String]?) -> JSONValue {
  guard case .object(let members) = value else { return value }
  let read = members.map { JSONValue.Member($0.name, jsonSchema(ofGoogle: $0.value)) }
  guard let order else { return .object(read) }
  // The order in which the model is to write them: elsewhere, the order of the schema.
  let ranks = Dictionary(order.enumerated().map { ($1, $0) }) { first, _ in first }
  func rank(_ index: Int) -> Int { ranks[read[index].name] ?? order.count }
  let sorted = read.indices.sorted { (rank($0), $0) < (rank($1), $1) }
  return .object(sorted.map { read[$0] })
}

private func whole(_ value: JSONValue) -> JSONValue {
  guard let text = value.string, UInt64(text) != nil else { return value }
  return .number(text)
}

private func reference(_ value: JSONValue) -> JSONValue {
  guard let text = value.string, text.hasPrefix("#/defs/") else { return value }
  return .string("#/$defs/" + text.dropFirst("#/defs/".count))
}

/// `any_of` as `anyOf`; other names stay.
private func camelCase(_ name: String) -> String {
  guard name.contains("_") else { return name }
  let words = name.split(separator: "_", omittingEmptySubsequences: false)
  return words.dropFirst().reduce(into: String(words.first ?? "")) { text, word in
    text += word.prefix(1).uppercased() + word.dropFirst()
  }
}
