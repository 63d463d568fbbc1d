import ArgumentParser

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Reads a Signalbox log: what the gateway knew, what it did, and why.",
    discussion: """
      Everything is read-only and works while the gateway runs, on a copied
      directory, or on a bundle: --log incident.bundle. The same log and arguments
      give the same bytes. Times are UTC.

      WHERE TO BEGIN
        replay report --log incident.bundle     what failed, and what may have contributed,
                                                the likeliest first
        replay window --interval 1m --top 5     the same by the minute, with requests to look at
        replay state --at 215 --diff 522        what is not any more as it was, and who did it

      SELECTORS  --from, --to and --at take
        123, 2:123               a position, or epoch:position
        2026-11-20T14:00:00Z     an RFC 3339 time
        -15m, -2h30m             a time ago
        request:<id>             a request, by the gateway's id or the client's
        event:<id>               an event

      EXIT CODES
        0  everything was read, nothing differs
        1  something differs from what was recorded or signed
        2  the question was not understood, or names something that is not there
        3  a part of the log that the answer depends on is damaged
        4  what the answer needs is not in the log, or not yet

      EXAMPLES
        replay window --from -5m
        replay window --from -1h --status 5xx --provider mock
        replay show 01932d5e-7c4b-7a01-8f6e-5d2c1b0a9f8e
        replay explain 01932d5e-7c4b-7a01-8f6e-5d2c1b0a9f8e
        replay state --at 2026-11-20T14:00:00Z --part accounts
        replay state --at -1d --diff -5m
        replay what-if --from -1h --remove account/mock-a1
        replay bisect --predicate 'account/mock-a1 is cooling'
        replay drift --from -1d
        replay blame alias/fast
        replay report --from -6h -o incident.html
        replay verify --log /var/lib/signalbox
        replay checkpoint > checkpoint.note
        replay prove 01932d5e-7c4b-7a01-8f6e-5d2c1b0a9f8e -o proof.json
        replay bundle --from -1h -o incident.bundle
        replay tail -f --status 5xx
        replay export --csv --from -1d -o requests.csv
        replay run --against ./next/replay --from -1d
      """,
    subcommands: [
      WindowCommand.self, TailCommand.self, ShowCommand.self, ExplainCommand.self,
      StateCommand.self, WhatIfCommand.self, BisectCommand.self, DriftCommand.self,
      BlameCommand.self, HistoryCommand.self, VerifyCommand.self, RunCommand.self,
      DecisionsCommand.self, ExportCommand.self, CheckpointCommand.self, ProveCommand.self,
      CheckProofCommand.self, BundleCommand.self, ReportCommand.self,
    ])
}
