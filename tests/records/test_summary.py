import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.errors import BadInput, EscapedimError
from escapedim.records import summary as summaries
from escapedim.records.summary import Summary, taken_as_written

ARM = {"train_loss": [0.1, None], "test_accuracy": [0.91, 0.925], "success": [True, False]}
INVARIANTS = dict.fromkeys(
    (
        "survivors_equal_rewind_weights",
        "masked_weights_zero",
        "masks_nested",
        "density_exact",
        "no_layer_empty",
    ),
    True,
)
LOTTERY = {
    "schema": "escapedim.summary/1",
    "kind": "lottery",
    "status": "complete",
    "id": "0123456789abcdef",
    "config": {"task": "digits", "lr": 0.0012, "hidden": [300, 100]},
    "provenance": {"version": "0.1.0", "argv": ["prune", "ü"], "seeds": {"root": 2**64}},
    "cost": {"wall_s": 1.5, "net_steps": 2000, "peak_rss_mb": 250.25},
    "result": {
        "rounds": [
            {
                "round": 1,
                "density": 0.8,
                "surviving": 80.5,
                "surviving_by_replicate": [80, 81],
                "total": 100,
                "layers": [
                    {"name": "hidden1", "surviving": 60, "total": 70, "units_alive": 7},
                    {"name": "output", "surviving": 20.5, "total": 30, "units_alive": 3},
                ],
                "arms": {"ticket": ARM, "random": ARM},
                "invariants": INVARIANTS,
                "matching": True,
                "winning": None,
                "contrast": {"control": "random", "difference": 0.01, "interval": [-0.01, 0.03], "p": 0.25},
            }
        ],
        "verdict": {
            "last_matching_round": 1,
            "last_winning_round": None,
            "tolerance": 0.005,
            "dense_test_accuracy": 0.93,
        },
    },
}
TRAIN = {
    **{key: LOTTERY[key] for key in ("schema", "status", "id", "config", "provenance", "cost")},
    "kind": "train",
    "result": {
        "success_criterion": "test accuracy of at least 0.9",
        "parameters": 100,
        "members": 2,
        "successes": 1,
        "success_rate": 0.5,
        "success_interval": [0.0945, 0.9055],
        "endings": {"undecided": 2},
        "replicates": [0, 1],
        "train_loss": [0.1, 0.2],
        "success": [True, False],
        "ending": ["undecided", "undecided"],
        "kept_steps": [0, 10, 1000],
        "checkpoints": {"final": "ab" * 32},
    },
}


def encoded(document):
    return summaries.encode(Summary.model_validate(document))


def plain(document):
    """Return the bytes of a document without a digest, as another program writes it."""
    return json.dumps(document).encode()


def changed(document, *path, value):
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


def refusal(raw):
    with pytest.raises(BadInput) as caught:
        summaries.decode(raw, "x.json")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("x.json ")
    assert len(message) < 500
    return message


def outcome(raw):
    """Return the refusal of these bytes, or "fine" where they are read, and read again after writing."""
    try:
        decoded = summaries.decode(raw, "x.json")
    except BadInput as error:
        return str(error)
    assert summaries.decode(summaries.encode(decoded), "x.json").result == decoded.result
    return "fine"


@pytest.mark.parametrize("document", [LOTTERY, TRAIN], ids=["lottery", "train"])
def test_roundtrip(document):
    raw = encoded(document)
    decoded = summaries.decode(raw, "x.json")
    assert decoded.model_copy(update={"digest": None}) == Summary.model_validate(document)
    assert summaries.encode(decoded) == raw


@pytest.mark.parametrize("document", [LOTTERY, TRAIN], ids=["lottery", "train"])
def test_encoded_summaries_meet_the_exported_schema(document):
    schema = summaries.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(encoded(document)))


