import NIOCore
import NIOSSL

/// All upstream connections of one loop.
final class UpstreamPool {
  let eventLoop: any EventLoop
  let options: DataPlaneOptions
  let limits: HTTP1Limits
  let clock: any GatewayClock
  let counters: DataPlaneCounters
  let tls: NIOSSLContext
  private(set) var isClosed = false
  private var lanes: [UpstreamEndpoint.Origin: UpstreamLane] = [:]
  /// Called when there is something that time may end.
  var onBusy: () -> Void = {}

  init(
    eventLoop: any EventLoop, options: DataPlaneOptions, clock: any GatewayClock,
    counters: DataPlaneCounters, tls: NIOSSLContext
  ) {
    self.eventLoop = eventLoop
    self.options = options
    self.clock = clock
    self.counters = counters
    self.tls = tls
    limits = HTTP1Limits()
  }

  /// The connections to `origin`, shared by all providers that live there.
  func lane(_ origin: UpstreamEndpoint.Origin) -> UpstreamLane {
    if let lane = lanes[origin] { return lane }
    let lane = UpstreamLane(origin: origin, pool: self)
    lanes[origin] = lane
    return lane
  }

  var openCount: Int { lanes.values.reduce(0) { $0 + $1.openCount } }

  func becameBusy() { onBusy() }

  func sweep(now: Int64) { for lane in lanes.values { lane.sweep(now: now) } }

  func close() {
    isClosed = true
    for lane in lanes.values { lane.closeAll() }
    lanes.removeAll()
  }
}
