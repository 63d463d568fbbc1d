import Domain
import EventStore

/// Takes clients' addresses out of a record for those who have no business with them.
///
/// Their characters become `x`, in place, so that an event of any version stays what it is otherwise. Names of
/// accounts, keys and actors stay: without them nothing could be explained. Secrets and prompts are in no
/// public part.
enum Redaction {
  /// The public part with every client address made unreadable; nil: it has none.
  ///
  /// - Throws: `.invalidDraft` for an event in which that cannot be done for certain.
  static func withoutAddresses(
    _ stored: StoredEvent, _ record: PublicRecord
  ) throws(StoreError) -> [UInt8]? {
    guard let wanted = Entry(stored).recorded else { throw fault(stored) }
    var left = wanted.addresses
    if left.isEmpty { return nil }
    // The payload ends the public part.
    var payload = Array(stored.payload)
    var now = wanted
    while let address = left.first {
      guard let (masked, recorded) = mask(address, in: payload, stored, now) else {
        throw fault(stored)
      }
      (payload, now) = (masked, recorded)
      left = now.addresses
    }
    return Array(record.bytes.dropLast(stored.payload.count)) + payload
  }

  private static func fault(_ stored: StoredEvent) -> StoreError {
    StoreError(
      .invalidDraft,
      "the event cannot be told by this build, so that addresses cannot be taken out of it; leave them in "
        + "(--with-addresses) or use a newer build", position: stored.position)
  }

  /// Masks the place of `address` that gives the same event with another address and changes nothing else.
  private static func mask(
    _ address: String, in payload: [UInt8], _ stored: StoredEvent, _ before: Recorded
  ) -> (payload: [UInt8], recorded: Recorded)? {
    let wanted = Array(address.utf8)
    guard payload.count >= wanted.count else { return nil }
    let expected = before.masking(address)
    for start in 0...(payload.count - wanted.count)
    where payload[start..<start + wanted.count].elementsEqual(wanted) {
      var masked = payload
      masked.replaceSubrange(
        start..<start + wanted.count, with: repeatElement(UInt8(ascii: "x"), count: wanted.count))
      var other = stored
      other.payload = masked[...]
      guard let recorded = Entry(other).recorded else { continue }
      if expected.contains(recorded) { return (masked, recorded) }
    }
    return nil
  }
}

extension Recorded {
  /// Clients' addresses that are not masked yet.
  fileprivate var addresses: [String] {
    [provenance.address, event?.remoteAddress].compactMap(\.self).filter {
      !$0.utf8.allSatisfy { $0 == UInt8(ascii: "x") }
    }
  }

  /// This with one of its addresses masked that reads `address`.
  fileprivate func masking(_ address: String) -> [Recorded] {
    let masked = String(repeating: "x", count: address.utf8.count)
    var found: [Recorded] = []
    if provenance.address == address {
      var other = self
      other.provenance.address = masked
      found.append(other)
    }
    if let event, event.remoteAddress == address {
      var other = self
      other.content = .event(event.withRemoteAddress(masked))
      found.append(other)
    }
    return found
  }
}

extension Event {
  fileprivate var remoteAddress: String? {
    switch self {
    case .request(.finished(let fact)): fact.remoteAddress
    case .request(.deniedSummary(let fact)): fact.remoteAddress
    default: nil
    }
  }

  fileprivate func withRemoteAddress(_ address: String) -> Event {
    switch self {
    case .request(.finished(var fact)):
      fact.remoteAddress = address
      return .request(.finished(fact))
    case .request(.deniedSummary(var fact)):
      fact.remoteAddress = address
      return .request(.deniedSummary(fact))
    default: return self
    }
  }
}
