"""Whole messages by which people use a right. None of them is a keyword of the languages' tables.

Compared as app.core.language.words writes them.
"""

from app.core.language import words

# Asking why one gets messages.
_WHY = frozenset({"perche", "perche li ricevo", "why", "porque", "por que", "pourquoi", "warum"})

# Asking to be erased. It is an opt-out at once; the data go with the code.
ERASE = frozenset(
    {
        *("cancellami dati", "cancella dati", "cancella i miei dati", "elimina i miei dati"),
        *("erase", "erase me", "erase my data", "delete my data", "forget me"),
        *("borrar mis datos", "borra mis datos", "eliminar mis datos", "elimina mis datos"),
        *("supprimer mes donnees", "supprimez mes donnees", "effacez mes donnees"),
        *("meine daten loschen", "losche meine daten", "loschen sie meine daten"),
        *("apagar os meus dados", "apagar meus dados", "elimina os meus dados"),
    }
)

# Asking for one's data: the rule, and the words with the language that each tells.
DATA_ASKED = "access"
DATA = {
    **dict.fromkeys(("dati", "i miei dati", "miei dati"), "it"),
    **dict.fromkeys(("data", "my data", "mydata"), "en"),
    **dict.fromkeys(("datos", "mis datos"), "es"),
    **dict.fromkeys(("donnees", "mes donnees"), "fr"),
    **dict.fromkeys(("daten", "meine daten"), "de"),
    **dict.fromkeys(("dados", "meus dados", "os meus dados"), "pt"),
}


def asks_why(body: str) -> bool:
    """Whether a text asks why its sender gets messages, and nothing else."""
    return words(body) in _WHY
