/// A duration in nanoseconds from a text like `90s`, `-15m`, `2h30m`, `1d`, `250ms`.
///
/// One or more whole numbers, each with a unit (`d h m s ms us ns`), from the largest to the smallest unit, each
/// unit at most once; a leading `-` or `+` holds for all. nil for anything else, and for what exceeds 64 bits.
public func parseDuration(_ text: String) -> Int64? {
  preconditionFailure("not written yet")
}
