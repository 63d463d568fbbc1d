@preconcurrency import Dispatch  // Its sources are made to be used from any thread.
import Glibc

/// The signals that end a gateway: the first one asks, the second one ends at once.
struct Signals: Sendable {
  /// Names of the signals, in the order of arrival.
  let names: AsyncStream<String>

  /// From now on SIGTERM and SIGINT come here.
  static func listen() -> Signals {
    let (stream, continuation) = AsyncStream.makeStream(of: String.self)
    let queue = DispatchQueue(label: "signalbox.signals")
    var sources: [any DispatchSourceSignal] = []
    for (number, name) in [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { continuation.yield(name) }
      source.resume()
      sources.append(source)
    }
    // The sources live as long as somebody may wait for them.
    let kept = sources
    continuation.onTermination = { _ in for source in kept { source.cancel() } }
    return Signals(names: stream)
  }

  /// One element for each SIGHUP from now on; without this it ends the process.
  static func hangUps() -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    signal(SIGHUP, SIG_IGN)
    let source = DispatchSource.makeSignalSource(
      signal: SIGHUP, queue: DispatchQueue(label: "signalbox.hangup"))
    source.setEventHandler { continuation.yield() }
    source.resume()
    continuation.onTermination = { _ in source.cancel() }
    return stream
  }
}
