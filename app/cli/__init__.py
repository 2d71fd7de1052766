"""`optout …`: each command is short; the work is done in the core."""

from app.cli.api_keys import api_key
from app.cli.campaigns import campaign
from app.cli.classify import classify
from app.cli.common import Commands
from app.cli.consents import consents
from app.cli.dossiers import dossier, subscriber
from app.cli.filter import filter_file
from app.cli.keys import key
from app.cli.ledger import ledger
from app.cli.messages import chores, messages, reconcile
from app.cli.privacy import privacy, prune
from app.cli.programs import program
from app.cli.renewals import renewals
from app.cli.review import review
from app.cli.serving import migrate, serve
from app.cli.suppressions import suppress, suppressions

main = Commands(
    "optout",
    help="""The SMS opt-out gateway.

    Settings come from the environment and from .env (see .env.example).

    \b
    Exit codes: 0 done; 1 not done, or not for every line (it says which); 2 wrong settings or
    usage; 130 stopped with Ctrl-C.
    """,
    commands=[
        migrate,
        serve,
        api_key,
        program,
        suppress,
        suppressions,
        consents,
        filter_file,
        campaign,
        messages,
        reconcile,
        review,
        subscriber,
        privacy,
        prune,
        renewals,
        ledger,
        key,
        dossier,
        classify,
        chores,
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
