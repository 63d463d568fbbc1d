import Domain
import Glibc
import NIOCore
import NIOSSL
import Testing

@testable import DataPlane

@Suite("A TLS upstream", .timeLimit(.minutes(5)))
struct UpstreamTLSTests {
  /// A key and a certificate for `localhost` that signs itself, made for one test.
  struct Identity {
    var context: NIOSSLContext
    var pem: [UInt8]

    init(_ directory: TemporaryDirectory) throws {
      let (key, certificate) = ("\(directory.path)/key.pem", "\(directory.path)/cert.pem")
      let arguments = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost",
      ]
      var vector = arguments.map { strdup($0) } + [nil]
      defer { vector.forEach { free($0) } }
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      // A socket that another test closes meanwhile must not stay open in the child.
      for descriptor: Int32 in 3..<4096 {
        posix_spawn_file_actions_addclose(&actions, descriptor)
      }
      posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
      defer { posix_spawn_file_actions_destroy(&actions) }
      var pid: pid_t = 0
      guard posix_spawnp(&pid, "openssl", &actions, nil, &vector, environ) == 0 else {
        throw Gateway.Failure(text: "openssl is not there")
      }
      var status: Int32 = 0
      while waitpid(pid, &status, 0) < 0, errno == EINTR {}
      guard status == 0 else { throw Gateway.Failure(text: "openssl failed") }
      let certificates = try NIOSSLCertificate.fromPEMFile(certificate)
      pem = try contents(of: certificate)
      context = try NIOSSLContext(
        configuration: .makeServerConfiguration(
          certificateChain: certificates.map { .certificate($0) },
          privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))))
    }
  }

  @Test("is asked over TLS if its certificate is trusted and names the host")
  func trusted() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let identity = try Identity(directory)
    let upstream = try await ScriptedUpstream.start(tls: identity.context) {
      $0.answer(plainAnswer)
    }
    var configuration = Configuration()
    configuration.addProvider("p", port: upstream.port, scheme: "https", host: "localhost")
    configuration.addAccount("a1", at: "p")
    try await Gateway.run(configuration, options: { $0.upstreamTrust = .pem(identity.pem) }) {
      gateway in
      let client = try await gateway.client()
      for _ in 1...3 {
        try await client.send(chat(plainBody))
        #expect(try await client.response().text == plainAnswer)
      }
      #expect(upstream.connections == 1)
      let finished = try await gateway.finished(3)
      #expect(finished.first?.attempts.first?.connectMicroseconds != nil)
    }
  }

  @Test(
    "is refused without trust, or under a name that its certificate does not hold",
    arguments: ["localhost", "127.0.0.1"])
  func untrusted(_ host: String) async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let identity = try Identity(directory)
    let upstream = try await ScriptedUpstream.start(tls: identity.context) {
      $0.answer(plainAnswer)
    }
    var configuration = Configuration()
    configuration.addProvider("p", port: upstream.port, scheme: "https", host: host)
    configuration.addAccount("a1", at: "p")
    try await Gateway.run(
      configuration, options: { if host != "localhost" { $0.upstreamTrust = .pem(identity.pem) } }
    ) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 502)
      #expect(upstream.callCount == 0)
      let finished = try await gateway.finished(1)
      #expect(finished.first?.attempts.map(\.errorCode) == ["tls_failed"])
    }
  }
}
