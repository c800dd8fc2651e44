"""The words for endings, which reports read where torch is not imported."""

from __future__ import annotations

import subprocess
import sys

from escapedim.landscape.vocabulary import Ending

WORDS = [
    "global minimum",
    "bad minimum",
    "saddle",
    "plateau saddle",
    "channel",
    "stalled",
    "diverged",
    "undecided",
]

WITHOUT_TORCH = """
import sys
from escapedim.landscape.vocabulary import Ending
print(*(ending.value for ending in Ending), sep="\\n")
sys.exit(", ".join({"torch", "numpy", "scipy"} & set(sys.modules)) or 0)
"""


def test_endings_are_these_words_and_no_others():
    assert [ending.value for ending in Ending] == WORDS
    assert len(Ending.__members__) == len(WORDS)  # an alias would be a second word for one ending


def test_a_word_is_read_back_as_its_ending():
    assert [Ending(word) for word in WORDS] == list(Ending)


def test_the_words_need_no_torch():
    ended = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == WORDS
