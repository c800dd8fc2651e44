from hypothesis import given
from hypothesis import strategies as st

from escapedim.text import EXCERPT, excerpt, visible, whole_number


def test_what_a_terminal_might_obey_is_not_shown():
    assert visible("a\x1b[31mb\x07\x9b\u202ec") == "a?[31mb???c"
    assert visible("a\nb\tc\u2028d") == "a b c d"
    assert visible("größe − 5 €") == "größe − 5 €"


@given(st.text() | st.text(st.characters(categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Zs"))))
def test_it_is_as_long_as_before_and_prints_in_one_line(text):
    shown = visible(text)
    assert len(shown) == len(text)
    assert all(letter.isprintable() or "\ud800" <= letter <= "\udfff" for letter in shown)
    assert visible(shown) == shown


def test_a_message_quotes_the_beginning():
    assert excerpt("x" * 500) == "x" * EXCERPT
    assert excerpt("a\x1b") == "a?"


def test_numbers_have_nine_digits_at_most():
    assert (whole_number("0"), whole_number("007"), whole_number("9" * 9)) == (0, 7, 10**9 - 1)
    for text in ("", "9" * 10, "9" * 5000, "-1", "+1", "1.0", " 1", "1\n", "٣", "x"):
        assert whole_number(text) is None
