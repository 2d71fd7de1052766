"""Meanings, by shape: what each step of reading is there for."""

import pytest

from app.core.language import Intent, classify, explain

OPT_OUT = Intent.OPT_OUT


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("STOP PROMO", "promo"),
        ("STOP 36105", "36105"),
        ("stop offerte", "offerte"),
        ("STOP au 36105", "36105"),
        ("STOP ACME", "acme"),
        ("STOP SMS", None),
        ("STOP MESSAGGI", None),
        ("stop pubblicità", None),
        ("stop2quit", None),
        ("STOP to end", None),
    ],
)
def test_an_opt_out_names_its_program(text, topic):
    """The words that narrow a STOP are its topic; those that name everything are none."""
    meaning = classify(text)
    assert (meaning.intent, meaning.topic) == (OPT_OUT, topic)


@pytest.mark.parametrize(
    "text",
    [
        "Liked “Reply STOP to unsubscribe”",
        'Laughed at "Reply STOP to end"',
        "👍 to “STOP to end”",
        "Loved an image",
        "Ha messo mi piace a “Rispondi STOP”",
        "A aimé « STOP au 36105 »",
        "Hat mit 👍 auf „Antworten Sie STOP“ reagiert",
        "Reagiu com 👍 a “Responda SAIR”",
        "Le gustó “Responde BAJA”",
    ],
)
def test_a_reaction_says_nothing(text):
    """A reaction quotes our own text with our own STOP in it, and is none of the sender's words."""
    meaning = classify(text)
    assert (meaning.intent, meaning.review) == (Intent.NONE, False)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("Ok grazie a domani\n> Rispondi STOP per non ricevere più sms", Intent.NONE),
        ("Non voglio più sms\n\n> Acme: START your day", OPT_OUT),
        ("On Mon, 3 Jun 2024 Acme wrote:\n> Reply STOP\nsee you tomorrow", Intent.NONE),
        ("STOP\n\nIl giorno lun 3 giu 2024 Acme ha scritto:\n> ciao", OPT_OUT),
        ("STOP\n-- \nMario Rossi, via Roma 3", OPT_OUT),
        ("STOP\nInviato dal mio Galaxy", OPT_OUT),
    ],
)
def test_only_the_senders_own_words_count(text, intent):
    """Quoted originals and signatures are cut before anything is understood."""
    assert classify(text).intent is intent


@pytest.mark.parametrize(
    "text",
    [
        "don't stop texting me",
        "please don't unsubscribe me",
        "non cancellatemi, ho sbagliato",
        "no quiero darme de baja",
        "je ne veux pas me désabonner",
        "ich möchte mich nicht abmelden",
        "não quero sair da lista",
    ],
)
def test_the_opposite_is_no_opt_out(text):
    """A negated request is certainly none: nobody needs to read it first."""
    meaning = classify(text)
    assert (meaning.intent, meaning.review) == (Intent.NONE, False)


@pytest.mark.parametrize(
    "text",
    [
        "cancella l'appuntamento di domani",
        "cancel my transfer",
        "what happens if I reply STOP?",
        "my kid texted stop by accident",
        "meet me at the bus stop",
        "estoy de baja por enfermedad",
        "je suis en arrêt maladie",
        "vou sair agora",
        "Bitte den Termin absagen",
    ],
)
def test_the_object_decides(text):
    """What ends something else, or only speaks of the word, is no opt-out."""
    assert classify(text).intent is Intent.NONE


@pytest.mark.parametrize(
    "text", ["YES", "yes please", "subscribe me", "strat", "S T A R T", "ok start", "start?"]
)
def test_consent_is_never_guessed(text):
    """Neither a yes nor a sentence, a slip or a spelling makes an opt-in."""
    assert classify(text).intent is not Intent.OPT_IN


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("482913", "482913"),
        ("codice 0042", "0042"),
        ("mon code est 482913", "482913"),
        ("123 456", "123456"),
        ("123-456", "123456"),
        ("\uff14\uff18\uff12\uff19", "4829"),
        ("SI!", None),
        ("ok confermo", None),
    ],
)
def test_a_code_or_a_yes_confirms(text, code):
    """A code of 4 to 8 digits, alone or introduced, and a bare yes are confirmations."""
    meaning = classify(text)
    assert (meaning.intent, meaning.code) == (Intent.CONFIRM, code)


@pytest.mark.parametrize(
    "text",
    ["10:30", "12/05", "ordine 482913", "123", "123456789", "+39 339 994 1234", "4829 ok stop"],
)
def test_other_numbers_are_no_code(text):
    """Times, dates, orders and telephone numbers confirm nothing."""
    assert classify(text).intent is not Intent.CONFIRM


