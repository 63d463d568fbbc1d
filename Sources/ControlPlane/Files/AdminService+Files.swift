import ConfigFile
import Domain
import EventStore
import Surface

/// `/api/config/drift`: the gateway's own file and the log.
extension AdminService {
  /// The file named at the start, as it is now, against the log.
  func configurationDrift() async throws -> AdminAnswer {
    guard let source = options.configuration else {
      return .json(["file": .null, "fault": .null, "comparison": .null])
    }
    let (state, vault, log) = (control.state, control.vault, control.store.reader)
    let (fault, applied) = try await reads.run { () -> (String?, AppliedConfiguration?) in
      let file: ConfigurationPlan
      do {
        file = try source.read()
      } catch {
        return (String(describing: error), nil)
      }
      do {
        return (nil, try ControlPlane.plan(file, against: state, vault: vault, log: log))
      } catch let fault as ConfigFault {
        return (fault.description, nil)
      } catch let refusal as Refusal {
        return ("the rules refuse it: \(refusal.message)", nil)
      }
    }
    return .json([
      "file": JSONValue(source.path), "fault": JSONValue(fault),
      "comparison": applied?.json(isPlan: true) ?? .null,
    ])
  }
}
