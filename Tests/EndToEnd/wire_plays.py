"""What the providers of the wire cases answer, in no protocol's words, and how a prompt asks for it.

A prompt that holds `[play NAME SEED]` is answered with that play; the last such mark of a request counts, so a tool's
result can ask for what follows it.
"""

import random
import re
from dataclasses import dataclass, field

MARK = re.compile(rb"\[play ([a-z0-9-]+) (\d+)\]")
#: What must survive any form of JSON and any border between chunks.
TEXT = 'Salut, "le monde" \\ é 漢字 🚂\n\ttab\u2028line </script> done'


@dataclass(frozen=True)
class Usage:
    """`input` holds `cached` and `written`, `output` holds `reasoning`."""

    input: int = 21
    cached: int = 0
    written: int = 0
    output: int = 9
    reasoning: int = 0


@dataclass(frozen=True)
class Thought:
    text: str


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Refusal:
    text: str


@dataclass(frozen=True)
class Call:
    name: str
    arguments: dict


@dataclass(frozen=True)
class Play:
    parts: tuple = ()
    #: `end`, `length`, `sequence`, `calls`, `refusal` or `filtered`.
    stop: str = "end"
    usage: Usage = field(default_factory=Usage)
    #: An answer of this status instead.
    status: int = 200
    headers: tuple = ()
    #: After so many frames: `error` in the stream, `cut`; `None`: all frames.
    after: int | None = None
    #: Beside these: `empty`, a stream without a frame; `odd`, JSON as no library writes it; `meet`, half of the
    #: stream, then a wait for all others that meet; `too-long`, the provider's words for a prompt that is.
    fault: str = ""
    #: Seconds between frames.
    pace: float = 0.0
    name: str = ""
    seed: int = 0

    def pieces(self, text, most=12):
        """`text` in pieces whose borders the seed decides."""
        chance = random.Random(f"{self.seed}/{text[:32]}")
        found = []
        while text:
            length = chance.randint(1, most)
            found.append(text[:length])
            text = text[length:]
        return found

    def signature(self, number):
        """Base64 that a provider knows again as its own."""
        return "U2lnbmFsYm94VGVz%08d" % (self.seed % 10_000 * 10_000 + number)

    def text(self):
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    def thoughts(self):
        return "".join(part.text for part in self.parts if isinstance(part, Thought))

    def refusal(self):
        return "".join(part.text for part in self.parts if isinstance(part, Refusal))

    def calls(self):
        return [(part.name, part.arguments) for part in self.parts if isinstance(part, Call)]


WEATHER = Call("get_weather", {"city": "Zürich 🏔", "days": 3, "deep": {"list": [1, 2.5, None, True]}})
TIME = Call("get_time", {"zone": "Europe/Zurich"})

PLAYS = {
    "plain": Play((Text(TEXT),)),
    "cached": Play((Text("Cached."),), usage=Usage(100, 64, 0, 40, 30)),
    "written": Play((Text("Written."),), usage=Usage(100, 40, 24, 7)),
    "think": Play(
        (Thought("First, look.\nThen é🚂 leap."), Text("Seven it is.")), usage=Usage(12, 0, 0, 45, 41)),
    "think-call": Play(
        (Thought("The weather must be asked for."), WEATHER), "calls", Usage(30, 0, 0, 50, 20)),
    "call": Play((WEATHER,), "calls"),
    "empty-call": Play((Call("get_time", {}),), "calls"),
    "text-call": Play((Text("Let me look."), WEATHER), "calls"),
    "calls": Play((Text("Both at once."), WEATHER, TIME), "calls"),
    "json": Play((Text('{"city":"Zürich","days":3}'),)),
    "length": Play((Text("This was to be much lon"),), "length"),
    "sequence": Play((Text("One, two, "),), "sequence"),
    "refusal": Play((Refusal("I cannot help with that."),), "refusal"),
    "filtered": Play((Text("It began we"),), "filtered"),
    # Plain from a provider of this protocol; the others are overloaded.
    **{f"only-{dialect}": Play((Text(TEXT),)) for dialect in ("chat", "messages", "gemini")},
    "empty-stream": Play(fault="empty"),
    "odd": Play((Text(TEXT),), fault="odd"),
    "cut": Play((Text(TEXT * 4),), after=9, fault="cut"),
    "cut-early": Play((Text(TEXT),), after=0, fault="cut"),
    "error": Play((Text(TEXT * 4),), after=9, fault="error"),
    "error-early": Play((Text(TEXT),), after=0, fault="error"),
    "slow": Play((Text("tick " * 4000),), pace=0.02),
    **{f"status-{status}": Play(status=status) for status in (400, 401, 403, 404, 413, 422, 500, 503, 529)},
    "too-long": Play(status=400, fault="too-long"),
    "status-429": Play(status=429, headers=(("retry-after", "7"),)),
}


def distinct(seed):
    """A text that no other seed has a long piece of."""
    chance = random.Random(seed)
    letters = "abcdefghij klmnopqrst\n\"\\é漢🚂"
    return f"<{seed}>" + "".join(chance.choice(letters) for _ in range(400)) + f"</{seed}>"


def play(name, seed):
    """The play of a name; `meet` has another text for each seed."""
    if name == "meet":
        found = Play((Text(distinct(seed)),), usage=Usage(10 + seed % 97, 0, 0, 20 + seed % 89), fault="meet")
    else:
        found = PLAYS[name]
    return Play(**{**found.__dict__, "name": name, "seed": seed})


def asked(body):
    """The play that a request's bytes ask for."""
    marks = MARK.findall(body)
    name, seed = marks[-1] if marks else (b"plain", b"0")
    return play(name.decode(), int(seed))


def mark(name, seed=0):
    return f"[play {name} {seed}]"
