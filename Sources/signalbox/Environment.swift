import Foundation

/// The process's environment, read once.
enum Environment {
  static let all = ProcessInfo.processInfo.environment

  /// A variable's value; nil if it is unset or empty.
  static func value(_ name: String) -> String? {
    guard let value = all[name], !value.isEmpty else { return nil }
    return value
  }
}
