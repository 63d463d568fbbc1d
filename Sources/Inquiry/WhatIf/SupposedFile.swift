import ConfigFile
import Crypto
import Domain

/// A configuration file that is supposed to be applied, read once for all configurations of a window.
///
/// The gateway's key for fingerprints is not at hand, and need not be: a secret of the file counts as the one that the
/// account or key of that name has, and as a new one where there is none.
public struct SupposedFile: Sendable, Hashable {
  /// Bytes of a file: 1 MiB.
  public static let bytesMax = ConfigurationFile.bytesMax

  /// As it is told, `gateway.yaml`.
  public let name: String
  /// Names of variables that nobody set; their values count as some secret.
  public let unset: [String]
  private let plan: ConfigurationPlan

  /// Reads a file without looking at any log.
  ///
  /// - Parameter environment: asked for what `${NAME}` stands for; nil: it is not set.
  /// - Throws: `.usage` with the place in the file that is wrong.
  public init(
    name: String, text: String, environment: (String) -> String?
  ) throws(InquiryFault) {
    self.name = Shown.text(name)
    do throws(ConfigFault) {
      var values: [String: String] = [:]
      var unset: [String] = []
      for variable in try ConfigurationFile.variables(in: text) {
        if let value = environment(variable) {
          values[variable] = value
        } else {
          unset.append(variable)
          values[variable] = "unset-\(variable)"
        }
      }
      self.unset = unset
      plan = try ConfigurationFile.parse(text, environment: values)
    } catch {
      throw InquiryFault(.usage, "\(Shown.text(name)): \(error)")
    }
  }

  /// What applying it would command; nil: it cannot be applied there.
  func commands(on state: ControlState) throws(InquiryFault) -> [Command]? {
    let known = fingerprints(on: state)
    do throws(ConfigFault) {
      return try plan.changes(against: state) { secret in
        known[secret] ?? Fingerprint(Array(SHA256.hash(data: Array(secret.revealed.utf8))))
      }.compactMap(\.command)
    } catch {
      // The file names what this configuration does not have, or has otherwise.
      guard error.code == .conflict || error.code == .unknownName else {
        throw InquiryFault(.usage, "\(name): \(error)")
      }
      return nil
    }
  }

  /// Of the file's secrets, those that stand for what is there already.
  private func fingerprints(on state: ControlState) -> [SecretText: Fingerprint] {
    var known: [SecretText: Fingerprint] = [:]
    for provider in plan.providers {
      for account in provider.accounts {
        guard let secret = account.secret,
          let old = state.accounts.values.first(where: {
            $0.provider == provider.id && $0.name == account.name
          }), let fingerprint = old.credential.fingerprint
        else { continue }
        known[secret] = fingerprint
      }
    }
    for key in plan.keys {
      let old = state.keys.values.filter { $0.name == key.name }
        .min { ($0.status == .revoked ? 1 : 0, $0.id) < ($1.status == .revoked ? 1 : 0, $1.id) }
      if let old { known[key.secret] = old.fingerprint }
    }
    return known
  }
}
