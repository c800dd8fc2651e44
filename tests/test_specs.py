import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapedim.errors import BadInput
from escapedim.specs import Spec, parse_spec, split_spec, take_params

PARSED = {
    "digits": Spec("digits"),
    "relu-teacher:k=10": Spec("relu-teacher", {"k": 10}),
    "parity:n=30,k=3": Spec("parity", {"n": 30, "k": 3}),
    "adam: lr = 1e-3 , nesterov=true": Spec("adam", {"lr": 1e-3, "nesterov": True}),
    "sgd:momentum=.9,nesterov=false,decay=-2.": Spec("sgd", {"momentum": 0.9, "nesterov": False, "decay": -2.0}),
    "step:warmup=500it,at=1%": Spec("step", {"warmup": "500it", "at": "1%"}),
    "a:b=c=d": Spec("a", {"b": "c=d"}),
    "a:x=nan,y=inf,z=1e999": Spec("a", {"x": "nan", "y": "inf", "z": "1e999"}),
    "a:x=1_000,y=True": Spec("a", {"x": "1_000", "y": "True"}),
    "a:x=+3,y=-0": Spec("a", {"x": 3, "y": 0}),
}


@pytest.mark.parametrize("text", PARSED)
def test_values_are_read_as_numbers_truth_values_or_text(text):
    spec = parse_spec(text)
    assert spec == PARSED[text]
    assert [type(value) for value in spec.params.values()] == [type(v) for v in PARSED[text].params.values()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected NAME or NAME:key=value,..., found no name at the start; begin with a name"),
        (":k=3", "found no name at the start"),
        ("3x", "found no name at the start"),
        ("a:", "found '' without a key; write key=value"),
        ("a:k=1,", "found '' without a key; write key=value"),
        ("a:=1", "found '=1' without a key; write key=value"),
        ("a:k", "found 'k' without a value; write k=VALUE"),
        ("a:k=", "found 'k' without a value; write k=VALUE"),
        ("a:k=1,k=2", "expected every key once, found 'k' twice; keep one of them"),
    ],
)
def test_bad_text_is_one_sentence(text, message):
    with pytest.raises(BadInput) as raised:
        parse_spec(text)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


_words = st.text("abcxyz%-", min_size=1).filter(lambda word: word not in ("true", "false"))
_values = st.integers(-(10**18) + 1, 10**18 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_params = st.dictionaries(st.text("abc_-", min_size=1), _values | st.booleans() | _words)


@given(_params)
def test_the_canonical_text_parses_to_an_equal_spec(params):
    spec = Spec("name", params)
    again = parse_spec(str(spec))
    assert again == spec
    assert str(again) == str(spec)
    assert {k: type(v) for k, v in again.params.items()} == {k: type(v) for k, v in params.items()}


def test_the_canonical_text_does_not_depend_on_the_order():
    assert str(parse_spec("parity:n=30,k=3")) == str(parse_spec("parity: k=3, n=30")) == "parity:k=3,n=30"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("digits", ("digits", "")),
        ("idx:/data/a=b,c:d", ("idx", "/data/a=b,c:d")),
        ("npz: spaced name.npz", ("npz", " spaced name.npz")),
    ],
)
def test_the_rest_after_the_first_colon_is_left_alone(text, parts):
    assert split_spec(text) == parts


def test_parameters_are_taken_in_the_allowed_order_with_defaults():
    taken = take_params(parse_spec("parity:n=30,noise=1"), {"k": 3, "n": int, "noise": 0.5})
    assert taken == {"k": 3, "n": 30, "noise": 1.0}
    assert isinstance(taken["noise"], float)


@pytest.mark.parametrize(
    ("text", "allowed", "message"),
    [
        ("parity:kk=3", {"k": 3}, "expected a parameter of 'parity', found kk=3; did you mean 'k'?"),
        ("parity:zzz=true", {"k": 3, "n": 2}, "found zzz=true; known: k, n"),
        ("digits:k=3", {}, "'digits:k=3': expected no parameters, found k=3; write 'digits' alone."),
        ("parity", {"k": int}, "'parity': expected an integer for 'k', found nothing; add k=VALUE."),
        ("parity:k=1.5", {"k": 3}, "expected an integer for 'k', found 1.5; correct k=VALUE."),
        ("parity:k=true", {"k": int}, "expected an integer for 'k', found true"),
        ("parity:k=1", {"k": False}, "expected true or false for 'k', found 1"),
        ("parity:k=1", {"k": str}, "expected text for 'k', found 1"),
        ("parity:k=nan", {"k": 0.5}, "expected a number for 'k', found nan"),
    ],
)
def test_unfit_parameters_are_refused(text, allowed, message):
    with pytest.raises(BadInput) as raised:
        take_params(parse_spec(text), allowed)
    assert message in str(raised.value)
