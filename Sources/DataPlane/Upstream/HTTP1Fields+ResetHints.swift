import Domain

extension HTTP1Fields {
  /// What the head says about when the provider takes requests again.
  func resetHints(now: UnixNanoseconds) -> ResetHints {
    var hints = ResetHints(now: now)
    forEach { field in
      // The shortest of the names is as long as `retry-after`.
      guard 11...64 ~= field.name.count, field.value.count <= 64 else { return }
      let name = String(decoding: field.name, as: UTF8.self).lowercased()
      guard ResetHints.knows(field: name) else { return }
      hints.take(field: name, String(decoding: field.value, as: UTF8.self))
    }
    return hints
  }
}
