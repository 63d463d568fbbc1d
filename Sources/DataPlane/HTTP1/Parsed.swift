/// A parsed piece of a message or the rule that it breaks.
///
/// A value instead of a throw, because it crosses ByteBuffer's closures, which do not carry typed
/// errors.
enum Parsed<Value> {
  case success(Value)
  case failure(HTTP1Fault.Code)
}
