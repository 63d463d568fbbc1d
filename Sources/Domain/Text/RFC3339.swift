/// The time in UTC with milliseconds (truncated, not rounded): `2026-11-20T20:53:39.123Z`.
public func rfc3339(_ time: UnixNanoseconds) -> String {
  preconditionFailure("not written yet")
}

/// An RFC 3339 time of the years 1970…2262, with `Z` or an offset and 0…9 digits of fraction.
///
/// nil for anything else: a day that does not exist, a leap second, a time outside 64 bits of nanoseconds.
public func parseRFC3339(_ text: String) -> UnixNanoseconds? {
  preconditionFailure("not written yet")
}
