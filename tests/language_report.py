"""How well texts are understood: ours beside three providers' rules, on the labelled corpus.

    python -m tests.language_report [--split dev|held_out|all] [--missed]

`--missed` lists the ids and categories of what was understood wrong, never of the held-out part,
which is there to measure and not to look at.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from app.core.language import LANGUAGES, Intent, classify

CORPUS = Path(__file__).parent / "corpus"
SPLITS = ("dev", "held_out", "fresh")
# Written by somebody who did not know the rules; half of it, the split `fresh`, was not looked at.
UNFORESEEN = CORPUS / "fresh" / "unforeseen.jsonl"


@dataclass(frozen=True)
class Line:
    """One labelled message; `accepted` are the intents that are safe, the label's among them."""

    id: str
    text: str
    language: str
    label: Intent
    accepted: frozenset[Intent]
    code: str | None
    kind: str
    split: str
    must: bool


@dataclass
class Score:
    """What one reader made of some lines. Any accepted answer is right."""

    asked: int = 0
    found: int = 0
    false_opt_outs: int = 0
    opt_ins: int = 0
    false_opt_ins: int = 0
    others: int = 0
    others_right: int = 0
    missed: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """Of the opt-outs, the share that was understood, or left to a person where safe."""
        return self.found / self.asked if self.asked else 1.0

    @property
    def precision(self) -> float:
        """Of what was taken for an opt-out, the share that was one."""
        taken = self.found + self.false_opt_outs
        return self.found / taken if taken else 1.0

    @property
    def help_and_codes(self) -> float:
        """Of the requests for help, the codes and the yeses, the share that was understood."""
        return self.others_right / self.others if self.others else 1.0


Reader = Callable[[str], tuple[Intent, str | None]]


def lines() -> list[Line]:
    """Read the whole corpus."""
    files = [*(CORPUS / f"{language}.jsonl" for language in LANGUAGES), UNFORESEEN]
    return [
        _line(json.loads(written))
        for file in files
        for written in file.read_text(encoding="utf-8").splitlines()
    ]


def _line(row: dict) -> Line:
    return Line(
        id=row["id"],
        text=row["text"],
        language=row["lang"],
        label=Intent[row["label"]],
        accepted=frozenset(Intent[name] for name in row.get("accept", [row["label"]])),
        code=row.get("code"),
        kind=row["note"].split(":")[0],
        split=row["split"],
        must=row["severity"] == "must",
    )


def ours(text: str) -> tuple[Intent, str | None]:
    """Read with this product."""
    meaning = classify(text)
    return meaning.intent, meaning.code


def _keyword_rule(
    opt_out: str, opt_in: str, help_: str, find: Callable[[str, str], bool]
) -> Reader:
    words = {Intent.OPT_OUT: opt_out, Intent.OPT_IN: opt_in, Intent.HELP: help_}

    def read(text: str) -> tuple[Intent, str | None]:
        for intent, listed in words.items():
            if any(find(word, text.strip().upper()) for word in listed.split()):
                return intent, None
        return Intent.NONE, None

    return read


# Sources: the providers' documentation of their default keywords and of how they match.
READERS: dict[str, Reader] = {
    "ours": ours,
    "Twilio, whole message": _keyword_rule(
        "STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT",
        "START YES UNSTOP",
        "HELP INFO",
        lambda word, text: text == word,
    ),
    "AWS, begins with": _keyword_rule(
        "ARRET CANCEL END OPT-OUT OPTOUT QUIT REMOVE STOP TD UNSUBSCRIBE",
        "START UNSTOP",
        "HELP",
        lambda word, text: text.startswith(word),
    ),
    "Klaviyo, contains": _keyword_rule(
        "STOP QUIT END CANCEL UNSUBSCRIBE REVOKE OPTOUT",
        "YES Y START UNSTOP",
        "HELP INFO",
        lambda word, text: re.search(rf"\b{word}\b", text) is not None,
    ),
}


def score(reader: Reader, some: Iterable[Line]) -> Score:
    """Let a reader read the lines and count."""
    result = Score()
    for line in some:
        intent, code = reader(line.text)
        right = intent in line.accepted and (
            line.code is None or intent is not Intent.CONFIRM or code == line.code
        )
        _count(result, line, intent, right=right)
    return result


def _count(result: Score, line: Line, intent: Intent, *, right: bool) -> None:
    if not right:
        result.missed.append(line.id)
    if line.label is Intent.OPT_OUT:
        result.asked += 1
        result.found += right
    elif intent is Intent.OPT_OUT and not right:
        result.false_opt_outs += 1
    if line.label in {Intent.HELP, Intent.CONFIRM}:
        result.others += 1
        result.others_right += right
    if intent is Intent.OPT_IN:
        result.opt_ins += 1
        result.false_opt_ins += not right


def _row(name: str, result: Score) -> str:
    return (
        f"{name:<34}{result.asked:>6}{result.recall:>9.1%}{result.precision:>11.1%}"
        f"{result.false_opt_outs:>10}{result.false_opt_ins:>10}{result.help_and_codes:>11.1%}\n"
    )


def _table(title: str, reader: Reader, groups: dict[str, list[Line]]) -> str:
    head = (
        f"\n{title}\n{'':<34}{'asked':>6}{'recall':>9}{'precision':>11}{'false out':>10}"
        f"{'false in':>10}{'help, codes':>12}\n"
    )
    return head + "".join(_row(name, score(reader, some)) for name, some in groups.items())


def reached(some: Iterable[Line]) -> float:
    """Of the opt-outs, the share that is understood, or held back until a person has read it."""
    meanings = [classify(line.text) for line in some if line.label is Intent.OPT_OUT]
    return sum(m.intent is Intent.OPT_OUT or m.review for m in meanings) / max(len(meanings), 1)


def report(some: list[Line]) -> str:
    """Return the tables: by reader, and ours by language and by kind of message."""
    readers = "".join(_table(name, reader, {"all": some}) for name, reader in READERS.items())
    kinds = sorted({line.kind for line in some})
    languages = {
        language: [line for line in some if line.language == language] for language in LANGUAGES
    }
    return (
        readers
        + _table("ours, by language", ours, languages)
        + _table("ours, by kind", ours, {k: [x for x in some if x.kind == k] for k in kinds})
        + f"\nopt-outs understood, or held back for a person: {reached(some):.1%}\n"
    )


def main() -> None:
    """Print the report."""
    arguments = argparse.ArgumentParser(description="Say how well texts are understood.")
    arguments.add_argument("--split", choices=(*SPLITS, "all"), default="all")
    arguments.add_argument("--missed", action="store_true", help="list what was understood wrong")
    chosen = arguments.parse_args()
    some = [line for line in lines() if chosen.split in {line.split, "all"}]
    sys.stdout.write(report(some))
    if chosen.missed:
        dev = [line for line in some if line.split == "dev"]
        missed = set(score(ours, dev).missed)
        sys.stdout.writelines(
            f"{line.id}: {line.label} ({line.kind})\n" for line in dev if line.id in missed
        )


if __name__ == "__main__":
    main()
