internal import ArgumentParser
internal import EventStore
internal import Support

/// Does the sealer's work by hand, to make directories in the states between.
struct Seal: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Indexes and packs finished segments, one piece of work after the other.",
    discussion: "First each segment gets its index, then each is packed, the oldest first.")

  @Argument(help: "The log's directory.") var directory: String
  @Option(help: "End after so many pieces of work; default: when none is left.") var steps = Int.max

  func run() throws {
    let store = try SteppedStore(PosixDisk(), directory: directory)
    defer { store.abandon() }
    for _ in 0..<steps {
      guard store.sealer.step() else { break }
    }
    for segment in store.reader.segments { print(segment.path) }
  }
}
