#!/usr/bin/env python3
"""Prints the commands of the documents as JSON: every block fenced as ```sh, with its file and line.

usage: doc-commands.py [FILE...]      without FILE: README.md and docs/**/*.md

A block fenced as ```sh is a promise that it works and is executed by Tests/EndToEnd/test_documents.py (those of
docs/runbooks, with what comes of them, by test_runbooks.py); what is only
to be looked at is fenced as ```text, ```console or without a word.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^(\s*)(```+|~~~+)\s*(\S*)\s*$")


def fenced(path):
    """The blocks of one file, each with its word and the line where its text begins; an unfinished fence is an error."""
    found, inside = [], None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fence = FENCE.match(line)
        if inside is None:
            if fence:
                inside = {"mark": fence[2], "word": fence[3], "line": number + 1,
                          "indent": len(fence[1]), "text": []}
        elif fence and fence[2].startswith(inside["mark"]) and not fence[3]:
            found.append({
                "word": inside["word"], "line": inside["line"],
                "text": "".join(line + "\n" for line in inside["text"])})
            inside = None
        else:
            inside["text"].append(line[inside["indent"]:] if line[:inside["indent"]].isspace() else line)
    if inside is not None:
        raise SystemExit(f"{path}: the fence before line {inside['line']} is never closed")
    return found


def blocks(path):
    """The ```sh blocks of one file."""
    name = str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
    return [
        {"file": name, "line": block["line"], "text": block["text"]}
        for block in fenced(path) if block["word"] == "sh"]


def documents():
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def main():
    paths = [Path(name).resolve() for name in sys.argv[1:]] or documents()
    print(json.dumps([block for path in paths if path.exists() for block in blocks(path)], indent=2))


if __name__ == "__main__":
    main()
