public import Domain
public import EventStore
import Foundation
import Inquiry
import Views

/// The views of a directory made anew where no gateway runs.
public enum ViewRebuild {
  /// Throws the views of an open log away and makes them anew, and notes it in the log.
  ///
  /// - Parameters:
  ///   - store: Of `directory`, which no gateway has open then.
  ///   - progress: Told where reading the log is, and where it goes.
  /// - Returns: through where they are.
  public static func run(
    _ store: EventStore, directory: String, provenance: Provenance,
    progress: (_ position: UInt64, _ end: UInt64) -> Void
  ) throws -> Position {
    let path = directory + "/views/usage.sqlite"
    try FileManager.default.createDirectory(
      atPath: directory + "/views", withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    try ViewStore.remove(path: path)
    let views = try ViewStore(path: path, storeID: store.reader.storeID)
    let fold = ViewFold(reader: store.reader)
    do {
      while try fold.step(into: views) {
        progress(views.checkpoint.position, store.lastWritten.rawValue)
      }
    } catch {
      try? views.close()
      throw error
    }
    let reached = views.checkpoint.position
    try views.close()
    try store.note(
      .gateway(.viewRebuilt(.init(view: "usage", reason: .asked, position: reached))), provenance)
    return Position(reached)
  }
}

extension EventStore {
  /// Appends an event of the gateway's own life, durably; blocks.
  func note(_ event: Event, _ provenance: Provenance = .system) throws {
    let edge = Edge.system
    let draft = EventDraft(
      id: EventID(edge.mintID()), stream: event.stream, kind: event.kind, time: edge.now().rawValue,
      lookupKeys: event.lookupKeys, payload: encode(event, provenance))
    _ = try appendAndWait(AppendBatch(events: [draft]), durability: .durable)
  }
}
