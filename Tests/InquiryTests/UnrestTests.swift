import Domain
import EventStore
import Foundation
import Inquiry
import Testing

/// Whatever is edited between requests, and wherever a window is cut: an unchanged build decides as it did.
@Suite struct UnrestTests {
  /// A log of `Decisions`, removed with this.
  private final class Log {
    let directory: String
    let written: Decisions.Figures

    init(seed: UInt64, count: UInt64, unrest: UInt64) throws {
      var template = Array("/tmp/signalbox-unrest-XXXXXX".utf8CString)
      directory = String(cString: try #require(mkdtemp(&template)))
      let store = try EventStore.open(
        directory: directory, options: StoreOptions(dictionary: compressionDictionary()))
      written = try Decisions.write(to: store, seed: seed, count: count, unrest: unrest)
      try store.close()
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func reader() throws -> LogReader { try LogReader.open(directory: directory) }
  }

  @Test(arguments: [UInt64.random(in: .min ... .max)])
  func `20,000 requests over changing configuration are decided again just so, twice`(
    seed: UInt64
  ) throws {
    let log = try Log(seed: seed, count: 20_000, unrest: 20)
    let verdicts = try (1...2).map { _ in try Replay.verify(log.reader(), now: TestLog.now) }
    #expect(verdicts[0].exitCode == .same, "\(verdicts[0].text)")
    #expect(verdicts[0].remade == log.written.decisions)
    #expect(verdicts[0].differing == 0 && verdicts[0].notReproducible == 0)
    #expect(verdicts[0].text == verdicts[1].text)
    #expect(verdicts[0].json.rendered == verdicts[1].json.rendered)
    // That it was a life and not one request again and again.
    #expect(log.written.edits > 500 && log.written.decisions > 25_000)
  }

  @Test(arguments: [1, UInt64.random(in: .min ... .max)])
  func `windows cut at every position show no decision that differs, and every decision once`(
    seed: UInt64
  ) throws {
    let log = try Log(seed: seed, count: 100, unrest: 2)
    let reader = try log.reader()
    func remade(_ from: UInt64?, _ to: UInt64?) throws -> UInt64 {
      let verdict = try Replay.verify(
        reader, from: from.map { .position($0, epoch: nil) },
        to: to.map { .position($0, epoch: nil) }, now: TestLog.now)
      #expect(verdict.exitCode == .same, "\(verdict.text)")
      #expect(verdict.differing == 0 && verdict.notReproducible == 0)
      return verdict.remade
    }
    let last = reader.last.rawValue
    #expect(last == log.written.events)
    for cut in 1..<last {
      let parts = try remade(nil, cut) + remade(cut + 1, nil)
      #expect(parts == log.written.decisions, "cut behind \(cut)")
    }
  }
}
