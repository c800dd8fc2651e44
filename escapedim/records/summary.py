"""The summary format `escapedim.summary/1`: the envelope, reading, writing, and the JSON Schema.

A summary is strict JSON in one envelope around the `result` of its kind (`records.results`). `digest` is the SHA-256 of
everything else, so that an edited file is recognised; it is optional, because other programs may write summaries too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from escapedim.errors import BadInput, EscapedimError
from escapedim.records.columns import Model
from escapedim.records.results import RESULTS, Result
from escapedim.records.strict_json import canonical, parse_object, pretty
from escapedim.regular_files import open_regular, read_rest
from escapedim.text import excerpt

SCHEMA: Final = "escapedim.summary/1"
MOST_BYTES = 1 << 30  # ours; a million members have a fifth of it
_LOOKED_AT = 1 << 16
REPEAT: Final = "write it again by repeating its command"

Kind = Literal["train", "lottery", "widen", "rewind", "compare"]
Status = Literal["running", "interrupted", "complete", "failed"]


class BadSummary(BadInput):
    """A file that holds no summary, or a damaged one; `fault` is the message without its remedy."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}; {remedy}.")
        self.fault = fault


class Provenance(Model):
    """Where a summary comes from. `git` is null outside a checkout of escapedim.

    `data` is the hash of the content of data that lay on disk.
    """

    version: str
    git: str | None = None
    torch: str | None = None
    device: str | None = None
    threads: int | None = None
    host: str | None = None
    argv: list[str] = Field(default=[])
    started: str | None = None
    finished: str | None = None
    seeds: dict[str, Any] | None = None
    data: str | None = None
    run_folder: str | None = None


class Cost(Model):
    """Wall-clock seconds over all starts, steps of one network, and the largest resident memory (MiB).

    `unit_s` are the seconds that each unit of work took so far, by its key, over all starts that are part of its
    state: of processor time on a CPU, of wall-clock time on a GPU.
    """

    wall_s: float = 0.0
    net_steps: int = 0
    peak_rss_mb: float | None = None
    unit_s: dict[str, float] = Field(default={})


class Summary(Model):
    """The envelope that all kinds share."""

    schema_: Literal["escapedim.summary/1"] = Field(SCHEMA, alias="schema")
    kind: Kind
    status: Status
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    config: dict[str, Any]
    provenance: Provenance
    cost: Cost
    result: Result
    digest: str | None = None

    @model_validator(mode="after")
    def _result_of_its_kind(self) -> Summary:
        if type(self.result) is not RESULTS[self.kind]:
            raise ValueError(f"the result is not that of kind '{self.kind}'")
        return self


def digest_of(document: dict[str, Any]) -> str:
    """SHA-256 of a summary's canonical JSON without its `digest`."""
    body = {key: value for key, value in document.items() if key != "digest"}
    return hashlib.sha256(canonical(body).encode()).hexdigest()


def encode(summary: Summary) -> bytes:
    """Return the bytes of a summary file: strict JSON with its digest."""
    document = summary.model_dump(mode="json", by_alias=True, exclude={"digest"})
    document["digest"] = digest_of(document)
    return f"{pretty(document)}\n".encode()


