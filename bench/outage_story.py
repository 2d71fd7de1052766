"""What people text while the gateway is down: the same for both worlds, code by code."""

import random
import re
from dataclasses import dataclass

CODE, WRONG_CODE = "(the code)", "(another code)"
_DIGITS = re.compile(r"\b(\d{6})\b")

# What one number texts, in its order; each number has one of these to say.
TALES: dict[str, tuple[str, ...]] = {
    "subscribed": (
        "STOP",
        "STOP|START",
        "STOP|START|STOP",
        "START|STOP|START|STOP|START",
        "Grazie mille|CANCELLA",
        "INFO",
        "Ciao, a che ora aprite?",
        "non scrivetemi più|Ciao",
        "basta, per favore|START",
        "Stop|Stop|Stop",
        "PERCHE|STOP",
    ),
    "asked": (CODE, WRONG_CODE, f"{WRONG_CODE}|{CODE}", f"{CODE}|STOP", f"STOP|{CODE}", "Ciao"),
    "strangers": ("STOP", "START", "START|STOP", "STOP|START", "Salve", "INFO"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One text; `body` may stand for a code, which differs from world to world."""

    number: str
    body: str
    last: bool  # of what this number says
    alone: bool  # it says nothing else

    def in_words(self, code: str | None) -> str:
        """As it is texted where that code was sent."""
        if self.body == CODE:
            return code or "123456"
        if self.body == WRONG_CODE:
            return "111111" if code != "111111" else "222222"
        return self.body


def people(kind: str, count: int) -> list[str]:
    """Numbers of so many of that kind."""
    return [f"+39333{1 + list(TALES).index(kind)}{place:06d}" for place in range(count)]


def story(texts: int, chance: random.Random) -> tuple[dict[str, list[str]], list[Line]]:
    """So many texts of people of all kinds; between different people in any order."""
    tellers: dict[str, list[str]] = {kind: [] for kind in TALES}
    queues: list[list[Line]] = []
    while sum(map(len, queues)) < texts:
        kind = chance.choice(list(TALES))
        number = people(kind, len(tellers[kind]) + 1)[-1]
        tellers[kind].append(number)
        bodies = chance.choice(TALES[kind]).split("|")[: texts - sum(map(len, queues))]
        lines = [
            Line(number, body, place == len(bodies), len(bodies) == 1)
            for place, body in enumerate(bodies, 1)
        ]
        queues.append(lines)
    told = []
    while queues:
        queue = chance.choice(queues)
        told.append(queue.pop(0))
        queues = [each for each in queues if each]
    return tellers, told


def code_in(text: str) -> str | None:
    """The code that a message holds, if it holds one."""
    found = _DIGITS.search(text)
    return found[1] if found else None
