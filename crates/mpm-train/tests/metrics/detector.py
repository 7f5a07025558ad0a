#!/usr/bin/env python3
"""Prints how often lingua tells the language of the names of emoji, by language and number of
words: the figures in `src/evaluate/language/lingua.rs`. The Python package runs the same Rust code.

    pip install lingua-language-detector==2.1.1 emoji==2.16.0
    python detector.py"""

from emoji import EMOJI_DATA, config
from lingua import Language, LanguageDetectorBuilder

LANGUAGES = {
    "ar": Language.ARABIC, "de": Language.GERMAN, "en": Language.ENGLISH, "es": Language.SPANISH,
    "fr": Language.FRENCH, "it": Language.ITALIAN, "ja": Language.JAPANESE,
    "pt": Language.PORTUGUESE, "sw": Language.SWAHILI, "zh": Language.CHINESE,
}


def names(language):
    """Without flags, tones of skin and compositions, whose names repeat each other."""
    for emoji, entry in EMOJI_DATA.items():
        composed = any(c == "\u200d" or "\U0001f1e6" <= c <= "\U0001f1ff"
                       or "\U0001f3fb" <= c <= "\U0001f3ff" for c in emoji)
        name = entry.get(language)
        if name and entry["status"] == 2 and not composed:
            name = name.strip(":").replace("_", " ")
            if language == "en":
                name = name.replace("-", " ")
            if not any(c.isdigit() for c in name):
                yield name


config.load_language()
detector = LanguageDetectorBuilder.from_languages(*LANGUAGES.values()).build()
for code, language in LANGUAGES.items():
    found = sorted(set(names(code)))
    for label, some in [("one word", [n for n in found if len(n.split()) == 1]),
                        ("several", [n for n in found if len(n.split()) > 1])]:
        if some:
            right = sum(detector.detect_language_of(name) == language for name in some)
            print(f"{code} {label}: {100 * right / len(some):.0f} % of {len(some)}")
