import EventStore
import Inquiry
import Logging
import NIOCore
import Surface
import Synchronization

/// One follower of the log: keeps nothing but the position of what it has got.
///
/// Looks at the log's end twenty times a second and reads what is new from the log itself, whenever the reader has
/// taken what came before. So a slow reader costs no memory and whoever appends knows nothing of it.
final class EventFollow: Sendable {
  private struct Place {
    var position: Position
    var text: String
    var isBegun = false
    /// When it was sent something, and when it was last looked whether it may go on.
    var saidAt: ContinuousClock.Instant
    var admittedAt: ContinuousClock.Instant
  }

  /// How often the log's end is looked at.
  private static let look = Duration.milliseconds(50)
  /// How often it is looked whether the administrator's session still holds.
  private static let admission = Duration.seconds(5)
  /// Of one piece.
  private static let bounds = EventPage.Bounds(events: 256, looks: 8192, bytes: 64 << 10)

  private let service: AdminService
  private let call: AdminCall
  private let filter: EventFilter
  private let seat: Followers.Place
  private let place: Mutex<Place>

  init(
    service: AdminService, call: AdminCall, filter: EventFilter, position: Position, place: String,
    seat: Followers.Place
  ) {
    self.service = service
    self.call = call
    self.filter = filter
    self.seat = seat
    let now = ContinuousClock.now
    self.place = Mutex(Place(position: position, text: place, saidAt: now, admittedAt: now))
  }

  /// The next piece for the reader; nil: the end.
  ///
  /// Not to be called again before it answered.
  func next() async -> ByteBuffer? {
    let store = service.control.store
    while !Task.isCancelled {
      let here = place.withLock { place in
        defer { place.isBegun = true }
        return place
      }
      guard here.isBegun else { return said(Self.beginning(here.text)) }
      if here.admittedAt.duration(to: .now) > Self.admission {
        guard await isAdmitted() else { return nil }
      }
      if store.lastWritten > here.position {
        guard let frames = await read(behind: here.position) else { return nil }
        if !frames.isEmpty { return said(frames) }
      } else {
        // A pause between looks at the log's end, which only cancelling ends early.
        do { try await Task.sleep(for: Self.look) } catch { return nil }
      }
      if here.saidAt.duration(to: .now) >= service.options.followHeartbeat {
        // An id without data moves the reader on, though nothing of what was looked at was for it.
        return said(Self.heartbeat(place.withLock { $0.text }))
      }
    }
    return nil
  }

  private func said(_ frames: [UInt8]) -> ByteBuffer {
    place.withLock { $0.saidAt = .now }
    return ByteBuffer(bytes: frames)
  }

  private func isAdmitted() async -> Bool {
    var call = call
    place.withLock { $0.admittedAt = .now }
    return (try? await service.admit(&call)) != nil
  }

  /// The frames of what is new; nil: it cannot be read.
  private func read(behind position: Position) async -> [UInt8]? {
    let (log, filter) = (service.control.store.reader, filter)
    do {
      let (frames, reached, text) = try await service.followers.reads.run {
        let page = try Replay.events(
          in: log, filter, .forwards(behind: position), Self.bounds)
        let reached = page.reached ?? position
        return (
          page.items.flatMap { Self.frame($0) }, reached, try Replay.place(reached, in: log)
        )
      }
      place.withLock { place in
        place.position = reached
        place.text = text
      }
      return frames
    } catch {
      service.logger.error(
        "a follower of the log was let go", metadata: ["cause": "\(error)"])
      return nil
    }
  }

  // MARK: Frames

  /// How long to wait before coming again, and where to go on then.
  private static func beginning(_ place: String) -> [UInt8] {
    Array("retry: 1000\nid: \(place)\n\n".utf8)
  }

  private static func heartbeat(_ place: String) -> [UInt8] {
    Array(": heartbeat\nid: \(place)\n\n".utf8)
  }

  /// Kinds are ASCII words and JSON has no line ends of its own, so that no field can break out of its line.
  private static func frame(_ item: EventPage.Item) -> [UInt8] {
    var bytes = Array("id: \(item.place)\nevent: \(item.kind ?? "gap")\n".utf8)
    SSEWriter.append(data: JSONValue(item.json).bytes, to: &bytes)
    return bytes
  }
}
