import ArgumentParser
import Glibc
import Inquiry

// A reader that goes away (`replay window | head`) must not end us with a signal.
signal(SIGPIPE, SIG_IGN)

Terminal.widenHelp()

do {
  var command = try ReplayCommand.parseAsRoot()
  try command.run()
} catch let fault as InquiryFault {
  Terminal.error("replay: \(fault)\n")
  exit(fault.exitCode.rawValue)
} catch {
  let code = ReplayCommand.exitCode(for: error)
  let message = ReplayCommand.fullMessage(for: error)
  switch code {
  case .success:
    // Help is an answer.
    Terminal.output(message + "\n")
    exit(Inquiry.ExitCode.same.rawValue)
  case .validationFailure:
    Terminal.error(message + "\n")
    exit(Inquiry.ExitCode.usage.rawValue)
  default:
    if !message.isEmpty { Terminal.error(message + "\n") }
    exit(code.rawValue)
  }
}
