import ConfigFile
import Domain
import Support
import Testing

/// Files that were cut off or scribbled over: a fault or a plan, never a trap.
@Suite struct DamagedFileTests {
  @Test func `every cut of a file is a fault, unless it lies at the end of a line`() throws {
    let whole = Array(WholeFileTests.file.unicodeScalars)
    let plan = try ConfigurationFile.parse(WholeFileTests.file, environment: [:])
    var taken = 0
    for end in 0..<whole.count {
      var text = String.UnicodeScalarView()
      text.append(contentsOf: whole[..<end])
      guard let cut = try? ConfigurationFile.parse(String(text), environment: [:]) else { continue }
      taken += 1
      let last = whole[end - 1]
      #expect(last == "\n" || last == "]" || last == "}", "cut at \(end) went unseen")
      // What is left says nothing that the whole did not say.
      #expect(cut.providers.count <= plan.providers.count)
      for key in cut.keys { #expect(plan.keys.map(\.name).contains(key.name)) }
      for policy in cut.policies { #expect(plan.policies.contains { $0.id == policy.id }) }
      for price in cut.prices { #expect(plan.prices.contains(price)) }
      for combo in cut.combos { #expect(plan.combos.contains(combo)) }
    }
    #expect(taken > 10)
  }

  @Test func `a reference at the end of a cut line is no closing bracket`() throws {
    let text = "aliases:\n  a: ${MODEL}"
    let fault = try #require(throws: ConfigFault.self) {
      try ConfigurationFile.parse(text, environment: ["MODEL": "p/m"])
    }
    #expect(fault.line == 2 && fault.description.contains("cut off"))
    _ = try ConfigurationFile.parse(text + "\n", environment: ["MODEL": "p/m"])
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `a scribbled file is a fault or a plan`(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let signs = Array("{}[]:,-#&*!|>'\"%@`$ \n\t\u{0}\u{FEFF}\u{E000}é0".unicodeScalars)
    let whole = Array(WholeFileTests.file.unicodeScalars)
    var faults = 0
    for _ in 0..<400 {
      var scalars = whole
      for _ in 0...Int.random(in: 0..<3, using: &random) {
        let place = Int.random(in: 0..<scalars.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: scalars[place] = signs.randomElement(using: &random)!
        case 1: scalars.remove(at: place)
        default: scalars.insert(signs.randomElement(using: &random)!, at: place)
        }
      }
      var text = String.UnicodeScalarView()
      text.append(contentsOf: scalars)
      do throws(ConfigFault) {
        let plan = try ConfigurationFile.parse(String(text), environment: [:])
        let rows = try plan.changes(against: .initial) { PlannedChangeTests.fingerprint($0) }
        try ConfigurationPlan.check(rows, against: .initial)
      } catch {
        faults += 1
        #expect(!error.description.contains("number-"), "seed \(seed): \(error)")
        #expect(!error.description.unicodeScalars.contains { $0.value < 0x20 }, "seed \(seed)")
      }
    }
    #expect(faults > 50, "seed \(seed)")
  }
}