def read(path: Path) -> Summary:
    """Read and check a summary file.

    Raises
    ------
    BadInput
        One sentence: not readable, not JSON, no summary, a newer schema, edited, or invalid.
    """
    try:
        raw = read_bytes(path)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}; expected a summary such as lottery.json.") from None
    return decode(raw, str(path))


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a summary; of what cannot be one, some from its beginning. Errors as in `read_regular`."""
    # A data set named by mistake may be larger than the memory; its first bytes tell.
    with open_regular(path) as file:
        start = file.read(_LOOKED_AT)
        if not start.lstrip().startswith(b"{") or b"\0" in start:
            return start
        return start + read_rest(file, path, MOST_BYTES)


def decode(raw: bytes, name: str) -> Summary:
    """Check the bytes of a summary; `name` is what messages call it. Errors as in `read`."""
    document = _document(raw, name)
    found = document["schema"]
    if found != SCHEMA:
        raise BadInput(
            f"{name} has the schema {found!r:.60}, this version reads '{SCHEMA}'; use the escapedim that wrote it."
        )
    stored = document.get("digest")
    if stored is not None and stored != digest_of(document):
        raise BadSummary(f"{name} was edited or damaged after it was written (its digest differs)", REPEAT)
    summary = _validated(document, name)
    # A digest that fits says that a newer escapedim has written its keys. Without one a key may be misspelt.
    if stored is None and (unknown := _passed_over(document, summary.model_dump(mode="json", by_alias=True))):
        raise BadSummary(f"{name} is not a valid summary: {excerpt(unknown)}: unknown key", REPEAT)
    return summary


@dataclass(frozen=True)
class Label:
    """Which run a summary is of, by its own words: KIND-ID, and its run folder or ""."""

    run: str
    folder: str


def label_of(raw: bytes, name: str) -> Label:
    """Return which run a summary of whatever version is of; the rest is not checked.

    Raises
    ------
    BadInput
        One sentence: not JSON, or no summary.
    """
    document = _document(raw, name)
    origin = document.get("provenance")
    folder = origin.get("run_folder") if isinstance(origin, dict) else None
    return Label(f"{document.get('kind')}-{document.get('id')}", str(folder or ""))


def _document(raw: bytes, name: str) -> dict[str, Any]:
    document = _json_object(raw, name)
    found = document.get("schema")
    if not isinstance(found, str) or not found.startswith("escapedim.summary/"):
        fault = f'{name} is not an escapedim summary: expected "schema": "{SCHEMA}", found {found!r:.60}'
        raise BadSummary(fault, "name one such as lottery.json")
    return document


def _validated(document: dict[str, Any], name: str) -> Summary:
    # The kind decides which model the result is held against; a union reports the errors of every kind.
    # Strictly, so that "no" is not taken for false, nor "1" for a number.
    kind, prefix = document.get("kind"), ["result"]
    try:
        if isinstance(kind, str) and kind in RESULTS and "result" in document:
            document = {**document, "result": RESULTS[kind].model_validate(document["result"], strict=True)}
        prefix = []
        return Summary.model_validate(document, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in [*prefix, *first["loc"]]) or "the summary"
        reason = first["msg"].removeprefix("Value error, ")
        fault = f"{name} is not a valid summary: {excerpt(place)}: {excerpt(reason)}"
        raise BadSummary(fault, REPEAT) from None


def _passed_over(given: Any, known: Any) -> str:
    """Return the place of the first key that a model has not taken, or nothing."""
    if isinstance(given, dict) and isinstance(known, dict):
        for key, value in given.items():
            inside = _passed_over(value, known[key]) if key in known else ""
            if key not in known or inside:
                return f"{key}.{inside}" if inside else key
    if isinstance(given, list) and isinstance(known, list):
        for at, (value, taken) in enumerate(zip(given, known, strict=False)):
            if inside := _passed_over(value, taken):
                return f"{at}.{inside}"
    return ""


def _json_object(raw: bytes, name: str) -> dict[str, Any]:
    try:
        return parse_object(raw)
    except ValueError as error:
        reason = excerpt(str(error))
        raise BadSummary(f"{name} is not a complete JSON file ({reason})", "expected an escapedim summary") from None


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the summary format."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "$id": SCHEMA, **Summary.model_json_schema(by_alias=True)}


@contextmanager
def taken_as_written(files: Sequence[Path]) -> Iterator[None]:
    """Context in which summaries that are valid part by part may turn out not to fit together as escapedim writes them.

    Who has edited and signed a summary reads that, and not that escapedim has a fault, which it still may be.

    Raises
    ------
    BadInput
        Something went wrong that is no sentence for users yet.
    """
    try:
        yield
    except EscapedimError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        found = excerpt(f"{type(error).__name__}: {error}".partition("\n")[0])
        raise BadInput(
            f"{', '.join(map(str, files))}: the parts of a summary do not fit together ({found}); repeat the command "
            "that wrote it, and if that does not help report this with what 'escapedim doctor' prints."
        ) from error
