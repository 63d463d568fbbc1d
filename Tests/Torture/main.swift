internal import Glibc

// torture append DIR MODE SEED   appends for ever, printing the number of each acknowledged event
// torture bench DIR              appends as fast as it can, printing a table
let arguments = CommandLine.arguments
switch arguments.count > 2 ? arguments[1] : "" {
case "append" where arguments.count == 5:
  appendForEver(directory: arguments[2], mode: arguments[3], seed: arguments[4])
case "bench":
  bench(directory: arguments[2])
default:
  print("usage: torture append DIR durable|written|queued SEED | torture bench DIR")
  exit(2)
}