def test_the_schema_lets_keys_be_added_and_none_be_missing():
    jsonschema.validate(changed(LOTTERY, "sparsity", value=0.5), summaries.json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({key: value for key, value in LOTTERY.items() if key != "result"}, summaries.json_schema())


def test_read(tmp_path):
    path = tmp_path / "lottery.json"
    path.write_bytes(encoded(LOTTERY))
    assert summaries.read(path).kind == "lottery"
    with pytest.raises(BadInput, match=r"not a regular file; expected a summary such as lottery\.json"):
        summaries.read(tmp_path)


def test_an_edit_of_any_number_is_noticed():
    text = encoded(LOTTERY).decode()
    body = text[: text.index('"digest"')]
    numbers = list(re.finditer(r"(?<=[ \[])-?\d[\d.e+-]*(?=[],\n])", body))
    assert len(numbers) > 30
    for number in numbers:
        value = number[0]
        edited = value[:-1] + ("4" if value[-1] != "4" else "5")
        message = refusal((text[: number.start()] + edited + text[number.end() :]).encode())
        assert "was edited or damaged after it was written (its digest differs)" in message


def test_a_missing_digest_is_accepted():
    assert summaries.decode(plain(LOTTERY), "x.json").digest is None


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_constants_are_not_strict_json(number):
    raw = plain(LOTTERY).replace(b"0.0012", number.encode())
    assert f"is not a complete JSON file ({number} is not strict JSON)" in refusal(raw)


@pytest.mark.parametrize("place", [b"0.0012", b"1.5", b"0.91"])
@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_numbers_beyond_float_are_refused(place, number):
    raw = plain(LOTTERY).replace(place, number.encode())
    assert f"(the number {number} is too large)" in refusal(raw)


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000, "-1", "true", '"1"', "1.5"], ids=len)
@pytest.mark.parametrize("path", [("total",), ("round",), ("layers", 0, "total")])
def test_counts_are_counts(number, path):
    raw = plain(changed(LOTTERY, "result", "rounds", 0, *path, value="COUNT"))
    message = refusal(raw.replace(b'"COUNT"', number.encode()))
    place = ".".join(["result.rounds.0", *map(str, path)])
    assert f"is not a valid summary: {place}: Input should be" in message or "is not a complete JSON" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_numbers_are_not_written(value):
    with pytest.raises(ValueError, match="finite number"):
        Summary.model_validate(changed(LOTTERY, "cost", "wall_s", value=value))
    raw = encoded(changed(LOTTERY, "config", "lr", value=value))
    assert summaries.decode(raw, "x.json").config["lr"] is None


@pytest.mark.parametrize("where", [(), ("result",), ("result", "rounds", 0), ("cost",), ("provenance",)])
def test_keys_that_a_newer_version_added_are_passed_over(where):
    newer = changed(LOTTERY, *where, "sparsity", value={"of": [1, None]})
    signed = newer | {"digest": summaries.digest_of(newer)}
    read = summaries.decode(plain(signed), "x.json")
    assert read.digest == signed["digest"]
    assert read.model_copy(update={"digest": None}) == summaries.decode(plain(LOTTERY), "x.json")
    place = ".".join(str(part) for part in (*where, "sparsity"))
    assert f"is not a valid summary: {place}: unknown key" in refusal(plain(newer))


def test_a_misspelt_key_without_a_digest_is_no_key_that_is_not_there():
    ticket = LOTTERY["result"]["rounds"][0]["arms"]["ticket"]
    without = {key: value for key, value in ticket.items() if key != "test_accuracy"}
    misspelt = without | {"test_acuracy": ticket["test_accuracy"]}
    path = ("result", "rounds", 0, "arms", "ticket")
    assert "arms.ticket.test_acuracy: unknown key" in refusal(plain(changed(LOTTERY, *path, value=misspelt)))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            changed(LOTTERY, "schema", value="escapedim.summary/2"),
            "has the schema 'escapedim.summary/2', this version",
        ),
        ({"name": "package"}, 'is not an escapedim summary: expected "schema"'),
        ({"schema": ["escapedim.summary/1"]}, "is not an escapedim summary"),
        ([LOTTERY], "expected a JSON object, found list"),
        (None, "expected a JSON object, found NoneType"),
        (changed(LOTTERY, "kind", value="sparse"), "is not a valid summary: kind: Input should be 'train'"),
        (changed(LOTTERY, "kind", value=["train"]), "is not a valid summary: kind: "),
        (changed(LOTTERY, "kind", value="train"), "is not a valid summary: result."),
        (changed(LOTTERY, "result", value=None), "is not a valid summary: result"),
        (changed(LOTTERY, "id", value="xyz"), "is not a valid summary: id: "),
        (
            changed(LOTTERY, "result", "rounds", 0, "arms", "two\nlines" * 99, value=1),
            "is not a valid summary: result.rounds.0.arms.two lines",
        ),
        (changed(LOTTERY, "result", "rounds", 0, "arms", "\ud800", value=1), "is not a valid summary: "),
        (changed(LOTTERY, "config", "lr", value="\ud800"), None),
        (
            changed(LOTTERY, "result", "rounds", 0, "density", value=1.5),
            "result.rounds.0.density: Input should be less than or equal to 1",
        ),
        (
            changed(LOTTERY, "result", "rounds", 0, "arms", "ticket", "success", value=["no", "no"]),
            "result.rounds.0.arms.ticket.success.0: Input should be a valid boolean",
        ),
        (
            changed(LOTTERY, "result", "rounds", 0, "surviving", value=90),
            "result: round 1: the layers' survivors do not add up to 90",
        ),
        (
            changed(LOTTERY, "result", "rounds", 0, "arms", "ticket", "success", value=[True]),
            "result: round 1, arm ticket: lists of different lengths [1, 2]",
        ),
        (changed(TRAIN, "result", "ending", value=[]), "result: lists of different lengths [0, 2]"),
    ],
)
def test_invalid_documents(document, expected):
    if expected is None:
        assert summaries.decode(plain(document), "x.json").config["lr"] == "\ud800"
    else:
        assert expected in refusal(plain(document))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("successes", 7, "result: 7 successes of 2 members, but the lists have 1 of 2"),
        ("members", 3, "result: 1 successes of 3 members, but the lists have 1 of 2"),
        ("success", [True, True], "but the lists have 2 of 2"),
        ("replicates", [7, 7], "result: a replicate is there twice: [7, 7]"),
        ("endings", {"stalled": 2}, "result: the endings are not those of the list"),
        ("success_rate", 0.9, "result: a success rate of 0.9, but 1 successes of 2 members"),
        ("success_rate", 1.1, "result.success_rate: Input should be less than or equal to 1"),
        ("success_interval", [5, -5], "result.success_interval.0: Input should be less than or equal to 1"),
        ("success_interval", [0.9, 0.1], "result.success_interval: expected the lower bound first, found 0.9 and 0.1"),
        ("test_accuracy", [1e308, 0.5], "result.test_accuracy.0: Input should be less than or equal to 1"),
    ],
)
def test_a_train_result_that_contradicts_itself_is_refused(key, value, expected):
    assert expected in refusal(plain(changed(TRAIN, "result", key, value=value)))


