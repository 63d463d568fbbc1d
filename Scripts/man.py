#!/usr/bin/env python3
"""Writes the manual pages of the three programs, docs/man/NAME.1, from their own command definitions.

usage: man.py [--check] [DIRECTORY]      DIRECTORY has the built programs; without: .build/release
With --check nothing is written: it ends with 1 if a page is not what the programs say now.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs/man"
PROGRAMS = ("replay", "signalbox", "simulator")
# A line of a help text that names what follows it: EXAMPLES, or SELECTORS and what they are for.
TITLE = re.compile(r"^([A-Z][A-Z ]+[A-Z])(?:  +(\S.*))?$")


def escaped(text):
    """Text as roff takes it: hyphens stay hyphens, and no line becomes a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def name_of(name):
    return ("--" if name["kind"] == "long" else "-") + name["name"]


def shown(arguments):
    return [it for it in arguments if it["shouldDisplay"]]


def synopsis(path, command):
    parts = [f".B {escaped(' '.join(path))}"]
    for it in shown(command.get("arguments", [])):
        value = f"\\fI{escaped(it.get('valueName', ''))}\\fR"
        if it["kind"] == "positional":
            text = value
        else:
            text = f"\\fB{escaped(name_of(it['preferredName']))}\\fR"
            if it["kind"] == "option":
                text += " " + value
        text += " ..." if it["isRepeating"] else ""
        parts.append(f"[{text}]" if it["isOptional"] else text)
    if [it for it in command.get("subcommands", []) if it["shouldDisplay"]]:
        parts.append("\\fIverb\\fR ...")
    return parts


def options(command, withHelp=True):
    out = []
    for it in shown(command.get("arguments", [])):
        # Every verb has it; the page says so once.
        if not withHelp and it.get("preferredName", {}).get("name") == "help":
            continue
        if it["kind"] == "positional":
            head = f"\\fI{escaped(it['valueName'])}\\fR"
        else:
            names = sorted(it["names"], key=lambda name: name["kind"] == "long")
            head = ", ".join(f"\\fB{escaped(name_of(name))}\\fR" for name in names)
            if it["kind"] == "option":
                head += f" \\fI{escaped(it['valueName'])}\\fR"
        out += [".TP", head]
        out += [escaped(text) for text in (it.get("abstract"), it.get("discussion")) if text] or ["\\&"]
        if it.get("defaultValue"):
            out.append(f"Default: {escaped(it['defaultValue'])}.")
        if it.get("allValues"):
            out.append(f"One of {escaped(', '.join(it['allValues']))}.")
    return out


def prose(text, heading):
    """A help text: what is indented in it stays as it is set, the rest is filled."""
    out, isSet = [], False
    for line in text.rstrip().split("\n"):
        title = TITLE.match(line)
        wants = line.startswith("  ") and not title
        if isSet and not wants:
            out += [".fi", ".RE"]
            isSet = False
        if title:
            out += [heading(title[1])] + ([escaped(title[2])] if title[2] else [])
        elif not line.strip():
            out.append(".PP")
        else:
            if wants and not isSet:
                out += [".RS 2", ".nf"]
                isSet = True
            out.append(escaped(line[2:] if wants else line))
    if isSet:
        out += [".fi", ".RE"]
    # No paragraph before what begins one itself, and none at the end.
    kept = []
    for line in out:
        if kept and kept[-1] == ".PP" and (line.startswith((".SH", ".SS", ".PP", ".TP"))):
            kept.pop()
        kept.append(line)
    while kept and kept[-1] == ".PP":
        kept.pop()
    return kept


def verbs(path, command, depth):
    for it in command.get("subcommands", []):
        if not it["shouldDisplay"] or it["commandName"] == "help":
            continue
        inner = path + [it["commandName"]]
        yield from [f'.SS "{escaped(" ".join(inner))}"', escaped(it.get("abstract", "")), ".PP"]
        yield from synopsis(inner, it)
        if it.get("discussion"):
            yield ".PP"
            yield from prose(it["discussion"], lambda title: f".PP\n\\fB{title.capitalize()}\\fR\n.br")
        yield from options(it, withHelp=False)
        yield from verbs(inner, it, depth + 1)


def page(name, dump):
    command = dump["command"]
    out = [
        f'.\\" Made by Scripts/man.py from what {name} says of itself: change it there.',
        f'.TH {name.upper()} 1 "" "Signalbox" "Signalbox manual"', ".SH NAME",
        f"{name} \\- {escaped(command['abstract'].rstrip('.'))}", ".SH SYNOPSIS"]
    out += synopsis([name], command)
    if command.get("discussion"):
        out.append(".SH DESCRIPTION")
        out += prose(command["discussion"], lambda title: f'.SH "{title}"')
    if shown(command.get("arguments", [])):
        out += [".SH OPTIONS"] + options(command)
    if command.get("subcommands"):
        out += [".SH VERBS", *verbs([name], command, 0)]
    others = [f".BR {other} (1)" for other in PROGRAMS if other != name]
    out += [".SH SEE ALSO", " ,\n".join(others)]
    return "\n".join(out) + "\n"


def main():
    arguments = sys.argv[1:]
    isCheck = arguments[:1] == ["--check"]
    rest = arguments[1:] if isCheck else arguments
    programs = Path(rest[0]) if rest else ROOT / ".build/release"
    others = []
    PAGES.mkdir(exist_ok=True)
    for name in PROGRAMS:
        dump = subprocess.run(
            [programs / name, "--experimental-dump-help"], capture_output=True, text=True, check=True).stdout
        text = page(name, json.loads(dump))
        path = PAGES / f"{name}.1"
        if isCheck:
            if not path.exists() or path.read_text() != text:
                others.append(str(path.relative_to(ROOT)))
        else:
            path.write_text(text)
    if others:
        sys.exit(f"not what the programs say now: {', '.join(others)}; run Scripts/man.py")


if __name__ == "__main__":
    main()
