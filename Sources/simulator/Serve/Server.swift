import NIOCore
import NIOHTTP1
import NIOPosix

/// The listening socket and its event loops.
struct Server {
  let port: Int
  private let channel: any Channel
  private let group: MultiThreadedEventLoopGroup

  /// Binds `host:port` and serves on `threads` event loops.
  ///
  /// Port 0 takes any free one. Blocks until bound.
  static func start(host: String, port: Int, threads: Int, stage: Stage) throws -> Server {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withPipeliningAssistance: false, withErrorHandling: false)
          try channel.pipeline.syncOperations.addHandler(ConnectionHandler(stage: stage))
        }
      }
    do {
      let channel = try bootstrap.bind(host: host, port: port).wait()
      return Server(port: channel.localAddress?.port ?? port, channel: channel, group: group)
    } catch {
      try group.syncShutdownGracefully()
      throw error
    }
  }

  /// Stops listening and closes every connection; blocks until that is done.
  func stop() throws {
    try channel.close().wait()
    try group.syncShutdownGracefully()
  }
}