ROUND = ("result", "rounds", 0)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ((*ROUND, "contrast", "interval"), [5, -5], "contrast.interval: expected the lower bound first"),
        ((*ROUND, "arms", "ticket", "test_accuracy"), [91.0, 92.5], "test_accuracy.0: Input should be less than"),
        (("result", "verdict", "dense_test_accuracy"), -1.0, "dense_test_accuracy: Input should be greater than"),
    ],
)
def test_lottery_numbers_are_bounded_and_ordered(path, value, expected):
    assert expected in refusal(plain(changed(LOTTERY, *path, value=value)))


def test_a_result_of_another_kind_cannot_be_built():
    train = Summary.model_validate(TRAIN)
    with pytest.raises(ValueError, match="the result is not that of kind 'lottery'"):
        Summary.model_validate({**LOTTERY, "result": train.result})


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated(share):
    raw = encoded(LOTTERY)
    assert "is not a complete JSON file" in refusal(raw[: int(share * len(raw))])


@pytest.mark.parametrize("raw", [b"\x00\xff" * 100, b"\x93NUMPY", b"\xef\xbb\xbf{}", b"PK\x03\x04"])
def test_binary_junk(raw):
    assert "is not a complete JSON file" in refusal(raw)


@pytest.mark.parametrize("depth", [70, 900, 5000, 200_000])
@pytest.mark.parametrize("place", ['"schema": ', '"schema": "escapedim.summary/1", "config": ', ""])
def test_deep_nesting(depth, place):
    raw = ("{" + place if place else "") + "[" * depth + "]" * depth + ("}" if place else "")
    assert "is not a complete JSON file" in refusal(raw.encode())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_bytes_never_end_in_a_traceback(data):
    document = data.draw(st.sampled_from([LOTTERY, TRAIN]))
    # Most mutations of a file with a digest end at the digest; without one they reach the models.
    raw = bytearray(data.draw(st.sampled_from([plain, encoded]))(document))
    junk = st.one_of(
        st.binary(max_size=4),
        st.sampled_from([b"null", b"[]", b"{}", b"-", b"1e999", b"9" * 400, b'"\\ud800"', b"true", b'""', b"[[1]]"]),
    )
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw)))
        raw[place : place + data.draw(st.integers(0, 12))] = data.draw(junk)
    assert "\n" not in outcome(bytes(raw))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_values_never_end_in_a_traceback(data):
    document = json.loads(json.dumps(data.draw(st.sampled_from([LOTTERY, TRAIN]))))
    parts = [document]
    for part in parts:
        parts += [v for v in (part.values() if isinstance(part, dict) else part) if isinstance(v, dict | list) and v]
    part = data.draw(st.sampled_from(parts))
    key = data.draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
    part[key] = data.draw(
        st.one_of(st.none(), st.booleans(), st.integers(), st.just(10**300), st.just([]), st.just({}), st.text())
        | st.floats(allow_nan=False, allow_infinity=False)
    )
    assert "\n" not in outcome(plain(document))


def test_parts_that_do_not_fit_together_are_one_sentence_and_others_are_left_alone():
    words = r"a.json, b.json: the parts .* \(KeyError: 'x'\); repeat the command"
    with pytest.raises(BadInput, match=words) as error, taken_as_written([Path("a.json"), Path("b.json")]):
        {}["x"]
    assert isinstance(error.value.__cause__, KeyError)
    with pytest.raises(EscapedimError, match=r"^full$"), taken_as_written([Path("a.json")]):
        raise EscapedimError("full")
    with pytest.raises(OSError, match="disk"), taken_as_written([Path("a.json")]):
        raise OSError("disk")
