"""The corpus must be trustworthy before anything is measured with it."""

import json
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).parent.glob("*.jsonl"))
LABELS = {"OPT_OUT", "OPT_IN", "HELP", "CONFIRM", "NONE"}
REQUIRED = {"id", "text", "lang", "label", "severity", "source", "note", "split"}
OPTIONAL = {"code", "accept"}


def records(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


ALL = [(path, record) for path in FILES for record in records(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_record_has_the_fields_and_values_the_readme_describes(path):
    """Every line has exactly the documented fields, each with a documented value."""
    for record in records(path):
        where = record.get("id")
        assert set(record) - OPTIONAL == REQUIRED, where
        assert all(isinstance(record[field], str) and record[field] for field in REQUIRED), where
        assert record["lang"] == path.stem, where
        assert record["label"] in LABELS, where
        assert record["severity"] in {"must", "should"}, where
        assert record["split"] in {"dev", "held_out"}, where


def test_ids_are_unique_in_the_whole_corpus():
    """An id names one message, whatever file it is in."""
    ids = [record["id"] for _, record in ALL]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_language_holds_each_text_once(path):
    """No text is counted twice or labelled in two ways within a language."""
    texts = [record["text"] for record in records(path)]
    assert len(set(texts)) == len(texts)


def test_only_a_confirmation_carries_a_code():
    """`code` stands beside CONFIRM alone: 4 to 8 ASCII digits, or null for a yes."""
    for _, record in ALL:
        code = record.get("code")
        assert ("code" in record) == (record["label"] == "CONFIRM"), record["id"]
        if code is not None:
            assert code.isascii(), record["id"]
            assert code.isdigit(), record["id"]
            assert 4 <= len(code) <= 8, record["id"]


def test_accept_lists_other_safe_answers_of_debatable_messages_only():
    """`accept` holds the label and at least one more, and never where any person would agree."""
    for _, record in ALL:
        if "accept" in record:
            accept = record["accept"]
            assert record["severity"] == "should", record["id"]
            assert record["label"] in accept, record["id"]
            assert len(set(accept)) == len(accept) > 1, record["id"]
            assert set(accept) <= LABELS, record["id"]


def test_consent_is_never_an_acceptable_guess():
    """OPT_IN is accepted only where it is the label: a doubtful wish is never consent."""
    for _, record in ALL:
        assert record["label"] == "OPT_IN" or "OPT_IN" not in record.get("accept", []), record["id"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_language_keeps_part_of_every_label_for_measuring(path):
    """About 40 % is held out in each language, and every label is in both splits."""
    splits = [(record["label"], record["split"]) for record in records(path)]
    held_out = sum(split == "held_out" for _, split in splits)
    assert 0.3 <= held_out / len(splits) <= 0.5
    assert {label for label, split in splits if split == "held_out"} == LABELS
    assert {label for label, split in splits if split == "dev"} == LABELS
