import NIOCore
import NIOPosix

/// A port of this machine at which nobody listens, nor can before the process ends.
///
/// It is the calling end of a connection: a port that was merely given back is soon that of another test's gateway.
func closedPort() async throws -> Int {
  let group = MultiThreadedEventLoopGroup.singleton
  let listener = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
  guard let address = listener.localAddress else { throw Gateway.Failure(text: "no address") }
  let caller = try await ClientBootstrap(group: group).connect(to: address).get()
  guard let port = caller.localAddress?.port else { throw Gateway.Failure(text: "no port") }
  return port
}
