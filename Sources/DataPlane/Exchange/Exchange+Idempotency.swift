import Domain
import NIOCore
import Surface

/// `Idempotency-Key`: the same request is made once in 24 hours, also across restarts.
extension Exchange {
  /// Bytes of the header's value.
  private static let keyBytesMax = 255
  /// Events of one key that are looked at: the newest.
  private static let eventsMax = 64

  /// Lets the request on if its key stands for no other one, or it has none.
  func claimIdempotencyKey() {
    guard head.fields.contains(.idempotencyKey) else { return letIn() }
    guard !head.fields.isRepeated(.idempotencyKey), let mark = idempotencyMark() else {
      return deny(
        .invalidField,
        message: "An Idempotency-Key is one value of 1 to 255 visible ASCII characters.",
        param: "Idempotency-Key")
    }
    switch context.plane.idempotency.claim(mark, id, at: receivedAt) {
    case .otherBody: return deny(.idempotencyKeyReused, param: "Idempotency-Key")
    case .underWay: return deny(.requestInProgress, wait: 1_000_000_000)
    case .used(let other): return denyDuplicate(of: other)
    case .claimed: idempotency = mark
    }
    // Nothing is recorded, so there is nothing to be found.
    guard context.recorder.mode != .off else { return letIn() }
    let (now, start) = (receivedAt, context.plane.startedAt)
    lookUp([mark.lookupKey], newest: Self.eventsMax) { events in
      IdempotentRequest(of: mark.key, in: events.flatMap(\.self), now: now, start: start)
    } then: { [self] result in
      looked(result, mark)
    }
  }

  /// The log says whether the key stands for an earlier request.
  private func looked(_ result: Result<IdempotentRequest?, any Error>, _ mark: IdempotencyMark) {
    switch result {
    case .failure: deny(.logUnreadable)
    case .success(nil): letIn()
    case .success(let other?):
      idempotency = nil
      context.plane.idempotency.found(other, for: mark.key)
      if other.body != mark.body {
        return deny(.idempotencyKeyReused, param: "Idempotency-Key")
      }
      denyDuplicate(of: other.id)
    }
  }

  private func denyDuplicate(of other: RequestID) {
    let code = ErrorCode.duplicateRequest
    let id = uuidText(other.rawValue)
    var head = answerHead(status: code.status)
    head.shouldRetry = code.isRetryable
    let body = errorBody(
      code,
      details: [
        .init("request_id", .string(id)), .init("audit", .string("/v1/audit/requests/" + id)),
      ])
    conclude(
      .denied, status: head.status, code: code.rawValue, errorClass: .client, .own(head, body))
  }

  /// The request is decided: from now on its key stands for it, or is free again.
  func releaseIdempotencyKey(_ finished: RequestEvent.Finished) {
    guard let idempotency else { return }
    context.plane.idempotency.release(idempotency.key, isUsed: finished.usesUpIdempotencyKey)
  }

  /// Hashes under the vault's key, so that the log does not tell a prompt to whoever can guess it.
  private func idempotencyMark() -> IdempotencyMark? {
    head.fields.withValue(.idempotencyKey) { value -> IdempotencyMark? in
      guard (1...Self.keyBytesMax).contains(value.count),
        value.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
      else { return nil }
      // Where the path names the model, it is part of what is asked.
      let named = operation == .generateContent ? Array(head.path.utf8) + [0] : []
      let owner = Array((key?.id.rawValue ?? "").utf8)
      return IdempotencyMark(
        key: keyedHash(Array("idempotency".utf8) + [0] + owner + [0] + Array(value)),
        body: keyedHash([operation.rawValue, 0] + named + Array(body.readableBytesView)))
    } ?? nil
  }

  func keyedHash(_ bytes: [UInt8]) -> UInt128 {
    context.plane.fingerprinter.fingerprint(bytes).rawValue.prefix(16)
      .reduce(0) { $0 << 8 | UInt128($1) }
  }
}
