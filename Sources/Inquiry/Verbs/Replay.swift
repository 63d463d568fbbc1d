/// The verbs of `replay`: functions from a log and arguments to a value, which write nothing.
public enum Replay {}
