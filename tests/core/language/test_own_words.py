"""An installation's own words: what they do, and which are refused."""

import pytest

from app.core.language import Intent, OwnWordsError, classify, parse_own_words

FILE = """
[it]
opt_out = ["fuori tutti"]
opt_in = ["voglio le offerte"]
help = ["orari"]

[programs.promo]
opt_out = ["nopromo"]
names = ["volantino"]

[brand]
names = ["Ottica Blu"]
"""


@pytest.mark.parametrize(
    ("text", "intent", "topic"),
    [
        ("Fuori tutti!", Intent.OPT_OUT, None),
        ("fuori tutti grazie", Intent.OPT_OUT, None),
        ("voglio le offerte", Intent.OPT_IN, None),
        ("voglio le offerte grazie", Intent.NONE, None),
        ("ORARI", Intent.HELP, None),
        ("NOPROMO", Intent.OPT_OUT, "promo"),
        ("stop volantino", Intent.OPT_OUT, "volantino"),
        ("STOP Ottica Blu", Intent.OPT_OUT, None),
    ],
)
def test_own_words_mean_what_the_file_says(text, intent, topic):
    """Words of a language, of a program and of the brand work as the file puts them."""
    meaning = classify(text, parse_own_words(FILE))
    assert (meaning.intent, meaning.topic) == (intent, topic)


def test_own_words_do_not_leak_into_others_reading():
    """Without the file its words mean nothing."""
    parse_own_words(FILE)
    assert classify("nopromo").intent is Intent.NONE


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ('[it]\nopt_out = ["start"]', "means opt_in already"),
        ('[it]\nopt_out = ["riprendi"]', "asks to come in"),
        ('[it]\nopt_in = ["stop"]', "means opt_out already"),
        ('[it]\nopt_in = ["inizia"]', "everyday word"),
        ('[it]\nopt_in = ["sì"]', "is a yes"),
        ('[it]\nopt_out = ["sì"]', "is a yes"),
        ('[it]\nopt_out = ["4829"]', "confirmation code"),
        ('[it]\nopt_out = ["uno due tre quattro cinque"]', "one to 4 words"),
        ('[it]\nopt_out = ["!!"]', "one to 4 words"),
        ('[it]\nopt_out = ["fuori"]\nhelp = ["FUORI"]', "stands in [it] already"),
        ('[programs.a]\nnames = ["x1"]\n[programs.b]\nnames = ["x1"]', "stands in [programs.a]"),
        ('[brand]\nnames = ["stop"]', "can't be a name"),
        ('[brand]\nopt_out = ["x"]', "not known here"),
        ('[nl]\nopt_out = ["weg"]', "is no language"),
        ('[it]\nopt_out = "weg"', "not a list of words"),
        ("[it", "no valid TOML"),
    ],
)
def test_a_word_that_would_do_harm_is_refused_with_its_reason(written, reason):
    """A word that is also an opt-in, a yes, a code, or in two places stops the start."""
    with pytest.raises(OwnWordsError) as refused:
        parse_own_words(written)
    assert reason in str(refused.value)


def test_all_problems_are_listed_at_once():
    """Whoever corrects the file sees everything that is wrong with it."""
    with pytest.raises(OwnWordsError) as refused:
        parse_own_words('[it]\nopt_out = ["start", "sì"]\nhelp = ["stop"]')
    assert str(refused.value).count("\n- ") == 3


@pytest.mark.parametrize(("word", "warned"), [("no", "everyday answer"), ("stop", "known already")])
def test_an_unwise_word_is_taken_with_a_warning(word, warned):
    """An everyday answer as an opt-out, and a word that is known, are allowed and said."""
    own = parse_own_words(f'[it]\nopt_out = ["{word}"]')
    assert warned in own.warnings[0]
    assert classify(word, own).intent is Intent.OPT_OUT