@pytest.mark.parametrize(
    "text", ["NO", "no grazie", "non mi interessa", "too many texts", "✋", "how do I unsubscribe?"]
)
def test_what_may_be_an_opt_out_is_for_a_person(text):
    """A possible opt-out is none, and marked for a person to read first."""
    meaning = classify(text)
    assert (meaning.intent, meaning.review) == (Intent.NONE, True)


@pytest.mark.parametrize(
    "text",
    [
        "I've changed my mind and don't want to receive these anymore",
        "Please do not send any further messages",
        "I don't want these messages anymore. This is your last warning!",
        "Take my contact info off please",
        "I want to confirm that I have been removed off your contacts",
        "I asked to be removed from this service a few times. Stop the messages",
    ],
)
def test_what_courts_once_let_pass_is_an_opt_out(text):
    """The messages of Epps, Viggiano and Rando are understood as a person would."""
    assert classify(text).intent is OPT_OUT


def test_an_explanation_ends_in_the_same_meaning():
    """`explain` gives what `classify` gives, and what each step left."""
    text = "Non voglio più ricevere SMS\n> Acme"
    meaning, steps = explain(text)
    assert meaning == classify(text)
    assert [step.name for step in steps] == [
        "read",
        "own words",
        "plain letters",
        "words",
        "spelling",
        "phrases",
        "meaning",
    ]
    assert steps[1].left == "Non voglio più ricevere SMS"
    assert "refuse_receiving" in steps[-1].left


@pytest.mark.parametrize("text", [">>STOP<<", "donâ€™t text me anymore"])
def test_marks_that_went_wrong_on_the_way_hide_nothing(text):
    """Arrows around a word are no quotation, and an apostrophe read in a wrong set is repaired."""
    assert classify(text).intent is OPT_OUT


@pytest.mark.parametrize(
    ("asks", "does_not"),
    [
        ("non scrivetemi più", "non scrivetemi su whatsapp ma qui"),
        ("toglietemi dalla lista", "toglietemi dalla lista d'attesa"),
        ("ho scritto stop tre volte", "ho scritto stop senza volere"),
        ("basta messaggi", "basta un messaggio per prenotare?"),
        ("remove 555-0101 from your system", "remove eggs from my list"),
        ("how do I stop getting these messages?", "how do I stop the toilet running"),
        ("I'd appreciate if you didn't text me", "why you never text me"),
        ("don't text me", "don't text me before 9, thanks"),
        ("never text me again", "never unsubscribe me"),
    ],
)
def test_what_stands_beside_the_same_words_decides(asks, does_not):
    """The same verbs ask for no more texts or for something else, by their object and company."""
    assert classify(asks).intent is OPT_OUT
    assert classify(does_not).intent is Intent.NONE


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("SAIR Renner", OPT_OUT),
        ("SAIR Farmácia Luz", OPT_OUT),
        ("BAJA Zara", OPT_OUT),
        ("Abmelden Fressnapf", OPT_OUT),
        ("Abmelden Yogakurs", Intent.NONE),
        ("vamos a Baja California", Intent.NONE),
        ("sair mais cedo", Intent.NONE),
    ],
)
def test_what_instructions_print_ends_what_a_brand_sends(text, intent):
    """A printed keyword before a capitalised name ends its messages, though the name be words."""
    assert classify(text).intent is intent


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("bitte keine Firmenangebote mehr", OPT_OUT),
        ("Schluss mit dem Werbemüll", OPT_OUT),
        ("bitte die Stornogebühr streichen", Intent.NONE),
        ("Bitte um Löschung der Mahngebühr", Intent.NONE),
    ],
)
def test_a_german_compound_is_what_its_last_part_is(text, intent):
    """Nobody can list the compounds: Firmenangebote are offers, a Stornogebühr is a fee."""
    assert classify(text).intent is intent


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("bin umgezogen, bitte löschen", OPT_OUT),
        ("vendí el coche, anulen", OPT_OUT),
        ("pas cliente, supprimez", OPT_OUT),
        ("pessoa errada, exclua", OPT_OUT),
        ("Bestellung doppelt, bitte löschen", Intent.NONE),
        ("pedido repetido, anulen", Intent.NONE),
        ("article abîmé, annulez", Intent.NONE),
        ("pedido duplicado, cancelem", Intent.NONE),
        ("lösch die Nachrichten", Intent.NONE),
        ("borra los mensajes de ayer", Intent.NONE),
        ("supprime ce message", Intent.NONE),
        ("apaga essa mensagem", Intent.NONE),
    ],
)
def test_a_bare_request_needs_no_object_unless_another_is_named(text, intent):
    """Behind a reason, "delete" is about the sender; behind an order it is that."""
    assert classify(text).intent is intent
