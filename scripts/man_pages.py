"""Manual pages of czctl, from what its parser says of itself: one for each command, one for each help topic.

    python3 scripts/man_pages.py CZCTL DIRECTORY
"""

import json
import re
import subprocess
import sys
from pathlib import Path

COMMON = {"help", "version", "verbose", "quiet"}  # of every command: said once, in czctl(1)


def dump(czctl: Path) -> dict:
    result = subprocess.run([czctl, "--experimental-dump-help"], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)["command"]


def escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def names(argument: dict) -> str:
    dashes = {"short": "-", "long": "--", "longWithSingleDash": "-"}
    return ", ".join(dashes[name["kind"]] + name["name"] for name in argument.get("names", []))


def shown(command: dict) -> list[dict]:
    hidden = set() if command["commandName"] == "czctl" else COMMON
    return [
        argument
        for argument in command.get("arguments", [])
        if argument["shouldDisplay"] and argument.get("valueName") not in hidden
    ]


def synopsis(path: str, command: dict) -> str:
    words = [path]
    if command.get("subcommands"):
        words.append("<subcommand>")
    for argument in shown(command):
        value = f"<{argument['valueName']}>"
        if argument["kind"] == "positional":
            word = value
        else:
            preferred = argument["preferredName"]
            word = ("--" if preferred["kind"] == "long" else "-") + preferred["name"]
            word += "" if argument["kind"] == "flag" else f" {value}"
        word += " ..." if argument["isRepeating"] else ""
        words.append(f"[{word}]" if argument["isOptional"] else word)
    return " ".join(words)


def paragraphs(text: str) -> list[str]:
    """Lines that are indented, or stand in columns, as they are; the others run together."""
    lines: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        as_is = any(re.search(r"\S {2,}\S", line) or line.startswith(" ") for line in block.split("\n"))
        lines += [".PP"] + ([".nf", escaped(block), ".fi"] if as_is else [escaped(block)])
    return lines


def options(command: dict) -> list[str]:
    lines = []
    for argument in shown(command):
        name = names(argument)
        value = f"\\fI{escaped(argument['valueName'])}\\fR"
        head = value if not name else f"\\fB{escaped(name)}\\fR" + ("" if argument["kind"] == "flag" else f" {value}")
        text = argument.get("abstract", "")
        if "defaultValue" in argument:
            text += f" (default: {argument['defaultValue']})"
        lines += [".TP", head, escaped(text) or "\\&"]
    return lines


def body(path: str, command: dict, heading: str) -> list[str]:
    """The sections of a command; `heading` is `.SH`, or `.SS` below a parent's own."""
    text, _, examples = command.get("discussion", "").partition("Examples:\n")
    lines = [".nf", f"\\fB{escaped(synopsis(path, command))}\\fR", ".fi"]
    if heading == ".SH":
        lines = [".SH SYNOPSIS", *lines, ".SH DESCRIPTION"]
    else:
        lines += [".PP", escaped(command.get("abstract", "")) + "."]
    if text.strip():
        lines += paragraphs(text)
    elif heading == ".SH":
        lines.append(escaped(command.get("abstract", "")) + ".")
    if found := options(command):
        lines += ([".SH OPTIONS"] if heading == ".SH" else []) + found
    if examples.strip():
        lines += ([".SH EXAMPLES"] if heading == ".SH" else [".PP"]) + [".nf", escaped(examples.rstrip()), ".fi"]
    return lines


def page(name: str, section: int, command: dict, see: list[str]) -> str:
    path = "czctl" if name == "czctl" else "czctl " + name.removeprefix("czctl-")
    lines = [
        ".\\\" Made by scripts/man_pages.py of what the program says; make man makes it again.",
        f'.TH {name.upper()} {section} "" "Cirrus" "Cirrus"',
        ".SH NAME",
        f"{escaped(name)} \\- {escaped(command.get('abstract', ''))}",
    ]
    if section == 7:
        text = command["discussion"].partition("Examples:\n")
        lines += [".SH DESCRIPTION", *paragraphs(text[0]), ".SH EXAMPLES", ".nf", escaped(text[2].rstrip()), ".fi"]
    else:
        lines += body(path, command, ".SH")
        inner = [one for one in command.get("subcommands", []) if one["shouldDisplay"] and name != "czctl"]
        if inner:
            lines.append(".SH SUBCOMMANDS")
        for one in inner:
            below = f"{path} {one['commandName']}"
            lines += [f".SS {escaped(below)}", *body(below, one, ".SS")]
    lines += [".SH SEE ALSO", ",\n".join(f".BR {escaped(one[:-3])} {one[-3:]}" for one in see)]
    return "\n".join(lines).replace(",\n.BR", " ,\n.BR") + "\n"


def pages(czctl: Path) -> dict[str, str]:
    """Texts by file name."""
    root = dump(czctl)
    commands = [one for one in root["subcommands"] if one["shouldDisplay"] and one["commandName"] != "help"]
    topics = [one for one in root["subcommands"] if not one["shouldDisplay"]]
    first = [f"czctl-{one['commandName']}({section})" for section, some in [(1, commands), (7, topics)] for one in some]
    made = {"czctl.1": page("czctl", 1, root, first)}
    for section, some in [(1, commands), (7, topics)]:
        for one in some:
            name = f"czctl-{one['commandName']}"
            others = ["czctl(1)"] + [f"czctl-{topic['commandName']}(7)" for topic in topics if topic is not one]
            made[f"{name}.{section}"] = page(name, section, one, others)
    return made


def main():
    czctl, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("czctl*.[17]"):
        old.unlink()
    for name, text in pages(czctl).items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
