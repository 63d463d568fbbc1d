/// The verbs of `replay`: functions from a log and arguments to a value, which write nothing.
public enum Replay {
  /// Of the documents that the verbs answer: raised where a member goes or comes to mean something else, not
  /// where one is added.
  public static let documentVersion = 1
}
