internal import ArgumentParser
internal import Foundation
internal import Surface

/// Plays a case's steps on real logs, once under the older gateways' rule and once under ours.
struct CaseBook: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "casebook",
    abstract: "Plays a case of the case book under both merge rules, on a log for each host.",
    discussion: """
      Leaves DIRECTORY/old/L, M and W and DIRECTORY/ours/L, M and W, to be asked by replay, and prints what was refused
      under our rule and so is in no log.
      """)

  @Argument(help: "Fixtures/incidents/cases.json.") var file: String
  @Argument(help: "The case, for example S1.") var id: String
  @Argument(help: "Where the logs go; must not exist.") var directory: String

  func run() throws {
    let book = try JSONValue.parse([UInt8](Data(contentsOf: URL(fileURLWithPath: file))))
    guard let old = book.array?.first(where: { $0["id"]?.string == id })?["old"],
      let rows = old["steps"]?.array
    else { throw ValidationError("\(file) has no case \(id)") }
    guard !FileManager.default.fileExists(atPath: directory) else {
      throw ValidationError("\(directory) is there already")
    }
    let steps = try rows.map { try Step($0) }
    let quirks = Quirks(
      omitsUpdatedAt: old["rules"]?["omitsUpdatedAt"]?.bool ?? false,
      refusedIsNull: old["rules"]?["refused"]?.string == "null")
    for rule in MergeRule.allCases {
      let place = "\(directory)/\(rule.rawValue)"
      try FileManager.default.createDirectory(
        atPath: place, withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700])
      let play = try Play(rule, quirks, in: place)
      for step in steps { try play.take(step) }
      try play.end()
      if rule == .fieldByField {
        for line in play.refusals { print(line) }
      }
    }
  }
}

CaseBook.main()
