#!/usr/bin/env python3
"""Who may import what, and a few words that may not appear: the rules of ARCHITECTURE.md, checked over Sources/.

Exit 1 with one line a finding. Package.swift already forbids undeclared dependencies
(--explicit-target-dependency-import-check); this forbids system modules and says it without a build.
"""

import re
import sys
from pathlib import Path

#: Another tree may be named, so that the rules themselves can be tested.
ROOT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
SOURCES = ROOT / "Sources"

PURE: set[str] = set()
#: What each target may import; None: anything that Package.swift lets it, but for `NEVER`.
ALLOWED = {
    "Domain": PURE,
    "EventStore": {"CLZ4", "CFast", "Crypto", "Glibc", "Synchronization"},
    "Surface": {"Domain"},
    "Translation": {"Domain", "Surface"},
    "Telemetry": {"Domain"},
    "Views": {"Domain", "Crypto", "Foundation", "GRDB", "Synchronization"},
    "ConfigFile": {"Domain", "Yams"},
    "Inquiry": {"Domain", "EventStore", "Views", "ConfigFile", "Crypto"},
    "DataPlane": {
        "Domain", "EventStore", "Surface", "Translation", "CFast", "Glibc", "Synchronization", "HTTPTypes",
        "Logging", "NIOCore", "NIOPosix", "NIOSSL", "NIOConcurrencyHelpers"},
    "ControlPlane": None,
    "signalbox": None,
    "replay": {"Domain", "EventStore", "Inquiry", "ArgumentParser", "Glibc"},
    "simulator": None,
    "CLZ4": PURE,
    "CFast": PURE,
}
NEVER = {
    "ControlPlane": {"DataPlane", "NIOPosix", "AsyncHTTPClient"},
    "signalbox": set(),
    "simulator": {"Domain", "EventStore", "Surface", "DataPlane", "ControlPlane", "Inquiry"},
}
IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?"
    r"import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias|actor)\s+)?(\w+)")
WORDS = [
    (re.compile(r"\btry!"), "try! traps on a failure of the world"),
    (re.compile(r"\bas!\s"), "as! traps"),
    (re.compile(r"\bfatalError\("), "fatalError ends the gateway; throw, or state an invariant with precondition"),
]
UNCHECKED = re.compile(r"@unchecked\s+Sendable|nonisolated\(unsafe\)")


def code(line):
    """The line without its comment; string literals stay, which is good enough for these rules."""
    return line.split("//", 1)[0]


def findings():
    targets = sorted(path.name for path in SOURCES.iterdir() if path.is_dir())
    for target in targets:
        if target not in ALLOWED:
            yield f"Sources/{target}: has no row in Scripts/boundaries.py"
    for target in targets:
        if target not in ALLOWED:
            continue
        for path in sorted((SOURCES / target).rglob("*.swift")):
            yield from look(target, path)


def look(target, path):
    lines = path.read_text().splitlines()
    where = path.relative_to(ROOT)
    for number, line in enumerate(lines, 1):
        found = IMPORT.match(line)
        if found:
            module = found[1]
            allowed = ALLOWED[target]
            if allowed is not None and module not in allowed:
                yield f"{where}:{number}: {target} may not import {module}"
            if module in NEVER.get(target, ()):
                yield f"{where}:{number}: {target} may not import {module}"
        for pattern, reason in WORDS:
            if pattern.search(code(line)):
                yield f"{where}:{number}: {reason}"
        if UNCHECKED.search(code(line)):
            beside = [line] + lines[max(0, number - 6):number - 1]
            if not any("//" in near for near in beside):
                yield f"{where}:{number}: unchecked sendability without its reason in a comment beside it"


def main():
    found = list(findings())
    for line in found:
        print(line)
    print(f"boundaries: {len(found)} finding(s) in {len(list(SOURCES.rglob('*.swift')))} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
