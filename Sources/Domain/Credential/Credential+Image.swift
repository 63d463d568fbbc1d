extension Credential {
  /// Which generation is in force, how it is known and whether it can be renewed.
  func image(of account: AccountID) -> Image? {
    guard generation > 0 || homeEpoch > 0 else { return nil }
    var image = Image(.credential(account))
      .showing("credentialGeneration", Image.Value(generation))
      .showing("fingerprint", Image.Value(fingerprint?.short))
      .showing("expiresAt", Image.Value(expiresAt))
    // Of API keys there is nothing more to tell, and there was nothing more in older builds.
    guard self.kind != .apiKey || homeEpoch > 0 || home != nil else { return image }
    image =
      image
      .showing("kind", .text(kind.name))
      .showing("home", Image.Value(home?.rawValue))
      .showing("homeEpoch", .number(homeEpoch))
      .showing("canRefresh", .flag(canRefresh))
      .showing("standing", .text(standing.name))
      .showing("openAttempt", Image.Value(attempt?.number))
      .showing("failures", Image.Value(failures))
      .showing("lastFailure", Image.Value(lastFailure?.code))
      .showing("retryAt", Image.Value(retryAt))
    return image
  }
}
