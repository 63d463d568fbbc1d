public import Domain

extension ConfigurationPlan {
  /// Asks the rules whether they take a plan's commands, in its order.
  ///
  /// - Throws: the first refusal, with the place in the file that it is about.
  public static func check(
    _ rows: [PlannedChange], against state: ControlState
  ) throws(ConfigFault) {
    let wanted = rows.filter { $0.command != nil }
    guard refusal(wanted[...], state) != nil else { return }
    // The shortest beginning that is refused ends with the row to blame.
    var (taken, refused) = (0, wanted.count)
    while refused - taken > 1 {
      let middle = (taken + refused) / 2
      if refusal(wanted[..<middle], state) == nil { taken = middle } else { refused = middle }
    }
    guard let refusal = refusal(wanted[..<refused], state) else { return }
    throw fault(refusal, wanted[refused - 1])
  }

  private static func refusal(
    _ rows: ArraySlice<PlannedChange>, _ state: ControlState
  ) -> Refusal? {
    do throws(Refusal) {
      _ = try decide(rows.compactMap(\.command), state)
      return nil
    } catch {
      return error
    }
  }

  private static func fault(_ refusal: Refusal, _ row: PlannedChange) -> ConfigFault {
    let value = refusal.value.isEmpty ? "" : " `\(shown(refusal.value))`"
    let field = refusal.field.replacing("_", with: "-")
    let what = field.isEmpty ? "" : ", at \(field)\(value)"
    // A file never points at what nobody offers, so it is not told that it may.
    let remedy = refusal.remedy.replacing(", or allow an unresolved target.", with: ".")
    return ConfigFault(
      .refused, line: row.line, path: row.path,
      "\(row.title) is refused (\(refusal.code.rawValue)\(what)): \(shown(refusal.message)).",
      remedy: remedy)
  }
}
