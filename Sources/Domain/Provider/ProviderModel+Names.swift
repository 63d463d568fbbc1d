extension ProviderModel {
  /// Models of one provider, at most.
  public static let maximumCount = Bounds.modelsPerProvider

  /// Whether a model can have this name: visible, without spaces, 1…191 bytes, no slash at either end.
  public static func isName(_ text: String) -> Bool {
    do throws(Refusal) {
      try Bounds.modelName(text, "name")
      return true
    } catch {
      return false
    }
  }
}
