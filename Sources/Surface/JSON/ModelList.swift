public import Domain

/// The names in an answer to `GET {base}/models`: `{"data":[{"id":"…"},…]}`, at Gemini
/// `{"models":[{"name":"models/…"},…]}`.
public struct ModelList: Sendable, Hashable {
  /// Sorted by their bytes, none twice, each a possible model name, at most 2,000.
  public var names: [String]
  /// Entries left out: without a name, with an impossible one, unable to answer, or beyond the first 2,000.
  public var skipped: Int

  /// Why an answer is no list of models.
  public enum Fault: Error, Sendable, Hashable {
    /// No JSON object with the array.
    case notAList
    /// It says itself that it is an error.
    case isError
    /// Not one usable name: more likely a fault than a provider that offers nothing.
    case isEmpty
  }

  /// A list of these names.
  public init(names: [String], skipped: Int = 0) {
    self.names = names
    self.skipped = skipped
  }

  /// Reads the whole of `bytes`, a provider's answer whose models answer in `dialect`; strict JSON, unknown members
  /// are passed over.
  public static func parse(_ bytes: [UInt8], as dialect: Dialect) throws(Fault) -> ModelList {
    let document: JSONValue
    do throws(JSONFault) {
      document = try JSONValue.parse(bytes)
    } catch {
      throw .notAList
    }
    guard let entries = document[dialect == .gemini ? "models" : "data"]?.array else {
      throw document["error"].map { !$0.isNull } == true ? .isError : .notAList
    }
    var names: Set<String> = []
    var skipped = 0
    for entry in entries {
      let found = dialect == .gemini ? geminiName(entry) : entry["id"]?.string
      if let name = found, ProviderModel.isName(name) {
        names.insert(name)
      } else {
        skipped += 1
      }
    }
    guard !names.isEmpty else { throw .isEmpty }
    let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let kept = Array(sorted.prefix(ProviderModel.maximumCount))
    return ModelList(names: kept, skipped: skipped + sorted.count - kept.count)
  }

  /// nil: it has none, or it does something else than to generate content.
  private static func geminiName(_ entry: JSONValue) -> String? {
    if let methods = entry["supportedGenerationMethods"]?.array,
      !methods.contains("generateContent")
    {
      return nil
    }
    guard let name = entry["name"]?.string else { return nil }
    return name.hasPrefix("models/") ? String(name.dropFirst(7)) : name
  }
}
